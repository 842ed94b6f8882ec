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
            since = taken[-self._limit][0] if self._limit else now
            allowed = f"{self._limit} messages an hour"
        elif len(same) >= self._per_subject:
            since, allowed = same[-self._per_subject], f"{self._per_subject} messages an hour to one chat"
        else:
            taken.append((now, subject))
            self._taken[caller] = taken
            return
        minutes = max(1, -int(-(since + _HOUR - now) // 60))
        raise NotSentError(
            NotSent.LIMIT,
            f"This server allows {allowed}, those that were not sent after all included. Try again in {minutes} "
            f"minute{'' if minutes == 1 else 's'}.",
        )

    def _forget(self, now: float) -> None:
        for caller, taken in list(self._taken.items()):
            while taken and taken[0][0] <= now - _HOUR:
                taken.popleft()
            if not taken:
                del self._taken[caller]
