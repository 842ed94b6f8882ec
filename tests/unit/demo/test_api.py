"""The demo account's API: that it pages, filters and refuses as Linq's documents say."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import httpx
import pytest
from helpers.generated_account import generated_account
from helpers.in_flight import InFlight
from helpers.odd_account import odd_account
from linq import AuthenticationError, LinqAPIV3
from starlette.types import ASGIApp

from linq_mcp.demo.account import DemoAccount, demo_account
from linq_mcp.demo.api import DEMO_BASE_URL, DEMO_KEY, demo_api
from linq_mcp.demo.lines import AGENCY_LINE, CLINIC_LINE, LINES
from linq_mcp.demo.serve import running, serve_forever
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


# -- The key, the envelope, the paths -------------------------------------------------------------------


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
    """401 with 2004, also where there is nothing."""
    app = demo_api(demo_account())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=DEMO_BASE_URL) as http:
        answer = await http.get(path, headers=httpx.Headers(headers))  # type: ignore[arg-type] # bytes on purpose
    assert refusal(answer) == (401, 2004)
    assert answer.json()["error"]["doc_url"] == "https://docs.linqapp.com/error/codes/2xxx/2004/"
    assert answer.json()["error"]["message"].startswith("Unauthorized")


async def test_another_key_can_be_chosen() -> None:
    """A test of a rejected key needs an account with another one."""
    app = demo_api(demo_account(), key="other")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=DEMO_BASE_URL) as http:
        assert (await http.get("/v3/chats", headers=KEY)).status_code == 401
        assert (await http.get("/v3/chats", headers={"Authorization": "Bearer other"})).status_code == 200


async def test_every_answer_has_a_trace_id_of_its_own() -> None:
    """Successes and refusals alike."""
    async with client() as http:
        answers = [await http.get(path) for path in ("/v3/chats", "/v3/chats", "/v3/nothing", "/v3/chats/x")]
    ids = {answer.headers["X-Trace-ID"] for answer in answers}
    assert len(ids) == 4
    assert all(str(UUID(one)) == one for one in ids)


@pytest.mark.parametrize(
    "path", ["/", "/v3", "/v3/v3/chats", "/v3/chats/", "/v3/messages", "/v3/payments", "/v2/chats"]
)
async def test_other_paths_are_not_found(path: str) -> None:
    """In the envelope, and without a redirect for a slash too many."""
    assert refusal(await get(path)) == (404, 404)


async def test_paths_work_with_and_without_the_base_path() -> None:
    """A proxy may have cut it off."""
    async with client() as http:
        assert (await http.get("http://127.0.0.1/v3/chats")).json() == (await http.get("/v3/chats")).json()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD"])
async def test_other_methods_are_refused(method: str) -> None:
    """What a path does not offer is answered by what it does."""
    async with client() as http:
        answer = await http.request(method, "/v3/phone_numbers")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET"
    assert method == "HEAD" or refusal(answer) == (405, 405)


# -- GET /v3/chats --------------------------------------------------------------------------------------


async def test_chats_come_in_the_accounts_order_twenty_at_a_time() -> None:
    """The walk of Linq's documents: 20 chats, and the cursor "20"."""
    page = (await get("/v3/chats")).json()
    assert page == {"chats": demo_account().chats[:20], "next_cursor": "20"}


async def test_the_next_page_begins_after_the_last() -> None:
    """A cursor with a limit of its own."""
    page = (await get("/v3/chats", cursor="20", limit=7)).json()
    assert page == {"chats": demo_account().chats[20:27], "next_cursor": "27"}


@pytest.mark.parametrize(("limit", "pages"), [(100, 3), (99, 4), (1, 300)])
async def test_paging_reaches_every_chat_once_and_ends_with_null(limit: int, pages: int) -> None:
    """Also when the last page is full."""
    async with client() as http:
        found, count = await all_chats(http, limit=limit)
    assert found == demo_account().chats
    assert count == pages


