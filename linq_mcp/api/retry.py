"""Decides whether and when a failed request is sent again, by nothing but its error."""

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
    """How often to ask, how long an attempt may take, and how long to wait in between; times in seconds.

    `attempts` includes the first one. The n-th wait is random, between `shortest_backoff` and `backoff` * 2 ** n, at
    most `longest_backoff`. There is no further attempt if it would have less than `shortest_attempt` before the
    deadline. `delivery_pause` is the wait before a sent message is first read back, and doubles each time.
    """

    attempts: int = 3
    backoff: float = 0.5
    shortest_backoff: float = 0.2
    longest_backoff: float = 8.0
    shortest_attempt: float = 1.0
    connect_timeout: float = 5.0
    read_timeout: float = 12.0
    delivery_pause: float = 0.25

    def wait(self, error: LinqError) -> float:
        """Seconds to wait after `error`: the ones that Linq asked for, or else a random backoff."""
        if error.retry_after is not None:
            return error.retry_after
        longest = min(self.longest_backoff, self.backoff * 2**error.attempts)
        return uniform(min(self.shortest_backoff, longest), longest)  # noqa: S311 - jitter, not a secret


async def with_retries(attempt: Callable[[], Awaitable[T]], policy: RetryPolicy, *, deadline: float) -> T:
    """Call `attempt` until it succeeds, fails for good, or has been called `policy.attempts` times.

    `deadline` is on the clock of `anyio.current_time()`; an attempt in progress is cancelled then. Raises the last
    `LinqError`, or `ApiConnectionError` if there was none, with its `attempts` set.
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
