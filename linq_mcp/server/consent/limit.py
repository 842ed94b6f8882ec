"""How many questions a person is asked in an hour, and so how many messages can leave: counted in this process."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from linq_mcp.errors import NotSent, NotSentError

_HOUR = 3600.0


class SendLimit:
    """At most `limit` questions an hour for each caller, and at most `per_subject` of them about the same thing."""

    def __init__(self, limit: int, *, per_subject: int = 5, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._per_subject = per_subject
        self._clock = clock
        # By caller: when each question was put, and about what, the oldest first.
        self._taken: dict[str, deque[tuple[float, str]]] = {}

    def take(self, caller: str, subject: str) -> None:
        """Take a place for one more question. Raises `NotSentError` if there is none."""
        now = self._clock()
        self._forget(now)
        taken = self._taken.get(caller, deque())
        same = [at for at, about in taken if about == subject]
        if len(taken) >= self._limit:
            allowed = f"{_messages(self._limit)} an hour"
            since = taken[-self._limit][0] if self._limit else None
        elif len(same) >= self._per_subject:
            allowed = f"{_messages(self._per_subject)} an hour to one chat"
            since = same[-self._per_subject]
        else:
            taken.append((now, subject))
            self._taken[caller] = taken
            return
        raise NotSentError(
            NotSent.LIMIT,
            f"linq-mcp allows {allowed}, and those that were proposed but not sent count, too. Nobody was asked about "
            f"this one. {_when(None if since is None else since + _HOUR - now)}",
        )

    def _forget(self, now: float) -> None:
        for caller, taken in list(self._taken.items()):
            while taken and taken[0][0] <= now - _HOUR:
                taken.popleft()
            if not taken:
                del self._taken[caller]


def _messages(count: int) -> str:
    return f"{count} message{'' if count == 1 else 's'}"


def _when(seconds: float | None) -> str:
    if seconds is None:
        return "Only the operator can change that (LINQ_MCP_SEND_LIMIT)."
    minutes = max(1, -int(-seconds // 60))
    return f"Try again in {minutes} minute{'' if minutes == 1 else 's'}."
