"""The mechanism behind the three scanning tools: what it counts, where it stops, and how it goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import anyio
import httpx
import pytest
from helpers.linq import Canned, call_over
from mcp import Client

from linq_mcp.demo import in_process
from linq_mcp.errors import ApiStatusError, ArgumentsError
from linq_mcp.server.app import build_server
from linq_mcp.server.callers.caller import SettingsClientProvider
from linq_mcp.tools.base.tool import Call, Tool
from linq_mcp.tools.find_chats import FIND_CHATS
from linq_mcp.tools.find_messages import FIND_MESSAGES
from linq_mcp.tools.reading.chats import chat_pages
from linq_mcp.tools.reading.reading_cursor import Part, ReadingCursor
from linq_mcp.tools.reading.scan import Scan, ScanCursor, find
from linq_mcp.tools.reading.scan_info import ScanInfo, scan_info
from linq_mcp.tools.summarize_chat_health import SUMMARIZE_CHAT_HEALTH
from linq_mcp.wording.errors import HEADLINES

Answer = tuple[list[str], str | None]


def transport(pages: Mapping[str | None, Answer | int]) -> httpx.AsyncBaseTransport:
    """An API with these pages by cursor: ids and the next cursor, or an HTTP status."""

    def handler(request: httpx.Request) -> httpx.Response:
        answer = pages[request.url.params.get("cursor")]
        if isinstance(answer, int):
            return httpx.Response(answer, json={"error": {"code": 4000, "message": "out of order"}})
        ids, cursor = answer
        return httpx.Response(200, json={"chats": [{"id": id_} for id_ in ids], "next_cursor": cursor})

    return Canned(handler)


async def read(
    pages: Mapping[str | None, Answer | int],
    *,
    most: int = 1_000_000,
    start: ScanCursor | None = None,
    seconds: float = 30,
    progress: list[int] | None = None,
) -> tuple[list[str], ScanInfo]:
    """The ids that a reader who has enough after `most` items was given, and what the scan says of itself."""
    async with call_over(transport(pages), seconds=seconds, progress=progress) as call:
        scan = Scan(chat_pages(call, None, None), call, start)
        found = await find(scan, lambda _: True, most)
        return [chat.id or "?" for chat in found], scan_info(scan, call, "", limit_note="enough", notes=[])


def resumed(outcome: ScanInfo) -> ScanCursor:
    """The position that a model hands back, read as an argument is."""
    arguments = FIND_CHATS.parse({"text": "x", "cursor": outcome["next_cursor"]})
    assert isinstance(arguments.cursor, ScanCursor)
    return arguments.cursor


TWO_PAGES: dict[str | None, Answer | int] = {None: (["a", "b", "c"], "2"), "2": (["d", "e"], None)}


async def test_reads_to_the_end() -> None:
    """Every item once, in order, and the answer is complete."""
    assert await read(TWO_PAGES) == (["a", "b", "c", "d", "e"], {"scanned": 5, "complete": True})


async def test_a_thing_met_twice_counts_once() -> None:
    """Rows shift between pages when chats become active."""
    pages: dict[str | None, Answer | int] = {None: (["a", "b"], "2"), "2": (["b", "c", "a"], None)}
    shown, outcome = await read(pages)
    assert shown == ["a", "b", "c"]
    assert outcome["scanned"] == 3


@pytest.mark.parametrize("most", [1, 2, 3, 4])
async def test_goes_on_exactly_behind_the_last_thing_seen(most: int) -> None:
    """In mid-page and at the page's end alike, until everything was seen once."""
    seen, start, outcomes = [], ScanCursor(), []
    for _ in range(6):
        shown, outcome = await read(TWO_PAGES, most=most, start=start)
        seen += shown
        outcomes.append(outcome)
        if outcome["complete"]:
            break
        assert outcome["note"] == "enough"
        start = resumed(outcome)
    assert seen == ["a", "b", "c", "d", "e"]
    assert outcomes[-1]["complete"]
    assert "next_cursor" not in outcomes[-1]


async def test_having_enough_at_the_very_end_is_complete() -> None:
    """Nothing was left unseen, so there is nothing to go on with."""
    _, outcome = await read(TWO_PAGES, most=5)
    assert outcome == {"scanned": 5, "complete": True}


async def test_goes_on_behind_the_same_item_when_rows_have_moved() -> None:
    """A chat that became active meanwhile pushes the page on by one; nothing is read again."""
    _, outcome = await read({None: (["a", "b", "c", "d"], None)}, most=2)
    shown, _ = await read({None: (["new", "a", "b", "c", "d"], None)}, start=resumed(outcome))
    assert shown == ["c", "d"]


