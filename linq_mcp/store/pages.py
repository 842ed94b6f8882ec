"""Reading a list of Linq's page by page, with everything that can be wrong with pages and cursors in one place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from linq_mcp.api.responses import Page

PAGE_SIZE = 100
# Stop after this many pages in a row without a new item: cursors could go on for ever.
MOST_EMPTY_PAGES = 50


class Listed(Protocol):
    @property
    def id(self) -> str | None: ...


ItemT = TypeVar("ItemT", bound=Listed)
Fetch: TypeAlias = Callable[[str | None], Awaitable["Page[ItemT]"]]
"""Reads the page at a cursor."""


class Pages(Generic[ItemT]):
    """The pages of a list from `cursor` on, each without the items that came before.

    It then is the cursor of the page that came last. After the last page, `has_ended` says whether it was the end of
    the list: otherwise Linq's cursors lead nowhere, or in a circle. `unreadable` counts entries that are not objects.
    `before_known` is how many of the items of that page stood before one that had come already.
    """

    def __init__(self, fetch: Fetch[ItemT], cursor: str = "") -> None:
        self._fetch = fetch
        self._next: str | None = cursor or None
        self._cursors = set[str | None]()
        self._seen = set[str]()
        self.cursor = cursor
        self.has_ended = False
        self.unreadable = 0
        self.before_known = 0

    async def __aiter__(self) -> AsyncIterator[list[ItemT]]:
        empty = 0
        while not self.has_ended and self._next not in self._cursors and empty < MOST_EMPTY_PAGES:
            page = await self._fetch(self._next)
            self._cursors.add(self._next)
            self.cursor = self._next or ""
            self.unreadable += page.unreadable
            self._next = page.next_cursor
            self.has_ended = page.next_cursor is None and not page.unusable_cursor
            fresh: list[ItemT] = []
            self.before_known = 0
            for item in page.items:
                if self._is_new(item):
                    fresh.append(item)
                else:
                    self.before_known = len(fresh)
            empty = 0 if fresh else empty + 1
            yield fresh
            if page.unusable_cursor:
                return

    def _is_new(self, item: ItemT) -> bool:
        if item.id is None:
            return True
        is_new = item.id not in self._seen
        self._seen.add(item.id)
        return is_new
