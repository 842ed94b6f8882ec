"""summarize_activity: what happened since a moment, line by line: received, sent, delivered, failed, answered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from heapq import nsmallest
from math import ceil, inf
from statistics import median
from typing import TYPE_CHECKING, NotRequired, TypedDict

from pydantic import Field

from linq_mcp.region import local_time_at
from linq_mcp.rows.chat import ChatReference, chat_reference, health_status, line_number
from linq_mcp.rows.schema import without_empty
from linq_mcp.store.access import ChatFilter
from linq_mcp.tools.base.param_types import Handle, Line, PastTimestamp, Timestamp
from linq_mcp.tools.base.parameters import ToolArguments
from linq_mcp.tools.base.tool import READS, SCAN_SECONDS, Call, Tool
from linq_mcp.tools.reading.account import AccountReading, Answer, Window
from linq_mcp.tools.reading.info import ReadingInfo
from linq_mcp.tools.reading.turns import Turn, can_wait, in_order, reply_seconds, turn_of, waiting

if TYPE_CHECKING:
    from linq_mcp.api.models import Message
    from linq_mcp.store.question import Conversation

_DAY = timedelta(hours=24)
_FAILING_LIMIT = 10
_SPLIT = ("delivered", "read", "failed")


class Arguments(ToolArguments):
    ranges = (("after", "before"),)

    after: PastTimestamp | None = Field(
        None, description="Since this date or time; 24 hours before the end if omitted."
    )
    before: Timestamp | None = Field(None, description="Until this; now if omitted.")
    from_: Line | None = Field(None, alias="from", description="Only this line, one of your numbers, E.164.")
    to: Handle | None = Field(None, description="Only chats with this person: number in E.164 or email address.")


class ReplyMinutes(TypedDict):
    """How long your replies took, in whole minutes; `p90` is what nine of ten took at most."""

    median: int
    p90: int


class LineActivity(TypedDict):
    """What happened on one line. `sent` is `delivered`, `read`, `failed` and `pending` together."""

    line: NotRequired[str]
    chats: int
    received: int
    sent: int
    delivered: int
    read: int
    failed: int
    pending: int
    waiting: int
    reply_minutes: NotRequired[ReplyMinutes]


class FailingChat(ChatReference):
    """A chat with failed messages, and how many."""

    line: NotRequired[str]
    failed: int
    health_status: NotRequired[str]


class Activity(ReadingInfo):
    """What happened since `after`. `failing` has the chats with the most failed messages, at most ten."""

    after: str
    before: NotRequired[str]
    lines: list[LineActivity]
    failing: NotRequired[list[FailingChat]]


class _Reader:
    """Keeps the turns since the window began, and the latest earlier one that settles who spoke last."""

    def __init__(self, answer: Answer, before: float) -> None:
        self._answer = answer
        self._before = before
        self.turns: list[Turn] = []

    def visit(self, message: Message) -> bool:
        turn = turn_of(message)
        if turn.at < self._before:
            self.turns.append(turn)
        return self._answer.is_before(message) and (not turn.own or turn.answers)


@dataclass(slots=True)
class _Tally:
    """Running totals of a line."""

    counts: Counter[str] = field(default_factory=Counter)
    replies: list[float] = field(default_factory=list)


async def summarize_activity(arguments: Arguments, call: Call) -> Activity:
    """Read `GET /v3/chats`, and each chat's messages back to `after`."""
    before = arguments.before.timestamp() if arguments.before else inf
    reading = AccountReading(
        call,
        arguments,
        None,
        lambda answer: _Reader(answer, before),
        chats=ChatFilter(line=arguments.from_, person=arguments.to),
        window=Window(arguments.after, arguments.before, _DAY),
    )
    lines: dict[str, _Tally] = {}
    failing: list[FailingChat] = []
    async for conversation in reading:
        chat = conversation.chat
        line = line_number(chat, arguments.from_)
        counts = _count(conversation, reading.since, lines.setdefault(line, _Tally()))
        if counts["failed"]:
            row: FailingChat = {
                **chat_reference(chat, call.directory),
                "line": line,
                "failed": counts["failed"],
                "health_status": health_status(chat) or "",
            }
            failing = nsmallest(_FAILING_LIMIT, [*failing, without_empty(row)], key=_most_failed)
    result: Activity = {
        "after": local_time_at(reading.since),
        "lines": [_line(number, tally) for number, tally in sorted(lines.items(), key=_most_first)],
        **reading.account_info(None, []),
    }
    if arguments.before:
        result["before"] = local_time_at(before)
    if failing:
        result["failing"] = failing
    return result


def _count(conversation: Conversation[_Reader], since: float, tally: _Tally) -> Counter[str]:
    """Add what happened in a chat since then to its line's tally."""
    turns = in_order(conversation.reader.turns, oldest_first=False)
    counts = Counter[str]()
    for turn in turns:
        if turn.at >= since:
            status = turn.delivery_status if turn.delivery_status in _SPLIT else "pending"
            counts.update(("sent", status) if turn.own else ("received",))
    if counts:
        counts["chats"] = 1
        counts["waiting"] = int(can_wait(conversation.chat) and waiting(turns) is not None)
    tally.counts += counts
    tally.replies += reply_seconds(turns, since)
    return counts


def _most_first(line: tuple[str, _Tally]) -> tuple[int, str]:
    number, tally = line
    return -(tally.counts["received"] + tally.counts["sent"]), number


def _most_failed(row: FailingChat) -> tuple[int, str]:
    return -row["failed"], row.get("id", "")


def _line(number: str, tally: _Tally) -> LineActivity:
    counts = tally.counts
    row: LineActivity = {
        "line": number,
        "chats": counts["chats"],
        "received": counts["received"],
        "sent": counts["sent"],
        "delivered": counts["delivered"],
        "read": counts["read"],
        "failed": counts["failed"],
        "pending": counts["pending"],
        "waiting": counts["waiting"],
    }
    if tally.replies:
        minutes = sorted(int(seconds // 60) for seconds in tally.replies)
        row["reply_minutes"] = {"median": round(median(minutes)), "p90": minutes[ceil(0.9 * len(minutes)) - 1]}
    return without_empty(row)


SUMMARIZE_ACTIVITY = Tool(
    name="summarize_activity",
    title="Summarize activity",
    description=(
        "What happened in the last 24 hours (or since after), line by line: chats with messages, messages received and "
        "sent, of those failed, pending, read, and delivered but not read, chats in which somebody waits, minutes "
        "until you replied; and the chats with failed messages. If complete is false, the same call reads on. "
        "For the messages themselves use find_messages."
    ),
    arguments=Arguments,
    result=Activity,
    example='{"after":"2026-11-20"}',
    annotations=READS,
    run=summarize_activity,
    seconds=SCAN_SECONDS,
    has_view=True,
)
