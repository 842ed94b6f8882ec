"""What is read for a question, what it is answered from, and what the answer says of that."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NoReturn, Self

import anyio
import httpx
import pytest
from helpers.linq import Body, call_over
from helpers.living_linq import LINE, OTHER_LINE, LivingLinq
from helpers.virtual_time import in_virtual_time

from linq_mcp.api.models import Message
from linq_mcp.api.retry import RetryPolicy
from linq_mcp.errors import ApiStatusError, LinqError, StoreError, StoreProblem
from linq_mcp.settings.store import StoreSettings
from linq_mcp.store.stores import Stores
from linq_mcp.tools.base.tool import Call, Tool
from linq_mcp.tools.find_chats import FIND_CHATS
from linq_mcp.tools.find_messages import FIND_MESSAGES
from linq_mcp.tools.list_inbox import LIST_INBOX
from linq_mcp.tools.list_messages import LIST_MESSAGES

Json = dict[str, Any]
ONCE = RetryPolicy(attempts=1)


class Account:
    """A living Linq, what is kept of it, and the questions about it."""

    place = StoreSettings()

    def __init__(
        self, chats: int = 3, *, oldest_first: bool = False, max_age: float = 60, path: Path | None = None
    ) -> None:
        self.linq = LivingLinq(oldest_first=oldest_first)
        for _ in range(chats):
            self.linq.wait(timedelta(minutes=1))
            self.linq.say(self.linq.open_chat())
        self.linq.wait(timedelta(minutes=10))
        self.settings = replace(self.place, max_age=max_age, path=path)
        self.stores = self.opened()

    def opened(self) -> Stores:
        """The stores of a process that begins now."""
        return Stores(self.settings, now=lambda: self.linq.now.timestamp())  # noqa: PLW0108

    @property
    def chats(self) -> list[str]:
        return list(self.linq.chats)

    async def ask(self, tool: Tool[Any], *, seconds: float = 45, **arguments: Any) -> Json:
        """The answer, with the number of requests that it took."""
        options = {name: arguments.pop(name) for name in ("lines", "key", "pause") if name in arguments}
        before = len(self.linq.requests)
        now = lambda: self.linq.now  # noqa: E731
        async with call_over(self.linq, now=now, stores=self.stores, seconds=seconds, retry=ONCE, **options) as call:
            answer = dict(await tool.run(tool.parse(arguments), call))
        return {**answer, "requests": len(self.linq.requests) - before}

    async def inbox(self, **arguments: Any) -> Json:
        return await self.ask(LIST_INBOX, **arguments)


class PartlyRead(Account):
    """An account of 150 chats, of which a call could read `scanned`; the background goes on while this is entered."""

    def __init__(self) -> None:
        super().__init__(150)
        slowly(self, 1)
        self.scanned = 0

    def call(self) -> AbstractAsyncContextManager[Call]:
        return call_over(self.linq, now=lambda: self.linq.now, stores=self.stores, seconds=10, retry=ONCE)

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        tasks = await self._stack.enter_async_context(anyio.create_task_group())
        self._stack.callback(tasks.cancel_scope.cancel)
        self.stores = Stores(self.settings, tasks=tasks, now=lambda: self.linq.now.timestamp())  # noqa: PLW0108
        call = await self._stack.enter_async_context(self.call())
        self.scanned = (await LIST_INBOX.run(LIST_INBOX.parse({"limit": 1}), call))["scanned"]
        await anyio.sleep(1)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.slow)], autouse=True)
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test is run with each kind of database."""
    kind: str = request.param
    if kind == "postgres":
        monkeypatch.setattr(Account, "place", request.getfixturevalue("postgres").store())
    return kind


