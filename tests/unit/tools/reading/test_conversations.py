"""Reading many chats at once: how many, in which order, what is left out, and where it stops and goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import anyio
import httpx
import pytest
from helpers.in_flight import InFlight
from helpers.linq import Body, call_over
from helpers.scripted_chats import Reply, ScriptedChats, message
from helpers.talking_account import talking_account
from helpers.troubled_api import delayed, rate_limited
from helpers.virtual_time import in_virtual_time
from starlette.types import ASGIApp

from linq_mcp.api.models import Message
from linq_mcp.api.retry import RetryPolicy
from linq_mcp.demo.api import demo_api
from linq_mcp.errors import ApiStatusError
from linq_mcp.tools.base.tool import Call
from linq_mcp.tools.list_inbox import LIST_INBOX
from linq_mcp.tools.reading.chats import chat_pages
from linq_mcp.tools.reading.conversations import READERS, Conversation, Conversations
from linq_mcp.tools.reading.scan import Scan, ScanCursor, Stop

ONE: list[Reply] = [[message(1)]]


@dataclass
class Ids:
    """Keeps the ids of messages; the one called `bound` is the last that matters."""

    bound: str = ""
    ids: list[str | None] = field(default_factory=list)

    def visit(self, message: Message) -> bool:
        self.ids.append(message.id)
        return message.id == self.bound


def over(call: Call, start: ScanCursor | None = None, bound: str = "") -> Conversations[Ids]:
    return Conversations(Scan(chat_pages(call, None, None), call, start), call, lambda _: True, lambda: Ids(bound))


async def all_of(conversations: Conversations[Ids]) -> list[Conversation[Ids]]:
    found = []
    while (page := await conversations.next_page()) is not None:
        found += page
    return found


async def read(api: ScriptedChats, *, bound: str = "") -> tuple[list[Conversation[Ids]], Conversations[Ids]]:
    async with call_over(api) as call:
        conversations = over(call, bound=bound)
        return await all_of(conversations), conversations


def ids_of(found: Sequence[Conversation[Ids]]) -> list[str | None]:
    return [one.chat.id for one in found]


async def inbox(api: httpx.AsyncBaseTransport, *, retry: RetryPolicy | None = None, **arguments: Any) -> dict[str, Any]:
    async with call_over(api, retry=retry or RetryPolicy(), seconds=45) as call:
        return dict(await LIST_INBOX.run(LIST_INBOX.parse(arguments), call))


# How many, and in which order


def test_eight_requests_at_once_and_never_more() -> None:
    """All chats of a page at once would be a hundred."""
    counted = InFlight(delayed(demo_api(talking_account(150)), 0.1))

    async def read_all() -> dict[str, Any]:
        return await inbox(httpx.ASGITransport(counted))

    assert in_virtual_time(read_all)["scanned"] == 150
    assert counted.most == READERS == 8


def test_the_order_is_linqs_however_fast_each_chat_answers() -> None:
    """Of two pages of chats, each answers in a time of its own."""
    random = Random(1)
    api = ScriptedChats({f"c{number}": ONE for number in range(130)}, seconds=lambda _: random.random())

    async def read_all() -> list[str | None]:
        return ids_of((await read(api))[0])

    assert in_virtual_time(read_all) == list(api.chats)
    assert api.most == READERS


async def test_cancelling_stops_every_request() -> None:
    """None goes on for an answer that nobody waits for."""
    api = ScriptedChats({f"c{number}": ONE for number in range(20)}, seconds=lambda _: 30)
    with anyio.fail_after(10):
        async with call_over(api) as call, anyio.create_task_group() as tasks:
            tasks.start_soon(over(call).next_page)
            while len(api.requests) < READERS:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
    assert (len(api.requests), api.cancelled) == (READERS, READERS)


async def test_chats_that_are_not_wanted_are_not_read() -> None:
    """What the list of chats tells is enough to pass them over, and they are not missed."""
    api = ScriptedChats({"a": ONE, "b": ONE, "c": ONE})
    async with call_over(api) as call:
        scan = Scan(chat_pages(call, None, None), call)
        conversations = Conversations(scan, call, lambda chat: chat.id == "b", Ids)
        assert ids_of(await all_of(conversations)) == ["b"]
    assert api.requests == [("b", 0)]
    assert (scan.scanned, conversations.unreadable) == (3, [])


# What can't be read


@pytest.mark.parametrize("reply", [400, 403, 404, 409, 410, 422, b"<html>", {"messages": 5}], ids=str)
async def test_a_chat_that_cannot_be_read_is_left_out_and_named(reply: Reply) -> None:
    """The others are there all the same, but the answer isn't complete."""
    answer = await inbox(ScriptedChats({"a": ONE, "broken": [reply], "c": ONE}))
    assert sorted(row["id"] for row in answer["chats"]) == ["a", "c"]
    assert answer["complete"] is False
    assert "The messages of 1 chat could not all be read: broken." in answer["note"]
    assert "next_cursor" not in answer


