"""summarize_activity: what happened since a moment, by line or by day: received, sent, delivered, failed, answered."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from functools import partial
from heapq import nsmallest
from math import ceil, inf
from statistics import median
from typing import TYPE_CHECKING, NotRequired, TypedDict

from pydantic import Field

from linq_mcp.errors import ArgumentsError
from linq_mcp.region import local_time_at, region
from linq_mcp.rows.chat import ChatReference, chat_reference, health_status, line_number
from linq_mcp.rows.message import SPARE_SECONDS, listed_at
from linq_mcp.rows.schema import without_empty
from linq_mcp.rows.turns import Turn, can_wait, in_order, replies, turn_of, waiting
from linq_mcp.sanitize import moment
from linq_mcp.store.access import ChatFilter
from linq_mcp.tools.base.param_types import ActivityRows, Handle, Line, PastTimestamp, Timestamp
from linq_mcp.tools.base.parameters import ToolArguments
from linq_mcp.tools.base.tool import READS, SCAN_SECONDS, Call, Tool
from linq_mcp.tools.reading.account import AccountReading, Answer, Window
from linq_mcp.tools.reading.info import ReadingInfo

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat, Message

_DAY = timedelta(hours=24)
_MOST_DAYS = 62
_FAILING_LIMIT = 10
_SPLIT = ("delivered", "read", "failed")


class Arguments(ToolArguments):
    ranges = (("after", "before"),)

    after: PastTimestamp | None = Field(
        None, description="Since this date or time; 24 hours before the end if omitted."
    )
    before: Timestamp | None = Field(None, description="Until this; now if omitted.")
    by: ActivityRows = Field("line", description="line if omitted; day for at most 62 days.")
    from_: Line | None = Field(None, alias="from", description="Only this line, one of your numbers, E.164.")
    to: Handle | None = Field(None, description="Only chats with this person: E.164 number or email address.")


class ReplyMinutes(TypedDict):
    """How long your replies took, in whole minutes; `p90` is what nine of ten took at most."""

    median: int
    p90: int


class Counts(TypedDict):
    """What happened. `sent` is `delivered`, `read`, `failed` and `pending` together."""

    chats: int
    new_chats: int
    received: int
    sent: int
    delivered: int
    read: int
    failed: int
    pending: int
    waiting: int
    reply_minutes: NotRequired[ReplyMinutes]


class LineActivity(Counts):
    """What happened on one line; `waiting` is of the chats in which anything did, `waiting_in_all` of all its chats."""

    line: NotRequired[str]
    waiting_in_all: int


class FailingChat(ChatReference):
    """A chat with failed messages, and how many."""

    line: NotRequired[str]
    failed: int
    health_status: NotRequired[str]


class Activity(ReadingInfo):
    """What happened since `after`, by line or by day; `days` has the members of `Counts` with the `day`.

    `failing` has the chats with the most failed messages, at most ten, and then `failing_count` how many there are.
    """

    after: str
    before: NotRequired[str]
    lines: NotRequired[list[LineActivity]]
    days: NotRequired[list[dict[str, object]]]
    failing: NotRequired[list[FailingChat]]
    failing_count: NotRequired[int]


class _Reader:
    """Keeps the turns before the end of the window, back to its beginning and to your last word."""

    def __init__(self, answer: Answer, before: float) -> None:
        self._answer = answer
        self._before = before
        self._our_word = -inf
        self.turns: list[Turn] = []

    def visit(self, message: Message) -> bool:
        turn = turn_of(message)
        if turn.at < self._before:
            self.turns.append(turn)
            if turn.answers:
                self._our_word = max(self._our_word, turn.at)
        # A message that was listed before our word was sent can't have been sent after it.
        return self._answer.is_before(message) and listed_at(message) < self._our_word - SPARE_SECONDS


@dataclass(slots=True)
class _Tally:
    """Running totals of a row."""

    counts: Counter[str] = field(default_factory=Counter)
    reply_seconds: list[float] = field(default_factory=list)


class _Days:
    """The days of a window in the time zone in force, by their dates. Raises `ArgumentsError` if there are too many."""

    def __init__(self, since: float, until: float) -> None:
        zone = region().time_zone
        # There are no messages from before 1970, and not every earlier time can be written in every time zone.
        since = max(since, 0.0)
        first = datetime.fromtimestamp(since, zone).date()
        # The end is not in the window.
        count = (datetime.fromtimestamp(max(until - 0.001, since), zone).date() - first).days + 1
        if count > _MOST_DAYS:
            raise ArgumentsError([f"`by` day takes at most {_MOST_DAYS} days, not {count}; give a later `after`."])
        dates = [first + timedelta(days=index) for index in range(count)]
        self._begins = [datetime.combine(day, time(), zone).timestamp() for day in dates]
        self.names = [str(day) for day in dates]

    def name_of(self, at: float) -> str:
        """The day of a time in the window."""
        return self.names[max(bisect_right(self._begins, at) - 1, 0)]


async def summarize_activity(arguments: Arguments, call: Call) -> Activity:
    """Read `GET /v3/chats`, and each chat's messages back to `after` and to your last word."""
    before = arguments.before.timestamp() if arguments.before else inf
    reading = AccountReading(
        call,
        arguments,
        None,
        lambda answer: _Reader(answer, before),
        chats=ChatFilter(line=arguments.from_, person=arguments.to),
        window=Window(arguments.after, arguments.before, _DAY),
        to_our_word=True,
    )
    days = _Days(reading.since, min(before, call.now().timestamp())) if arguments.by == "day" else None
    rows = {name: _Tally() for name in days.names} if days else {}
    failing: list[FailingChat] = []
    failing_count = 0
    async for conversation in reading:
        chat = conversation.chat
        line = line_number(chat, arguments.from_)
        turns = in_order(conversation.reader.turns, oldest_first=False)
        waits = can_wait(chat) and waiting(turns) is not None
        if not days:
            rows.setdefault(line, _Tally()).counts["waiting_in_all"] += waits
        row_of = days.name_of if days else partial(_always, line)
        happened = _happened(turns, reading.since, row_of)
        if reading.since <= (created := _created_at(chat)) < before:
            happened[row_of(created)].counts["new_chats"] += 1
        for row, tally in happened.items():
            if tally.counts["received"] or tally.counts["sent"]:
                tally.counts.update({"chats": 1, "waiting": int(waits)})
            rows[row].counts += tally.counts
            rows[row].reply_seconds += tally.reply_seconds
        if failed := sum(tally.counts["failed"] for tally in happened.values()):
            failing_count += 1
            failing_row: FailingChat = {
                **chat_reference(chat, call.directory),
                "line": line,
                "failed": failed,
                "health_status": health_status(chat) or "",
            }
            failing = nsmallest(_FAILING_LIMIT, [*failing, without_empty(failing_row)], key=_most_failed)
    result: Activity = {"after": local_time_at(reading.since), **reading.info(reading.facts, [])}
    if days:
        result["days"] = [{"day": day, **_row(tally)} for day, tally in rows.items()]
    else:
        result["lines"] = [_line(number, tally) for number, tally in sorted(rows.items(), key=_most_first)]
    if arguments.before:
        result["before"] = local_time_at(before)
    if failing:
        result["failing"] = failing
    if failing_count > len(failing):
        result["failing_count"] = failing_count
    return result


