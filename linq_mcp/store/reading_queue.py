"""The chats that a question has to read, the most urgent first."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from heapq import heappop, heappush
from secrets import randbelow

import anyio

_PREFERRED, _UNSETTLED, _OLDEST_FIRST = range(3)
_CHANCES = 2**30


class ReadingQueue:
    """Chats by their keys: those that are missing in the order in which they came, then those that are stale.

    Of the stale ones, those that were `prefer`red come first, then those with unsettled messages, then those that were
    asked for longest ago. While it `is_growing`, more may come. If it `is_scattered`, missing chats come in any order,
    and so do those that were asked for in the same minute: processes with the same queue seldom read the same ones.
    """

    def __init__(self) -> None:
        self._missing: deque[str] = deque()
        self._stale: dict[str, float] = {}
        self._order: list[tuple[int, float, int, str]] = []
        self._changed = anyio.Event()
        self.is_growing = self.is_scattered = False

    def add_missing(self, keys: Iterable[str]) -> None:
        self._missing.extend(keys)
        self._notify()

    def add_stale(self, key: str, asked: float, *, is_unsettled: bool) -> None:
        self._stale[key] = asked
        when, chance = (asked // 60, randbelow(_CHANCES)) if self.is_scattered else (asked, 0)
        heappush(self._order, (_UNSETTLED if is_unsettled else _OLDEST_FIRST, when, chance, key))
        self._notify()

    def prefer(self, keys: Iterable[str]) -> None:
        for key in keys:
            if key in self._stale:
                heappush(self._order, (_PREFERRED, 0.0, 0, key))

    def finish(self) -> None:
        """Nothing more will come."""
        self.is_growing = False
        self._notify()

    async def take(self, missing_until: float, stale_until: float) -> tuple[str, bool] | None:
        """The next chat, and whether it is missing; None if there is none, or no time for it.

        Both times are on the clock of `anyio.current_time()`.
        """
        while True:
            now = anyio.current_time()
            if self._missing and now < missing_until:
                if self.is_scattered:
                    self._missing.rotate(randbelow(len(self._missing)))
                return self._missing.popleft(), True
            while self._order and now < stale_until:
                *_, key = heappop(self._order)
                if self._stale.pop(key, None) is not None:
                    return key, False
            if not self.is_growing or now >= missing_until:
                return None
            changed = self._changed
            with anyio.move_on_after(missing_until - now):
                await changed.wait()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