async def test_a_cursor_past_the_end_gives_an_empty_last_page() -> None:
    """As when chats went away between two pages."""
    assert (await get("/v3/chats", cursor="300")).json() == {"chats": [], "next_cursor": None}


async def test_an_empty_account_has_one_empty_page() -> None:
    """No chats, no cursor."""
    answer = await get("/v3/chats", generated_account(0))
    assert answer.json() == {"chats": [], "next_cursor": None}


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.0", "ten", "", "\u0661", "9" * 5000])
@pytest.mark.parametrize("path", ["/v3/chats", f"/v3/chats/{TEAM_CHAT_ID}/messages"])
async def test_a_limit_out_of_range_is_refused(path: str, limit: str) -> None:
    """400 with 1005."""
    assert refusal(await get(path, limit=limit)) == (400, 1005)


@pytest.mark.parametrize("cursor", ["-1", "abc", "", "1e2", "20 ", "9" * 5000])
@pytest.mark.parametrize("path", ["/v3/chats", f"/v3/chats/{TEAM_CHAT_ID}/messages"])
async def test_a_bad_cursor_is_refused(path: str, cursor: str) -> None:
    """400 with 1005, never a silent restart."""
    assert refusal(await get(path, cursor=cursor)) == (400, 1005)


async def test_unknown_parameters_are_ignored() -> None:
    """A misspelt filter gives the unfiltered list: the trap that clients must guard against."""
    assert (await get("/v3/chats", from_=AGENCY_LINE)).json() == (await get("/v3/chats")).json()


@pytest.mark.parametrize("line", LINES)
async def test_from_gives_the_chats_of_a_line(line: str) -> None:
    """All of them, the one it left included, in order."""
    async with client() as http:
        found, _ = await all_chats(http, **{"from": line})
    assert found == [
        chat for chat in demo_account().chats if any(one["is_me"] and one["handle"] == line for one in chat["handles"])
    ]


async def test_to_gives_the_chats_with_a_participant() -> None:
    """Direct chats and groups, on all lines."""
    async with client() as http:
        found, _ = await all_chats(http, to="+16175550101")
    assert len(found) == 4
    assert {one["handle"] for chat in found for one in chat["handles"] if one["is_me"]} == set(LINES)


async def test_to_compares_addresses_without_regard_to_case() -> None:
    """Whichever side has the capitals."""
    for address in ("maya.torres@example.com", "MAYA.TORRES@EXAMPLE.COM", "Maya.Torres@Example.com"):
        found = (await get("/v3/chats", to=address)).json()["chats"]
        assert [chat["handles"][1]["handle"] for chat in found] == ["Maya.Torres@Example.com"]


async def test_from_and_to_together_give_what_both_allow() -> None:
    """A person known to two lines, asked for on one."""
    async with client() as http:
        both, _ = await all_chats(http, to="+16175550101")
        one, _ = await all_chats(http, to="+16175550101", **{"from": AGENCY_LINE})
    assert 0 < len(one) < len(both)
    assert one == [chat for chat in both if chat["handles"][0]["handle"] == AGENCY_LINE]


@pytest.mark.parametrize("to", ["+12025550000", "nobody@example.com", CLINIC_LINE])
async def test_to_that_matches_nothing_gives_an_empty_list(to: str) -> None:
    """Our own line is not another participant."""
    assert (await get("/v3/chats", to=to)).json() == {"chats": [], "next_cursor": None}


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize(
    "number", ["12052535597", " 12052535597", "+1 205 253 5597", "+0123456", "+12052535597x", "", "someone"]
)
async def test_a_number_that_is_not_e164_is_refused(name: str, number: str) -> None:
    """400 with 1002; the leading space is what becomes of a `+` that was not encoded."""
    assert refusal(await get("/v3/chats", **{name: number})) == (400, 1002)


async def test_a_plus_that_is_not_encoded_is_refused() -> None:
    """In a query a bare `+` is a space."""
    async with client() as http:
        answer = await http.get(f"/v3/chats?from={CLINIC_LINE}")
    assert refusal(answer) == (400, 1002)