def _happened(turns: Sequence[Turn], since: float, row_of: Callable[[float], str]) -> defaultdict[str, _Tally]:
    """What happened in a chat since then, by the row of its time."""
    rows: defaultdict[str, _Tally] = defaultdict(_Tally)
    for turn in turns:
        if turn.at >= since:
            status = turn.delivery_status if turn.delivery_status in _SPLIT else "pending"
            rows[row_of(turn.at)].counts.update(("sent", status) if turn.own else ("received",))
    for at, seconds in replies(turns, since):
        rows[row_of(at)].reply_seconds.append(seconds)
    return rows


def _always(line: str, _: float) -> str:
    return line


def _created_at(chat: Chat) -> float:
    """When it was created, in seconds since 1970; -inf if that is not known."""
    at = moment(chat.created_at or "")
    return at.timestamp() if at else -inf


def _most_first(line: tuple[str, _Tally]) -> tuple[int, str]:
    number, tally = line
    return -(tally.counts["received"] + tally.counts["sent"]), number


def _most_failed(row: FailingChat) -> tuple[int, str]:
    return -row["failed"], row.get("id", "")


def _line(number: str, tally: _Tally) -> LineActivity:
    row: LineActivity = {"line": number, **_row(tally), "waiting_in_all": tally.counts["waiting_in_all"]}
    return without_empty(row)


def _row(tally: _Tally) -> Counts:
    counts = tally.counts
    row: Counts = {
        "chats": counts["chats"],
        "new_chats": counts["new_chats"],
        "received": counts["received"],
        "sent": counts["sent"],
        "delivered": counts["delivered"],
        "read": counts["read"],
        "failed": counts["failed"],
        "pending": counts["pending"],
        "waiting": counts["waiting"],
    }
    if tally.reply_seconds:
        minutes = sorted(int(seconds // 60) for seconds in tally.reply_seconds)
        row["reply_minutes"] = {"median": round(median(minutes)), "p90": minutes[ceil(0.9 * len(minutes)) - 1]}
    return row


SUMMARIZE_ACTIVITY = Tool(
    name="summarize_activity",
    title="Summarize activity",
    description=(
        "What happened in the last 24 hours (or since after), by line or day: chats with messages, new chats, messages "
        "received and sent, of those failed, pending, read, and delivered but not read, chats in which somebody waits "
        "(waiting_in_all: all of the line's), minutes until you replied; and the chats with failed messages. If "
        "complete is false, the same call reads on. Linq does not say who of your team wrote, or why a message failed. "
        "For messages use find_messages."
    ),
    arguments=Arguments,
    result=Activity,
    example='{"after":"2026-11-20"}',
    annotations=READS,
    run=summarize_activity,
    seconds=SCAN_SECONDS,
    has_view=True,
)
