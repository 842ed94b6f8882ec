"""Messages in the order in which they were written, and one chat's messages from either end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict, TypeVar

from linq_mcp.rows.message import MessageRow, listed_at, message_row, timestamp, usual_service
from linq_mcp.store.access import ChatFilter, Depth, Facts
from linq_mcp.tools.reading.account import Answer, Window
from linq_mcp.tools.reading.best_rows import BestRows
from linq_mcp.tools.reading.cursor import RowCursor, SortKey

if TYPE_CHECKING:
    from linq_mcp.api.models import Message
    from linq_mcp.tools.base.parameters import ToolArguments
    from linq_mcp.tools.base.tool import Call

Order = Literal["newest", "oldest"]
RowT = TypeVar("RowT")


class Transcript(TypedDict):
    """Messages as rows. `service` is that of the messages that show none: most of them have the same one."""

    messages: list[MessageRow]
    service: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Placed:
    """A message, and its place in its chat, from the newest on, which orders messages of the same second."""

    message: Message
    place: int


def sort_key(message: Message, place: int, order: Order) -> SortKey:
    """What messages are ordered by: their time, from the end that `order` names. Chats may share a message's id."""
    at = timestamp(message)
    return (-at if order == "newest" else at, f"{message.id or place} {message.chat_id}")


def chronological(rows: Sequence[Placed]) -> list[Message]:
    """The messages of one chat, oldest first."""
    ordered = sorted(rows, key=lambda row: (timestamp(row.message), -row.place))
    return [row.message for row in ordered]


def first_shown(rows: Sequence[RowT], order: Order) -> Sequence[RowT]:
    """`rows`, which are oldest first, from the end at which `order` begins."""
    return rows if order == "oldest" else rows[::-1]


async def transcript(messages: Sequence[Message], call: Call) -> Transcript:
    """The messages as rows, in the order given."""
    usual = usual_service(messages)
    rows = []
    for message in messages:
        await call.yield_if_due()
        rows.append(message_row(message, usual, call.directory))
    return {"messages": rows, "service": usual} if usual else {"messages": rows}


class _Reader:
    """Keeps the first messages that match, from the end that the order names, and counts all that were visited."""

    def __init__(self, answer: Answer, matches: Callable[[Message], bool], order: Order, limit: int) -> None:
        self._answer, self._matches, self._order = answer, matches, order
        self.rows: BestRows[Placed] = BestRows(limit, answer.after)
        self.visited = 0

    def visit(self, message: Message) -> bool:
        self.visited += 1
        if self._answer.counts(listed_at(message)) and self._matches(message):
            placed = Placed(message, self.visited)
            self.rows.offer(sort_key(message, self.visited, self._order), lambda: placed)
        return self._answer.is_before(message)


class TranscriptReading(Answer):
    """One chat's messages since the window begins. Raises `LinqError` if they can't be read."""

    def __init__(
        self, call: Call, arguments: ToolArguments, cursor: RowCursor | None, chat_id: str, window: Window
    ) -> None:
        super().__init__(call, arguments, cursor, window)
        self._chat_id = chat_id
        self.facts = Facts()
        self.visited = 0

    async def read(
        self, make_filter: Callable[[], Callable[[Message], bool]], order: Order, limit: int
    ) -> BestRows[Placed]:
        """The first `limit` messages that match, from the end that `order` names; each attempt has its own filter."""
        question = self._call.account.conversations(
            ChatFilter(only=self._chat_id),
            lambda: _Reader(self, make_filter(), order, limit),
            depth=Depth(since=self.since),
            is_repeat=not self.is_first,
        )
        rows: BestRows[Placed] = BestRows(limit, self.after)
        async for conversation in question:
            rows, self.visited = conversation.reader.rows, conversation.reader.visited
        self.facts = question.facts
        return rows
