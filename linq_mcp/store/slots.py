"""How many requests to Linq go out at once for one key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

MOST = 8
MOST_IN_BACKGROUND = 4
# After Linq asked for a pause, half as many go out at once for so many seconds.
_SLOW_SECONDS = 60.0


class RequestSlots:
    """Slots for the requests with one key; `process` bounds those of all keys together."""

    def __init__(self, process: anyio.CapacityLimiter) -> None:
        self._process = process
        self._own = anyio.CapacityLimiter(MOST)
        self._slow_until = 0.0

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold a slot for one request."""
        if self._own.total_tokens < MOST and anyio.current_time() > self._slow_until:
            self._own.total_tokens = MOST
        async with _slot(self._own), _slot(self._process):
            yield

    @property
    def limit(self) -> float:
        """How many go out at once at the moment."""
        return self._own.total_tokens

    def slow_down(self, limit: float) -> None:
        """Send half as many at once for a while: Linq has asked for a pause while `limit` could go out.

        Those that were on their way at that time have all met the same pause.
        """
        self._own.total_tokens = min(self.limit, max(1, limit // 2))
        self._slow_until = anyio.current_time() + _SLOW_SECONDS


@asynccontextmanager
async def _slot(limiter: anyio.CapacityLimiter) -> AsyncIterator[None]:
    # A generator may be closed by another task than the one that took the slot.
    token = object()
    await limiter.acquire_on_behalf_of(token)
    try:
        yield
    finally:
        limiter.release_on_behalf_of(token)
