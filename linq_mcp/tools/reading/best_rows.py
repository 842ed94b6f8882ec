"""The first rows of an answer by what they are ordered by, however many there are and in whichever order they come."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Generic, TypeVar

from linq_mcp.tools.reading.cursor import SortKey

RowT = TypeVar("RowT")
OtherT = TypeVar("OtherT")


class BestRows(Generic[RowT]):
    """The first `limit` rows by their keys after the key `after`. `matched` counts all that were offered."""

    def __init__(self, limit: int, after: SortKey | None) -> None:
        self._limit = limit
        self._after = after
        self._kept: list[tuple[SortKey, RowT]] = []
        self.matched = 0
        self.has_more = False

    def offer(self, key: SortKey, make_row: Callable[[], RowT]) -> None:
        """Take a row that matches; it is made only if it is among the first so far."""
        self.matched += 1
        if self._after is not None and key <= self._after:
            return
        if len(self._kept) == self._limit:
            self.has_more = True
            if not self._kept or key > self._kept[-1][0]:
                return
            self._kept.pop()
        insort(self._kept, (key, make_row()), key=itemgetter(0))

    def merge(self, other: BestRows[OtherT], convert: Callable[[OtherT], RowT]) -> None:
        """Take the rows that `other` kept, and its count."""
        for key, row in other._kept:
            self.offer(key, partial(convert, row))
        self.matched += other.matched - len(other._kept)
        self.has_more = self.has_more or other.has_more

    def keep(self, count: int) -> None:
        """Leave the rows after the first `count` to a later answer."""
        self.has_more = self.has_more or count < len(self._kept)
        del self._kept[count:]

    @property
    def rows(self) -> list[RowT]:
        return [row for _, row in self._kept]

    @property
    def last_key(self) -> SortKey | None:
        return self._kept[-1][0] if self._kept else self._after
