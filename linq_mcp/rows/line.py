"""One of the account's own lines as a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired, TypedDict

from linq_mcp.rows.schema import without_empty
from linq_mcp.rows.status import status_of
from linq_mcp.sanitize import HANDLE_LIMIT, ID_LIMIT, clean, clean_word

if TYPE_CHECKING:
    from linq_mcp.api.models import PhoneNumber


class LineRow(TypedDict):
    """One of your own numbers. `reputation` is Linq's score of the whole line."""

    phone_number: NotRequired[str]
    reputation: NotRequired[str]
    line_type: NotRequired[str]
    forwarding_number: NotRequired[str]
    id: NotRequired[str]


def line_row(number: PhoneNumber) -> LineRow:
    """`number` as a row."""
    row: LineRow = {
        "phone_number": clean(number.phone_number or "", HANDLE_LIMIT),
        "reputation": status_of(number.reputation) or "",
        "line_type": clean_word(number.line_type),
        "forwarding_number": clean(number.forwarding_number or "", HANDLE_LIMIT),
        "id": clean(number.id or "", ID_LIMIT),
    }
    return without_empty(row)
