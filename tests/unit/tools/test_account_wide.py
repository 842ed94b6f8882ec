"""What is read across all conversations equals a plain computation over the data, in both orders of the API."""

from __future__ import annotations

import itertools
import math
import os
import statistics
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from helpers.demo_lines import LINES
from helpers.linq import Body, Canned, call_over
from helpers.plain_inbox import last, sent, waits
from helpers.reading_accounts import at, lines_of, said, status
from helpers.remembered import Remembered
from helpers.talking_account import talking_account

from linq_mcp.api.retry import RetryPolicy
from linq_mcp.contacts.directory import Directory
from linq_mcp.demo.account import DemoAccount
from linq_mcp.demo.api import demo_api
from linq_mcp.demo.wire import NOW, Wire
from linq_mcp.errors import ArgumentsError, LinqError
from linq_mcp.region import Region, in_region
from linq_mcp.settings.store import StoreSettings
from linq_mcp.store.stores import Stores
from linq_mcp.tools.base.tool import Tool
from linq_mcp.tools.find_messages import FIND_MESSAGES
from linq_mcp.tools.list_inbox import LIST_INBOX
from linq_mcp.tools.summarize_activity import SUMMARIZE_ACTIVITY

Json = dict[str, Any]
Apis = Mapping[bool, httpx.AsyncBaseTransport]
# LINQ_MCP_TEST_CHATS=20000 reads a large account; each page of an answer reads all of it again.
CHATS = int(os.environ.get("LINQ_MCP_TEST_CHATS", "1500"))
orders = pytest.mark.parametrize("oldest_first", [True, False], ids=["listed oldest first", "listed newest first"])


@pytest.fixture(scope="module")
def data() -> DemoAccount:
    return talking_account(60)


def api_of(data: DemoAccount, *, oldest_first: bool = True) -> httpx.AsyncBaseTransport:
    return Remembered(httpx.ASGITransport(demo_api(data, oldest_first=oldest_first)))


@pytest.fixture(scope="module")
def apis(data: DemoAccount) -> Apis:
    """The account by the order in which the messages are listed: whether the oldest ones come first."""
    return {oldest_first: api_of(data, oldest_first=oldest_first) for oldest_first in (True, False)}


class Faults(httpx.AsyncBaseTransport):
    """Fails every n-th request: the reading stops there and is resumed."""

    def __init__(self, transport: httpx.AsyncBaseTransport, every: int) -> None:
        self._transport = transport
        self._every = every
        self._count = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._count += 1
        if self._count % self._every:
            return await self._transport.handle_async_request(request)
        return httpx.Response(503, stream=Body(b""))


@cache
def stores_of(api: httpx.AsyncBaseTransport, now: datetime | None = None) -> Stores:
    """What was read through `api`, for all tests that ask something of the same account at the same time."""
    return Stores(StoreSettings(), now=now.timestamp) if now else Stores(StoreSettings())


async def answers(
    tool: Tool[Any],
    arguments: Json,
    api: httpx.AsyncBaseTransport,
    partial: list[Json] | None = None,
    **options: Any,
) -> list[Json]:
    """The complete answers to `arguments`, page by page. The same call is made until it is complete.

    Answers that are not complete yet are appended to `partial`.
    """
    found: list[Json] = []
    if isinstance(api, Remembered):
        options["stores"] = stores_of(api, options.get("now"))
    async with call_over(api, seconds=600, retry=RetryPolicy(attempts=1), **options) as call:
        for _ in range(4 * CHATS):
            cursor = {"cursor": found[-1]["next_cursor"]} if found else {}
            # When nothing at all could be read, the call fails, and is made again.
            with suppress(LinqError):
                answer = dict(await tool.run(tool.parse({**arguments, **cursor}), call))
                if answer["complete"]:
                    found.append(answer)
                    if "next_cursor" not in answer:
                        return found
                else:
                    assert "next_cursor" not in answer
                    if partial is not None:
                        partial.append(answer)
    raise AssertionError("there is always a further answer")


