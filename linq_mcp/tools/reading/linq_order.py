"""A page of one chat's messages in the order in which Linq lists them, straight from Linq."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias
from urllib.parse import quote, unquote

from pydantic import PlainValidator, WithJsonSchema

from linq_mcp.rows.message import direction
from linq_mcp.store.pages import MOST_EMPTY_PAGES, PAGE_SIZE
from linq_mcp.tools.base.parameters import InvalidArgument
from linq_mcp.tools.reading.cursor import UNUSABLE, RowCursor, read_cursor

if TYPE_CHECKING:
    from linq_mcp.api.models import Message
    from linq_mcp.api.responses import Page
    from linq_mcp.tools.base.tool import Call

_LIMIT = 8000
_OFFSET_DIGITS = 6


@dataclass(frozen=True, slots=True)
class PageCursor:
    """After the first `offset` messages of Linq's page at `place`; the message before that was `last_id`.

    `fingerprint` stands for the chat and the order, `way` is the direction of Linq's list.
    """

    fingerprint: str
    way: str
    place: str = ""
    offset: int = 0
    last_id: str = ""

    def __str__(self) -> str:
        # `quote` leaves a tilde as it is.
        texts = (self.fingerprint, self.way, str(self.offset), self.last_id, self.place)
        return "~".join(quote(text, safe="+/=:,").replace("~", "%7E") for text in texts)

    def first_index(self, messages: Sequence[Message]) -> int:
        """Where in that page to go on: after the last message shown, as new ones move the others; else at `offset`."""
        if self.last_id:
            for index, message in enumerate(messages):
                if message.id == self.last_id:
                    return index + 1
        return self.offset


def _read(value: Any) -> PageCursor | RowCursor:
    fields = value.strip().split("~") if isinstance(value, str) and len(value) <= _LIMIT and value.isprintable() else []
    if len(fields) == 5 and fields[2].isascii() and fields[2].isdecimal() and len(fields[2]) <= _OFFSET_DIGITS:
        fingerprint, way, offset, last_id, place = map(unquote, fields)
        if way in ("older", "newer"):
            return PageCursor(fingerprint, way, place, int(offset), last_id)
    if (cursor := read_cursor(value)) is not None:
        return cursor
    raise InvalidArgument(UNUSABLE)


PageOrRowPosition: TypeAlias = Annotated[
    PageCursor | RowCursor, PlainValidator(_read), WithJsonSchema({"type": "string"})
]
"""The `next_cursor` of an earlier page of the same chat and order."""


@dataclass(slots=True)
class MessagesInOrder:
    """Messages as Linq lists them, where the next page begins, and what was wrong with Linq's pages."""

    messages: list[Message]
    next: PageCursor | None = None
    unreadable: int = 0
    is_cut_off: bool = False


async def first_page(call: Call, chat_id: str) -> Page[Message]:
    """The page with which Linq's list begins."""
    return await call.api.list_messages(chat_id, limit=PAGE_SIZE, cursor=None, deadline=call.deadline)


async def list_direction(call: Call, page: Page[Message]) -> str | None:
    """The direction of a list that begins with `page`: as it shows, or else as other chats of the account did."""
    return direction(page.items) or await call.account.direction()


async def read_in_order(
    call: Call, chat_id: str, start: PageCursor, limit: int, page: Page[Message] | None = None
) -> MessagesInOrder:
    """At most `limit` messages from `start` on. `page` is Linq's page there, if it was read already."""
    found = MessagesInOrder([])
    seen = {start.last_id}
    at = start
    places = set[str]()
    while len(places) < MOST_EMPTY_PAGES:
        if page is None:
            page = await call.api.list_messages(
                chat_id, limit=PAGE_SIZE, cursor=at.place or None, deadline=call.deadline
            )
        places.add(at.place)
        found.unreadable += page.unreadable
        for index in range(at.first_index(page.items), len(page.items)):
            message = page.items[index]
            if message.id and message.id in seen:
                continue
            if len(found.messages) == limit:
                last = found.messages[-1].id or ""
                found.next = PageCursor(start.fingerprint, start.way, at.place, index, last)
                return found
            seen.add(message.id or "")
            found.messages.append(message)
        last = (found.messages[-1].id or "") if found.messages else at.last_id
        found.is_cut_off = page.unusable_cursor or page.next_cursor in places
        if page.next_cursor is None or found.is_cut_off:
            return found
        at, page = PageCursor(start.fingerprint, start.way, page.next_cursor, 0, last), None
    found.is_cut_off = True
    return found
