"""summarize_chat_health: how the chats stand, line by line, beside the lines' own reputation."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NotRequired, TypedDict

import anyio

from linq_mcp.errors import LinqError, LinqMcpError
from linq_mcp.rows.chat import (
    CHAT_ROW_SCHEMA,
    HEALTH_GUIDE_SCHEMA,
    ChatRow,
    chat_row,
    health_guide,
    health_status,
    own_line,
)
from linq_mcp.rows.status import UNREPORTED, is_unhealthy, status_of
from linq_mcp.sanitize import HANDLE_LIMIT, clean, moment
from linq_mcp.tools.list_chats import nothing_found
from linq_mcp.tools.support.param_types import integer, line, participant
from linq_mcp.tools.support.scan import PAGE, SCAN_SECONDS, SCANNED_PROPERTIES, ScanCursor, Scanned, position, scan
from linq_mcp.tools.support.tool import Call, Tool

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat
    from linq_mcp.api.responses import Page

UNHEALTHY_LIMIT = 10
_RANKS = {"CRITICAL": 0, "AT_RISK": 1, "OPTED_OUT": 2}
# Lines' reputations are asked for beside the chats, and waited for no longer than this.
_REPUTATION_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    from_: str | None = line("Only this one of your numbers, E.164.")
    to: str | None = participant("Only chats with this person: number in E.164 or email address.")
    max_chats: int = integer("Chats to read; 2000 if omitted.", default=2000, minimum=1, maximum=20_000)
    cursor: ScanCursor = position("next_cursor of the previous answer, same from and to; add the counts up.")


class LineHealth(TypedDict):
    """The chats of one line by health status. Chats without a line of yours stand in a row without `line`."""

    line: NotRequired[str]
    chats: int
    health: NotRequired[dict[str, int]]
    reputation: NotRequired[str]


class HealthSummary(Scanned):
    """`lines` has the worst first, by reputation, then by chats in trouble.

    `unhealthy` at most ten chats, `unhealthy_left_out` counts the others.
    """

    lines: list[LineHealth]
    unhealthy: NotRequired[list[ChatRow]]
    unhealthy_left_out: NotRequired[int]
    health_guide: NotRequired[dict[str, str]]


@dataclass(slots=True)
class _Tally:
    """What is kept of the chats that were read: counts by line and status, and the ten rows that matter most."""

    line: str | None = None
    lines: dict[str, Counter[str]] = field(default_factory=dict)
    worst: list[tuple[int, float, int, ChatRow]] = field(default_factory=list)
    unhealthy: int = 0
    guide: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def add(self, chat: Chat) -> None:
        self.count += 1
        own = own_line(chat, self.line)
        number = clean(own.handle, HANDLE_LIMIT) if own and own.handle else ""
        status = (health_status(chat) or UNREPORTED).upper()
        self.lines.setdefault(number, Counter())[status] += 1
        if status == UNREPORTED or not is_unhealthy(status):
            return
        self.unhealthy += 1
        self.guide = {**{name.upper(): url for name, url in health_guide([chat]).items()}, **self.guide}
        changed = moment((chat.health_status and chat.health_status.updated_at) or "")
        rank = _RANKS.get(status, len(_RANKS))
        # The count breaks ties, so that rows are never compared.
        key = (rank, -changed.timestamp() if changed else 0.0, self.count)
        if len(self.worst) < UNHEALTHY_LIMIT or key < self.worst[-1][:3]:
            insort(self.worst, (*key, chat_row(chat, self.line)))
            del self.worst[UNHEALTHY_LIMIT:]


@dataclass(slots=True)
class _Reputations:
    """The lines' reputations by number; the note says why they are missing."""

    statuses: dict[str, str] = field(default_factory=dict)
    note: str | None = None

    async def read(self, call: Call) -> None:
        deadline = min(call.deadline, anyio.current_time() + _REPUTATION_SECONDS)
        try:
            page = await call.api.list_phone_numbers(deadline=deadline)
        except LinqError as error:
            self.note = f"The lines' reputation is missing: {call.format_error(error)}"
            return
        for number in page.items:
            if number.phone_number and (status := status_of(number.reputation)):
                self.statuses[clean(number.phone_number, HANDLE_LIMIT)] = status


