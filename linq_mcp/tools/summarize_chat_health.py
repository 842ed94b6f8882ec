"""summarize_chat_health: how healthy the chats are, line by line, together with the lines' own reputation."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NotRequired, TypedDict

import anyio
from pydantic import Field

from linq_mcp.errors import LinqError, LinqMcpError
from linq_mcp.rows.chat import ChatRow, chat_row, health_guide, health_status, line_number
from linq_mcp.rows.schema import without_empty
from linq_mcp.rows.status import UNREPORTED, is_unhealthy, status_of
from linq_mcp.sanitize import HANDLE_LIMIT, clean, moment
from linq_mcp.store.access import ChatFilter
from linq_mcp.tools.base.param_types import Handle, Line, RowCount
from linq_mcp.tools.base.parameters import ToolArguments
from linq_mcp.tools.base.tool import READS, SCAN_SECONDS, Call, Tool
from linq_mcp.tools.reading.account import Answer, Window, no_chats
from linq_mcp.tools.reading.info import ReadingInfo

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat
    from linq_mcp.contacts.directory import Directory

_RANKS = {"CRITICAL": 0, "AT_RISK": 1, "OPTED_OUT": 2}
# The lines' reputations are requested at the same time, and waited for no longer than this.
_REPUTATION_SECONDS = 10.0


class Arguments(ToolArguments):
    from_: Line | None = Field(None, alias="from", description="Only this line, one of your numbers, E.164.")
    to: Handle | None = Field(None, description="Only chats with this person: E.164 number or email address.")
    worst: RowCount = Field(5, description="How many chats that need attention most to list; 5 if omitted.")


class Total(TypedDict):
    """All chats that were read, by health status."""

    chats: int
    health: NotRequired[dict[str, int]]


class LineHealth(TypedDict):
    """The chats of one line by health status. Chats without a line of yours stand in a row without `line`."""

    line: NotRequired[str]
    chats: int
    health: NotRequired[dict[str, int]]
    reputation: NotRequired[str]


class HealthSummary(ReadingInfo):
    """`lines` has the worst first, by reputation, then by chats in trouble; `worst` the chats that need attention."""

    total: Total
    lines: list[LineHealth]
    worst: NotRequired[list[ChatRow]]
    health_guide: NotRequired[dict[str, str]]


@dataclass(slots=True)
class _Tally:
    """Running totals: counts by line and status, and the rows that matter most."""

    line: str | None
    directory: Directory
    row_limit: int
    lines: dict[str, Counter[str]] = field(default_factory=dict)
    worst: list[tuple[int, float, int, ChatRow]] = field(default_factory=list)
    guide: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def add(self, chat: Chat) -> None:
        self.count += 1
        status = (health_status(chat) or UNREPORTED).upper()
        self.lines.setdefault(line_number(chat, self.line), Counter())[status] += 1
        if status == UNREPORTED or not is_unhealthy(status):
            return
        self.guide = {**{name.upper(): url for name, url in health_guide([chat]).items()}, **self.guide}
        changed = moment((chat.health_status and chat.health_status.updated_at) or "")
        # The count breaks ties, so that rows are never compared.
        key = (_RANKS.get(status, len(_RANKS)), -changed.timestamp() if changed else 0.0, self.count)
        if len(self.worst) < self.row_limit or (self.worst and key < self.worst[-1][:3]):
            insort(self.worst, (*key, chat_row(chat, self.line, self.directory)))
            del self.worst[self.row_limit :]


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
    """Read `GET /v3/chats` to its end, and `GET /v3/phone_numbers` at the same time."""
    answer = Answer(call, arguments, None, Window())
    tally = _Tally(arguments.from_, call.directory, arguments.worst)
    reputations = _Reputations()
    question = call.account.entries(ChatFilter(line=arguments.from_, person=arguments.to))
    failure: LinqMcpError | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reputations.read, call)
        try:
            async for _, chat in question:
                tally.add(chat)
        except LinqMcpError as error:
            # Raised after the group, which would wrap it.
            failure = error
            tasks.cancel_scope.cancel()
    if failure:
        raise failure
    if arguments.from_ is None and arguments.to is None:
        # A line without any chat has a reputation, too.
        for number in reputations.statuses:
            tally.lines.setdefault(number, Counter())
    statuses = sum(tally.lines.values(), Counter[str]())
    result: HealthSummary = {
        **answer.info(
            question.facts,
            [
                no_chats(arguments.from_, arguments.to) if question.facts.is_complete and not tally.count else None,
                reputations.note,
            ],
        ),
        "total": without_empty(Total(chats=tally.count, health=dict(sorted(statuses.items())))),
        "lines": _lines(tally, reputations.statuses),
    }
    if tally.worst:
        result["worst"] = [row for *_, row in tally.worst]
    if tally.guide:
        result["health_guide"] = tally.guide
    return result


def _lines(tally: _Tally, reputations: dict[str, str]) -> list[LineHealth]:
    def trouble(counted: tuple[str, Counter[str]]) -> tuple[int, int, int, str]:
        number, counts = counted
        rank = _RANKS.get(reputations.get(number, "").upper(), len(_RANKS))
        return rank, -(counts["CRITICAL"] + counts["AT_RISK"]), -counts.total(), number

    rows: list[LineHealth] = [
        {
            "line": number,
            "chats": counts.total(),
            "health": dict(sorted(counts.items())),
            "reputation": reputations.get(number, ""),
        }
        for number, counts in sorted(tally.lines.items(), key=trouble)
    ]
    return [without_empty(row) for row in rows]


SUMMARIZE_CHAT_HEALTH = Tool(
    name="summarize_chat_health",
    title="Summarize chat health",
    description=(
        "How healthy the account is: chats per health status in total and on each of your lines, the line's "
        "reputation, the worst lines first, and the chats that need attention most. A row without line counts chats "
        "where Linq does not say which number is yours. If complete is false, the same call reads on. For more of the "
        "chats use find_chats with health_status."
    ),
    arguments=Arguments,
    result=HealthSummary,
    example='{"worst":10}',
    annotations=READS,
    run=summarize_chat_health,
    seconds=SCAN_SECONDS,
    has_view=True,
)
