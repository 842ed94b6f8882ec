"""The demo account's API: that it pages, filters and refuses as Linq's documents say."""

import socket
import threading
from typing import Any

import httpx
import pytest
from helpers.odd_account import odd_account
from helpers.running_api import running
from starlette.types import ASGIApp

from linq_mcp.demo.account import DemoAccount, demo_account
from linq_mcp.demo.api import DEMO_BASE_URL, DEMO_KEY, demo_api
from linq_mcp.demo.serve import serve_forever
from linq_mcp.demo.team_discussion import TEAM_CHAT_ID

Wire = dict[str, Any]
KEY = {"Authorization": f"Bearer {DEMO_KEY}"}
NOWHERE = "00000000-0000-4000-8000-000000000000"


def client(account: DemoAccount | None = None, **options: Any) -> httpx.AsyncClient:
    return client_of(demo_api(account or demo_account(), **options))


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=DEMO_BASE_URL, headers=KEY)


async def get(path: str, account: DemoAccount | None = None, /, **params: str | int) -> httpx.Response:
    async with client(account) as http:
        return await http.get(path, params=params)


async def all_chats(http: httpx.AsyncClient, **params: str | int) -> tuple[list[Wire], int]:
    """Follow the cursors; gives the chats and the number of pages."""
    found: list[Wire] = []
    cursor: dict[str, str | int] = {}
    for pages in range(1, 1000):
        page = (await http.get("/v3/chats", params=params | cursor)).raise_for_status().json()
        found += page["chats"]
        if page["next_cursor"] is None:
            return found, pages
        cursor = {"cursor": page["next_cursor"]}
    raise AssertionError("paging does not end")


def refusal(answer: httpx.Response) -> tuple[int, int]:
    """Check the envelope; gives the HTTP status and Linq's code."""
    body = answer.json()
    error = body["error"]
    assert body["success"] is False
    assert error["status"] == answer.status_code
    assert error["message"]
    assert body["trace_id"] == answer.headers["X-Trace-ID"]
    return answer.status_code, error["code"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {DEMO_KEY} "[:-2]},
        {"Authorization": DEMO_KEY},
        {"Authorization": b"Bearer \xff"},
    ],
)
@pytest.mark.parametrize("path", ["/v3/chats", "/v3/phone_numbers", "/nowhere"])
async def test_without_the_key_everything_is_refused(headers: dict[str, str | bytes], path: str) -> None:
    app = demo_api(demo_account())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=DEMO_BASE_URL) as http:
        answer = await http.get(path, headers=httpx.Headers(headers))  # type: ignore[arg-type] # bytes on purpose
    assert refusal(answer) == (401, 2004)
    assert answer.json()["error"]["doc_url"] == "https://docs.linqapp.com/error/codes/2xxx/2004/"
    assert answer.json()["error"]["message"].startswith("Unauthorized")


async def test_chats_come_in_the_accounts_order_twenty_at_a_time() -> None:
    """Linq's documents show this: 20 chats, and the cursor "20"."""
    page = (await get("/v3/chats")).json()
    assert page == {"chats": demo_account().chats[:20], "next_cursor": "20"}


@pytest.mark.parametrize(("limit", "pages"), [(100, 3), (99, 4), (1, 300)])
async def test_paging_reaches_every_chat_once_and_ends_with_null(limit: int, pages: int) -> None:
    async with client() as http:
        found, count = await all_chats(http, limit=limit)
    assert found == demo_account().chats
    assert count == pages


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"/v3/chats/{NOWHERE}", 2001),
        (f"/v3/chats/{NOWHERE}/messages", 2001),
        (f"/v3/messages/{NOWHERE}", 2002),
    ],
)
async def test_an_unknown_id_is_not_found(path: str, code: int) -> None:
    assert refusal(await get(path)) == (404, code)


@pytest.mark.parametrize("oldest_first", [True, False])
async def test_messages_come_in_the_order_chosen(*, oldest_first: bool) -> None:
    """Messages come fifty at a time, and both orders page through all of them."""
    messages = demo_account().messages[TEAM_CHAT_ID]
    expected = messages if oldest_first else messages[::-1]
    async with client(oldest_first=oldest_first) as http:
        first = (await http.get(f"/v3/chats/{TEAM_CHAT_ID}/messages")).json()
        last = (await http.get(f"/v3/chats/{TEAM_CHAT_ID}/messages?cursor=300&limit=100")).json()
    assert first == {"messages": expected[:50], "next_cursor": "50"}
    assert last == {"messages": expected[300:], "next_cursor": None}


async def test_half_an_emoji_comes_over_the_wire_as_an_escape() -> None:
    """JSON can express what UTF-8 cannot."""
    answer = await get("/v3/chats", odd_account(), limit=100)
    assert answer.content.isascii()
    assert b'"Lunch \\ud83d"' in answer.content
    assert any(chat["display_name"] == "Lunch \ud83d" for chat in answer.json()["chats"])


def test_the_background_server_ends_with_its_block() -> None:
    """No thread and no port is left, also when a client still holds its connection or the block fails."""
    before = threading.active_count()

    def serve_once(http: httpx.Client) -> None:
        with running(demo_api(demo_account())) as url:
            assert http.get(f"{url}/v3/chats", headers=KEY).status_code == 200
            raise KeyError(url)

    with httpx.Client(timeout=5) as http:
        with pytest.raises(KeyError) as caught:
            serve_once(http)
        assert threading.active_count() == before
        with pytest.raises(httpx.TransportError):
            http.get(f"{caught.value.args[0]}/v3/chats", headers=KEY)


def test_a_taken_port_is_reported_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        serve_forever(demo_api(demo_account()), taken.getsockname()[1], print)
