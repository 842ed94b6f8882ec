"""The board as hosts are handed it, in both protocol eras, and what its page may not contain."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from helpers.hosts import client
from helpers.linq import account_over
from helpers.mcp_client import eras
from helpers.recording_api import RecordingApi
from helpers.streamable_http import demo
from mcp import Client, MCPError, types
from mcp.client import advertise
from mcp.client.client import ConnectMode

from linq_mcp import __version__
from linq_mcp.server import view
from linq_mcp.server.app import build_server
from linq_mcp.server.view import BOARD_URI, EXTENSION, MIME_TYPE, board_html
from linq_mcp.settings.problems import KeySource
from linq_mcp.tools import SEND_TOOLS, TOOLS
from linq_mcp.tools.base.tool import Tool
from linq_mcp.tools.list_chats import LIST_CHATS

SHOWN = {"list_inbox", "summarize_activity", "summarize_chat_health"}


def connect(tools: Sequence[Tool[Any]] = TOOLS, *, era: ConnectMode = "auto", views: bool = False) -> Client:
    """A client of the server, which says that it shows views if `views`."""
    account = account_over(lambda _: httpx.Response(500))
    extensions = [advertise(EXTENSION, {"mimeTypes": [MIME_TYPE]})] if views else None
    return Client(build_server(account, tools), mode=era, read_timeout_seconds=20, extensions=extensions)


@eras
async def test_three_tools_have_the_board_as_their_view(era: ConnectMode) -> None:
    """Models and the page itself may call them; the other tools have no `_meta` at all."""
    async with connect(era=era) as client:
        listed = (await client.list_tools()).tools
    meta = {"ui": {"resourceUri": BOARD_URI, "visibility": ["model", "app"]}}
    assert {tool.name: tool.meta for tool in listed if tool.meta is not None} == dict.fromkeys(SHOWN, meta)


async def test_no_view_may_send() -> None:
    """A host keeps every view, also one of another server, from calling tools that are for models only."""
    async with client(RecordingApi()) as connected:
        listed = (await connected.list_tools()).tools
    sending = [tool.meta for tool in listed if tool.name in {tool.name for tool in SEND_TOOLS}]
    assert sending == [{"ui": {"visibility": ["model"]}}] * len(SEND_TOOLS)


async def test_a_host_that_shows_views_is_told_the_same_as_one_that_does_not() -> None:
    said = []
    for views in (False, True):
        async with connect(views=views) as client:
            listed = await client.list_tools()
            said.append((listed, client.server_capabilities, client.instructions))
    assert said[0] == said[1]


async def test_the_board_is_the_only_resource() -> None:
    """A list of resources has the page under the URI that the tools name."""
    async with connect() as client:
        (board,) = (await client.list_resources()).resources
    assert (board.uri, board.mime_type) == (BOARD_URI, MIME_TYPE)


@eras
async def test_the_page_comes_with_what_it_may_do(era: ConnectMode) -> None:
    """The content says that it loads nothing from anywhere and asks for no permission."""
    async with connect(era=era) as client:
        (page,) = (await client.read_resource(BOARD_URI)).contents
    assert isinstance(page, types.TextResourceContents)
    assert (page.uri, page.mime_type, page.text) == (BOARD_URI, MIME_TYPE, board_html())
    assert page.meta == {"ui": {"csp": {"connectDomains": [], "resourceDomains": []}, "prefersBorder": True}}


@pytest.mark.parametrize("uri", ["ui://linq-mcp/board-0.0.0.html", "file:///etc/passwd", "ui://linq-mcp/\x1b[2J"])
async def test_any_other_uri_is_a_protocol_error(uri: str) -> None:
    async with connect() as client:
        with pytest.raises(MCPError, match=re.escape(BOARD_URI)) as raised:
            await client.read_resource(uri)
    assert raised.value.code == types.INVALID_PARAMS
    assert "\x1b" not in str(raised.value)


async def test_without_a_tool_that_has_a_view_there_is_no_board() -> None:
    """A server that was narrowed to other tools has neither the extension nor any resource."""
    async with connect([LIST_CHATS]) as client:
        assert client.server_capabilities.model_dump(exclude_none=True) == {"tools": {"list_changed": False}}
        with pytest.raises(MCPError) as raised:
            await client.list_resources()
    assert raised.value.code == types.METHOD_NOT_FOUND


async def test_the_page_knows_the_demo_account() -> None:
    async with Client(build_server(demo())) as connected:
        (page,) = (await connected.read_resource(BOARD_URI)).contents
    assert isinstance(page, types.TextResourceContents)
    assert page.text == board_html(KeySource.DEMO) != board_html()


def test_each_version_has_a_uri_of_its_own() -> None:
    """Otherwise desktop hosts would show the page of the version before. The page tells hosts its version, too."""
    assert f"-{__version__}." in BOARD_URI
    assert f'version: "{__version__}"' in board_html()
    assert "{{" not in board_html()
    assert __version__ not in Path(view.__file__).with_name("board.html").read_text(encoding="utf-8")


def test_the_page_calls_only_tools_that_there_are() -> None:
    names = {tool.name for tool in TOOLS}
    words = set(re.findall(r"[\"'`]((?:list|find|get|summarize)_\w+)[\"'`]", board_html()))
    assert words <= names
    assert words >= SHOWN | {"list_messages"}


@pytest.mark.parametrize(
    "means",
    [
        r"\w+(?:HTML|Fragment)\b",
        r"document\.write",
        r"\beval\b",
        r"\bFunction\(",
        r"DOMParser",
        r"setAttribute\(.on",
        r"javascript:",
    ],
)
def test_the_page_never_makes_markup_or_code_of_text(means: str) -> None:
    """Strangers write what it shows, so that text is only ever text."""
    assert re.findall(means, board_html()) == []


@pytest.mark.parametrize(
    "means",
    [
        r"https?://",
        r"\bfetch\(",
        r"XMLHttpRequest",
        r"WebSocket",
        r"EventSource",
        r"sendBeacon",
        r"\bimport\b",
        r"url\(",
        r"\bsrc\s*=",
        r"<link",
        r"<iframe",
        r"localStorage|sessionStorage|indexedDB|cookie",
    ],
)
def test_the_page_loads_and_keeps_nothing(means: str) -> None:
    assert re.findall(means, board_html()) == []


def test_the_page_stays_small() -> None:
    assert len(board_html().encode()) <= 60_000
