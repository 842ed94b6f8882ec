"""Others get their turn while a call works through what strangers wrote."""

from __future__ import annotations

from typing import Any

import anyio.lowlevel
import pytest
from helpers.linq import call_over
from helpers.scripted_chats import ScriptedChats, message
from helpers.virtual_time import in_virtual_time

from linq_mcp.tools.base.loop_yield import LONGEST_STRETCH, PAUSE, LoopYield
from linq_mcp.tools.base.tool import Tool
from linq_mcp.tools.find_chats import FIND_CHATS
from linq_mcp.tools.find_messages import FIND_MESSAGES
from linq_mcp.tools.list_inbox import LIST_INBOX
from linq_mcp.tools.list_messages import LIST_MESSAGES
from linq_mcp.tools.summarize_activity import SUMMARIZE_ACTIVITY

CHAT = "550e8400-e29b-41d4-a716-446655440000"


class Clock:
    """Goes on by `step` seconds with each look at it."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._now = 0.0

    def __call__(self) -> float:
        self._now += self._step
        return self._now


@pytest.mark.parametrize(("share", "pauses"), [(1.1, 12), (0.6, 6), (0.01, 0)])
def test_it_gives_way_by_time(share: float, pauses: int) -> None:

    async def seconds() -> float:
        yield_if_due = LoopYield(Clock(share * LONGEST_STRETCH))
        before = anyio.current_time()
        for _ in range(12):
            await yield_if_due()
        return anyio.current_time() - before

    assert in_virtual_time(seconds) == pytest.approx(pauses * PAUSE)


def test_a_request_of_many_steps_is_answered_meanwhile() -> None:
    """It passes through tasks and streams, which one turn of the loop would take only one step further."""

    async def steps_done() -> int:
        done = 0

        async def others() -> None:
            nonlocal done
            for done in range(1, 51):  # noqa: B007 - read after the loop, too
                await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(others)
            await LoopYield(Clock(1))()
            tasks.cancel_scope.cancel()
        return done

    assert in_virtual_time(steps_done) == 50


async def test_a_cancelled_call_ends_there() -> None:
    """A client that gave up does not keep the server busy."""
    yield_if_due = LoopYield(Clock(1))
    with anyio.CancelScope() as scope:
        scope.cancel()
        await yield_if_due()
        raise AssertionError
    assert scope.cancelled_caught


class Counted(LoopYield):
    """Counts how often it is awaited."""

    times = 0

    async def __call__(self) -> None:
        self.times += 1
        await super().__call__()


@pytest.mark.parametrize(
    ("tool", "arguments", "items"),
    [
        # Chats, and the rows made of them; and 5 messages of each chat, as they are read and as they are gone through.
        (FIND_CHATS, {"is_group": False}, 20 + 20),
        (LIST_INBOX, {}, 20 + 100),
        (SUMMARIZE_ACTIVITY, {"after": "2026-11-01"}, 20 + 100 + 100),
        (FIND_MESSAGES, {"text": "text", "after": "2026-11-01", "limit": 50}, 20 + 100 + 100 + 50),
        (FIND_MESSAGES, {"text": "text", "chat_id": CHAT}, 1 + 5 + 5 + 5),
        (LIST_MESSAGES, {"chat_id": CHAT}, 5),
    ],
    ids=["find_chats", "list_inbox", "summarize_activity", "find_messages", "find_messages in a chat", "list_messages"],
)
async def test_it_is_awaited_between_any_two_items(tool: Tool[Any], arguments: dict[str, Any], items: int) -> None:
    messages = [message(number) for number in range(5)]
    api = ScriptedChats({CHAT: [messages], **{f"c{number}": [messages] for number in range(19)}})
    yield_if_due = Counted()
    async with call_over(api, pause=yield_if_due) as call:
        await tool.run(tool.parse(arguments), call)
    assert yield_if_due.times == items
