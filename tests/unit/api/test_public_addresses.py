"""Which addresses are of the public internet."""

from __future__ import annotations

import socket
import threading
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from linq_mcp.api import public_addresses
from linq_mcp.api.public_addresses import NameLookup, is_public


@pytest.mark.parametrize(
    "address",
    [
        "93.184.216.34",
        "8.8.8.8",
        "2606:4700::6810:85e5",
        "168.63.129.15",
        "192.88.98.1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
    ],
)
def test_public_addresses(address: str) -> None:
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
        "168.63.129.16",  # and Azure's
        "192.88.99.1",  # relays of 6to4
        "192.88.99.255",
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
        "3fff::1",
        "3fff:fff::1",
        "5f00::1",  # segment routing
        "100::1",
        "::ffff:0:8.8.8.8",  # IPv4-translated
        "4000::1",  # not assigned
        "::ffff:168.63.129.16",
        "64:ff9b::a83f:8110",
        "2002:a83f:8110::1",
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
    assert not is_public(address)


async def test_numbers_are_looked_up_as_the_addresses_they_are() -> None:
    for written in ("127.0.0.1", "2130706433", "0x7f.1", "127.1"):
        assert await NameLookup()(written, 443) == ["127.0.0.1"]
    assert await NameLookup()("::ffff:127.0.0.1", 443) == ["::ffff:127.0.0.1"]


async def test_names_that_hang_leave_linqs_own_name_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop has few threads for look-ups, and a stranger's name server can hold one for half a minute."""
    answer = threading.Event()
    look_up = socket.getaddrinfo

    def getaddrinfo(host: str, *rest: Any, **options: Any) -> Any:
        if host == "hangs.example.com":
            answer.wait(30)
        return look_up("127.0.0.1", *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(public_addresses, "getaddrinfo", getaddrinfo)
    caller, another = NameLookup(), NameLookup()
    try:
        async with anyio.create_task_group() as hanging:
            for _ in range(100):
                hanging.start_soon(caller, "hangs.example.com", 443)
            await anyio.lowlevel.checkpoint()
            with anyio.fail_after(10):
                assert await anyio.getaddrinfo("linq.example.com", 443)
                assert await another("files.example.com", 443) == ["127.0.0.1"]
            hanging.cancel_scope.cancel()
    finally:
        answer.set()
