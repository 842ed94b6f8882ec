"""Yields to the event loop during long CPU-bound loops."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import anyio

# In seconds. One item can take as long again, as nothing interrupts the work on it.
LONGEST_STRETCH = 0.02
# A request passes through many tasks and threads before it is answered; one turn of the loop gets it one step further.
PAUSE = 0.002


class LoopYield:
    """Await it between any two items. It gives way when the last time was longer ago than `LONGEST_STRETCH`."""

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._last = clock()

    async def __call__(self) -> None:
        if self._clock() - self._last > LONGEST_STRETCH:
            await anyio.sleep(PAUSE)
            self._last = self._clock()
