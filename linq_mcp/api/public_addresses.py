"""Tells the addresses of the public internet from those of this machine, its network, and its cloud provider."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from socket import SOCK_STREAM

import anyio

# RFC 6052: networks without IPv4 reach it through these addresses, whose last four bytes are the IPv4 address.
_NAT64 = IPv6Network("64:ff9b::/96")
# Special addresses that `ipaddress` takes for global ones: all of RFC 6890's, on older Pythons, and site-local ones.
_NOT_PUBLIC = (IPv4Network("192.0.0.0/24"), IPv6Network("fec0::/10"))


async def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of `host`, in the order in which to try them. Raises OSError."""
    found = await anyio.getaddrinfo(host, port, type=SOCK_STREAM)
    return list(dict.fromkeys(address[0] for _, _, _, _, address in found))


def is_public(address: str) -> bool:
    """Whether anyone on the internet could reach `address`, also where it is written as an IPv6 address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        parsed = _embedded(parsed) or parsed
    if any(parsed in network for network in _NOT_PUBLIC):
        return False
    return parsed.is_global and not (parsed.is_multicast or parsed.is_reserved)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a connection to `address` may lead to."""
    translated = IPv4Address(address.packed[-4:]) if address in _NAT64 else None
    return address.ipv4_mapped or address.sixtofour or translated
