"""Which proxy the environment wants for an address.

httpx reads the same variables, but for all addresses at once: one entry that it can't read fails every request.
"""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def proxy_for(url: str) -> str | None:
    """The proxy's URL by `HTTPS_PROXY`, `ALL_PROXY`, and `NO_PROXY`, or the system's settings; None for no proxy.

    An entry of `NO_PROXY` is a host with its subdomains, and may have a port; any other kind matches no host.
    """
    address, proxies = urlsplit(url), getproxies()
    proxy = proxies.get(address.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(address.netloc):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
