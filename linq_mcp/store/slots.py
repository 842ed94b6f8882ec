"""How many requests to Linq go out at once for one key: calls come before what is read in the background."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

MOST = 8
MOST_IN_BACKGROUND = 4
# After Linq asked for a pause, half as many go out at once for so many seconds.
_SLOW_SECONDS = 60.0


class RequestSlots:
    """Places for the requests with one key; `process` bounds those of all keys together."""

    def __init__(self, process: anyio.CapacityLimiter) -> None:
        self._process = process
        self._busy = 0
        self._waiting: dict[bool, deque[anyio.Event]] = {False: deque(), True: deque()}
        self._most = MOST
        self._slow_until = 0.0

    @asynccontextmanager
    async def one(self, *, in_background: bool) -> AsyncIterator[None]:
        """Hold a place for one request."""
        await self._wait(self._waiting[in_background], in_background=in_background)
        self._busy += 1
        try:
            async with self._process_place():
                yield
        finally:
            self._busy -= 1
            self._wake_next()

    def slow_down(self) -> None:
        """Send half as many at once for a while: Linq has asked for a pause."""
        self._most = max(1, self._most // 2)
        self._slow_until = anyio.current_time() + _SLOW_SECONDS

    @asynccontextmanager
    async def _process_place(self) -> AsyncIterator[None]:
        token = object()
        await self._process.acquire_on_behalf_of(token)
        try:
            yield
        finally:
            self._process.release_on_behalf_of(token)

    def _has_place(self, *, in_background: bool) -> bool:
        if self._most < MOST and anyio.current_time() > self._slow_until:
            self._most = MOST
        if in_background:
            return not self._waiting[False] and self._busy < min(self._most, MOST_IN_BACKGROUND)
        return self._busy < self._most

    async def _wait(self, queue: deque[anyio.Event], *, in_background: bool) -> None:
        while not self._has_place(in_background=in_background):
            event = anyio.Event()
            queue.append(event)
            try:
                await event.wait()
            except BaseException:
                # Whoever was woken and does not go on passes the place on.
                if event.is_set():
                    self._wake_next()
                else:
                    queue.remove(event)
                raise

    def _wake_next(self) -> None:
        for in_background in (False, True):
            queue = self._waiting[in_background]
            if queue and self._has_place(in_background=in_background):
                queue.popleft().set()
                return
