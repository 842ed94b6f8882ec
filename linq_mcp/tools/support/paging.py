"""What every paged answer says of the way on: `has_more`, `next_cursor`, and a note on anything unusual."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from linq_mcp.tools.support.parameters import is_resumable_cursor

if TYPE_CHECKING:
    from linq_mcp.api.responses import Page


class Paged(TypedDict):
    """`next_cursor` is there only when there is more."""

    has_more: bool
    next_cursor: NotRequired[str]
    note: NotRequired[str]


PAGED_PROPERTIES = {
    "has_more": {"type": "boolean"},
    "next_cursor": {"type": "string"},
    "note": {"type": "string"},
}


def paged(page: Page[Any], asked: str | None, *, nothing: str) -> Paged:
    """The way on from `page`, which was asked for with the cursor `asked`; `nothing` is the note on an empty end."""
    stuck = page.next_cursor is not None and page.next_cursor == asked
    lost = page.unusable_cursor or (page.next_cursor is not None and not is_resumable_cursor(page.next_cursor))
    next_cursor = None if stuck or lost else page.next_cursor
    result: Paged = {"has_more": next_cursor is not None}
    if next_cursor is not None:
        result["next_cursor"] = next_cursor
    notes = []
    if page.unreadable:
        notes.append(f"{page.unreadable} of this page's entries could not be read and are left out.")
    if stuck:
        notes.append("Linq gave the same cursor again, so paging ends here; there may be more.")
    elif lost:
        notes.append("Linq gave a cursor that can't be sent again, so paging ends here; there is more.")
    elif not page.items and next_cursor is not None:
        notes.append("This page is empty, but there is more: call again with next_cursor.")
    elif not page.items and not page.unreadable:
        notes.append("There is no more." if asked else nothing)
    if notes:
        result["note"] = " ".join(notes)
    return result