# The plain computation


def of(data: DemoAccount, chat: Wire) -> list[Wire]:
    return data.messages.get(chat["id"], [])


def handles_of(chat: Wire) -> list[str]:
    return [handle["handle"] for handle in chat["handles"] if not handle["is_me"]]


# list_inbox

MIDDLE = NOW - timedelta(days=6)
PERSON = "person0@example.com"
Chosen = Callable[[DemoAccount, Wire], bool]


def active(data: DemoAccount, chat: Wire, test: Callable[[datetime], bool]) -> bool:
    latest = last(of(data, chat))
    return latest is not None and test(sent(latest))


def latest_is(data: DemoAccount, chat: Wire, **members: object) -> bool:
    latest = last(of(data, chat))
    return latest is not None and members.items() <= latest.items()


INBOX: dict[str, tuple[Json, Chosen]] = {
    "waiting": ({"waiting": True}, lambda data, chat: waits(chat, of(data, chat)) is not None),
    "answered": ({"waiting": False}, lambda data, chat: waits(chat, of(data, chat)) is None),
    "waiting_before": (
        {"waiting_before": f"{MIDDLE:%Y-%m-%dT%H:%M:%SZ}"},
        lambda data, chat: (wait := waits(chat, of(data, chat))) is not None and wait[0] < MIDDLE,
    ),
    "mine": ({"sender": "me"}, lambda data, chat: latest_is(data, chat, is_from_me=True)),
    "theirs": ({"sender": "them"}, lambda data, chat: latest_is(data, chat, is_from_me=False)),
    "read": ({"delivery_status": "read"}, lambda data, chat: latest_is(data, chat, delivery_status="read")),
    "active_after": (
        {"active_after": f"{MIDDLE:%Y-%m-%dT%H:%M:%SZ}"},
        lambda data, chat: active(data, chat, lambda time: time >= MIDDLE),
    ),
    "active_before": (
        {"active_before": f"{MIDDLE:%Y-%m-%dT%H:%M:%SZ}"},
        lambda data, chat: active(data, chat, lambda time: time < MIDDLE),
    ),
    "status": ({"health_status": ["AT_RISK", "CRITICAL"]}, lambda _, chat: status(chat) in ("AT_RISK", "CRITICAL")),
    "groups": ({"is_group": True}, lambda _, chat: chat["is_group"]),
    "line": ({"from": LINES[1]}, lambda _, chat: LINES[1] in lines_of(chat)),
    "person": ({"to": PERSON}, lambda _, chat: PERSON in handles_of(chat)),
}


def pairs(filters: dict[str, tuple[Json, Any]]) -> list[tuple[str, str]]:
    """Every pair of filters that don't contradict each other."""
    apart = [
        ("answered", "waiting_before"),
        ("theirs", "read"),
        ("active_after", "active_before"),
        ("me", "them"),
        ("me", "handle"),
        ("them", "failed"),
        ("handle", "failed"),
    ]
    return [
        (one, other)
        for one, other in itertools.combinations(filters, 2)
        if (one, other) not in apart and not filters[one][0].keys() & filters[other][0].keys()
    ]


def inbox(data: DemoAccount, names: tuple[str, ...]) -> list[Wire]:
    """The chats that match, newest message first, those without any last."""
    chosen = [chat for chat in data.chats if all(INBOX[name][1](data, chat) for name in names)]

    def key(chat: Wire) -> tuple[float, str]:
        latest = last(of(data, chat))
        return (-sent(latest).timestamp() if latest else math.inf, chat["id"])

    return sorted(chosen, key=key)


def check_inbox_row(data: DemoAccount, chat: Wire, row: Json) -> None:
    """Its last message and its wait are those of the data."""
    latest, wait = last(of(data, chat)), waits(chat, of(data, chat))
    assert ("last_message" in row, "waiting" in row) == (latest is not None, wait is not None)
    if latest:
        shown = row["last_message"]
        assert at(shown["at"]) == sent(latest)
        assert shown["sender"] == ("me" if latest["is_from_me"] else latest["from"])
        assert shown.get("text", "") == said(latest).replace("\n", " ").strip()
    if wait:
        assert (at(row["waiting"]["since"]), row["waiting"]["messages"]) == wait