async def test_goes_on_by_number_when_the_last_item_is_gone() -> None:
    """Better one row off than from the start."""
    _, outcome = await read({None: (["a", "b", "c", "d"], None)}, most=2)
    shown, _ = await read({None: (["a", "x", "c", "d"], None)}, start=resumed(outcome))
    assert shown == ["c", "d"]


@pytest.mark.parametrize(
    "pages",
    [
        {None: (["a"], "1"), "1": (["b"], "1")},
        {None: (["a"], "1"), "1": (["b"], "2"), "2": (["c"], "1")},
    ],
    ids=["the same again", "a circle"],
)
async def test_a_circle_of_cursors_ends_it(pages: dict[str | None, Answer | int]) -> None:
    """It says so, and does not claim to have seen everything."""
    shown, outcome = await read(pages)
    assert len(shown) == len(set(shown)) == len(pages)
    assert outcome["complete"] is False
    assert "circle" in outcome["note"]
    assert "next_cursor" not in outcome


async def test_a_failure_in_the_middle_loses_nothing() -> None:
    """What was read is told, with the reason and the way on, which works once Linq does."""
    shown, outcome = await read({None: (["a", "b"], "2"), "2": 503})
    assert shown == ["a", "b"]
    assert (outcome["scanned"], outcome["complete"]) == (2, False)
    assert HEADLINES["server_error"] in outcome["note"]
    assert (await read({"2": (["c"], None)}, start=resumed(outcome)))[0] == ["c"]


async def test_a_cursor_of_linqs_that_linq_refuses_is_not_offered_again() -> None:
    """What was read is told; the way on is to begin again, not to change the arguments."""
    shown, outcome = await read({None: (["a", "b"], "2"), "2": 400})
    assert shown == ["a", "b"]
    assert outcome["complete"] is False
    assert "next_cursor" not in outcome
    assert "Start again without cursor" in outcome["note"]


async def test_a_failure_that_waiting_does_not_mend_says_so() -> None:
    """The cursor is good once the key is."""
    _, outcome = await read({None: (["a", "b"], "2"), "2": 401})
    assert "once this is fixed" in outcome["note"]
    assert resumed(outcome).cursor == "2"


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        (FIND_CHATS, {"text": "other"}),
        (FIND_CHATS, {"text": "x", "from": "+12052535597"}),
        (SUMMARIZE_CHAT_HEALTH, {}),
        (FIND_MESSAGES, {"text": "x", "chat_id": "550e8400-e29b-41d4-a716-446655440000"}),
    ],
    ids=["other words", "another line", "another tool", "another list"],
)
async def test_a_cursor_holds_for_its_own_question_only(tool: Tool[Any], arguments: dict[str, Any]) -> None:
    """Behind another question it would skip what nobody has seen, and call the rest complete."""
    async with call_over(transport({None: (["a", "b", "c"], None)})) as call:
        first = await FIND_CHATS.run(FIND_CHATS.parse({"text": "x", "is_group": False, "limit": 1}), call)
        assert first["complete"]
        cursor = str(ScanCursor(None, 1, "a", "0badc0de"))
        if tool is FIND_MESSAGES:
            cursor = str(ReadingCursor("0badc0de", 0, 0, (Part(),)))
        with pytest.raises(ArgumentsError, match="same tool, filters and order"):
            await tool.run(tool.parse({**arguments, "cursor": cursor}), call)


async def test_half_an_emoji_to_look_for_is_no_stumbling_block() -> None:
    """The mark of a question is made of whatever was asked."""
    async with call_over(transport({None: (["a"], None)})) as call:
        assert (await FIND_CHATS.run(FIND_CHATS.parse({"text": "\ud83d x"}), call))["complete"]


async def test_only_the_limit_may_change_from_call_to_call() -> None:
    """It says how much, not what."""
    async with call_over(transport({None: (["a", "b", "c"], None)})) as call:
        first = await FIND_CHATS.run(FIND_CHATS.parse({"is_group": False, "limit": 1}), call)
        again = {"is_group": "false", "health_status": [], "limit": 5, "cursor": first["next_cursor"]}
        rest = await FIND_CHATS.run(FIND_CHATS.parse(again), call)
    assert [row["id"] for row in [*first["chats"], *rest["chats"]]] == ["a", "b", "c"]
    assert rest["complete"]


async def test_a_failure_on_the_first_page_is_an_error() -> None:
    """There is nothing to lose yet."""
    with pytest.raises(ApiStatusError):
        await read({None: 403})


