"""Which addresses are of the public internet."""

from __future__ import annotations

import pytest

from linq_mcp.api.public_addresses import is_public, look_up


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:4700::6810:85e5", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
)
def test_public_addresses(address: str) -> None:
    """Also where IPv6 leads to an IPv4 address that is public."""
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",  # the metadata of cloud providers
        "100.100.100.200",
        "192.0.0.192",
        "198.18.0.1",
        "192.0.2.1",
        "224.0.0.1",
        "239.255.255.250",
        "255.255.255.255",
        "240.0.0.1",
        "::",
        "::1",
        "::127.0.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "2001::1",  # Teredo
        "::ffff:127.0.0.1",
        "::ffff:a00:1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "localhost",
        "",
        "0x7f.1",
    ],
)
def test_all_others(address: str) -> None:
    """This machine, its network, documentation, multicast, and all of these inside an IPv6 address."""
    assert not is_public(address)


async def test_numbers_are_looked_up_as_the_addresses_they_are() -> None:
    """However they are written, they are judged as what a connection would go to."""
    for written in ("127.0.0.1", "2130706433", "0x7f.1", "127.1"):
        assert await look_up(written, 443) == ["127.0.0.1"]
    assert await look_up("::ffff:127.0.0.1", 443) == ["::ffff:127.0.0.1"]
