"""How many questions and messages fit into an hour."""

from __future__ import annotations

import pytest

from linq_mcp.errors import NotSent, NotSentError
from linq_mcp.server.consent.limits import QUESTIONS_AN_HOUR, SendLimits
from linq_mcp.tools.base.question import Question


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def about(subject: str = "chat", *, is_message: bool = True) -> Question:
    return Question(subject=subject, message="Send?", is_message=is_message)


def refusal(limits: SendLimits, question: Question, caller: str = "a") -> str:
    with pytest.raises(NotSentError) as refused:
        limits.count_question(caller, question)
    assert refused.value.reason is NotSent.LIMIT
    return str(refused.value)


def send(limits: SendLimits, subject: str, caller: str = "a") -> None:
    limits.count_question(caller, about(subject))
    limits.count_message(caller, about(subject))


def test_sixty_questions_fit_into_an_hour_whatever_the_answers() -> None:
    """Reactions are questions, too; the refusal says when the next one may be asked."""
    clock = Clock()
    limits = SendLimits(30, clock=clock)
    for number in range(QUESTIONS_AN_HOUR):
        limits.count_question("a", about(f"chat {number}", is_message=number % 2 == 0))
        clock.now += 30
    for is_message in (True, False):
        text = refusal(limits, about(is_message=is_message))
        assert "60 questions an hour" in text
        assert "in 30 minutes" in text
    limits.count_question("b", about())
    clock.now += 30 * 60
    limits.count_question("a", about())


def test_a_no_costs_no_message() -> None:
    clock = Clock()
    limits = SendLimits(6, clock=clock)
    for _ in range(10):
        limits.count_question("a", about())
    send(limits, "chat")
    send(limits, "chat")
    assert "2 messages an hour to one chat" in refusal(limits, about())
    for number in range(4):
        send(limits, f"chat {number}")
    assert "6 messages an hour." in refusal(limits, about("another chat"))
    send(limits, "chat", caller="b")
    clock.now += 3600
    send(limits, "chat")


def test_reactions_are_not_held_up_by_messages() -> None:
    limits = SendLimits(1, clock=Clock())
    send(limits, "chat")
    refusal(limits, about("another chat"))
    limits.count_question("a", about(is_message=False))
    limits.count_message("a", about(is_message=False))


def test_a_message_that_did_not_leave_gives_its_place_back() -> None:
    limits = SendLimits(1, clock=Clock())
    send(limits, "chat")
    limits.uncount_message("a", about("another chat"))
    refusal(limits, about("another chat"))
    limits.uncount_message("a", about("chat"))
    send(limits, "another chat")


def test_many_answers_at_once_send_no_more_than_allowed() -> None:
    limits = SendLimits(1, clock=Clock())
    for _ in range(2):
        limits.count_question("a", about())
    limits.count_message("a", about())
    with pytest.raises(NotSentError, match="1 message an hour"):
        limits.count_message("a", about())


def test_a_limit_of_0_refuses_every_message() -> None:
    limits = SendLimits(0, clock=Clock())
    text = refusal(limits, about())
    assert "Try again" not in text
    assert "LINQ_MCP_SEND_LIMIT" in text
    limits.count_question("a", about(is_message=False))


def test_without_a_limit_nothing_is_counted() -> None:
    limits = SendLimits(None, clock=Clock())
    for _ in range(100):
        send(limits, "chat")


def test_nothing_is_kept_of_callers_who_are_gone() -> None:
    clock = Clock()
    limits = SendLimits(30, clock=clock)
    for number in range(100):
        send(limits, "chat", caller=f"caller {number}")
    clock.now += 3601
    send(limits, "chat")
    assert list(limits._asked._entries) == list(limits._sent._entries) == ["a"]
