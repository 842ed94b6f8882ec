"""Reading a list of Linq's from end to end, for the answers that no single call of Linq gives.

Pages of 100, one in memory at a time, until the list ends, the visitor has enough, time runs out or Linq fails. What
was seen by then is never lost: the outcome says why it stopped and where to go on, in the middle of a page too.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Generic, NotRequired, Protocol, TypedDict, TypeVar
from zlib import crc32

import anyio

from linq_mcp.errors import ApiStatusError, ArgumentsError, LinqError
from linq_mcp.tools.support.parameters import InvalidArgument, declare

if TYPE_CHECKING:
    from linq_mcp.api.responses import Page
    from linq_mcp.tools.support.tool import Call

PAGE = 100
# The scanning tools, too, answer before clients give up on them.
SCAN_SECONDS = 45.0
# With less than this left no further page is begun.
_SHORTEST_PAGE = 2.0
_POSITION_LIMIT = 2300
# An API that gives new cursors for ever is not asked for ever.
_MOST_BARREN_PAGES = 50


class Listed(Protocol):
    @property
    def id(self) -> str | None: ...


class Asked(Protocol):
    """The arguments of a scanning tool: a dataclass with the position to begin at."""

    @property
    def cursor(self) -> ScanCursor: ...


class AskedLimited(Asked, Protocol):
    @property
    def limit(self) -> int: ...


ItemT = TypeVar("ItemT", bound=Listed)


@dataclass(frozen=True, slots=True)
class ScanCursor:
    """A place in a list: behind the first `offset` items of the page at `cursor`, the last of which was `last_id`.

    `question` marks what was asked, as behind another question the place means nothing.
    """

    cursor: str | None = None
    offset: int = 0
    last_id: str = ""
    question: str = ""

    def __str__(self) -> str:
        return f"{self.question}~{self.offset}~{self.last_id}~{self.cursor or ''}"

    def first_index(self, page: Page[Any]) -> int:
        """Where in `page` to go on: behind the last item, as rows move when chats become active; else by the number."""
        if self.last_id and not self._still_holds(page):
            for index, item in enumerate(page.items):
                if item.id == self.last_id:
                    return index + 1
        return self.offset

    def _still_holds(self, page: Page[Any]) -> bool:
        return 0 < self.offset <= len(page.items) and page.items[self.offset - 1].id == self.last_id


def position(description: str) -> Any:
    """The `next_cursor` of an earlier answer to the same question."""
    schema = {"type": "string", "description": description}
    return declare(schema, _read_position, default=ScanCursor())


def _read_position(value: Any) -> ScanCursor:
    parts = value.strip().split("~", 3) if isinstance(value, str) and len(value) <= _POSITION_LIMIT else []
    if len(parts) != 4 or not (parts[1].isascii() and parts[1].isdecimal() and len(parts[1]) < 10):
        raise InvalidArgument("takes the `next_cursor` of the answer before, unchanged; leave it out to start again")
    question, offset, last_id, cursor = parts
    return ScanCursor(cursor or None, int(offset), last_id, question)


def _question(asked: object) -> str:
    """A mark for the arguments `asked`, but for those that only say how much and from where."""
    filters = {name: value for name, value in _members(asked).items() if name not in ("cursor", "limit", "max_chats")}
    told = [type(asked).__module__, *(f"{name}={_plain(value)}" for name, value in sorted(filters.items()))]
    return f"{crc32(' '.join(told).encode('utf-8', 'surrogatepass')):08x}"


def _members(asked: object) -> dict[str, object]:
    return {declared.name: getattr(asked, declared.name) for declared in fields(asked)}  # type: ignore[arg-type]


def _plain(value: object) -> str:
    return ",".join(sorted(value)) if isinstance(value, frozenset) else str(value)


class Scanned(TypedDict):
    """How far a scan came. When not everything was seen, `complete` is false, and `next_cursor` goes on from there."""

    scanned: int
    complete: bool
    next_cursor: NotRequired[str]
    note: NotRequired[str]


SCANNED_PROPERTIES = {
    "scanned": {"type": "integer"},
    "complete": {"type": "boolean"},
    "next_cursor": {"type": "string"},
    "note": {"type": "string"},
}


def _kept(id_: str | None) -> str:
    """An id as a part of a cursor; any but a plain one is left out, and the number alone says where to go on."""
    return id_ if id_ and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", id_) else ""


@dataclass(slots=True)
class _Reading(Generic[ItemT]):
    """What is kept from page to page: how much was seen, and the ids, so that a thing met twice counts once."""

    visit: Callable[[ItemT], bool]
    seen: set[str] = field(default_factory=set)
    scanned: int = 0
    unreadable: int = 0
    enough: bool = False

    def read(self, page: Page[ItemT], first: int) -> int:
        """Show the items of `page` from index `first` on to the visitor; the index behind the last one shown."""
        self.unreadable += page.unreadable
        index = first
        while index < len(page.items) and not self.enough:
            item = page.items[index]
            index += 1
            if item.id is not None:
                if item.id in self.seen:
                    continue
                self.seen.add(item.id)
            self.scanned += 1
            self.enough = not self.visit(item)
        return index

    def outcome(self, note: str = "", *, complete: bool = False, resume: ScanCursor | None = None) -> Scanned:
        result: Scanned = {"scanned": self.scanned, "complete": complete and not self.unreadable}
        if resume is not None:
            result["next_cursor"] = str(resume)
        if self.unreadable:
            note = f"{note} {self.unreadable} entries could not be read and are left out.".lstrip()
        if note:
            result["note"] = note
        return result


async def scan(
    fetch: Callable[[str | None], Awaitable[Page[ItemT]]],
    visit: Callable[[ItemT], bool],
    *,
    asked: Asked,
    call: Call,
    enough: str,
) -> Scanned:
    """Show `visit` every item, each once, until it returns False; `enough` is the note on that.

    Begins where `asked.cursor` says. `fetch` reads the page of 100 at a cursor. Raises `ArgumentsError` for the cursor
    of another question, and `LinqError` only if not even the first page could be read.
    """
    start, question = asked.cursor, _question(asked)
    if start != ScanCursor() and start.question != question:
        raise ArgumentsError(["`cursor` belongs to other filters or another tool; leave it out to start again."])
    reading = _Reading(visit)
    cursors = {start.cursor}
    at = start
    barren = 0
    while True:
        if at is not start and anyio.current_time() > call.deadline - _SHORTEST_PAGE:
            note = "The time for one call is over; call again with next_cursor for the rest."
            return reading.outcome(note, resume=at)
        try:
            page = await fetch(at.cursor)
        except LinqError as error:
            if at is start:
                raise
            if isinstance(error, ApiStatusError) and error.status in (400, 422):
                # The one argument that is new on this page is Linq's own cursor.
                note = "Stopped in the middle, as Linq did not accept its own cursor; start again without cursor."
                return reading.outcome(note)
            then = "next_cursor goes on from there" + ("." if error.retryable else ", once that is mended.")
            return reading.outcome(f"Stopped in the middle; {then} {call.format_error(error)}", resume=at)
        before = reading.scanned
        behind = reading.read(page, at.first_index(page))
        barren = barren + 1 if reading.scanned == before else 0
        await call.progress(reading.scanned)
        if behind < len(page.items):
            resume = ScanCursor(at.cursor, behind, _kept(page.items[behind - 1].id), question)
            return reading.outcome(enough, resume=resume)
        if page.unusable_cursor:
            return reading.outcome("Linq gave a cursor that can't be sent again, so reading ends here; there is more.")
        if page.next_cursor is None:
            return reading.outcome(complete=True)
        if page.next_cursor in cursors:
            return reading.outcome("Linq's cursors lead in a circle, so reading ends here; there may be more.")
        cursors.add(page.next_cursor)
        at = ScanCursor(page.next_cursor, question=question)
        if reading.enough:
            return reading.outcome(enough, resume=at)
        if barren >= _MOST_BARREN_PAGES:
            note = f"The last {barren} pages had nothing new; call again with next_cursor to go on all the same."
            return reading.outcome(note, resume=at)


async def find(
    fetch: Callable[[str | None], Awaitable[Page[ItemT]]],
    matches: Callable[[ItemT], bool],
    *,
    asked: AskedLimited,
    call: Call,
    things: str,
) -> tuple[list[ItemT], Scanned]:
    """Scan until `asked.limit` of the `things` match: those that do, and how far it came. Raises as `scan` does."""
    found: list[ItemT] = []

    def visit(item: ItemT) -> bool:
        if matches(item):
            found.append(item)
        return len(found) < asked.limit

    enough = f"Stopped at the limit of {asked.limit}; call again with next_cursor for more."
    outcome = await scan(fetch, visit, asked=asked, call=call, enough=enough)
    if not found and outcome["complete"]:
        nothing = f"None of the {outcome['scanned']} {things} read match."
        outcome["note"] = " ".join(filter(None, [outcome.get("note"), nothing]))
    return found, outcome