async def test_of_many_chats_that_cannot_be_read_three_are_named() -> None:
    """And the others counted."""
    answer = await inbox(ScriptedChats({f"c{number}": [404] for number in range(5)}))
    assert "The messages of 5 chats could not all be read: c0, c1, c2 and 2 more." in answer["note"]


@pytest.mark.parametrize(
    "second",
    [
        {"messages": [message(2)], "next_cursor": "1"},
        {"messages": [message(2)], "next_cursor": {"page": 2}},
        {"messages": [message(2), 5], "next_cursor": None},
    ],
    ids=["a circle", "a cursor that can't be sent", "an entry that is not an object"],
)
async def test_a_chat_read_in_part_is_kept_and_named(second: Reply) -> None:
    """What was read of it counts, and the answer says that it isn't all."""
    api = ScriptedChats({"a": [[message(1)], second]})
    found, conversations = await read(api)
    assert found[0].reader.ids == ["m1", "m2"]
    assert len(api.requests) == 2
    assert conversations.unreadable == ["a"]


async def test_pages_with_nothing_new_do_not_go_on_for_ever() -> None:
    """New cursors without new messages."""
    api = ScriptedChats({"a": [[message(1)]] * 100})
    found, conversations = await read(api)
    assert found[0].reader.ids == ["m1"]
    assert len(api.requests) == 51
    assert conversations.unreadable == ["a"]


# Of a chat of several pages


PAGES = [[message(number) for number in range(start, start + 3)] for start in (1, 4, 7)]


async def test_where_the_newest_come_first_reading_stops_at_the_bound() -> None:
    """Nothing before it matters, so no further page is requested."""
    newest_first: list[Reply] = [page[::-1] for page in PAGES[::-1]]
    api = ScriptedChats({"a": newest_first})
    (one,), conversations = await read(api, bound="m5")
    assert one.reader.ids == ["m9", "m8", "m7", "m6", "m5", "m4"]
    assert not one.oldest_first
    assert api.requests == [("a", 0), ("a", 1)]
    assert conversations.unreadable == []


async def test_where_the_oldest_come_first_every_page_is_read() -> None:
    """The newest ones are on the last page, so the bound ends nothing."""
    api = ScriptedChats({"a": PAGES})
    (one,), _ = await read(api, bound="m5")
    assert one.reader.ids == [f"m{number}" for number in range(1, 10)]
    assert one.oldest_first
    assert len(api.requests) == 3


@pytest.mark.parametrize("first", [[message(9)], [message(9, second=8), message(8)]], ids=["one", "of one second"])
async def test_an_order_that_the_first_page_does_not_show_is_seen_later(first: Reply) -> None:
    """Until then a bound ends nothing: newer messages could follow."""
    api = ScriptedChats({"a": [first, [message(7), message(6)], [message(5), message(4)], [message(3)]]})
    (one,), _ = await read(api, bound="m6")
    assert not one.oldest_first
    assert api.requests[-1] == ("a", 1)


async def test_a_message_met_twice_counts_once() -> None:
    """Rows shift between pages when messages arrive."""
    (one,), _ = await read(ScriptedChats({"a": [[message(2), message(1)], [message(1), message(0)]]}))
    assert one.reader.ids == ["m2", "m1", "m0"]


# Where it stops, and goes on


