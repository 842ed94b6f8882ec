"""Time that tests move: a clock, and an event loop whose clock jumps to the next timer, so that waits take none."""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
# A thread that works for longer than this is not waited for.
_THREAD_SECONDS = 0.05


class Clock:
    """Stands still until a test sets `now`."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class _Loop(asyncio.SelectorEventLoop):
    _ready: list[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _selector: selectors.BaseSelector
    _now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled and not self._is_awaited():
            self._now = max(self._now, self._scheduled[0].when())
        super()._run_once()  # type: ignore[misc]  # a loop's one step, which has no public name

    def _is_awaited(self) -> bool:
        """Whether a worker thread has come to its end, for which the clock stands still."""
        has_workers = any(thread.name.startswith("AnyIO worker thread") for thread in threading.enumerate())
        return bool(has_workers and self._selector.select(_THREAD_SECONDS))


def in_virtual_time(test: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `test`, which must not wait for sockets, processes, or long for threads."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(test())
