"""What an answer with one page of a list says about the next one, and which notes a page needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from pydantic_core import to_json

from linq_mcp.tools.base.parameters import is_resumable_cursor

if TYPE_CHECKING:
    from linq_mcp.api.responses import Page

# Some clients refuse longer answers, or cut them. The whole answer stays under 75,000.
_MOST_BYTES = 74_000


class PageInfo(TypedDict):
    """Whether there is more. `next_cursor` leads to it; `note` explains anything out of the ordinary."""

    has_more: bool
    next_cursor: NotRequired[str]
    note: NotRequired[str]


def page_info(page: Page[Any], cursor: str | None, *, if_empty: str) -> PageInfo:
    """What to say about the page after `page`, which was asked for with `cursor`.

    `if_empty` is the note on a list that has nothing in it at all.
    """
    repeated_cursor = page.next_cursor is not None and page.next_cursor == cursor
    unusable_cursor = page.unusable_cursor or (
        page.next_cursor is not None and not is_resumable_cursor(page.next_cursor)
    )
    next_cursor = None if repeated_cursor or unusable_cursor else page.next_cursor
    notes = []
    if page.unreadable:
        notes.append(unreadable_note(page.unreadable))
    if repeated_cursor:
        notes.append("Linq gave the same cursor again, so paging ends here; there may be more.")
    elif unusable_cursor:
        notes.append("Linq gave a cursor that can't be sent again, so paging ends here; there is more.")
    elif not page.items and next_cursor is not None:
        notes.append("This page is empty, but there is more: call again with next_cursor.")
    elif not page.items and not page.unreadable:
        notes.append("There is nothing more." if cursor else if_empty)
    info: PageInfo = {"has_more": next_cursor is not None}
    if next_cursor is not None:
        info["next_cursor"] = next_cursor
    if notes:
        info["note"] = join_notes(*notes)
    return info


def rows_that_fit(rows: Sequence[object]) -> int:
    """How many of the first `rows` fit into one answer; at least one of them is shown, however long it is."""
    room = _MOST_BYTES
    for count, row in enumerate(rows):
        room -= len(to_json(row)) + 1
        if room < 0:
            return max(count, 1)
    return len(rows)


def unreadable_note(count: int) -> str:
    """The note on entries of a list that were not objects."""
    return f"{counted(count, 'entry', 'entries')} could not be read and {'was' if count == 1 else 'were'} left out."


def counted(count: int, one: str, several: str) -> str:
    """`count` with its noun: "1 chat", "2 chats"."""
    return f"{count:,} {one if count == 1 else several}"


def join_notes(*notes: str | None) -> str:
    """The notes that say something, as one text."""
    return " ".join(filter(None, notes))