@pytest.mark.parametrize(
    ("names", "oldest_first"),
    list(zip([(), *((name,) for name in INBOX)], itertools.cycle([True, False]), strict=False)),
    ids=repr,
)
async def test_the_inbox_equals_the_data(
    names: tuple[str, ...], oldest_first: bool, data: DemoAccount, apis: Apis
) -> None:
    """Each filter alone, twelve at a time: every chat that matches once, in order, with its last message.

    Counting alone finds as many, by line.
    """
    arguments = {name: value for filter_ in names for name, value in INBOX[filter_][0].items()}
    expected = inbox(data, names)
    found = await answers(LIST_INBOX, {**arguments, "limit": 12}, apis[oldest_first])
    rows = [row for answer in found for row in answer["chats"]]
    assert [row["id"] for row in rows] == [chat["id"] for chat in expected]
    assert {answer["matched"] for answer in found} == {len(expected)}
    assert all(answer["complete"] for answer in found)
    for chat, row in zip(expected, rows, strict=True):
        check_inbox_row(data, chat, row)
    assert 0 < len(expected) < len(data.chats) or not names
    (counted,) = await answers(LIST_INBOX, {**arguments, "count_only": True}, apis[oldest_first])
    by_line = Counter(lines_of(chat)[0] for chat in expected)
    assert (counted["count"], counted["by_line"]) == (len(expected), by_line)
    assert counted.keys() <= {"count", "by_line", "as_of", "scanned", "complete", "note"}


@orders
@pytest.mark.slow
@pytest.mark.parametrize("names", pairs(INBOX), ids="+".join)
async def test_pairs_of_filters_of_the_inbox(
    names: tuple[str, str], oldest_first: bool, data: DemoAccount, apis: Apis
) -> None:
    arguments = {name: value for filter_ in names for name, value in INBOX[filter_][0].items()}
    found = await answers(LIST_INBOX, {**arguments, "limit": 100}, apis[oldest_first])
    assert [row["id"] for answer in found for row in answer["chats"]] == [c["id"] for c in inbox(data, names)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"waiting": False, "waiting_before": "2026-11-20"}, "leave out `waiting`"),
        ({"waiting": False, "order": "longest_waiting"}, "leave out `waiting`"),
        ({"waiting": True, "health_status": ["OPTED_OUT"]}, "Nobody waits in a chat that is OPTED_OUT"),
        ({"waiting_before": "2026-11-20", "health_status": ["OPTED_OUT"]}, "Nobody waits in a chat that is OPTED_OUT"),
        ({"sender": "them", "delivery_status": "read"}, "`delivery_status` is that of your own messages"),
        ({"sender": "me", "delivery_status": "received"}, "`delivery_status` received is that of others"),
        ({"active_after": "2026-11-20", "active_before": "2026-11-20"}, "`active_after` has to be earlier"),
    ],
)
async def test_filters_of_the_inbox_that_contradict_each_other_are_refused(
    arguments: Json, says: str, apis: Apis
) -> None:
    """An empty list would be taken for a finding."""
    with pytest.raises(ArgumentsError, match=says):
        await once(LIST_INBOX, arguments, apis)


async def test_an_inbox_in_which_nothing_matches_is_not_an_account_without_chats(apis: Apis) -> None:
    """No message is read where the chats' entries rule all of them out."""
    answer = await once(LIST_INBOX, {"health_status": ["PAUSED"]}, apis)
    assert (answer["chats"], answer["scanned"]) == ([], 0)
    assert "No conversation matches." in answer["note"]
    assert "no chats" not in answer["note"]


