"""Is an IP address public? The SSRF guard of file downloads, and their look-up of names."""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from socket import SOCK_STREAM, getaddrinfo

_MOST_LOOKUPS = 3
# RFC 6052: networks without IPv4 reach it through these addresses, whose last four bytes are the IPv4 address.
_NAT64 = IPv6Network("64:ff9b::/96")
# RFC 4291: all other IPv6 addresses are special or not assigned.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# Not for everyone, although `ipaddress` takes them for global: the rest of RFC 6890's on older Pythons, Azure's
# metadata, relays of 6to4 (RFC 7526), and documentation (RFC 9637).
_NOT_PUBLIC = (
    IPv4Network("192.0.0.0/24"),
    IPv4Network("168.63.129.16/32"),
    IPv4Network("192.88.99.0/24"),
    IPv6Network("3fff::/20"),
)


class NameLookup:
    """Looks names up in threads of its own, so that names that hang take none that Linq's own name needs."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_MOST_LOOKUPS, "file-names")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The addresses of `host`, in the order in which to try them. Raises OSError."""
        found = await get_running_loop().run_in_executor(self._threads, getaddrinfo, host, port, 0, SOCK_STREAM)
        return list(dict.fromkeys(str(address[0]) for _, _, _, _, address in found))


def is_public(address: str) -> bool:
    """Whether anyone on the internet could reach `address`, also where it is written as an IPv6 address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        if (embedded := _embedded(parsed)) is None and parsed not in _GLOBAL_UNICAST:
            return False
        parsed = embedded or parsed
    if any(parsed in network for network in _NOT_PUBLIC):
        return False
    return parsed.is_global and not (parsed.is_multicast or parsed.is_reserved)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a connection to `address` may lead to."""
    translated = IPv4Address(address.packed[-4:]) if address in _NAT64 else None
    return address.ipv4_mapped or address.sixtofour or translated
