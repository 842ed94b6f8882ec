"""What the tools that go through the account's chats share: fetching a page, and the note on an empty list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from linq_mcp.tools.reading.scan import PAGE_SIZE, Fetch

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat
    from linq_mcp.api.responses import Page
    from linq_mcp.tools.base.tool import Call


# Stands for the chats in which no number of yours is marked, where something is counted by line.
NO_LINE = "no line"


def chat_pages(call: Call, from_: str | None, to: str | None) -> Fetch[Chat]:
    """Reads the page at a cursor of `GET /v3/chats` with these filters, for a scan."""

    async def fetch(cursor: str | None) -> Page[Chat]:
        return await call.api.list_chats(from_=from_, to=to, limit=PAGE_SIZE, cursor=cursor, deadline=call.deadline)

    return fetch


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