async def test_a_line_that_is_not_ours_is_refused() -> None:
    """403 with 2006."""
    assert refusal(await get("/v3/chats", **{"from": "+12025550000"})) == (403, 2006)


# -- One chat, messages, lines --------------------------------------------------------------------------


async def test_a_chat_comes_bare() -> None:
    """Not wrapped; its id in either case."""
    chat = demo_account().chats[3]
    assert (await get(f"/v3/chats/{chat['id']}")).json() == chat
    assert (await get(f"/v3/chats/{chat['id'].upper()}")).json() == chat


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"/v3/chats/{NOWHERE}", 2001),
        (f"/v3/chats/{NOWHERE}/messages", 2001),
        (f"/v3/messages/{NOWHERE}", 2002),
    ],
)
async def test_an_unknown_id_is_not_found(path: str, code: int) -> None:
    """404 with the code that says what was not found."""
    assert refusal(await get(path)) == (404, code)


@pytest.mark.parametrize("path", ["/v3/chats/{}", "/v3/chats/{}/messages", "/v3/messages/{}"])
@pytest.mark.parametrize("given", ["1", "Team Discussion", TEAM_CHAT_ID[:-1], TEAM_CHAT_ID + "0", "%00"])
async def test_a_malformed_id_is_refused(path: str, given: str) -> None:
    """400 with 1005."""
    assert refusal(await get(path.format(given))) == (400, 1005)


@pytest.mark.parametrize("oldest_first", [True, False])
async def test_messages_come_in_the_order_chosen(*, oldest_first: bool) -> None:
    """Fifty at a time; both orders page through all of them."""
    messages = demo_account().messages[TEAM_CHAT_ID]
    expected = messages if oldest_first else messages[::-1]
    async with client(oldest_first=oldest_first) as http:
        first = (await http.get(f"/v3/chats/{TEAM_CHAT_ID}/messages")).json()
        last = (await http.get(f"/v3/chats/{TEAM_CHAT_ID}/messages?cursor=300&limit=100")).json()
    assert first == {"messages": expected[:50], "next_cursor": "50"}
    assert last == {"messages": expected[300:], "next_cursor": None}


async def test_a_chat_without_messages_has_an_empty_page() -> None:
    """Generated chats but the first have none."""
    account = generated_account(2)
    answer = await get(f"/v3/chats/{account.chats[1]['id']}/messages", account)
    assert answer.json() == {"messages": [], "next_cursor": None}


async def test_a_message_comes_bare() -> None:
    """Whichever chat it belongs to."""
    message = demo_account().messages[demo_account().chats[-1]["id"]][0]
    assert (await get(f"/v3/messages/{message['id']}")).json() == message


async def test_two_chats_of_the_demo_have_no_messages_left() -> None:
    """Linq no longer keeps them: an empty page, not an error."""
    empty = [chat_id for chat_id, messages in demo_account().messages.items() if not messages]
    answers = [await get(f"/v3/chats/{chat_id}/messages") for chat_id in empty]
    assert [answer.json() for answer in answers] == [{"messages": [], "next_cursor": None}] * 2


async def test_the_lines_come_all_at_once() -> None:
    """They are not paged."""
    assert (await get("/v3/phone_numbers")).json() == {"phone_numbers": demo_account().phone_numbers}


async def test_half_an_emoji_comes_over_the_wire_as_an_escape() -> None:
    """JSON can express what UTF-8 cannot."""
    answer = await get("/v3/chats", odd_account(), limit=100)
    assert answer.content.isascii()
    assert b'"Lunch \\ud83d"' in answer.content
    assert any(chat["display_name"] == "Lunch \ud83d" for chat in answer.json()["chats"])


