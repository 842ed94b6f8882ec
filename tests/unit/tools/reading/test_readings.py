"""Readings that take several answers: the best rows of each, and what arrives at Linq between them."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import pytest
from helpers.linq import call_over
from helpers.scripted_chats import START, ScriptedChats, message
from helpers.virtual_time import in_virtual_time
from hypothesis import given
from hypothesis import strategies as st

from linq_mcp.region import local_time_at
from linq_mcp.tools.base.tool import Tool
from linq_mcp.tools.find_messages import FIND_MESSAGES
from linq_mcp.tools.list_inbox import LIST_INBOX
from linq_mcp.tools.reading.reading_cursor import Rank
from linq_mcp.tools.reading.readings import BestRows, Window
from linq_mcp.tools.summarize_activity import SUMMARIZE_ACTIVITY
from linq_mcp.tools.summarize_chat_health import SUMMARIZE_CHAT_HEALTH

ranks = st.tuples(st.sampled_from([0.0, 1.0, 2.0, math.inf]), st.text("abcdef", min_size=1, max_size=3))


# The best rows


@given(st.lists(ranks, unique=True), st.integers(0, 5), st.none() | ranks)
def test_the_first_rows_after_a_rank_are_kept(offered: list[Rank], limit: int, after: Rank | None) -> None:
    """In whichever order they are offered; and it is known whether there are more, and how many in all."""
    rows: BestRows[Rank] = BestRows(limit, after)
    for rank in offered:
        rows.offer(rank, lambda rank=rank: rank)  # type: ignore[misc]
    left = sorted(rank for rank in offered if after is None or rank > after)
    assert rows.rows == left[:limit]
    assert rows.has_more is (len(left) > limit)
    assert rows.matched == len(offered)
    assert rows.is_full is (len(rows.rows) == limit)
    assert rows.last_rank == (rows.rows[-1] if rows.rows else after)


@given(st.lists(st.lists(ranks, unique=True, max_size=6), max_size=4), st.integers(0, 4), st.none() | ranks)
def test_merging_is_the_same_as_offering_to_one(groups: list[list[Rank]], limit: int, after: Rank | None) -> None:
    """A chat's best rows are enough to know the account's."""
    named = [[(at, f"{id_}{number}") for at, id_ in group] for number, group in enumerate(groups)]
    one: BestRows[str] = BestRows(limit, after)
    merged: BestRows[str] = BestRows(limit, after)
    for group in named:
        part: BestRows[Rank] = BestRows(limit, after)
        for rank in group:
            one.offer(rank, lambda rank=rank: str(rank))  # type: ignore[misc]
            part.offer(rank, lambda rank=rank: rank)  # type: ignore[misc]
        merged.merge(part, str)
    assert (merged.rows, merged.has_more, merged.matched) == (one.rows, one.has_more, one.matched)


def test_rows_that_are_not_shown_are_not_made() -> None:
    """Of a thousand that match, only those that are among the first so far."""
    made = []
    rows: BestRows[None] = BestRows(2, None)
    for number in range(1000):
        rows.offer((number, ""), lambda number=number: made.append(number))  # type: ignore[misc]
    assert made == [0, 1]


@pytest.mark.parametrize(
    ("window", "since"),
    [
        (Window(), 0.0),
        (Window(START), START.timestamp()),
        (Window(span=timedelta(days=1)), (START - timedelta(hours=23)).timestamp()),
        (Window(START, span=timedelta(days=1)), START.timestamp()),
        (Window(before=START, span=timedelta(days=1)), (START - timedelta(days=1)).timestamp()),
        (Window(before=START + timedelta(days=2), span=timedelta(days=1)), (START - timedelta(hours=23)).timestamp()),
    ],
)
def test_from_when_on_messages_count(window: Window, since: float) -> None:
    """From the time given, or else for a span before the end of what is asked for, or else always."""
    assert window.since(START + timedelta(hours=1)) == since


# What arrives meanwhile


NOW = START + timedelta(hours=1)
CLOCKS = pytest.mark.parametrize(
    "now", [NOW, NOW - timedelta(days=3), NOW + timedelta(days=3)], ids=["right", "three days slow", "three days fast"]
)


def chats() -> ScriptedChats:
    """Eight chats, one message each, the first chat's the latest."""
    return ScriptedChats({f"c{number}": [[message(80 - 10 * number)]] for number in range(8)})


async def ask(api: ScriptedChats, tool: Tool[Any], now: datetime, **arguments: Any) -> dict[str, Any]:
    async with call_over(api, now=now, seconds=45) as call:
        return dict(await tool.run(tool.parse(arguments), call))


def arrive(api: ScriptedChats) -> None:
    """Messages in a chat that was shown and in one that wasn't, in one late, and a new chat."""
    for number, chat_id in ((3590, "c0"), (3591, "c6")):
        api.chats[chat_id] = [[*api.chats[chat_id][0], message(number)]]  # type: ignore[misc]  # it is a page
    late = message(75)
    late["created_at"] = message(3592)["created_at"]
    api.chats["c7"] = [[*api.chats["c7"][0], late]]  # type: ignore[misc]
    api.chats = {"new": [[message(3593)]], **api.chats}


@CLOCKS
async def test_no_chat_is_shown_twice_or_skipped_while_messages_arrive(now: datetime) -> None:
    """Later answers show the inbox as the first one saw it."""
    api = chats()
    found = await ask(api, LIST_INBOX, now, limit=3)
    shown = found["chats"]
    arrive(api)
    for _ in range(5):
        found = await ask(api, LIST_INBOX, now + timedelta(hours=1), limit=3, cursor=found["next_cursor"])
        shown += found["chats"]
        if "next_cursor" not in found:
            break
    assert [row["id"] for row in shown] == [f"c{number}" for number in range(8)]
    assert [row["last_message"]["text"] for row in shown] == [f"text {80 - 10 * number}" for number in range(8)]
    assert {row["waiting"]["messages"] for row in shown} == {1}


