"""What a call reads of an account for one answer: the conversations in question, and what the answer says of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import inf
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from linq_mcp.region import local_time_at
from linq_mcp.rows.message import SPARE_SECONDS, listed_at
from linq_mcp.store.access import OUR_LAST_WORD, ChatFilter, Depth, Facts, Reader
from linq_mcp.tools.base.paging import counted, join_notes
from linq_mcp.tools.reading.best_rows import BestRows
from linq_mcp.tools.reading.cursor import RowCursor, check_fingerprint
from linq_mcp.tools.reading.info import ReadingInfo, RowsInfo, left_out, reading_notes

if TYPE_CHECKING:
    from linq_mcp.api.models import Message
    from linq_mcp.store.question import Conversation
    from linq_mcp.tools.base.parameters import ToolArguments
    from linq_mcp.tools.base.tool import Call

ReaderT = TypeVar("ReaderT", bound=Reader)

_MORE_ROWS = "There are more rows than these; call again with next_cursor."
# Stands for the chats in which no number of yours is marked, where something is counted by line.
NO_LINE = "no line"


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


class Answer:
    """What the answers of one question share: from when on messages count, where the next answer goes on, and notes.

    An answer to a cursor stands on what the first one stood on: it leaves out what Linq listed after that, so that
    nothing is shown twice or skipped. Raises `ArgumentsError` for the cursor of other filters.
    """

    def __init__(self, call: Call, arguments: ToolArguments, cursor: RowCursor | None, window: Window) -> None:
        self._call = call
        self._cursor = cursor
        self._fingerprint = check_fingerprint(cursor, arguments)
        self._began = call.now()
        self._newest = 0.0
        self._changed = 0
        self.since = cursor.since if cursor else window.since(self._began)
        self.until = cursor.until if cursor else inf
        self.after = cursor.after if cursor else None

    @property
    def is_first(self) -> bool:
        return self._cursor is None

    def counts(self, listed: float) -> bool:
        """Whether a message that Linq listed then was there for the first answer."""
        self._newest = max(self._newest, listed)
        return listed <= self.until

    def is_before(self, message: Message) -> bool:
        """Whether neither `message` nor anything that Linq lists before it can count."""
        return 0 < listed_at(message) < self.since - SPARE_SECONDS

    def info(self, facts: Facts, notes: Sequence[str | None]) -> ReadingInfo:
        """What the answer says about its reading, once that has ended."""
        now = self._call.now().timestamp()
        info: ReadingInfo = {
            "as_of": local_time_at(self._cursor.as_of if self._cursor else min(facts.as_of, now)),
            "scanned": facts.scanned,
            "complete": facts.is_complete,
        }
        if out := left_out(facts):
            info["left_out"] = out
        changed = (
            f"{counted(self._changed, 'chat', 'chats')} got messages since the first page; without cursor they count."
        )
        everything = [
            *reading_notes(facts, now, self._call.format_error),
            changed if self._changed else None,
            *notes,
        ]
        if note := join_notes(*everything):
            info["note"] = note
        return info

    def rows_info(self, facts: Facts, rows: BestRows[Any], notes: Sequence[str | None]) -> RowsInfo:
        """The same for an answer that shows `rows`, with the cursor to more of them, if any is kept."""
        more = rows.last_key if rows.has_more and facts.is_complete else None
        if more is None:
            return {**self.info(facts, notes)}
        now = self._call.now().timestamp()
        first = self._cursor or RowCursor(self._fingerprint, self.since, self._newest, now, min(facts.as_of, now), more)
        return {**self.info(facts, [_MORE_ROWS, *notes]), "next_cursor": str(replace(first, after=more))}


class AccountReading(Answer, Generic[ReaderT]):
    """The conversations of `chats`, each read by a reader of `make_reader`, as far back as it needs.

    `async for` gives them in any order. Raises `LinqError` if nothing could be read.
    """

    def __init__(
        self,
        call: Call,
        arguments: ToolArguments,
        cursor: RowCursor | None,
        make_reader: Callable[[Answer], ReaderT],
        *,
        chats: ChatFilter,
        window: Window | None = None,
        to_our_word: bool = False,
    ) -> None:
        super().__init__(call, arguments, cursor, window or Window())
        self._chats = chats
        self._question = call.account.conversations(
            chats,
            lambda: make_reader(self),
            depth=Depth(since=self.since, to_our_word=to_our_word) if window else OUR_LAST_WORD,
            is_repeat=cursor is not None,
        )

    async def __aiter__(self) -> AsyncIterator[Conversation[ReaderT]]:
        first = self._cursor
        async for conversation in self._question:
            self._changed += bool(first and conversation.asked > first.made and conversation.newest > first.as_of)
            yield conversation

    @property
    def facts(self) -> Facts:
        return self._question.facts

    def info(self, facts: Facts, notes: Sequence[str | None]) -> ReadingInfo:
        """What the answer says, with a note on an empty account."""
        nothing = facts.is_complete and not (facts.scanned or facts.left_out or self._chats.wanted)
        return super().info(facts, [no_chats(self._chats.line, self._chats.person) if nothing else None, *notes])


def no_chats(from_: str | None, to: str | None) -> str:
    """The note on an empty list of chats, which names the filters."""
    filters = [f"{name} {value}" for name, value in (("on", from_), ("with", to)) if value]
    if not filters:
        return "This account has no chats."
    hint = (
        f" If {from_} is not one of your lines (see list_phone_numbers), filter by that person instead."
        if from_
        else ""
    )
    return f"No chats {' '.join(filters)}.{hint}"