def slowly(account: Account, seconds: float) -> None:
    """Let every request take so long."""
    answer = account.linq.handle_async_request

    async def handle(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(seconds)
        account.linq.wait(timedelta(seconds=seconds / 8))
        return await answer(request)

    account.linq.handle_async_request = handle  # type: ignore[method-assign]


def ids(answer: Json) -> list[str]:
    return [row["id"] for row in answer["chats"]]


# Fresh, stale, missing


async def test_a_second_question_and_a_further_page_within_a_minute_need_no_request() -> None:
    account = Account(5)
    first = await account.inbox(limit=2)
    # The list, its first page again, and each chat.
    assert first["requests"] == 2 + 5
    account.linq.wait(timedelta(seconds=45))
    waiting = await account.inbox(order="longest_waiting", limit=2)
    second = await account.inbox(order="longest_waiting", limit=2, cursor=waiting["next_cursor"])
    third = await account.inbox(order="longest_waiting", limit=2, cursor=second["next_cursor"])
    assert [answer["requests"] for answer in (waiting, second, third)] == [0, 0, 0]
    assert ids(waiting) + ids(second) + ids(third) == account.chats
    assert {answer["as_of"] for answer in (first, waiting, second, third)} == {first["as_of"]}


async def test_after_a_minute_everything_is_of_now() -> None:
    account = Account()
    await account.inbox()
    account.linq.wait(timedelta(minutes=3))
    account.linq.say(account.chats[0], own=True)
    answer = await account.inbox(order="longest_waiting")
    assert ids(answer) == account.chats[1:]
    assert answer["as_of"] == account.linq.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert "note" not in answer


def test_what_takes_longer_than_eight_seconds_is_as_old_as_the_answer_says() -> None:
    async def play() -> tuple[Json, Json]:
        account = Account(60)
        await account.inbox()
        account.linq.wait(timedelta(minutes=10))
        slowly(account, 2)
        began = anyio.current_time()
        answer = await account.inbox(limit=1)
        return answer, {"seconds": anyio.current_time() - began}

    answer, took = in_virtual_time(play)
    assert answer["complete"]
    assert answer["matched"] == 60
    assert 8 <= took["seconds"] <= 12
    assert "chats were read 10 minutes ago; the same call is up to date in about" in answer["note"]


def test_a_list_that_takes_longer_than_the_call_is_as_old_as_the_answer_says() -> None:
    async def play() -> Json:
        account = Account(900)
        await account.ask(FIND_CHATS, count_only=True)
        account.linq.wait(timedelta(days=3))
        slowly(account, 8)
        return await account.ask(FIND_CHATS, count_only=True)

    answer = in_virtual_time(play)
    assert (answer["count"], answer["complete"]) == (900, True)
    assert "900 chats were read 3 days ago" in answer["note"]


@pytest.mark.parametrize(("later", "most"), [(0, 4), (60, 8)], ids=["at once", "a minute later"])
def test_after_a_pause_that_linq_asks_for_half_as_many_go_out_at_once_for_a_minute(later: float, most: int) -> None:
    """All eight that are on their way meet that one pause."""

    async def play() -> int:
        account = Account(60)
        answer = account.linq.handle_async_request
        at_once = peak = pauses = 0

        async def handle(request: httpx.Request) -> httpx.Response:
            nonlocal at_once, peak, pauses
            at_once += 1
            peak = max(peak, at_once)
            await anyio.sleep(0.1)
            at_once -= 1
            if at_once == 7 and not pauses:
                pauses += 1
                return httpx.Response(429, headers={"Retry-After": "0"}, stream=Body(b"{}"))
            return await answer(request)

        account.linq.handle_async_request = handle  # type: ignore[method-assign]
        async with call_over(account.linq, now=lambda: account.linq.now, stores=account.stores) as call:
            await LIST_INBOX.run(LIST_INBOX.parse({}), call)
        assert (peak, pauses) == (8, 1)
        account.linq.wait(timedelta(minutes=2))
        await anyio.sleep(later)
        peak = 0
        async with call_over(account.linq, now=lambda: account.linq.now, stores=account.stores) as call:
            await LIST_INBOX.run(LIST_INBOX.parse({}), call)
        return peak

    assert in_virtual_time(play) == most


def test_a_partial_answer_has_no_cursor_and_the_same_call_reads_on() -> None:
    async def play() -> list[Json]:
        account = Account(100)
        slowly(account, 5)
        return [await account.inbox(limit=5, order="longest_waiting") for _ in range(3)]

    first, second, third = in_virtual_time(play)
    assert not first["complete"]
    assert "next_cursor" not in first
    assert f"{first['scanned']} of 100 chats are read; the same call has the rest in about" in first["note"]
    assert 20 < first["scanned"] < 70
    assert (second["complete"], second["scanned"], second["matched"]) == (True, 100, 100)
    assert "next_cursor" in second
    # Nothing that was read is read again.
    assert first["requests"] + second["requests"] < 115
    assert third["complete"]


def test_a_call_does_not_wait_for_what_is_being_read_in_the_background() -> None:
    """It would then be no faster than that: four requests at once in place of eight."""

    async def play() -> list[int]:
        async with PartlyRead() as account, account.call() as call:
            second = await LIST_INBOX.run(LIST_INBOX.parse({"limit": 1}), call)
            return [account.scanned, second["scanned"]]

    first, second = in_virtual_time(play)
    assert second - first > 0.9 * first


def test_in_the_background_four_requests_go_out_at_once_and_none_during_a_call() -> None:
    async def play() -> list[int]:
        counts = []
        async with PartlyRead() as account, account.call() as call:

            async def count_after(seconds: float) -> None:
                await anyio.sleep(seconds)
                counts.append(len(account.linq.requests))

            await count_after(0.5)
            await count_after(3)
            with call.account._access.account.call():
                # Some are under way.
                await count_after(1)
                await count_after(5)
            await count_after(3)
        return counts

    before, alone, ended, during, after = in_virtual_time(play)
    assert 8 < alone - before <= 12
    assert 0 < ended - alone <= 4
    assert during == ended
    assert after > during


@pytest.mark.parametrize(
    ("minutes", "seconds", "note"),
    [
        (0, 100, "A call has time for 100 of the 150 chats, and the same call for no more; ask about one line"),
        # The next call has the time that this one has read for.
        (3, 8 + 100, "100 of 150 chats are read; the same call has the rest in about"),
    ],
    ids=["all is fresh", "all was read again"],
)
def test_an_answer_comes_in_time_although_what_is_kept_takes_long_to_go_through(
    minutes: int, seconds: int, note: str
) -> None:
    async def play() -> tuple[Json, float]:
        account = Account(150)
        await account.inbox()
        account.linq.wait(timedelta(minutes=minutes))

        async def slowly_given() -> None:
            await anyio.sleep(1)

        began = anyio.current_time()
        return await account.inbox(limit=1, pause=slowly_given), anyio.current_time() - began

    answer, taken = in_virtual_time(play)
    # A hundred chats are loaded at once.
    assert (answer["scanned"], answer["complete"]) == (100, False)
    assert seconds - 1 <= taken <= seconds + 3
    assert note in answer["note"]


async def test_what_linq_refuses_to_show_is_left_out_and_said() -> None:
    account = Account(4)
    answer = account.linq._answer
    hidden = account.chats[1]

    def refuse(parts: list[str], query: dict[str, str]) -> tuple[int, Json]:
        if parts == ["chats", hidden, "messages"]:
            return 403, {"error": {"status": 403, "code": 2005}}
        return answer(parts, query)

    account.linq._answer = refuse  # type: ignore[method-assign]
    found = await account.inbox()
    assert (found["complete"], found["scanned"], found["left_out"]) == (True, 3, {"count": 1, "ids": [hidden]})
    # That is kept while it is fresh.
    assert (await account.inbox())["requests"] == 0
    # Who asks for that one chat is told why it can't be read.
    with pytest.raises(ApiStatusError) as raised:
        await account.ask(FIND_MESSAGES, chat_id=hidden, text="hi")
    assert raised.value.status == 403
    account.linq._answer = answer  # type: ignore[method-assign]
    account.linq.wait(timedelta(minutes=2))
    assert (await account.inbox())["scanned"] == 4


async def test_where_linq_fails_what_was_kept_stays_in_use() -> None:
    account = Account()
    await account.inbox()
    account.linq.wait(timedelta(minutes=5))
    account.linq._answer = lambda *_: (503, {})  # type: ignore[method-assign]
    answer = await account.inbox()
    assert answer["complete"]
    assert ids(answer) == account.chats[::-1]
    assert "Linq failed meanwhile." in answer["note"]
    assert "read 5 minutes ago" in answer["note"]


async def test_after_eight_failures_in_a_row_linq_is_left_alone() -> None:
    account = Account(60)
    account.linq.broken = set(account.chats)
    with pytest.raises(ApiStatusError):
        await account.inbox()
    # The list, its first page again, eight failures, and those that were on their way then.
    assert len(account.linq.requests) <= 2 + 8 + 7


async def test_cursors_that_lead_nowhere_end_the_list() -> None:
    account = Account(3)
    answer = account.linq._answer
    pages = 0

    def endless(parts: list[str], query: dict[str, str]) -> tuple[int, Json]:
        nonlocal pages
        status, page = answer(parts, {**query, "cursor": "0"} if parts == ["chats"] else query)
        if parts == ["chats"]:
            pages += 1
            page["next_cursor"] = str(pages)
        return status, page

    account.linq._answer = endless  # type: ignore[method-assign]
    found = await account.inbox()
    assert (found["scanned"], found["complete"]) == (3, False)
    assert "Linq's cursors lead nowhere or in a circle" in found["note"]
    assert pages < 60


async def test_with_nothing_kept_it_is_the_error() -> None:
    account = Account()
    account.linq._answer = lambda *_: (503, {})  # type: ignore[method-assign]
    with pytest.raises(ApiStatusError):
        await account.inbox()


# Whose answer it is


async def test_after_a_refused_key_nothing_is_shown_until_linq_takes_it_again() -> None:
    account = Account()
    await account.inbox()
    answer = account.linq._answer
    account.linq.wait(timedelta(minutes=2))
    account.linq._answer = lambda *_: (401, {})  # type: ignore[method-assign]
    for tool, arguments in ((LIST_INBOX, {}), (FIND_MESSAGES, {}), (FIND_CHATS, {"count_only": True})):
        with pytest.raises(ApiStatusError):
            await account.ask(tool, **arguments)
    account.linq._answer = answer  # type: ignore[method-assign]
    assert (await account.inbox())["matched"] == 3


async def test_a_key_that_linq_did_not_take_for_an_hour_has_to_be_taken_first() -> None:
    account = Account(max_age=86_400)
    first = await account.inbox(limit=1)
    account.linq.wait(timedelta(minutes=59))
    assert (await account.inbox(limit=1, cursor=first["next_cursor"]))["requests"] == 0
    account.linq.wait(timedelta(minutes=2))
    account.linq._answer = lambda *_: (503, {})  # type: ignore[method-assign]
    with pytest.raises(LinqError):
        await account.inbox(limit=1, cursor=first["next_cursor"])


async def test_closed_lines_are_neither_asked_for_nor_shown() -> None:
    account = Account(2)
    other = account.linq.open_chat(OTHER_LINE)
    account.linq.say(other, text="secret")
    assert other in ids(await account.inbox())
    before = len(account.linq.requests)
    answer = await account.inbox(lines=[LINE])
    assert other not in ids(answer)
    assert answer["scanned"] == 2
    assert not any(other in path for path in account.linq.requests[before:])
    found = await account.ask(FIND_MESSAGES, text="secret", lines=[LINE])
    assert found["matched"] == 0
    with pytest.raises(ApiStatusError):
        await account.ask(FIND_MESSAGES, text="secret", chat_id=other, lines=[LINE])


async def test_another_account_sees_nothing_of_it() -> None:
    account = Account()
    await account.inbox()
    account.linq._answer = lambda *_: (200, {"chats": []})  # type: ignore[method-assign]
    answer = await account.inbox(key="another")
    assert (answer["scanned"], answer["chats"]) == (0, [])


# What an account does while it is read


@pytest.mark.parametrize(
    ("tool", "arguments"), [(LIST_INBOX, {}), (FIND_CHATS, {"is_group": False})], ids=["list_inbox", "find_chats"]
)
async def test_a_chat_that_moves_to_the_front_meanwhile_is_found(tool: Tool[Any], arguments: Json) -> None:
    account = Account(120)
    late = account.chats[:3]

    def move() -> None:
        if account.linq.requests.count("/api/partner/v3/chats") == 1 and late:
            account.linq.say(late.pop())

    account.linq.before_request = move
    answer = await account.ask(tool, **arguments)
    assert (answer["matched"], answer["complete"]) == (120, True)


async def test_a_chat_that_is_gone_is_gone_from_the_answers_too() -> None:
    account = Account()
    await account.inbox()
    gone = account.chats[1]
    account.linq.delete_chat(gone)
    account.linq.wait(timedelta(minutes=2))
    answer = await account.inbox()
    assert gone not in ids(answer)
    assert (answer["scanned"], answer["complete"]) == (2, True)


async def test_a_chat_that_the_list_lacks_but_linq_has_stays() -> None:
    account = Account()
    await account.inbox()
    moving = account.chats[1]
    answer = account.linq._answer

    def without(parts: list[str], query: dict[str, str]) -> tuple[int, Json]:
        status, page = answer(parts, query)
        if parts == ["chats"]:
            page["chats"] = [chat for chat in page["chats"] if chat["id"] != moving]
        return status, page

    account.linq._answer = without  # type: ignore[method-assign]
    account.linq.wait(timedelta(minutes=2))
    assert moving in ids(await account.inbox())


async def test_chats_that_one_reading_of_the_list_lacks_are_looked_for_in_another() -> None:
    """Only where that lacks them as well is each of them asked for."""
    account = Account(30)
    await account.inbox()
    answer = account.linq._answer
    lists = 0

    def at_first_empty(parts: list[str], query: dict[str, str]) -> tuple[int, Json]:
        nonlocal lists
        status, page = answer(parts, query)
        lists += parts == ["chats"]
        return status, {**page, "chats": []} if parts == ["chats"] and lists <= 2 else page

    account.linq._answer = at_first_empty  # type: ignore[method-assign]
    account.linq.wait(timedelta(minutes=2))
    found = await account.ask(FIND_CHATS, count_only=True)
    assert (found["count"], found["requests"]) == (30, 3)


@pytest.mark.parametrize(("minutes", "goes_on"), [(50, True), (70, False)])
def test_a_list_that_was_begun_more_than_an_hour_ago_is_read_anew(minutes: int, *, goes_on: bool) -> None:
    async def play() -> list[bool]:
        account = Account(500)
        slowly(account, 10)
        first = await account.ask(FIND_CHATS, count_only=True)
        account.linq.wait(timedelta(minutes=minutes))
        return [first["complete"], (await account.ask(FIND_CHATS, count_only=True))["complete"]]

    assert in_virtual_time(play) == [False, goes_on]


def test_chats_whose_entry_has_changed_are_read_again_first() -> None:
    async def play() -> Json:
        account = Account(150)
        await account.inbox()
        account.linq.wait(timedelta(minutes=10))
        # That they moved to the front does not tell: those that were read longest ago come first otherwise.
        changed = account.chats[-1]
        account.linq.say(changed, own=True)
        account.linq.chats[changed] = {**account.linq.chats[changed], "updated_at": "2026-11-02T00:00:00Z"}
        slowly(account, 2)
        return {**await account.inbox(waiting=True), "changed": changed}

    answer = in_virtual_time(play)
    assert (answer["matched"], answer["changed"] in ids(answer)) == (149, False)
    assert "chats were read 10 minutes ago" in answer["note"]


async def test_the_list_of_a_line_that_is_not_the_keys_any_more_is_dropped() -> None:
    account = Account(2)
    await account.inbox(lines=[LINE])
    answer = account.linq._answer
    account.linq.wait(timedelta(minutes=2))
    for status, code in ((403, 2006), (503, 0)):
        error = {"error": {"status": status, "code": code}}

        def refuse(parts: list[str], query: dict[str, str], answered: Any = (status, error)) -> tuple[int, Json]:
            refused: tuple[int, Json] = answered
            return refused if parts[0] == "chats" else answer(parts, query)

        account.linq._answer = refuse  # type: ignore[method-assign]
        with pytest.raises(ApiStatusError) as raised:
            await account.inbox(lines=[LINE])
        assert raised.value.status == status


# What is kept of a chat has no gap


@pytest.mark.parametrize("oldest_first", [False, True], ids=["newest first", "oldest first"])
async def test_a_chat_of_which_only_the_latest_were_kept_has_no_hole_later(oldest_first: bool) -> None:
    """It was read back to our last word; two days and 300 messages later a question looks back seven days."""
    account = Account(1, oldest_first=oldest_first)
    (chat,) = account.chats
    for number in range(150):
        account.linq.wait(timedelta(minutes=20))
        account.linq.say(chat, own=number == 140)
    await account.inbox()
    for _ in range(300):
        account.linq.wait(timedelta(minutes=9))
        account.linq.say(chat)
    account.linq.wait(timedelta(hours=1))
    found = await account.ask(FIND_MESSAGES, sender="them", limit=1)
    week = account.linq.now - timedelta(days=7)
    expected = [
        m for m in account.linq.messages[chat] if datetime.fromisoformat(m["sent_at"]) >= week and not m["is_from_me"]
    ]
    assert found["matched"] == len(expected)


@pytest.mark.parametrize(("pages", "newer"), [(1, 5), (2, 110)], ids=["on the first page", "on the second page"])
async def test_messages_deleted_while_pages_are_read_leave_no_hole(pages: int, newer: int) -> None:
    account = Account(1)
    (chat,) = account.chats
    for left in reversed(range(350)):
        account.linq.wait(timedelta(minutes=1))
        account.linq.say(chat, text="gone" if newer <= left < newer + 5 else "there")
    messages = account.linq.messages[chat]

    def delete() -> None:
        # After these pages of messages were read, so that the next one begins later than it should.
        if sum(path.endswith("/messages") for path in account.linq.requests) == pages:
            messages[:] = [message for message in messages if message["parts"][0]["value"] != "gone"]

    account.linq.before_request = delete
    for text, count in (("there", 345), ("gone", 0)):
        assert (await account.ask(FIND_MESSAGES, chat_id=chat, text=text, count_only=True))["count"] == count


async def test_a_message_that_linq_deleted_is_gone() -> None:
    account = Account(1)
    (chat,) = account.chats
    account.linq.say(chat, text="gone")
    assert (await account.ask(FIND_MESSAGES, text="gone"))["matched"] == 1
    del account.linq.messages[chat][-1]
    account.linq.wait(timedelta(minutes=2))
    assert (await account.ask(FIND_MESSAGES, text="gone"))["matched"] == 0


async def test_questions_that_look_back_further_and_further_keep_each_message_once() -> None:
    account = Account(0)
    chat = account.linq.open_chat()
    account.linq.say(chat, own=True)
    account.linq.wait(timedelta(hours=3))
    for _ in range(900):
        account.linq.say(chat)
        account.linq.wait(timedelta(hours=1))

    async def count(days: int) -> int:
        since = (account.linq.now - timedelta(days=days)).isoformat()
        return int((await account.ask(FIND_MESSAGES, after=since, count_only=True))["count"])

    assert [await count(days) for days in (10, 14)] == [240, 336]
    assert (await account.inbox())["chats"][0]["waiting"]["messages"] == 900
    assert await count(30) == 720


@pytest.mark.parametrize("length", [3, 60])
async def test_a_message_without_an_id_is_kept_once(length: int) -> None:
    account = Account(0)
    chat = account.linq.open_chat()
    for _ in range(length):
        account.linq.wait(timedelta(minutes=10))
        account.linq.say(chat)
    # The oldest, and the last one of the first page.
    for index in (0, -50) if length > 50 else (0,):
        account.linq.messages[chat][index]["id"] = None
    account.linq.wait(timedelta(days=3))
    for _ in range(4):
        assert (await account.inbox())["chats"][0]["waiting"]["messages"] == length
        account.linq.wait(timedelta(minutes=2))


async def test_a_chat_that_only_now_is_in_question_is_read_again() -> None:
    account = Account(1, max_age=0)
    (chat,) = account.chats
    account.linq.chats[chat]["health_status"] = {"status": "CRITICAL"}
    await account.inbox()
    account.linq.wait(timedelta(minutes=5))
    account.linq.chats[chat]["health_status"] = {"status": "HEALTHY"}
    account.linq.say(chat, own=True)
    assert (await account.inbox(health_status=["HEALTHY"], waiting=True))["chats"] == []


async def test_a_time_at_the_edge_of_the_calendar_is_unknown() -> None:
    """It neither turns the order of messages around, nor takes the messages to come for those of the first page."""
    account = Account(3)
    odd = account.chats[0]
    account.linq.say(odd)["created_at"] = account.linq.say(odd)["sent_at"] = "0001-01-01T00:00:00Z"
    account.linq.say(odd)["created_at"] = "9999-12-31T23:59:59Z"
    answered = account.chats[1]
    account.linq.say(answered)
    account.linq.say(answered, own=True)
    first = await account.inbox(limit=1)
    assert "waiting" not in next(row for row in (await account.inbox())["chats"] if row["id"] == answered)
    account.linq.wait(timedelta(minutes=2))
    account.linq.say(account.chats[2])
    await account.inbox()
    rest = await account.inbox(limit=10, cursor=first["next_cursor"])
    assert sorted(ids(first) + ids(rest)) == sorted(account.chats)


async def test_an_account_whose_last_chat_went_is_empty() -> None:
    account = Account(1)
    await account.inbox()
    account.linq.delete_chat(account.chats[0])
    account.linq.wait(timedelta(minutes=2))
    empty = await account.inbox()
    account.linq.wait(timedelta(seconds=30))
    again = await account.inbox()
    assert (again["chats"], again["as_of"], again["requests"]) == ([], empty["as_of"], 0)


# Little room


@pytest.mark.parametrize(("most", "bytes_"), [(2, 10**9), (9, 450_000)], ids=["many accounts", "large accounts"])
async def test_the_account_that_was_used_longest_ago_leaves_the_memory(
    most: int, bytes_: int, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place == "postgres":
        pytest.skip("a database has room")
    monkeypatch.setattr("linq_mcp.store.stores._MOST_IN_MEMORY", most)
    monkeypatch.setattr("linq_mcp.store.stores.MEMORY_BYTES", bytes_)
    account = Account(3)
    read = [await account.inbox(key=key) for key in ("first", "second", "first", "third", "first", "second")]
    assert [bool(answer["requests"]) for answer in read] == [True, True, False, True, False, True]


@pytest.mark.parametrize("bytes_", [150_000, 300_000, 450_000])
async def test_what_has_no_room_in_memory_is_answered_all_the_same(
    bytes_: int, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place == "postgres":
        pytest.skip("a database has room")
    monkeypatch.setattr("linq_mcp.store.stores.MEMORY_BYTES", bytes_)
    account = Account(0)
    random = Random(1)
    lengths = {}
    for length in (120, 350, 30, 120, 3, 120, 60, 120):
        chat = account.linq.open_chat()
        for _ in range(length):
            account.linq.say(chat, text="".join(random.choices("abcdefghijklmnop ", k=300)))
            account.linq.wait(timedelta(hours=1))
        lengths[chat] = length
    account.linq.wait(timedelta(days=3))
    for _ in range(4):
        answer = await account.inbox(limit=100)
        assert answer["complete"]
        assert bytes_ > 150_000 or "Not all of this account fits into memory" in answer["note"]
        assert {row["id"]: row["waiting"]["messages"] for row in answer["chats"]} == lengths
        account.linq.wait(timedelta(minutes=2))


async def test_a_reading_goes_on_below_what_is_kept() -> None:
    """The pages down to there are not read again, but for the first."""
    account = Account(1)
    (chat,) = account.chats
    for _ in range(600):
        account.linq.wait(timedelta(hours=1))
        account.linq.say(chat)
    await account.ask(
        FIND_MESSAGES, chat_id=chat, count_only=True, after=(account.linq.now - timedelta(days=16)).isoformat()
    )
    account.linq.wait(timedelta(minutes=2))
    found = await account.ask(FIND_MESSAGES, chat_id=chat, count_only=True)
    assert found["count"] == 601
    # The newest two days, the page at which it stopped, and the two after that.
    assert found["requests"] <= 5


# How chats end


async def test_an_inbox_decodes_no_messages_but_those_that_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(30)
    shown = (await account.inbox(limit=3))["chats"]
    decoded = []
    decode = Message.model_validate_json

    def counted(content: bytes) -> Message:
        decoded.append(content)
        return decode(content)

    monkeypatch.setattr(Message, "model_validate_json", counted)
    again = await account.inbox(limit=3)
    assert (again["chats"], again["matched"], again["requests"]) == (shown, 30, 0)
    assert len(decoded) == 3
    # What was read again meets what is kept.
    account.linq.wait(timedelta(days=3))
    await account.inbox(limit=3)
    decoded.clear()
    assert (await account.inbox(limit=3))["chats"] == shown
    assert len(decoded) == 3


@pytest.mark.parametrize("oldest_first", [False, True], ids=["newest first", "oldest first"])
@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("length", [350, 600])
async def test_a_wait_that_began_below_the_newest_messages(length: int, *, answered: bool, oldest_first: bool) -> None:
    """What is read again of such a chat does not tell how it ends: what is kept below is needed as well."""
    account = Account(0, oldest_first=oldest_first)
    chat = account.linq.open_chat()
    if answered:
        account.linq.say(chat, own=True)
    for _ in range(length):
        account.linq.wait(timedelta(hours=3))
        account.linq.say(chat)
    since = account.linq.messages[chat][-length]["sent_at"]
    for count in range(length, length + 3):
        (row,) = (await account.inbox())["chats"]
        assert row["waiting"] == {"since": since, "messages": count}
        account.linq.wait(timedelta(minutes=2))
        account.linq.say(chat)


async def test_a_chat_that_goes_on_between_two_pages_is_shown_as_it_was() -> None:
    """It was read again for another question, so that what is kept is how it ends now."""
    account = Account(3)
    # What came before it is still there to be looked at.
    chat = account.chats[0]
    account.linq.say(chat, text="as it was")
    for other in account.chats[1:]:
        account.linq.wait(timedelta(minutes=1))
        account.linq.say(other)
    first = await account.inbox(limit=2)
    account.linq.wait(timedelta(minutes=2))
    account.linq.say(chat, own=True, text="as it is now")
    assert (await account.inbox())["chats"][0]["last_message"]["text"] == "as it is now"
    second = await account.inbox(limit=2, cursor=first["next_cursor"])
    (row,) = second["chats"]
    assert (row["id"], row["last_message"]["text"], row["waiting"]["messages"]) == (chat, "as it was", 2)
    assert second["requests"] == 0


async def test_a_chat_that_another_process_finds_gone_while_it_is_read_from_the_store() -> None:
    account = Account(0)
    chat = account.linq.open_chat()
    for _ in range(600):
        account.linq.wait(timedelta(hours=3))
        account.linq.say(chat)
    # That is too long a wait to be kept.
    assert (await account.inbox())["chats"][0]["waiting"]["messages"] == 600
    async with call_over(account.linq, now=lambda: account.linq.now, stores=account.stores) as call:
        run, kept, _ = await call.account._access.account.open()

    async def drop() -> None:
        await run(kept.chats.delete, chat)

    assert (await account.inbox(pause=drop))["chats"] == []


async def test_a_chat_that_another_process_writes_while_it_is_read_from_the_store() -> None:
    """Its blocks may be others then: it is read again, and no message is missing or there twice."""
    account = Account(1)
    (chat,) = account.chats
    for _ in range(600):
        account.linq.wait(timedelta(seconds=1))
        account.linq.say(chat)
    await account.ask(FIND_MESSAGES, count_only=True, after="2026-01-01")
    async with call_over(account.linq, stores=account.stores) as call:
        run, kept, _ = await call.account._access.account.open()
    pauses = 0

    async def write_between() -> None:
        nonlocal pauses
        pauses += 1
        if pauses == 1:
            account.linq.now += timedelta(seconds=1)
            said = [account.linq.say(chat) for _ in range(30)]
            state = (await run(kept.chats.load, [chat], blocks=False))[chat].state
            blocks = await run(kept.chats.blocks_below, state, None, 10)
            messages = [Message.model_validate(one) for one in reversed(said)]
            messages += [message for block in blocks for message in block.messages()]
            assert await run(kept.chats.write, state, messages, None, None)

    found = await account.ask(FIND_MESSAGES, count_only=True, after="2026-01-01", pause=write_between)
    assert pauses
    assert found["count"] == 631


@pytest.mark.parametrize("oldest_first", [False, True], ids=["newest first", "oldest first"])
async def test_in_one_second_the_direction_of_the_account_decides(*, oldest_first: bool) -> None:
    """A chat whose messages all share a second does not show it itself."""
    account = Account(0, oldest_first=oldest_first)
    shown = account.linq.open_chat()
    for _ in range(2):
        account.linq.wait(timedelta(minutes=1))
        account.linq.say(shown)
    await account.inbox()
    silent = account.linq.open_chat()
    for own in (False, True, False):
        account.linq.say(silent, own=own, text=str(own))
    account.linq.wait(timedelta(minutes=2))
    (row,) = [row for row in (await account.inbox())["chats"] if row["id"] == silent]
    assert row["waiting"]["messages"] == 1
    page = await account.ask(LIST_MESSAGES, chat_id=silent)
    assert [message["text"] for message in page["messages"]] == ["False", "True", "False"]


# What we did ourselves


async def test_what_was_sent_from_here_is_seen_at_once() -> None:
    account = Account()
    await account.inbox()
    answered = account.chats[0]
    account.linq.say(answered, own=True)
    async with call_over(account.linq, now=lambda: account.linq.now, stores=account.stores) as call:
        await call.account.changed(answered)
    answer = await account.inbox(order="longest_waiting")
    assert ids(answer) == account.chats[1:]
    assert answer["requests"] == 1


async def test_what_was_sent_while_the_database_was_down_is_seen_once_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reading of before is still fresh."""
    monkeypatch.setattr("linq_mcp.store.stores._RETRY_SECONDS", 0.0)
    account = Account(path=tmp_path / "linq.sqlite")
    await account.inbox()
    answered = account.chats[0]
    account.linq.say(answered, own=True)

    async def down(_: str) -> NoReturn:
        raise StoreError(StoreProblem.DOWN)

    with monkeypatch.context() as patched:
        patched.setattr(account.stores, "_open_lasting", down)
        async with call_over(account.linq, now=lambda: account.linq.now, stores=account.stores) as call:
            await call.account.changed(answered)
    answer = await account.inbox(order="longest_waiting")
    assert ids(answer) == account.chats[1:]
    assert answer["requests"] == 1
    assert "note" not in answer


async def test_after_a_restart_a_file_has_what_was_read(tmp_path: Path) -> None:
    account = Account(path=tmp_path / "linq.db")
    first = await account.inbox()
    account.stores.close()
    account.stores = account.opened()
    again = await account.inbox()
    assert again["requests"] == 0
    assert ids(again) == ids(first)