async def test_later_answers_are_as_of_the_first_call() -> None:
    """Nothing that arrived after it is in them."""
    api = chats()
    first = await ask(api, LIST_INBOX, NOW, limit=3)
    second = await ask(api, LIST_INBOX, NOW + timedelta(hours=1), limit=3, cursor=first["next_cursor"])
    others = [await ask(api, tool, NOW) for tool in (SUMMARIZE_ACTIVITY, SUMMARIZE_CHAT_HEALTH)]
    assert {answer["as_of"] for answer in (first, *others)} == {local_time_at(NOW.timestamp())}
    assert second["as_of"] <= first["as_of"]


@CLOCKS
@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_no_message_is_shown_twice_or_skipped_while_others_arrive(order: str, now: datetime) -> None:
    """Whichever end they are counted from."""
    api = chats()
    asked = {"after": "2026-11-01", "limit": 3, "order": order}
    found = await ask(api, FIND_MESSAGES, now, **asked)
    shown = [row["id"] for row in found["messages"]]
    arrive(api)
    for _ in range(5):
        found = await ask(api, FIND_MESSAGES, now + timedelta(hours=1), **asked, cursor=found["next_cursor"])
        shown += [row["id"] for row in found["messages"]]
        assert found["matched"] == 8
        if "next_cursor" not in found:
            break
    assert sorted(shown) == sorted(f"m{number}" for number in range(10, 90, 10))


async def test_a_first_answer_shows_what_is_newer_than_the_clock() -> None:
    """Linq's clock may be ahead of this one."""
    found = await ask(chats(), LIST_INBOX, START - timedelta(days=1))
    assert [row["id"] for row in found["chats"]] == [f"c{number}" for number in range(8)]


async def test_without_a_message_an_inbox_can_be_resumed() -> None:
    """There is no newest message then."""
    api = ScriptedChats({f"c{number}": [[]] for number in range(3)})
    first = await ask(api, LIST_INBOX, NOW, limit=2)
    second = await ask(api, LIST_INBOX, NOW, limit=2, cursor=first["next_cursor"])
    assert [row["id"] for row in first["chats"] + second["chats"]] == ["c0", "c1", "c2"]


# How far back a chat is read


async def test_a_message_recovered_late_is_no_bound_of_the_search() -> None:
    """It was sent before `after`, but what Linq lists below it need not have been."""
    late = {**message(2, second=-100), "created_at": message(40)["created_at"]}
    api = ScriptedChats({"a": [[message(50), late], [message(30)], [message(3, second=-9)], [message(4, second=-10)]]})
    found = await ask(api, FIND_MESSAGES, NOW, text="text", after=START.isoformat())
    assert [row["id"] for row in found["messages"]] == ["m30", "m50"]
    assert len(api.requests) == 3


async def test_the_activity_looks_back_to_who_had_the_last_word() -> None:
    """A message of ours that failed does not say that: somebody has waited since before it."""
    failed: dict[str, Any] = {"own": True, "delivery_status": "failed"}
    pages = [
        [message(5, **failed), message(4, second=-10, **failed)],
        [message(3, second=-20)],
        [message(2, second=-30)],
    ]
    api = ScriptedChats({"a": pages})
    found = await ask(api, SUMMARIZE_ACTIVITY, NOW, after=START.isoformat())
    (line,) = found["lines"]
    assert (line["failed"], line["received"], line["waiting"]) == (1, 0, 1)
    assert len(api.requests) == 2


# When time ends first


def test_parts_are_finished_before_the_next_one_is_read() -> None:
    """Each chat once; in order within the part that one call could read; complete only when all has been read."""
    api = ScriptedChats({f"c{number}": [[message(number)]] for number in range(300)}, seconds=lambda _: 1.5)

    async def read_all() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while len(found) < 20 and (not found or "next_cursor" in found[-1]):
            cursor = found[-1]["next_cursor"] if found else None
            found.append(await ask(api, LIST_INBOX, NOW, limit=50, cursor=cursor))
        return found

    found = in_virtual_time(read_all)
    ids = [row["id"] for answer in found for row in answer["chats"]]
    part = found[0]["scanned"]
    assert 100 < part < 300
    assert ids == [f"c{number}" for number in [*range(part - 1, -1, -1), *range(299, part - 1, -1)]]
    assert [answer["complete"] for answer in found] == [False] * (len(found) - 2) + [True] * 2
    assert "call ran out of time" in found[0]["note"]


def test_the_activity_of_parts_leaves_replies_out() -> None:
    """Medians of parts can't be put together; the counts add up."""
    talk = [message(1), message(61, own=True)]
    api = ScriptedChats({f"c{number}": [talk] for number in range(300)}, seconds=lambda _: 1.5)

    async def read_all() -> list[dict[str, Any]]:
        first = await ask(api, SUMMARIZE_ACTIVITY, NOW)
        return [first, await ask(api, SUMMARIZE_ACTIVITY, NOW + timedelta(hours=2), cursor=first["next_cursor"])]

    found = in_virtual_time(read_all)
    assert [answer["after"] for answer in found] == ["2026-11-19T13:00:00Z"] * 2
    assert sum(answer["lines"][0]["sent"] for answer in found) == 300
    assert not any("reply_minutes" in answer["lines"][0] for answer in found)
    whole = ScriptedChats({"c": [talk]})
    answer = in_virtual_time(lambda: ask(whole, SUMMARIZE_ACTIVITY, NOW))
    assert answer["lines"][0]["reply_minutes"] == {"median": 1, "p90": 1}
