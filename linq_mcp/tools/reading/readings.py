"""Readings whose rows may need several answers: of every conversation of the account, or of one long chat.

An answer ends at its `limit`, or when the time of a call does. A reading keeps what there is to show of the part of
the list that it reads, and says in a cursor which parts, and which rows of them, are left.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Generic, TypeVar

from linq_mcp.region import local_time_at
from linq_mcp.rows.message import listed_at
from linq_mcp.sanitize import ID_LIMIT, clean
from linq_mcp.tools.base.paging import join_notes
from linq_mcp.tools.reading.chats import chat_pages, no_chats
from linq_mcp.tools.reading.conversations import Conversation, Conversations, ReaderT
from linq_mcp.tools.reading.reading_cursor import Part, Rank, ReadingCursor
from linq_mcp.tools.reading.scan import Fetch, ItemT, Scan, Stop, check_fingerprint
from linq_mcp.tools.reading.scan_info import ScanInfo, stop_notes

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat, Message
    from linq_mcp.tools.base.parameters import ToolArguments
    from linq_mcp.tools.base.tool import Call

RowT = TypeVar("RowT")
OtherT = TypeVar("OtherT")

_CHATS_NAMED = 3
_MORE_ROWS = "There are more rows than these; call again with next_cursor."


class BestRows(Generic[RowT]):
    """The first `limit` rows by rank after the rank `after`. `matched` counts all that were offered."""

    def __init__(self, limit: int, after: Rank | None) -> None:
        self._limit = limit
        self._after = after
        self._kept: list[tuple[Rank, RowT]] = []
        self.matched = 0
        self.has_more = False

    def offer(self, rank: Rank, make_row: Callable[[], RowT]) -> None:
        """Take a row that matches; it is made only if it is among the first so far."""
        self.matched += 1
        if self._after is not None and rank <= self._after:
            return
        if len(self._kept) == self._limit:
            self.has_more = True
            if not self._kept or rank > self._kept[-1][0]:
                return
            self._kept.pop()
        insort(self._kept, (rank, make_row()), key=lambda kept: kept[0])

    def merge(self, other: BestRows[OtherT], convert: Callable[[OtherT], RowT]) -> None:
        """Take the rows that `other` kept, and its count."""
        for rank, row in other._kept:
            self.offer(rank, partial(convert, row))
        self.matched += other.matched - len(other._kept)
        self.has_more = self.has_more or other.has_more

    @property
    def is_full(self) -> bool:
        return len(self._kept) == self._limit

    @property
    def rows(self) -> list[RowT]:
        return [row for _, row in self._kept]

    @property
    def last_rank(self) -> Rank | None:
        return self._kept[-1][0] if self._kept else self._after


@dataclass(frozen=True, slots=True)
class Window:
    """The earliest time of messages that count: `after`, or `span` before the end that was asked for, or no limit."""

    after: datetime | None = None
    before: datetime | None = None
    span: timedelta | None = None

    def since(self, now: datetime) -> float:
        """In seconds since 1970."""
        begin = self.after or (min(now, self.before or now) - self.span if self.span else None)
        return begin.timestamp() if begin else 0.0


@dataclass(frozen=True, slots=True)
class ChatFilter:
    """Which chats count: those on `line`, with `person`, and that are `wanted`."""

    line: str | None = None
    person: str | None = None
    wanted: Callable[[Chat], bool] = lambda _: True


_ALWAYS = Window()


class Reading(Generic[ItemT]):
    """One call's reading of a part of a list. Raises `ArgumentsError` for the cursor of other filters.

    Messages count from the time `since` on, if Linq had listed them by the time `until`, both in seconds since 1970.
    Later calls leave out what arrived after the first call, so that nothing is shown twice or skipped meanwhile.
    """

    def __init__(
        self,
        fetch: Fetch[ItemT],
        call: Call,
        arguments: ToolArguments,
        cursor: ReadingCursor | None,
        window: Window = _ALWAYS,
    ) -> None:
        now = call.now()
        self._call = call
        self._mark = check_fingerprint(cursor, arguments)
        self._now = now.timestamp()
        self._newest = 0.0
        self.is_first = cursor is None
        self.part, *self._rest = cursor.parts if cursor else (Part(),)
        self.scan = Scan(fetch, call, self.part.start, self.part.end)
        self.since, self.until = (cursor.since, cursor.until) if cursor else (window.since(now), inf)

    def counts(self, message: Message) -> bool:
        """Whether Linq had listed `message` by the time of the first call, in which every message counts."""
        at = listed_at(message)
        self._newest = max(self._newest, at)
        return at <= self.until

    @property
    def as_of(self) -> str:
        """Up to when messages count, which in later calls is the time of the first one."""
        return local_time_at(min(self._now, self.until))

    def next_cursor(self, rows: BestRows[RowT] | None = None, *, read_on_first: bool = False) -> ReadingCursor | None:
        """Where the next call goes on; None if there is nothing left to read or to show.

        With `read_on_first` it goes on where this reading was stopped, and what was read is shown after that.
        """
        part, rest = self.part, list(self._rest)
        unread: list[Part] = []
        if (resume := self.scan.resume) is not None:
            unread = [replace(part, start=resume)]
            part = replace(part, end=resume)
        shown = [replace(part, after=rows.last_rank)] if rows is not None and rows.has_more else []
        parts = [*unread, part, *rest] if read_on_first else [*shown, *unread, *rest]
        if not parts:
            return None
        return ReadingCursor(self._mark, self.since, self._snapshot() if self.is_first else self.until, tuple(parts))

    def _snapshot(self) -> float:
        """Up to when what Linq had listed was there to be read in this first call."""
        # The clocks need not agree: the newest message tells better, where everything has been read.
        return self._newest if self.scan.stop is Stop.END else max(self._now, self._newest)

    def info(self, next_cursor: ReadingCursor | None, notes: Sequence[str | None], *, limit_note: str = "") -> ScanInfo:
        """What the answer says about the reading, once it has stopped."""
        # A part with `after` was read already; only rows remain.
        left = [part for part in next_cursor.parts if part.after is None] if next_cursor else []
        info: ScanInfo = {
            "scanned": self.scan.scanned,
            "complete": self.scan.stop is Stop.END and not self.scan.unreadable and not left,
        }
        if next_cursor:
            info["next_cursor"] = str(next_cursor)
        more = _MORE_ROWS if next_cursor and not left else None
        if note := join_notes(*stop_notes(self.scan, self._call, limit_note=limit_note), more, *notes):
            info["note"] = note
        return info


class AccountReading(Reading["Chat"], Generic[ReaderT]):
    """A reading of the `chats` and of their messages, ; `make_reader` makes a reader for each."""

    def __init__(
        self,
        call: Call,
        arguments: ToolArguments,
        cursor: ReadingCursor | None,
        make_reader: Callable[[Reading[Chat]], ReaderT],
        *,
        chats: ChatFilter,
        window: Window = _ALWAYS,
    ) -> None:
        super().__init__(chat_pages(call, chats.line, chats.person), call, arguments, cursor, window)
        self._chats = chats
        self._conversations = Conversations(self.scan, call, chats.wanted, lambda: make_reader(self))

    async def next_page(self) -> list[Conversation[ReaderT]] | None:
        """The next conversations; None at the end. Raises `LinqError` if nothing could be read."""
        return await self._conversations.next_page()

    @property
    def is_whole(self) -> bool:
        """Whether this one call has read everything."""
        whole_list = self.is_first and self.scan.stop is Stop.END and not self.scan.unreadable
        return whole_list and not self._conversations.unreadable

    def info(self, next_cursor: ReadingCursor | None, notes: Sequence[str | None], *, limit_note: str = "") -> ScanInfo:
        """What the answer says, with notes on chats that could not be read and on an empty account."""
        unreadable = self._conversations.unreadable
        nothing = no_chats(self._chats.line, self._chats.person) if self.is_whole and not self.scan.scanned else None
        info = super().info(next_cursor, [_left_out(unreadable), nothing, *notes], limit_note=limit_note)
        return {**info, "complete": info["complete"] and not unreadable}


def _left_out(unreadable: Sequence[str | None]) -> str | None:
    if not unreadable:
        return None
    named = [clean(id_ or "?", ID_LIMIT) for id_ in unreadable[:_CHATS_NAMED]]
    more = f" and {len(unreadable) - len(named)} more" if len(unreadable) > len(named) else ""
    count = "1 chat" if len(unreadable) == 1 else f"{len(unreadable)} chats"
    return f"The messages of {count} could not all be read: {', '.join(named)}{more}."