async def test_a_failure_stops_exactly_before_its_chat() -> None:
    """What was read before it is told, and reading goes on with it: none is read twice for the answer or skipped."""
    api = ScriptedChats({f"c{number}": [503] if number == 11 else ONE for number in range(120)})
    async with call_over(api, retry=RetryPolicy(attempts=1)) as call:
        first = over(call)
        before = await all_of(first)
        assert ids_of(before) == [f"c{number}" for number in range(11)]
        assert (first.scan.stop, first.scan.scanned) == (Stop.ERROR, 11)
        api.chats["c11"] = ONE
        after = await all_of(over(call, first.scan.resume))
    assert ids_of(before + after) == list(api.chats)


async def test_after_a_failure_no_further_chat_is_asked_for() -> None:
    """But those under way are finished: they may be before it."""
    api = ScriptedChats({f"c{number}": [503] if number == 2 else ONE for number in range(100)})
    async with call_over(api, retry=RetryPolicy(attempts=1)) as call:
        assert ids_of(await all_of(over(call))) == ["c0", "c1"]
    assert len(api.requests) <= READERS + 3


async def test_a_failure_with_nothing_read_is_an_error() -> None:
    """There is nothing to lose yet."""
    with pytest.raises(ApiStatusError, match="out of order"):
        await inbox(ScriptedChats({"a": [503], "b": ONE}), retry=RetryPolicy(attempts=1))


def test_the_end_of_time_loses_nothing() -> None:
    """Forty seconds' worth of chats a call, resumed until all have been read: each once, in order."""
    api = ScriptedChats({f"c{number}": ONE for number in range(500)}, seconds=lambda _: 1.5)
    calls = 0

    async def read_all() -> list[str | None]:
        nonlocal calls
        found: list[str | None] = []
        start: ScanCursor | None = None
        while calls < 10:
            calls += 1
            async with call_over(api, seconds=45) as call:
                conversations = over(call, start)
                found += ids_of(await all_of(conversations))
                start = conversations.scan.resume
                if conversations.scan.stop is Stop.END:
                    break
                assert conversations.scan.stop is Stop.TIME
        return found

    assert in_virtual_time(read_all) == list(api.chats)
    assert calls == 3


# When Linq asks for a pause


def test_the_rows_are_the_same_when_linq_asks_for_pauses() -> None:
    """Every tenth request is answered with 429 and `Retry-After: 1`; resumed, nothing is lost or shown twice."""
    data = talking_account(150)

    async def rows(app: ASGIApp) -> list[str]:
        found: list[str] = []
        cursor: str | None = None
        api = httpx.ASGITransport(app)
        for _ in range(20):
            answer = await inbox(api, limit=50, cursor=cursor)
            found += [row["id"] for row in answer["chats"]]
            if (cursor := answer.get("next_cursor")) is None:
                return found
        raise AssertionError

    undisturbed = in_virtual_time(lambda: rows(demo_api(data)))
    assert len(undisturbed) == 150
    assert in_virtual_time(lambda: rows(rate_limited(demo_api(data), every=10))) == undisturbed


class Throttled(ScriptedChats):
    """Answers the requests of these numbers with 429 and `Retry-After: 1`."""

    def __init__(self, *numbers: int) -> None:
        super().__init__({f"c{number}": ONE for number in range(80)}, seconds=lambda _: 0.1)
        self._numbers = numbers
        self._answered = 0
        self.last = 0.0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        if request.url.path.endswith("messages"):
            self._answered += 1
            if self._answered in self._numbers:
                self.last = anyio.current_time()
                return httpx.Response(429, headers={"Retry-After": "1"}, stream=Body(b""))
        return answer


def test_all_readers_pause_when_linq_asks_one_to() -> None:
    """Its limit is one for the whole key."""
    api = Throttled(20)
    assert len(in_virtual_time(lambda: read(api))[0]) == 80
    # Those that had been sent before, in the same instant, are under way.
    assert not [at for at, _ in api.started if api.last < at < api.last + 1]
    assert sum(at == pytest.approx(api.last + 1) for at, _ in api.started) > 1


@pytest.mark.parametrize(("numbers", "readers"), [((), 8), ((9,), 4), ((9, 30), 2), ((9, 30, 35, 40), 1)])
def test_each_429_halves_the_readers_once(numbers: tuple[int, ...], readers: int) -> None:
    """However many of them were under way when it came."""
    api = Throttled(*numbers)
    assert len(in_virtual_time(lambda: read(api))[0]) == 80
    assert max(under_way for at, under_way in api.started if at > api.last + 0.5) == readers
