"""Reading a list of Linq's from end to end, for answers that no single request gives.

Pages of 100, one in memory at a time, until the list ends, the reader has enough, time runs out or Linq fails. What
was read is never lost: a scan says why it stopped and where to resume, in the middle of a page too.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Annotated, Any, Generic, Protocol, TypeAlias, TypeVar
from zlib import crc32

import anyio
from pydantic import PlainValidator, WithJsonSchema

from linq_mcp.errors import ApiStatusError, ArgumentsError, LinqError
from linq_mcp.tools.base.parameters import InvalidArgument, ToolArguments

if TYPE_CHECKING:
    from linq_mcp.api.responses import Page
    from linq_mcp.tools.base.tool import Call

PAGE_SIZE = 100
# Seconds that must remain for another page to be requested.
SHORTEST_PAGE = 2.0
# Stop after this many pages in a row without a new item: cursors could go on for ever.
MOST_EMPTY_PAGES = 50
_CURSOR_LIMIT = 2300
# Arguments that do not change which items match.
_NOT_FILTERS = frozenset({"cursor", "limit", "max_chats", "worst"})


class Stop(Enum):
    """Why a scan stopped."""

    END = auto()
    """The list has been read to its end."""
    ENOUGH = auto()
    """The reader has what it wanted."""
    TIME = auto()
    ERROR = auto()
    """Linq failed; `Scan.error` says how."""
    CURSOR_REFUSED = auto()
    """Linq did not accept the cursor that it gave."""
    UNUSABLE_CURSOR = auto()
    """Linq gave a cursor that can't be sent again."""
    REPEATED_CURSOR = auto()
    """Linq gave a cursor that it had given before."""
    EMPTY_PAGES = auto()


class Listed(Protocol):
    @property
    def id(self) -> str | None: ...


ItemT = TypeVar("ItemT", bound=Listed)
Fetch: TypeAlias = Callable[[str | None], Awaitable["Page[ItemT]"]]
"""Reads the page of 100 at a cursor."""


@dataclass(frozen=True, slots=True)
class ScanCursor:
    """A place in a list: after the first `offset` items of the page at `cursor`; the item before it was `last_id`.

    `fingerprint` stands for the filters: the place is valid for the same ones only.
    """

    cursor: str | None = None
    offset: int = 0
    last_id: str = ""
    fingerprint: str = ""

    def __str__(self) -> str:
        return f"{self.fingerprint}~{self.offset}~{self.last_id}~{self.cursor or ''}"

    def first_index(self, page: Page[Any]) -> int:
        """Where in `page` to go on: after the last item, as rows move when chats are updated; else at `offset`."""
        if self.last_id and not self._is_unmoved(page):
            for index, item in enumerate(page.items):
                if item.id == self.last_id:
                    return index + 1
        return self.offset

    def _is_unmoved(self, page: Page[Any]) -> bool:
        return 0 < self.offset <= len(page.items) and page.items[self.offset - 1].id == self.last_id


def parse_scan_cursor(text: str) -> ScanCursor | None:
    """The cursor that `str()` wrote, or None."""
    parts = text.split("~", 3)
    if len(parts) != 4 or not (parts[1].isascii() and parts[1].isdecimal() and len(parts[1]) < 10):
        return None
    fingerprint, offset, last_id, cursor = parts
    return ScanCursor(cursor or None, int(offset), last_id, fingerprint)


def _read_position(value: Any) -> ScanCursor:
    text = value.strip() if isinstance(value, str) and len(value) <= _CURSOR_LIMIT else ""
    if (cursor := parse_scan_cursor(text)) is None:
        raise InvalidArgument(UNUSABLE_POSITION)
    return cursor


UNUSABLE_POSITION = "takes the `next_cursor` of the previous answer, unchanged (omit it to start again)"

Position: TypeAlias = Annotated[ScanCursor, PlainValidator(_read_position), WithJsonSchema({"type": "string"})]
"""The `next_cursor` of an earlier answer of a tool that scans, to the same question."""


def fingerprint(arguments: ToolArguments) -> str:
    """Eight hexadecimal digits that stand for the tool and the filters of a call."""
    filters = {name: value for name, value in arguments if name not in _NOT_FILTERS}
    facts = [type(arguments).__module__, *(f"{name}={_plain(value)}" for name, value in sorted(filters.items()))]
    return f"{crc32(' '.join(facts).encode('utf-8', 'surrogatepass')):08x}"


class Marked(Protocol):
    @property
    def fingerprint(self) -> str: ...


def check_fingerprint(cursor: Marked | None, arguments: ToolArguments) -> str:
    """The fingerprint of `arguments`. Raises `ArgumentsError` if `cursor` was issued for others."""
    expected = fingerprint(arguments)
    if cursor and cursor.fingerprint != expected:
        raise ArgumentsError(
            ["`cursor` needs the same tool, filters and order as the call that gave it; leave it out to start again."]
        )
    return expected


def _plain(value: object) -> str:
    return ",".join(sorted(value)) if isinstance(value, frozenset) else str(value)


def _kept(id_: str | None) -> str:
    """`id_` if it is safe inside a cursor, else ""; the offset then says where to go on."""
    return id_ if id_ and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", id_) else ""