@orders
async def test_who_waits_longest_comes_first(oldest_first: bool, data: DemoAccount, apis: Apis) -> None:
    found = await answers(LIST_INBOX, {"order": "longest_waiting", "limit": 7}, apis[oldest_first])
    waiting = [(waits(chat, of(data, chat)), chat["id"]) for chat in data.chats]
    expected = sorted((wait[0], id_) for wait, id_ in waiting if wait)
    assert [row["id"] for answer in found for row in answer["chats"]] == [id_ for _, id_ in expected]


@pytest.mark.parametrize(("limit", "every"), [(20, 40), (100, 11)])
async def test_nothing_is_lost_when_linq_fails_in_between(
    limit: int, every: int, data: DemoAccount, apis: Apis
) -> None:
    partial: list[Json] = []
    found = await answers(LIST_INBOX, {"limit": limit}, Faults(apis[True], every), partial)
    assert [row["id"] for answer in found for row in answer["chats"]] == [chat["id"] for chat in inbox(data, ())]
    assert partial
    assert all("Linq failed meanwhile" in answer["note"] for answer in partial)


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_a_large_inbox_equals_the_data() -> None:
    """Every chat once, in order, a hundred at a time."""
    large = talking_account(CHATS, seed=1)
    found = await answers(LIST_INBOX, {"limit": 100}, api_of(large))
    assert [row["id"] for answer in found for row in answer["chats"]] == [chat["id"] for chat in inbox(large, ())]


# find_messages

START = NOW - timedelta(days=30)
SENDER = "+12005550001"
MessageTest = Callable[[Wire, Wire], bool]
FOUND: dict[str, tuple[Json, MessageTest]] = {
    "text": ({"text": "refund"}, lambda _, message: "refund" in said(message).lower()),
    "me": ({"sender": "me"}, lambda _, message: message["is_from_me"]),
    "them": ({"sender": "them"}, lambda _, message: not message["is_from_me"]),
    "handle": ({"sender": SENDER}, lambda _, message: not message["is_from_me"] and message["from"] == SENDER),
    "failed": ({"delivery_status": "failed"}, lambda _, message: message["delivery_status"] == "failed"),
    "files": (
        {"has_attachment": True},
        lambda _, message: any(part["type"] == "media" for part in message["parts"]),
    ),
    "after": ({"after": f"{MIDDLE:%Y-%m-%dT%H:%M:%SZ}"}, lambda _, message: sent(message) >= MIDDLE),
    "before": ({"before": f"{MIDDLE:%Y-%m-%dT%H:%M:%SZ}"}, lambda _, message: sent(message) < MIDDLE),
    "line": ({"line": LINES[2]}, lambda chat, _: LINES[2] in lines_of(chat)),
    "participant": ({"participant": PERSON}, lambda chat, _: PERSON in handles_of(chat)),
}


def matching(data: DemoAccount, names: tuple[str, ...]) -> list[Wire]:
    return [
        message
        for chat in data.chats
        for message in of(data, chat)
        if all(FOUND[name][1](chat, message) for name in names)
    ]


def asked(names: tuple[str, ...]) -> Json:
    arguments: Json = {"after": f"{START:%Y-%m-%d}"}
    for name in names:
        arguments |= FOUND[name][0]
    return arguments


def check_found(found: list[Json], expected: list[Wire], *, order: str) -> None:
    """Every match once; each page has the next by time, oldest first; chats and counts are right."""
    sign = -1 if order == "newest" else 1
    ranked = sorted(expected, key=lambda message: (sign * sent(message).timestamp(), message["id"]))
    start = 0
    for answer in found:
        page = answer["messages"]
        ids = {message["id"] for message in ranked[start : start + len(page)]}
        assert {message["id"] for message in page} == ids
        assert [message["at"] for message in page] == sorted(message["at"] for message in page)
        assert {message["chat_id"] for message in page} == {chat["id"] for chat in answer["chats"]}
        start += len(page)
    assert start == len(expected)


