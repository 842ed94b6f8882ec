"""When a request is made again, and how long it waits for that. Knows nothing of HTTP but what the errors say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import uniform
from typing import TypeVar

import anyio

from linq_mcp.errors import ApiConnectionError, LinqError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how patiently Linq is asked; all times in seconds.

    `attempts` counts the first one. The n-th wait is random, between `shortest_backoff` and `backoff` * 2 ** n, at
    most `longest_backoff`. No wait begins that would leave less than `shortest_attempt` before the deadline.
    """

    attempts: int = 3
    backoff: float = 0.5
    shortest_backoff: float = 0.2
    longest_backoff: float = 8.0
    shortest_attempt: float = 1.0
    connect_timeout: float = 5.0
    read_timeout: float = 12.0

    def wait(self, error: LinqError) -> float:
        """Seconds until the next attempt after `error`: as many as Linq asks for, or else the backoff."""
        if error.retry_after is not None:
            return error.retry_after
        longest = min(self.longest_backoff, self.backoff * 2**error.attempts)
        return uniform(min(self.shortest_backoff, longest), longest)  # noqa: S311 - jitter, not a secret


async def with_retries(attempt: Callable[[], Awaitable[T]], policy: RetryPolicy, *, deadline: float) -> T:
    """Await `attempt` until it succeeds, fails for good, or has been made `policy.attempts` times.

    `deadline` is a time of `anyio.current_time()` and ends an attempt under way. Raises the last `LinqError`, or
    `ApiConnectionError` if there was none; `attempts` is set on it.
    """
    attempts = 0
    last: LinqError | None = None
    try:
        with anyio.fail_after(deadline - anyio.current_time()):
            while True:
                attempts += 1
                try:
                    return await attempt()
                except LinqError as error:
                    error.attempts = attempts
                    last = error
                    wait = policy.wait(error)
                    in_time = anyio.current_time() + wait + policy.shortest_attempt <= deadline
                    if not error.retryable or attempts >= policy.attempts or not in_time:
                        raise
                await anyio.sleep(wait)
    except TimeoutError:
        failed = last or ApiConnectionError("Time ran out before a whole answer arrived.", timed_out=True)
        failed.attempts = attempts
        raise failed from None