class Scan(Generic[ItemT]):
    """One reading of a list, from `start` on, up to `end` or the list's own end.

    Call `next_page` until it gives nothing; `stop` then says why. A reader that has enough calls `stop_after`. An
    item that is met twice is given once. `scanned` counts the items given and not handed back, `unreadable` the
    entries that Linq sent and that are not objects.
    """

    def __init__(
        self, fetch: Fetch[ItemT], call: Call, start: ScanCursor | None = None, end: ScanCursor | None = None
    ) -> None:
        self._fetch = fetch
        self.call = call
        self._end_cursor = end
        self._seen: set[str] = set()
        self._cursors: set[str | None] = set()
        self._at = start or ScanCursor()
        self._first = True
        self._empty_pages = 0
        self._page: Page[ItemT] | None = None
        self._indexes: list[int] = []
        self.scanned = 0
        self.unreadable = 0
        self.stop: Stop | None = None
        self.error: LinqError | None = None
        self.resume: ScanCursor | None = None

    async def next_page(self) -> Sequence[ItemT]:
        """The next items that were not seen yet; none when the scan has stopped.

        Raises `LinqError` only if not even the first page could be read.
        """
        while self.stop is None:
            if self._page is not None and not self._advance(self._page):
                break
            if not self._first and anyio.current_time() > self.call.deadline - SHORTEST_PAGE:
                self._end(Stop.TIME, self._at)
                break
            page = await self._read()
            if page is None:
                break
            self._page = page
            self.unreadable += page.unreadable
            fresh = self._fresh(page)
            await self.call.progress(self.scanned)
            if fresh:
                return fresh
        return ()

    def stop_after(self, count: int, stop: Stop = Stop.ENOUGH, error: LinqError | None = None) -> None:
        """Stop after the first `count` items of the page that `next_page` gave last; the rest counts as unread."""
        if self._page is None:
            raise RuntimeError
        self.scanned -= len(self._indexes) - count
        self.error = error
        if not count:
            self._end(stop, self._at)
        elif count < len(self._indexes):
            next_index = self._indexes[count - 1] + 1
            self._end(stop, ScanCursor(self._at.cursor, next_index, _kept(self._page.items[next_index - 1].id)))
        elif self._advance(self._page):
            # The page has been read to its end: go on at the next one, if there is one.
            self._end(stop, self._at)

    def finish(self) -> None:
        """Stop, as nothing that follows can matter: the list counts as read to its end."""
        self._end(Stop.END, None)

    async def _read(self) -> Page[ItemT] | None:
        try:
            page = await self._fetch(self._at.cursor)
        except LinqError as error:
            if self._first:
                raise
            # Only Linq's own cursor differs from the request before.
            refused = isinstance(error, ApiStatusError) and error.status in (400, 422)
            self.error = error
            self._end(Stop.CURSOR_REFUSED if refused else Stop.ERROR, None if refused else self._at)
            return None
        self._first = False
        self._cursors.add(self._at.cursor)
        return page

    def _fresh(self, page: Page[ItemT]) -> list[ItemT]:
        fresh: list[ItemT] = []
        self._indexes = []
        last = len(page.items)
        if self._end_cursor and self._is_last_page():
            # The page may have become shorter.
            last = min(last, self._end_cursor.first_index(page))
        # Further pages are read from their beginning: what moved there from the page before has been seen.
        first = self._at.first_index(page) if len(self._cursors) == 1 else 0
        for index in range(first, last):
            item = page.items[index]
            if item.id is not None:
                if item.id in self._seen:
                    continue
                self._seen.add(item.id)
            fresh.append(item)
            self._indexes.append(index)
        self.scanned += len(fresh)
        self._empty_pages = 0 if fresh else self._empty_pages + 1
        return fresh

    def _advance(self, page: Page[ItemT]) -> bool:
        """Go to the page after `page`; False, and the scan has stopped, if there is none to go to."""
        if self._is_last_page():
            self._end(Stop.END, None)
        elif page.unusable_cursor:
            self._end(Stop.UNUSABLE_CURSOR, None)
        elif page.next_cursor is None:
            self._end(Stop.END, None)
        elif page.next_cursor in self._cursors:
            self._end(Stop.REPEATED_CURSOR, None)
        else:
            self._at = ScanCursor(page.next_cursor, 0, _kept(page.items[-1].id) if page.items else "")
            if self._is_last_page() and self._end_cursor and not self._end_cursor.offset:
                self._end(Stop.END, None)
            elif self._empty_pages >= MOST_EMPTY_PAGES:
                self._end(Stop.EMPTY_PAGES, self._at)
        return self.stop is None

    def _is_last_page(self) -> bool:
        return self._end_cursor is not None and self._at.cursor == self._end_cursor.cursor

    def _end(self, stop: Stop, resume: ScanCursor | None) -> None:
        self.stop, self.resume = stop, resume


async def find(scan: Scan[ItemT], matches: Callable[[ItemT], bool], limit: int | None) -> list[ItemT]:
    """The first `limit` items that match (None: all of them)."""
    found: list[ItemT] = []
    while page := await scan.next_page():
        for count, item in enumerate(page, start=1):
            await scan.call.yield_if_due()
            if matches(item):
                found.append(item)
                if len(found) == limit:
                    scan.stop_after(count)
                    break
    return found