async def summarize_chat_health(arguments: Arguments, call: Call) -> HealthSummary:
    """Read up to `max_chats` chats of `GET /v3/chats`, and `GET /v3/phone_numbers` beside them."""
    tally = _Tally(arguments.from_)
    reputations = _Reputations()
    failure: LinqMcpError | None = None
    outcome: Scanned = {"scanned": 0, "complete": False}

    async def fetch(cursor: str | None) -> Page[Chat]:
        return await call.api.list_chats(
            from_=arguments.from_, to=arguments.to, limit=PAGE, cursor=cursor, deadline=call.deadline
        )

    def visit(chat: Chat) -> bool:
        tally.add(chat)
        return tally.count < arguments.max_chats

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reputations.read, call)
        try:
            enough = f"Stopped at {arguments.max_chats} chats; call again with next_cursor for the rest."
            outcome = await scan(fetch, visit, asked=arguments, call=call, enough=enough)
        except LinqMcpError as error:
            # Raised behind the group, which would wrap it.
            failure = error
            tasks.cancel_scope.cancel()
    if failure:
        raise failure
    if arguments.from_ is None and arguments.to is None and arguments.cursor == ScanCursor():
        # A line without any chat has a reputation, too.
        for number in reputations.statuses:
            tally.lines.setdefault(number, Counter())
    result: HealthSummary = {**outcome, "lines": _lines(tally, reputations.statuses)}
    if tally.worst:
        result["unhealthy"] = [row for *_, row in tally.worst]
    if left_out := tally.unhealthy - len(tally.worst):
        result["unhealthy_left_out"] = left_out
    if tally.guide:
        result["health_guide"] = tally.guide
    nothing = nothing_found(arguments.from_, arguments.to) if outcome["complete"] and not outcome["scanned"] else None
    if note := " ".join(filter(None, [outcome.get("note"), nothing, reputations.note])):
        result["note"] = note
    return result


def _lines(tally: _Tally, reputations: dict[str, str]) -> list[LineHealth]:
    def trouble(counted: tuple[str, Counter[str]]) -> tuple[int, int, int, str]:
        number, counts = counted
        rank = _RANKS.get(reputations.get(number, "").upper(), len(_RANKS))
        return rank, -(counts["CRITICAL"] + counts["AT_RISK"]), -counts.total(), number

    rows: list[LineHealth] = []
    for number, counts in sorted(tally.lines.items(), key=trouble):
        row: LineHealth = {"chats": counts.total()}
        if counts:
            row["health"] = dict(sorted(counts.items()))
        if number:
            row = {"line": number, **row}
        if number in reputations:
            row["reputation"] = reputations[number]
        rows.append(row)
    return rows


SUMMARIZE_CHAT_HEALTH = Tool(
    name="summarize_chat_health",
    title="Summarize chat health",
    description=(
        "How healthy the account is, line by line: chats per health status on each of your lines, the line's "
        "reputation, the worst lines first, and the ten chats that need attention most. A row without line counts "
        "chats in which no number of yours is marked. If complete is false, call again with next_cursor as cursor and "
        "add the counts up. For more of the chats use find_chats with health_status."
    ),
    arguments=Arguments,
    example='{"max_chats":2000}',
    output_schema={
        "type": "object",
        "properties": {
            **SCANNED_PROPERTIES,
            "lines": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "line": {"type": "string"},
                        "chats": {"type": "integer"},
                        "health": {"type": "object"},
                        "reputation": {"type": "string"},
                    },
                },
            },
            "unhealthy": {"type": "array", "items": CHAT_ROW_SCHEMA},
            "unhealthy_left_out": {"type": "integer"},
            "health_guide": HEALTH_GUIDE_SCHEMA,
        },
        "required": ["scanned", "complete", "lines"],
    },
    run=summarize_chat_health,
    seconds=SCAN_SECONDS,
)
