"""list_phone_numbers: the account's own lines and their reputation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NotRequired, TypedDict

from linq_mcp.rows.status import guide_to, status_of
from linq_mcp.sanitize import HANDLE_LIMIT, ID_LIMIT, clean, clean_word
from linq_mcp.tools.support.tool import Call, Tool

if TYPE_CHECKING:
    from linq_mcp.api.models import PhoneNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    pass


class LineRow(TypedDict):
    """One of your own numbers."""

    phone_number: NotRequired[str]
    reputation: NotRequired[str]
    line_type: NotRequired[str]
    forwarding_number: NotRequired[str]
    id: NotRequired[str]


class Lines(TypedDict):
    """All lines. `reputation_guide` says where Linq explains each unhealthy reputation among them."""

    phone_numbers: list[LineRow]
    reputation_guide: NotRequired[dict[str, str]]
    note: NotRequired[str]


async def list_phone_numbers(_: Arguments, call: Call) -> Lines:
    """Read `GET /v3/phone_numbers`."""
    page = await call.api.list_phone_numbers(deadline=call.deadline)
    result: Lines = {"phone_numbers": [_line_row(number) for number in page.items]}
    if guide := guide_to(number.reputation for number in page.items):
        result["reputation_guide"] = guide
    if page.unreadable:
        result["note"] = f"{page.unreadable} of the entries could not be read and are left out."
    elif not page.items:
        result["note"] = "This account has no lines."
    return result


def _line_row(number: PhoneNumber) -> LineRow:
    row: LineRow = {}
    if phone_number := clean(number.phone_number or "", HANDLE_LIMIT):
        row["phone_number"] = phone_number
    if reputation := status_of(number.reputation):
        row["reputation"] = reputation
    if line_type := clean_word(number.line_type):
        row["line_type"] = line_type
    if forwarding_number := clean(number.forwarding_number or "", HANDLE_LIMIT):
        row["forwarding_number"] = forwarding_number
    if line_id := clean(number.id or "", ID_LIMIT):
        row["id"] = line_id
    return row


_TEXT = {"type": "string"}

LIST_PHONE_NUMBERS = Tool(
    name="list_phone_numbers",
    title="List phone numbers",
    description=(
        "The account's own lines: number, reputation (HEALTHY, AT_RISK, CRITICAL: Linq's score of the whole line), "
        "type, forwarding number. For the chats' health on each line use summarize_chat_health."
    ),
    arguments=Arguments,
    example="{}",
    output_schema={
        "type": "object",
        "properties": {
            "phone_numbers": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "phone_number": _TEXT,
                        "reputation": _TEXT,
                        "line_type": _TEXT,
                        "forwarding_number": _TEXT,
                        "id": _TEXT,
                    },
                },
            },
            "reputation_guide": {"type": "object"},
            "note": _TEXT,
        },
        "required": ["phone_numbers"],
    },
    run=list_phone_numbers,
)
