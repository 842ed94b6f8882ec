"""How many questions a person is asked in an hour, and how many messages leave: counted in this process, per caller."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from linq_mcp.errors import NotSent, NotSentError
from linq_mcp.tools.base.question import Question

QUESTIONS_AN_HOUR = 60
_HOUR = 3600.0


class SendLimits:
    """At most 60 questions an hour, and `messages` that leave, a third of them to one chat; None for no limits.

    A question counts when it is put, whatever the answer. A message counts when it leaves.
    """

    def __init__(self, messages: int | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._messages = messages
        self._clock = clock
        self._asked = _LastHour()
        self._sent = _LastHour()

    def count_question(self, caller: str, question: Question) -> None:
        """Count one more question. Raises `NotSentError` if there is room neither for it nor for its message."""
        if self._messages is None:
            return
        now = self._clock()
        self._check_messages(caller, question, now)
        asked = self._asked.of(caller, now)
        if len(asked) >= QUESTIONS_AN_HOUR:
            raise _reached(
                f"linq-mcp asks at most {QUESTIONS_AN_HOUR} questions an hour, whatever the answers, and did not ask "
                "this one",
                asked[0][0],
                now,
            )
        asked.append((now, question.subject))

    def count_message(self, caller: str, question: Question) -> None:
        """Count the message that `question` was about, which is about to leave. Raises `NotSentError` if none may."""
        if self._messages is None or not question.is_message:
            return
        now = self._clock()
        self._check_messages(caller, question, now)
        self._sent.of(caller, now).append((now, question.subject))

    def uncount_message(self, caller: str, question: Question) -> None:
        """Take back the last count of `question`'s message, which did not leave after all."""
        sent = self._sent.of(caller, self._clock())
        if last := next((entry for entry in reversed(sent) if entry[1] == question.subject), None):
            sent.remove(last)

    def _check_messages(self, caller: str, question: Question, now: float) -> None:
        if self._messages is None or not question.is_message:
            return
        if self._messages == 0:
            raise NotSentError(
                NotSent.LIMIT, "LINQ_MCP_SEND_LIMIT is 0, so no message may leave; only the operator can change that."
            )
        sent = self._sent.of(caller, now)
        same = [at for at, subject in sent if subject == question.subject]
        to_one_chat = max(1, self._messages // 3)
        if len(sent) >= self._messages:
            raise _reached(f"linq-mcp sends at most {_counted(self._messages)} an hour", sent[0][0], now)
        if len(same) >= to_one_chat:
            raise _reached(f"linq-mcp sends at most {_counted(to_one_chat)} an hour to one chat", same[0], now)


class _LastHour:
    """What each caller did within the last hour: when, and about what, the oldest first."""

    def __init__(self) -> None:
        self._entries: dict[str, deque[tuple[float, str]]] = {}

    def of(self, caller: str, now: float) -> deque[tuple[float, str]]:
        for other, entries in list(self._entries.items()):
            while entries and entries[0][0] <= now - _HOUR:
                entries.popleft()
            if not entries:
                del self._entries[other]
        return self._entries.setdefault(caller, deque())


def _reached(rule: str, oldest: float, now: float) -> NotSentError:
    minutes = max(1, -int(-(oldest + _HOUR - now) // 60))
    return NotSentError(NotSent.LIMIT, f"{rule}. Try again in {_counted(minutes, 'minute')}.")


def _counted(count: int, noun: str = "message") -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