async def test_filters_look_at_each_chat_once_however_many_pages() -> None:
    """A page of a filtered large account must not cost a walk over all of it."""
    walks = 0

    class Counted(list[Wire]):
        def __iter__(self) -> Iterator[Wire]:
            nonlocal walks
            walks += 1
            return super().__iter__()

    made = generated_account(2000)
    account = DemoAccount(Counted(made.chats), made.messages, made.phone_numbers)
    async with client(account) as http:
        assert walks == 0
        found, pages = await all_chats(http, limit=100, **{"from": AGENCY_LINE})
        for chat in found[:20]:
            answer = await http.get("/v3/chats", params={"to": chat["handles"][1]["handle"]})
            assert chat in answer.json()["chats"]
    assert pages == 7
    assert walks == 2


# -- Delay and rate limit -------------------------------------------------------------------------------


async def test_delayed_answers_are_under_way_at_the_same_time() -> None:
    """The delay blocks nobody else, so a client gains by asking for several things at once."""
    api = InFlight(demo_api(demo_account(), delay=0.05))
    async with client_of(api) as http, anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(http.get, "/v3/phone_numbers")
    assert (api.most, api.requests) == (8, 8)


async def test_without_a_delay_requests_are_answered_one_after_the_other() -> None:
    """Nothing waits in between."""
    api = InFlight(demo_api(demo_account()))
    async with client_of(api) as http, anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(http.get, "/v3/phone_numbers")
    assert (api.most, api.requests) == (1, 8)


async def test_every_nth_request_is_rate_limited() -> None:
    """429 with 1007, and how long to wait both in the header and in the body."""
    async with client(rate_limit_every=3) as http:
        answers = [await http.get("/v3/phone_numbers") for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 200, 200, 429, 200]
    limited = answers[2]
    assert refusal(limited) == (429, 1007)
    assert (limited.headers["Retry-After"], limited.json()["error"]["retry_after"]) == ("1", 1)


async def test_requests_without_the_key_do_not_count_towards_the_rate_limit() -> None:
    """They are refused for what they are."""
    async with client(rate_limit_every=2) as http:
        answers = [
            await http.get("/v3/phone_numbers", headers={"Authorization": authorization})
            for authorization in ("Bearer wrong", "Bearer wrong", f"Bearer {DEMO_KEY}")
        ]
    assert [answer.status_code for answer in answers] == [401, 401, 200]


# -- On a port ------------------------------------------------------------------------------------------


def test_the_official_sdk_understands_a_refusal() -> None:
    """It reads the code from the envelope."""
    with (
        running(demo_api(demo_account())) as url,
        LinqAPIV3(api_key="wrong", base_url=url, max_retries=0, timeout=10) as linq,
        pytest.raises(AuthenticationError, match="2004"),
    ):
        linq.chats.list_chats()


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


def test_the_background_server_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """And leaves the logging of the process it runs in as it is."""
    handlers = list(logging.getLogger("uvicorn").handlers)
    with caplog.at_level(logging.DEBUG), running(demo_api(demo_account())) as url:
        httpx.get(f"{url}/v3/chats", headers=KEY, timeout=5)
    assert [one for one in caplog.records if one.name.startswith("uvicorn")] == []
    assert logging.getLogger("uvicorn").handlers == handlers


def test_a_taken_port_is_reported_at_once() -> None:
    """In the caller, not in a thread."""
    app = demo_api(demo_account())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"), running(app, port):
            pass
        with pytest.raises(OSError, match="in use"):
            serve_forever(app, port, print)


def test_serving_ends_cleanly_on_ctrl_c() -> None:
    """Exit code 0 and nothing on stderr: no traceback, no access log."""
    code = (
        "from linq_mcp.demo.account import demo_account; from linq_mcp.demo.api import demo_api\n"
        "from linq_mcp.demo.serve import serve_forever\n"
        "serve_forever(demo_api(demo_account()), 0, lambda url: print(url, flush=True)); print('ended')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert httpx.get(f"{url}/v3/chats", headers=KEY, timeout=5).status_code == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "ended\n", "")
