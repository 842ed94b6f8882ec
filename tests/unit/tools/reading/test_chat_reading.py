"""Reading one chat from either end, whichever way Linq lists its messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from helpers.linq import call_over
from helpers.scripted_chats import Reply, ScriptedChats, Wire, message
from helpers.virtual_time import in_virtual_time

from linq_mcp.api.retry import RetryPolicy
from linq_mcp.tools.base.tool import Tool
from linq_mcp.tools.find_messages import FIND_MESSAGES
from linq_mcp.tools.list_messages import LIST_MESSAGES

CHAT = "550e8400-e29b-41d4-a716-446655440000"
MESSAGES = [message(number) for number in range(14)]
listed = pytest.mark.parametrize("oldest_first", [True, False], ids=["listed oldest first", "listed newest first"])
asked = pytest.mark.parametrize("order", ["newest", "oldest"])


def paged(messages: Sequence[Wire], size: int, *, oldest_first: bool) -> list[Reply]:
    ordered = list(messages) if oldest_first else list(messages)[::-1]
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


async def ask(api: ScriptedChats, tool: Tool[Any] = LIST_MESSAGES, **arguments: Any) -> dict[str, Any]:
    async with call_over(api, seconds=45, retry=RetryPolicy(attempts=1)) as call:
        return dict(await tool.run(tool.parse({"chat_id": CHAT, **arguments}), call))


async def ask_all(api: ScriptedChats, tool: Tool[Any] = LIST_MESSAGES, **arguments: Any) -> list[dict[str, Any]]:
    """The answers until there is nothing more."""
    found: list[dict[str, Any]] = []
    while not found or "next_cursor" in found[-1]:
        assert len(found) < 40
        cursor = found[-1]["next_cursor"] if found else None
        found.append(await ask(api, tool, **arguments, cursor=cursor))
    return found


def ids_of(found: Sequence[dict[str, Any]], order: str) -> list[str]:
    """All ids, oldest first."""
    pages = [[row["id"] for row in answer["messages"]] for answer in found]
    return [id_ for page in (pages[::-1] if order == "newest" else pages) for id_ in page]


@listed
@asked
@pytest.mark.parametrize("size", [1, 3, 14, 100])
@pytest.mark.parametrize("limit", [1, 3, 5, 100])
async def test_every_message_once_in_order(limit: int, size: int, order: str, oldest_first: bool) -> None:
    """Whatever the pages: also where the first one, with one message, does not show Linq's order."""
    api = ScriptedChats({CHAT: paged(MESSAGES, size, oldest_first=oldest_first)})
    found = await ask_all(api, order=order, limit=limit)
    assert ids_of(found, order) == [one["id"] for one in MESSAGES]
    assert all(len(answer["messages"]) == limit for answer in found[:-1])


@listed
@asked
async def test_messages_of_one_second_keep_their_order(order: str, oldest_first: bool) -> None:
    """They were written in one order, which either list shows."""
    same = [message(number, second=number // 4) for number in (3, 1, 2, 0, 6, 5, 4, 7)]
    api = ScriptedChats({CHAT: paged(same, 3, oldest_first=oldest_first)})
    (found,) = await ask_all(api, order=order, limit=100)
    assert [row["id"] for row in found["messages"]] == [one["id"] for one in same]


@asked
async def test_reading_stops_at_the_limit_where_linq_leads_the_right_way(order: str) -> None:
    """One request for one page of an answer."""
    api = ScriptedChats({CHAT: paged(MESSAGES, 5, oldest_first=order == "oldest")})
    await ask(api, order=order, limit=3)
    assert len(api.requests) == 1


@asked
async def test_the_whole_chat_is_read_where_linq_leads_the_other_way(order: str) -> None:
    """The end that was asked for lies on the last page."""
    api = ScriptedChats({CHAT: paged(MESSAGES, 5, oldest_first=order == "newest")})
    await ask(api, order=order, limit=3)
    assert len(api.requests) == 3


async def test_what_is_older_than_asked_for_is_not_read() -> None:
    """Where the newest come first, nothing that follows can match."""
    api = ScriptedChats({CHAT: paged(MESSAGES, 5, oldest_first=False)})
    found = await ask(api, FIND_MESSAGES, after="2026-11-20T12:00:07Z")
    assert [row["id"] for row in found["messages"]] == [f"m{number}" for number in range(7, 14)]
    assert len(api.requests) == 2
    assert found["complete"]


@asked
def test_until_the_end_asked_for_is_reached_nothing_is_shown(order: str) -> None:
    """Time ends first: no message, a note, and a cursor that reads on; then all of them, in order."""
    pages = paged([message(number) for number in range(90)], 2, oldest_first=order == "newest")
    api = ScriptedChats({CHAT: pages}, seconds=lambda _: 1.5)
    found = in_virtual_time(lambda: ask_all(api, order=order, limit=40))
    assert found[0]["messages"] == []
    assert found[0]["has_more"]
    assert f"without reaching the {order}" in found[0]["note"]
    assert ids_of(found, order) == [f"m{number}" for number in range(90)]


@listed
@asked
async def test_a_failure_in_the_middle_loses_nothing(order: str, oldest_first: bool) -> None:
    """The cursor goes on from there."""
    pages = paged(MESSAGES, 4, oldest_first=oldest_first)
    api = ScriptedChats({CHAT: [*pages[:2], 503, *pages[3:]]})
    first = await ask(api, order=order, limit=100)
    assert "Stopped partway" in first["note"]
    api.chats[CHAT] = pages
    rest = []
    cursor = first["next_cursor"]
    while cursor:
        rest.append(await ask(api, order=order, limit=100, cursor=cursor))
        cursor = rest[-1].get("next_cursor")
        assert len(rest) < 10
    assert ids_of([first, *rest], order) == [one["id"] for one in MESSAGES]


@pytest.mark.parametrize("size", [3, 5])
async def test_messages_that_arrive_between_two_pages_change_nothing(size: int) -> None:
    """They push the others on, within a page and from one to the next."""
    api = ScriptedChats({CHAT: paged(MESSAGES, 5, oldest_first=False)})
    first = await ask(api, limit=size)
    api.chats[CHAT] = paged([*MESSAGES, message(20), message(21)], 5, oldest_first=False)
    second = await ask(api, limit=100, cursor=first["next_cursor"])
    assert ids_of([first, second], "newest") == [one["id"] for one in MESSAGES]
