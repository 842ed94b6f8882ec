"""The requests that the endpoints make."""

from __future__ import annotations

from urllib.parse import parse_qsl

import anyio
import pytest
from helpers.linq import KEY
from helpers.scripted_api import (
    SETTINGS,
    Reply,
    Server,
    list_chats,
)

from linq_mcp import __version__
from linq_mcp.api.client import LinqApi


async def test_a_request_says_what_it_must() -> None:
    """GET below `/v3/`, the base's own path kept, the key as bearer, and who asks; `+` as %2B; no body."""
    server = Server(Reply())
    await list_chats(server, from_="+12055550101", to="+12055550102", limit=7, cursor="20")
    (request,) = server.requests
    assert request.method == "GET"
    assert request.url.host == "api.example.com"
    assert request.url.raw_path == (b"/api/partner/v3/chats?from=%2B12055550101&to=%2B12055550102&limit=7&cursor=20")
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["User-Agent"] == f"linq-mcp/{__version__}"
    assert request.headers["Accept"] == "application/json"
    assert request.headers["Accept-Encoding"] == "gzip"
    assert "Cookie" not in request.headers
    assert await request.aread() == b""


async def test_what_is_left_out_is_not_sent() -> None:
    server = Server(Reply())
    await list_chats(server)
    assert server.requests[0].url.raw_path == b"/api/partner/v3/chats?limit=20"


@pytest.mark.parametrize("cursor", ["a+b/c==", "a&limit=100", "a#b?c", "a b%20", "ünï", "\U0001f600", "../x", ""])
async def test_a_cursor_arrives_as_it_was(cursor: str) -> None:
    server = Server(Reply())
    await list_chats(server, cursor=cursor)
    query = server.requests[0].url.query.decode()
    assert parse_qsl(query, keep_blank_values=True) == [("limit", "20"), ("cursor", cursor)]


async def test_half_an_emoji_in_a_cursor_keeps_no_request_from_leaving() -> None:
    """UTF-8 can't encode it; Linq then says what it thinks of the cursor."""
    server = Server(Reply())
    await list_chats(server, cursor="a\ud83d")
    assert parse_qsl(server.requests[0].url.query.decode()) == [("limit", "20"), ("cursor", "a?")]


@pytest.mark.parametrize(
    "value",
    ["c1", "a/b", "..", ".", "../../v2", "%2e%2e", "%2F", "a?b=c", "a#b", "a b", "\\..\\", "ünï", "\ud83d", "\x00"],
    ids=ascii,
)
async def test_a_value_in_a_path_stays_one_segment(value: str) -> None:
    server = Server(Reply(body=b'{"id":"c1"}'))
    async with LinqApi(SETTINGS, transport=server) as api:
        await api.get_chat(value, deadline=anyio.current_time() + 5)
    path = server.requests[0].url.raw_path.decode()
    assert path.startswith("/api/partner/v3/chats/")
    assert path.count("/") == 5
    assert path.rsplit("/", 1)[1] not in ("", ".", "..")