@pytest.mark.parametrize(
    ("name", "order", "oldest_first"),
    [
        (name, *way)
        for name, way in zip(
            FOUND, itertools.cycle([("newest", True), ("newest", False), ("oldest", False)]), strict=False
        )
    ],
)
async def test_found_messages_equal_the_data(
    name: str, order: str, oldest_first: bool, data: DemoAccount, apis: Apis
) -> None:
    """Each filter alone, over all chats, from either end; twelve at a time where that is not too many."""
    limit = 12 if len(matching(data, (name,))) < 60 else 100
    arguments = {**asked((name,)), "order": order, "limit": limit}
    found = await answers(FIND_MESSAGES, arguments, apis[oldest_first])
    expected = matching(data, (name,))
    check_found(found, expected, order=order)
    assert {answer["matched"] for answer in found} == {len(expected)}
    by_chat = Counter(message["chat_id"] for message in expected)
    assert all(chat["matches"] == by_chat[chat["id"]] for answer in found for chat in answer["chats"])


async def test_no_message_is_lost_when_linq_fails_in_between(data: DemoAccount, apis: Apis) -> None:
    found = await answers(FIND_MESSAGES, {**asked(("text",)), "limit": 20}, Faults(apis[True], 23))
    ids = [message["id"] for answer in found for message in answer["messages"]]
    assert sorted(ids) == sorted(message["id"] for message in matching(data, ("text",)))


async def test_without_a_time_the_last_seven_days_are_read(data: DemoAccount, apis: Apis) -> None:
    answer = await once(FIND_MESSAGES, {"text": "refund", "limit": 100}, apis)
    week = [m for m in matching(data, ("text",)) if sent(m) >= NOW - timedelta(days=7)]
    assert answer["after"] == "2026-11-13T18:00:00Z"
    assert answer["matched"] == len(week)


# summarize_activity