async def test_the_end_of_time_loses_nothing() -> None:
    """With too little time left for another page, the answer says where to go on."""
    shown, outcome = await read(TWO_PAGES, seconds=1.5)
    assert shown == ["a", "b", "c"]
    assert outcome["complete"] is False
    assert "time" in outcome["note"]
    assert resumed(outcome).cursor == "2"


async def test_a_cursor_that_cannot_be_sent_again_is_said() -> None:
    """There is more, but no way to it."""

    def handler(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"chats": [{"id": "a"}], "next_cursor": {"page": 2}})

    async with call_over(Canned(handler)) as call:
        answer = await FIND_CHATS.run(FIND_CHATS.parse({"is_group": True}), call)
    assert answer["complete"] is False
    assert "there is more" in answer["note"]


async def test_pages_with_nothing_new_do_not_go_on_for_ever() -> None:
    """New cursors without new chats: after fifty pages it stops, and says how to go on."""
    asked = 0

    def handler(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return httpx.Response(200, json={"chats": [{"id": "a"}], "next_cursor": str(asked)})

    async with call_over(Canned(handler)) as call:
        answer = await FIND_CHATS.run(FIND_CHATS.parse({"is_group": True}), call)
    assert asked == 51
    assert (answer["scanned"], answer["complete"]) == (1, False)
    assert answer["next_cursor"].endswith("~0~a~51")
    assert "nothing new" in answer["note"]


async def test_unreadable_entries_are_counted() -> None:
    """Left out, but not in silence."""

    def handler(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"chats": [{"id": "a"}, None, 5], "next_cursor": None})

    async with call_over(Canned(handler)) as call:
        answer = await FIND_CHATS.run(FIND_CHATS.parse({"is_group": True}), call)
    assert answer["scanned"] == 1
    assert "2 entries could not be read" in answer["note"]


async def test_progress_after_every_page() -> None:
    """How many things have been read so far."""
    progress: list[int] = []
    await read(TWO_PAGES, progress=progress)
    assert progress == [3, 5]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_that_asks_gets_progress(mode: Any) -> None:
    """In both eras, growing, one notification a page."""
    told: list[float] = []
    last = anyio.Event()

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)
        if progress == 300:
            last.set()

    async with Client(
        build_server(SettingsClientProvider(in_process.settings, transport=in_process.transport)), mode=mode
    ) as client:
        await client.call_tool("summarize_chat_health", {}, progress_callback=on_progress)
        with anyio.fail_after(5):
            await last.wait()
    assert told == [100, 200, 300]


async def test_cancelling_stops_the_request_under_way() -> None:
    """In the middle of a scan, too."""
    begun, stopped = anyio.Event(), anyio.Event()

    class Stalls(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if "cursor" not in request.url.params:
                return await transport(TWO_PAGES).handle_async_request(request)
            begun.set()
            try:
                await anyio.sleep(30)
            finally:
                stopped.set()
            raise AssertionError

    async def answer(call: Call) -> None:
        await FIND_CHATS.run(FIND_CHATS.parse({"is_group": True}), call)

    with anyio.fail_after(10):
        async with call_over(Stalls()) as call, anyio.create_task_group() as tasks:
            tasks.start_soon(answer, call)
            await begun.wait()
            tasks.cancel_scope.cancel()
    assert stopped.is_set()


@pytest.mark.parametrize(
    "cursor",
    ["20", "1~~", "~a~b~c", "~~~", "~-1~~", "~1~x", "~٣~~", True, ["~1~~"], "~1~~" + "x" * 3000],
)
def test_a_position_that_was_not_given_out_is_refused(cursor: object) -> None:
    """Never a silent restart."""
    with pytest.raises(ArgumentsError, match="next_cursor"):
        FIND_CHATS.parse({"text": "x", "cursor": cursor})


async def test_one_page_is_in_memory_at_a_time() -> None:
    """The next page is requested when the one before has been read."""
    events: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        events.append("request")
        ids, cursor = TWO_PAGES[request.url.params.get("cursor")]  # type: ignore[misc]  # none of these is a status
        return httpx.Response(200, content=json.dumps({"chats": [{"id": i} for i in ids], "next_cursor": cursor}))

    async with call_over(Canned(handler)) as call:
        scan = Scan(chat_pages(call, None, None), call)
        while page := await scan.next_page():
            events += [chat.id or "?" for chat in page]
    assert events == ["request", "a", "b", "c", "request", "d", "e"]
