"""Reading one chat's messages from its newest or its oldest end, whichever way Linq lists them.

Linq documents no order, so it is recognised from a page. If it is the requested one, reading stops at the limit. If it
is the other one, the chat is read to its end, and the last rows are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from linq_mcp.rows.message import MessageRow, direction, listed_at, message_row, timestamp
from linq_mcp.tools.reading.reading_cursor import Rank
from linq_mcp.tools.reading.readings import BestRows, Reading, Window
from linq_mcp.tools.reading.scan import PAGE_SIZE, Stop

if TYPE_CHECKING:
    from linq_mcp.api.models import Message
    from linq_mcp.api.responses import Page
    from linq_mcp.tools.base.parameters import ToolArguments
    from linq_mcp.tools.base.tool import Call
    from linq_mcp.tools.reading.reading_cursor import ReadingCursor

Order = Literal["newest", "oldest"]


@dataclass(frozen=True, slots=True)
class Placed:
    """A message and its place in Linq's list, which orders messages of the same second."""

    message: Message
    place: int


def rank(message: Message, order: Order) -> Rank:
    """The sort key of messages: their time, from the end that `order` names."""
    at = timestamp(message)
    return (-at if order == "newest" else at, message.id or "")


def chronological(rows: list[Placed], *, oldest_first: bool) -> list[Message]:
    """The messages of one chat, oldest first; `oldest_first` says how Linq listed them."""
    ordered = sorted(rows, key=lambda row: (timestamp(row.message), row.place if oldest_first else -row.place))
    return [row.message for row in ordered]


async def message_rows(messages: Sequence[Message], usual: str | None, call: Call) -> list[MessageRow]:
    """The messages as rows, which omit the `usual` service."""
    rows = []
    for message in messages:
        await call.yield_if_due()
        rows.append(message_row(message, usual, call.directory))
    return rows


class ChatReading(Reading["Message"]):
    """A reading of the messages of the chat `chat_id` in `order`. Raises `LinqError` if nothing could be read."""

    def __init__(
        self,
        call: Call,
        arguments: ToolArguments,
        cursor: ReadingCursor | None,
        chat_id: str,
        order: Order,
        window: Window | None = None,
    ) -> None:
        async def fetch(at: str | None) -> Page[Message]:
            return await call.api.list_messages(chat_id, limit=PAGE_SIZE, cursor=at, deadline=call.deadline)

        super().__init__(fetch, call, arguments, cursor, window or Window())
        self._order = order
        self._way: str | None = None

    @property
    def oldest_first(self) -> bool:
        """Whether Linq lists the oldest messages first, as far as that could be seen."""
        return self._way != "older"

    async def read(self, matches: Callable[[Message], bool], limit: int) -> BestRows[Placed]:
        """The first `limit` messages that match, from the end that the order names."""
        rows: BestRows[Placed] = BestRows(limit, self.part.after)
        place = 0
        while page := await self.scan.next_page():
            self._way = self._way or direction(page)
            for count, message in enumerate(page, start=1):
                place += 1
                await self._call.yield_if_due()
                if matches(message):
                    placed = Placed(message, place)
                    rows.offer(rank(message, self._order), lambda placed=placed: placed)  # type: ignore[misc]
                if self._leads_right and self._is_enough(rows, message, limit):
                    self._stop(rows, count)
                    break
        return rows

    @property
    def is_held_back(self) -> bool:
        """Whether time ended before the end that the order names was reached: so nothing can be shown yet."""
        return self.scan.stop in (Stop.TIME, Stop.ERROR) and not self._leads_right

    @property
    def _leads_right(self) -> bool:
        return self._way == ("older" if self._order == "newest" else "newer")

    def _is_enough(self, rows: BestRows[Placed], message: Message, limit: int) -> bool:
        return (limit > 0 and rows.is_full) or (self._order == "newest" and listed_at(message) < self.since)

    def _stop(self, rows: BestRows[Placed], count: int) -> None:
        if rows.is_full:
            self.scan.stop_after(count)
        else:
            # All that follows is older than what is asked for.
            self.scan.finish()
