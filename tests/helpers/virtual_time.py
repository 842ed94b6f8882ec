"""Time that tests move: a clock, and an event loop whose clock jumps to the next timer, so that waits take none."""

from __future__ import annotations

import asyncio
import unittest.mock
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

T = TypeVar("T")


class Clock:
    """Stands still until a test sets `now`."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class _Loop(asyncio.SelectorEventLoop):
    _ready: list[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:
            self._now = max(self._now, self._scheduled[0].when())
        super()._run_once()  # type: ignore[misc]  # a loop's one step, which has no public name


async def _run_here(work: Callable[..., T], *args: object, **_: object) -> T:
    """In place of a worker thread, whose time the loop would not know."""
    await anyio.lowlevel.checkpoint()
    return work(*args)


def in_virtual_time(test: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `test`, which must not wait for sockets or processes. What it does in worker threads takes no time."""
    with (
        asyncio.Runner(loop_factory=_Loop) as runner,
        unittest.mock.patch.object(anyio.to_thread, "run_sync", _run_here),
    ):
        return runner.run(test())
