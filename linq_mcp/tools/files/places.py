"""Bounds how much is done at once: for each caller, so that nobody waits for another caller's, and in all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

import anyio


class Places:
    """`each` caller can hold so many places at once, and all callers together `in_all`."""

    def __init__(self, *, each: int, in_all: int) -> None:
        self._each = each
        self._in_all = anyio.CapacityLimiter(in_all)
        # A caller's limiter is forgotten once no call uses it.
        self._callers: WeakValueDictionary[str, anyio.CapacityLimiter] = WeakValueDictionary()

    @asynccontextmanager
    async def held_by(self, caller: str) -> AsyncIterator[None]:
        """Hold a place of `caller` within the block, after waiting for one."""
        own = self._callers.setdefault(caller, anyio.CapacityLimiter(self._each))
        async with own, self._in_all:
            yield
