"""How many questions fit into an hour."""

from __future__ import annotations

import pytest
from helpers.virtual_time import Clock

from linq_mcp.errors import NotSent, NotSentError
from linq_mcp.server.consent.limit import SendLimit


def refusal(limit: SendLimit, caller: str = "a", subject: str = "chat") -> str:
    with pytest.raises(NotSentError) as refused:
        limit.take(caller, subject)
    assert refused.value.reason is NotSent.LIMIT
    return str(refused.value)


def test_an_hour_has_so_many_places() -> None:
    """Whatever the chats; the text says when there is one again."""
    clock = Clock()
    limit = SendLimit(30, clock=clock)
    for number in range(30):
        limit.take("a", f"chat {number}")
        clock.now += 60
    assert "30 messages an hour" in refusal(limit)
    assert "in 30 minutes" in refusal(limit)
    clock.now += 30 * 60
    limit.take("a", "chat")


def test_one_chat_has_five_of_them() -> None:
    """Others go on."""
    clock = Clock()
    limit = SendLimit(30, clock=clock)
    for _ in range(5):
        limit.take("a", "chat")
    assert "to one chat" in refusal(limit)
    limit.take("a", "another chat")
    clock.now += 3600
    limit.take("a", "chat")


def test_callers_do_not_share_places() -> None:
    """Each key has its own."""
    limit = SendLimit(1, clock=Clock())
    limit.take("a", "chat")
    limit.take("b", "chat")
    refusal(limit, "a")


def test_a_limit_of_none_is_none() -> None:
    """0 refuses everything, and no time is promised at which it would not."""
    text = refusal(SendLimit(0, clock=Clock()))
    assert "0 messages an hour" in text
    assert "Try again" not in text
    assert "LINQ_MCP_SEND_LIMIT" in text


def test_one_is_one_message() -> None:
    """The text counts as a person would."""
    limit = SendLimit(1, clock=Clock())
    limit.take("a", "chat")
    assert "1 message an hour" in refusal(limit)


def test_nothing_is_kept_of_callers_who_are_gone() -> None:
    """After an hour they cost no memory."""
    clock = Clock()
    limit = SendLimit(30, clock=clock)
    for number in range(100):
        limit.take(f"caller {number}", "chat")
    clock.now += 3601
    limit.take("a", "chat")
    assert list(limit._taken) == ["a"]
