"""list_phone_numbers: the account's own lines and their reputation."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from linq_mcp.rows.line import LineRow, line_row
from linq_mcp.rows.status import guide_to
from linq_mcp.tools.base.paging import join_notes, unreadable_note
from linq_mcp.tools.base.parameters import ToolArguments
from linq_mcp.tools.base.tool import READS, Call, Tool

# Linq documents no paging here, and no account is known to have as many.
_LIMIT = 100


class Arguments(ToolArguments):
    pass


class Lines(TypedDict):
    """The lines, at most 100. `reputation_guide` maps each unhealthy reputation to where Linq explains it."""

    phone_numbers: list[LineRow]
    reputation_guide: NotRequired[dict[str, str]]
    note: NotRequired[str]


async def list_phone_numbers(_: Arguments, call: Call) -> Lines:
    """Read `GET /v3/phone_numbers`. Linq docs: List phone numbers."""
    page = await call.api.list_phone_numbers(deadline=call.deadline)
    shown = page.items[:_LIMIT]
    result: Lines = {"phone_numbers": [line_row(number) for number in shown]}
    if guide := guide_to(number.reputation for number in shown):
        result["reputation_guide"] = guide
    notes = [
        unreadable_note(page.unreadable) if page.unreadable else None,
        f"The first {_LIMIT} lines; {len(page.items) - _LIMIT} more are left out."
        if len(page.items) > _LIMIT
        else None,
        "This account has no lines." if not page.items and not page.unreadable else None,
    ]
    if note := join_notes(*notes):
        result["note"] = note
    return result


LIST_PHONE_NUMBERS = Tool(
    name="list_phone_numbers",
    title="List phone numbers",
    description=(
        "The account's own lines: number, reputation (HEALTHY, AT_RISK, CRITICAL: Linq's score of the whole line), "
        "type, forwarding number. For the chats' health on each line use summarize_chat_health."
    ),
    arguments=Arguments,
    result=Lines,
    example="{}",
    annotations=READS,
    run=list_phone_numbers,
)