def plain_activity(data: DemoAccount, since: datetime, before: datetime) -> dict[str, Json]:
    """The numbers of each line, counted the long way round."""
    lines: dict[str, Json] = {}
    replies: dict[str, list[float]] = {}
    for chat in data.chats:
        line = lines_of(chat)[0]
        counts = lines.setdefault(line, Counter())
        messages = [message for message in sorted(of(data, chat), key=sent) if sent(message) < before]
        window = [message for message in messages if sent(message) >= since]
        own = [message for message in window if message["is_from_me"]]
        counts["chats"] += bool(window)
        counts["received"] += len(window) - len(own)
        counts["sent"] += len(own)
        for message in own:
            known = message["delivery_status"] in ("delivered", "read", "failed")
            counts[message["delivery_status"] if known else "pending"] += 1
        counts["waiting"] += bool(window) and waits(chat, messages) is not None
        counts["waiting_in_all"] += waits(chat, messages) is not None
        counts["new_chats"] += chat["created_at"] is not None and since <= at(chat["created_at"]) < before
        began: datetime | None = None
        for message in messages:
            if not message["is_from_me"]:
                began = began or sent(message)
            elif message["delivery_status"] != "failed":
                if began and began >= since:
                    replies.setdefault(line, []).append((sent(message) - began).total_seconds() // 60)
                began = None
    for line, counts in lines.items():
        if minutes := sorted(replies.get(line, [])):
            nearest = minutes[math.ceil(0.9 * len(minutes)) - 1]
            counts["reply_minutes"] = {"median": round(statistics.median(minutes)), "p90": int(nearest)}
    return lines


def plain_days(data: DemoAccount, since: datetime, before: datetime, zone: ZoneInfo) -> dict[str, Json]:
    """The numbers of each day, by looking for each among all messages."""
    days: dict[str, Json] = {}
    last_day = (before - timedelta(microseconds=1)).astimezone(zone).date()
    day = since.astimezone(zone).date()
    while day <= last_day:
        begin, end = (
            max(min(datetime(one.year, one.month, one.day, tzinfo=zone).astimezone(UTC), before), since)
            for one in (day, day + timedelta(days=1))
        )
        counts = Counter[str]()
        minutes: list[float] = []
        for chat in data.chats:
            messages = sorted((m for m in of(data, chat) if sent(m) < before), key=sent)
            window = [m for m in messages if begin <= sent(m) < end]
            counts["chats"] += bool(window)
            counts["waiting"] += bool(window) and waits(chat, messages) is not None
            counts["new_chats"] += chat["created_at"] is not None and begin <= at(chat["created_at"]) < end
            began: datetime | None = None
            for message in messages:
                own = message["is_from_me"]
                known = message["delivery_status"] in ("delivered", "read", "failed")
                if begin <= sent(message) < end:
                    counts["sent" if own else "received"] += 1
                    counts[message["delivery_status"] if known else "pending"] += own
                if not own:
                    began = began or sent(message)
                elif message["delivery_status"] != "failed":
                    if began and began >= since and begin <= sent(message) < end:
                        minutes.append((sent(message) - began).total_seconds() // 60)
                    began = None
        days[str(day)] = {name: counts[name] for name in NUMBERS[:-2]}
        if minutes:
            nearest = sorted(minutes)[math.ceil(0.9 * len(minutes)) - 1]
            days[str(day)]["reply_minutes"] = {"median": round(statistics.median(minutes)), "p90": int(nearest)}
        day += timedelta(days=1)
    return days


NUMBERS = (
    *("chats", "new_chats", "received", "sent", "delivered", "read", "failed", "pending", "waiting"),
    *("waiting_in_all", "reply_minutes"),
)


@pytest.mark.parametrize(
    ("days", "before", "oldest_first"),
    [(1, None, True), (5, NOW - timedelta(days=2), False), (15, None, False), (15, NOW - timedelta(days=2), True)],
)
async def test_every_number_of_the_activity_equals_the_data(
    days: int, before: datetime | None, oldest_first: bool, data: DemoAccount, apis: Apis
) -> None:
    since = NOW - timedelta(days=days + 2)
    end = before or NOW + timedelta(days=1)
    arguments: Json = {"after": since.isoformat()} | ({"before": before.isoformat()} if before else {})
    (answer,) = await answers(SUMMARIZE_ACTIVITY, arguments, apis[oldest_first])
    expected = plain_activity(data, since, end)
    assert {row["line"]: {name: row[name] for name in NUMBERS if name in row} for row in answer["lines"]} == {
        line: {name: counts[name] for name in NUMBERS if name != "reply_minutes" or counts["reply_minutes"]}
        for line, counts in expected.items()
    }
    failed = Counter(
        m["chat_id"]
        for chat in data.chats
        for m in of(data, chat)
        if since <= sent(m) < end and m["delivery_status"] == "failed"
    )
    assert [row["failed"] for row in answer.get("failing", [])] == [count for _, count in failed.most_common(10)]
    assert all(failed[row["id"]] == row["failed"] for row in answer.get("failing", []))
    assert answer.get("failing_count") == (len(failed) if len(failed) > 10 else None)
    assert days < 15 or len(failed) > 10


@pytest.mark.parametrize(
    ("zone", "before", "oldest_first"),
    [
        ("UTC", None, False),
        ("America/New_York", NOW - timedelta(days=2, hours=3), True),
        ("Pacific/Kiritimati", None, False),
    ],
)
async def test_every_number_of_a_day_equals_the_data(
    zone: str, before: datetime | None, oldest_first: bool, data: DemoAccount, apis: Apis
) -> None:
    """A row for each day of the time zone in force, also where it has 25 hours; the first and last are parts of one."""
    since = NOW - timedelta(days=20)
    arguments = {"by": "day", "after": since.isoformat()} | ({"before": before.isoformat()} if before else {})
    with in_region(Region(ZoneInfo(zone))):
        (answer,) = await answers(SUMMARIZE_ACTIVITY, arguments, apis[oldest_first], now=NOW)
    expected = plain_days(data, since, before or NOW + timedelta(microseconds=1), ZoneInfo(zone))
    assert [row["day"] for row in answer["days"]] == list(expected)
    assert {row.pop("day"): row for row in answer["days"]} == expected
    assert "lines" not in answer


@pytest.mark.parametrize(("after", "rows"), [("2026-09-20", 62), ("2026-09-19", None), ("0001-01-01", None)])
async def test_more_days_than_an_answer_shows_are_refused(after: str, rows: int | None, apis: Apis) -> None:
    """Days that were silently left out would be missing from a sum."""
    with in_region(Region(ZoneInfo("America/New_York"))):
        if rows:
            assert len((await once(SUMMARIZE_ACTIVITY, {"by": "day", "after": after}, apis))["days"]) == rows
        else:
            with pytest.raises(ArgumentsError, match="`by` day takes at most 62 days"):
                await once(SUMMARIZE_ACTIVITY, {"by": "day", "after": after}, apis)


async def test_who_waits_in_all_is_read_further_back_than_the_window(data: DemoAccount) -> None:
    chat = {"id": data.chats[0]["id"], "handles": data.chats[0]["handles"]}
    messages = [
        {
            "id": f"{minute}",
            "chat_id": chat["id"],
            "is_from_me": minute > 0,
            "delivery_status": "failed" if minute else "received",
            "sent_at": (NOW - timedelta(days=9) + timedelta(minutes=minute)).isoformat(),
            "parts": [{"type": "text", "value": "Hello?"}],
        }
        for minute in range(80)
    ]
    account = DemoAccount(chats=[chat], messages={chat["id"]: messages}, phone_numbers=[])
    api = demo_api(account, oldest_first=False)
    async with call_over(httpx.ASGITransport(api), now=NOW) as call:
        await FIND_MESSAGES.run(FIND_MESSAGES.parse({"text": "hello"}), call)
        answer = await SUMMARIZE_ACTIVITY.run(SUMMARIZE_ACTIVITY.parse({}), call)
    assert [(row["chats"], row["waiting"], row["waiting_in_all"]) for row in answer["lines"]] == [(0, 0, 1)]


async def test_the_activity_is_whole_once_linq_answers_again(data: DemoAccount, apis: Apis) -> None:
    """With failures in between, the same call is made until it is complete, and then has every number."""
    since = NOW - timedelta(days=5)
    partial: list[Json] = []
    (answer,) = await answers(SUMMARIZE_ACTIVITY, {"after": since.isoformat()}, Faults(apis[True], 25), partial)
    assert partial
    expected = plain_activity(data, since, NOW + timedelta(days=1))
    assert {row["line"]: row["sent"] for row in answer["lines"]} == {line: c["sent"] for line, c in expected.items()}


# What an answer says of itself


async def once(tool: Tool[Any], arguments: Json, apis: Apis) -> Json:
    async with call_over(apis[True], now=NOW, stores=stores_of(apis[True], NOW)) as call:
        return dict(await tool.run(tool.parse(arguments), call))


async def test_an_end_in_the_past_moves_the_default_beginning(data: DemoAccount, apis: Apis) -> None:
    before = {"before": f"{NOW - timedelta(days=10):%Y-%m-%dT%H:%M:%SZ}"}
    found = await once(FIND_MESSAGES, {**before, "count_only": True}, apis)
    activity = await once(SUMMARIZE_ACTIVITY, before, apis)
    assert (found["after"], activity["after"]) == ("2026-11-03T18:00:00Z", "2026-11-09T18:00:00Z")
    week = [m for chat in data.chats for m in of(data, chat) if sent(m) < NOW - timedelta(days=10)]
    assert found["count"] == sum(sent(m) >= NOW - timedelta(days=17) for m in week)


async def test_nothing_found_says_how_far_back_was_read(apis: Apis) -> None:
    found = await once(FIND_MESSAGES, {"text": "no such words"}, apis)
    assert found["note"].startswith("Nothing in the 60 chats since 2026-11-13 matches.")
    assert found["note"].endswith("to look further back, or a `chat_id` to read all of one chat.")


class CountedNames(dict[str, str]):
    """Names that count how often they are looked up."""

    lookups = 0

    def get(self, handle: str, default: Any = None) -> Any:
        self.lookups += 1
        return super().get(handle, default)


async def test_only_the_chats_that_an_answer_shows_are_named(data: DemoAccount, apis: Apis) -> None:
    """Naming each of thousands takes most of a search's time."""
    counts = {chat["id"]: len(of(data, chat)) for chat in data.chats}
    ten = sorted(((-count, id_) for id_, count in counts.items() if count))[:10]
    shown: list[Json] = []
    for arguments in ({"count_only": True}, {"limit": 1}):
        names = CountedNames({"nobody": "Nobody"})
        async with call_over(apis[True], now=NOW, stores=stores_of(apis[True], NOW)) as call:
            asked = FIND_MESSAGES.parse({"after": "2020-01-01", **arguments})
            shown.append(dict(await FIND_MESSAGES.run(asked, replace(call, directory=Directory(names)))))
        assert 0 < names.lookups < 30
    assert [(-chat["matches"], chat["id"]) for chat in shown[0]["chats"]] == ten


@pytest.mark.parametrize("tool", [LIST_INBOX, FIND_MESSAGES], ids=lambda tool: tool.name)
async def test_rows_that_are_left_are_named_beside_a_complete_reading(tool: Tool[Any], apis: Apis) -> None:
    """`complete` says that all was read, not that all is shown."""
    answer = await once(tool, {"limit": 1}, apis)
    assert answer["complete"]
    assert "There are more rows than these; call again with next_cursor." in answer["note"]


@pytest.mark.parametrize("tool", [LIST_INBOX, FIND_MESSAGES], ids=lambda tool: tool.name)
async def test_an_unknown_delivery_status_leads_to_those_of_the_schema(tool: Tool[Any], apis: Apis) -> None:
    """Others' messages are `received`, which is known to Linq and left out of both."""
    known = (await once(tool, {"delivery_status": "lost"}, apis))["note"].split("Known: ")[1].split(".")[0]
    described = tool.input_schema["properties"]["delivery_status"]["description"]
    assert described.endswith(f": {' or'.join(known.rsplit(',', 1))}.")
    assert "Unknown" not in (await once(tool, {"delivery_status": "received"}, apis)).get("note", "")


@pytest.mark.parametrize("sender", ["them", SENDER])
async def test_the_delivery_of_others_messages_is_not_asked_for(sender: str, apis: Apis) -> None:
    """Linq reports delivery for your own only; an empty answer would hide the slip."""
    with pytest.raises(ArgumentsError, match="`delivery_status` is that of your own messages"):
        await once(FIND_MESSAGES, {"sender": sender, "delivery_status": "failed"}, apis)


async def test_a_chat_between_two_says_the_name_of_the_other_once() -> None:
    """The chat is called like them, so their last message does not say it again; in a group it does."""
    names = {"+12055550101": "Ann Adler", "+12055550102": "Bo Berg"}
    rows = []
    for people in ([*names][:1], [*names]):
        handles = [{"handle": "+12055550199", "is_me": True}, *({"handle": one, "is_me": False} for one in people)]
        chat = {"id": "chat", "handles": handles, "is_group": len(people) > 1}
        sender = {"handle": people[0], "is_me": False}
        said = {
            "id": "m",
            "chat_id": "chat",
            "is_from_me": False,
            "from_handle": sender,
            "sent_at": "2026-11-20T17:45:00Z",
        }

        def linq(request: httpx.Request, chat: Json = chat, said: Json = said) -> httpx.Response:
            listed = {"messages": [said]} if "messages" in request.url.path else {"chats": [chat]}
            return httpx.Response(200, json=listed)

        async with call_over(Canned(linq), directory=Directory(names)) as call:
            rows += (await LIST_INBOX.run(LIST_INBOX.parse({}), call))["chats"]
    between_two, group = rows
    assert between_two["display_name"] == "Ann Adler"
    assert "sender_name" not in between_two["last_message"]
    assert group["last_message"]["sender_name"] == "Ann Adler"
