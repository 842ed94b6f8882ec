"""find_chats: the chats that match, found by the server, so that no model has to page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from math import inf
from typing import TYPE_CHECKING, NotRequired, TypedDict

from pydantic import Field

from linq_mcp.errors import ArgumentsError
from linq_mcp.region import local_time
from linq_mcp.rows.chat import ChatRow, chat_row, health_guide, health_status, line_number
from linq_mcp.rows.status import KNOWN, UNREPORTED, unknown_words
from linq_mcp.sanitize import moment
from linq_mcp.store.access import ChatFilter
from linq_mcp.tools.base.paging import counted, rows_that_fit
from linq_mcp.tools.base.param_types import (
    ChatOrder,
    Flag,
    Handle,
    Limit,
    Line,
    PastTimestamp,
    Text,
    Timestamp,
    Word,
    Words,
)
from linq_mcp.tools.base.parameters import ToolArguments
from linq_mcp.tools.base.tool import READS, SCAN_SECONDS, Call, Tool
from linq_mcp.tools.reading.account import NO_LINE, Answer, Window, no_chats
from linq_mcp.tools.reading.best_rows import BestRows
from linq_mcp.tools.reading.chat_names import ChatNames, name_matcher
from linq_mcp.tools.reading.cursor import Position
from linq_mcp.tools.reading.info import RowsInfo
from linq_mcp.tools.reading.search_note import search_note

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat
    from linq_mcp.contacts.directory import Directory
    from linq_mcp.store.listing import ListQuestion
    from linq_mcp.tools.reading.cursor import SortKey

SERVICES = ("iMessage", "SMS", "RCS")
_NAMES_KNOWN = "A person's name is known only if a chat is called by it or the contacts file has it."


class Arguments(ToolArguments):
    ranges = (("created_after", "created_before"), ("updated_after", "updated_before"))

    text: Text | None = Field(
        None, description="All these words or parts of words, in its name or its people's names, numbers, addresses."
    )
    health_status: Words | None = Field(None, description="One or several of HEALTHY, AT_RISK, CRITICAL, OPTED_OUT.")
    is_group: Flag | None = Field(None, description="true for groups only, false for no groups.")
    messaging_service: Word | None = Field(None, description="iMessage, SMS or RCS.")
    created_after: PastTimestamp | None = Field(None, description="Created at or after this date or time.")
    created_before: Timestamp | None = Field(None, description="Created before this.")
    updated_after: PastTimestamp | None = Field(None, description="Updated by Linq at or after this.")
    updated_before: Timestamp | None = Field(None, description="Updated by Linq before this.")
    health_changed_after: PastTimestamp | None = Field(
        None, description="Health status changed at or after this, e.g. recent opt-outs."
    )
    from_: Line | None = Field(None, alias="from", description="One of your own numbers, E.164.")
    to: Handle | None = Field(None, description="With this person: E.164 number or email address.")
    order: ChatOrder = Field("linq", description="linq (if omitted): Linq's own; the others: the latest first.")
    limit: Limit = Field(20, description="Chats to return; 20 if omitted.")
    count_only: Flag | None = Field(None, description="Only counts, in total and by line.")
    cursor: Position | None = Field(None, description="next_cursor of the previous answer, same filters.")


class FoundChat(ChatRow):
    """A chat that matches; `created_at` is there where the question is about when chats were created."""

    created_at: NotRequired[str]


class Matches(TypedDict):
    """The chats that match, and how many in all; with `count_only` how many in all and by line."""

    matched: NotRequired[int]
    chats: NotRequired[list[FoundChat]]
    health_guide: NotRequired[dict[str, str]]
    count: NotRequired[int]
    by_line: NotRequired[dict[str, int]]


class FoundChats(Matches, RowsInfo):
    """The chats that match. `scanned` counts those that were read for it."""


async def find_chats(arguments: Arguments, call: Call) -> FoundChats:
    """Read `GET /v3/chats` to its end."""
    matches = _matcher(arguments, call.directory)
    answer = Answer(call, arguments, arguments.cursor, Window())
    question = call.account.entries(
        ChatFilter(line=arguments.from_, person=arguments.to), is_repeat=not answer.is_first
    )
    begin = await _start(answer, question) if arguments.order == "linq" else answer.after
    rows: BestRows[Chat] = BestRows(0 if arguments.count_only else arguments.limit, begin)
    by_line = Counter[str]()
    async for index, chat in question:
        if matches(chat):
            by_line[line_number(chat, arguments.from_) or NO_LINE] += 1
            rows.offer((_rank(arguments.order, index, chat), chat.id or ""), lambda chat=chat: chat)  # type: ignore[misc]
    found, facts = rows.rows, question.facts
    if arguments.count_only:
        result = Matches(count=by_line.total(), by_line=dict(by_line.most_common()))
    else:
        shown = await _rows(found, arguments, call)
        rows.keep(fitting := rows_that_fit(shown))
        result = Matches(matched=rows.matched, chats=shown[:fitting])
        if guide := health_guide(rows.rows):
            result["health_guide"] = guide
    met = {(health_status(chat) or UNREPORTED).upper() for chat in found}
    nothing = not rows.matched
    notes = [
        f"None of the {counted(facts.scanned, 'chat', 'chats')} read match."
        if nothing and facts.scanned and facts.is_complete
        else None,
        search_note(arguments.text, found=not nothing),
        _NAMES_KNOWN if nothing and arguments.text else None,
        unknown_words((arguments.health_status or frozenset()) - met, [*KNOWN, UNREPORTED]),
        unknown_words([arguments.messaging_service] if arguments.messaging_service else (), SERVICES)
        if nothing
        else None,
        no_chats(arguments.from_, arguments.to) if facts.is_complete and not facts.scanned else None,
    ]
    return {**result, **answer.rows_info(facts, rows, notes)}


async def _start(answer: Answer, question: ListQuestion) -> SortKey | None:
    """The place after which this answer begins: that of the chat at which the last one ended, as chats may move."""
    if answer.after is None:
        return None
    index, id_ = answer.after
    place = await question.position_of(id_)
    return (index if place is None else float(place), id_)


def _rank(order: str, index: int, chat: Chat) -> float:
    """What chats are ordered by; those without the time come last."""
    if order == "linq":
        return float(index)
    at = _created(chat) if order == "created" else _health_since(chat)
    return -at.timestamp() if at else inf


async def _rows(chats: Sequence[Chat], arguments: Arguments, call: Call) -> list[FoundChat]:
    by_creation = bool(arguments.created_after or arguments.created_before or arguments.order == "created")
    rows: list[FoundChat] = []
    for chat in chats:
        await call.yield_if_due()
        row: FoundChat = {**chat_row(chat, arguments.from_, call.directory)}
        if by_creation and chat.created_at:
            row["created_at"] = local_time(chat.created_at)
        rows.append(row)
    return rows


def _matcher(arguments: Arguments, directory: Directory) -> Callable[[Chat], bool]:
    """The filters as one function. Raises `ArgumentsError` if there are none."""
    tests: list[Callable[[Chat], bool]] = []
    if arguments.text:
        named = name_matcher(arguments.text, directory)
        tests.append(lambda chat: named(ChatNames.of(chat)))
    if statuses := arguments.health_status:
        tests.append(lambda chat: (health_status(chat) or UNREPORTED).upper() in statuses)
    if arguments.is_group is not None:
        tests.append(lambda chat: bool(chat.is_group) is arguments.is_group)
    if service := arguments.messaging_service:
        tests.append(lambda chat: (chat.service or "").casefold() == service.casefold())
    for time_of, after, before in (
        (_created, arguments.created_after, arguments.created_before),
        (_updated, arguments.updated_after, arguments.updated_before),
        (_health_since, arguments.health_changed_after, None),
    ):
        if after or before:
            tests.append(_within(time_of, after, before))
    if not (tests or arguments.count_only or arguments.order != "linq"):
        raise ArgumentsError(
            ["Give a filter besides from and to, an order or count_only; to list chats without one, use list_chats."]
        )
    return lambda chat: all(test(chat) for test in tests)


def _within(
    time_of: Callable[[Chat], datetime | None], after: datetime | None, before: datetime | None
) -> Callable[[Chat], bool]:
    """Whether a chat's time is known, and in that range."""

    def test(chat: Chat) -> bool:
        at = time_of(chat)
        return at is not None and (after is None or at >= after) and (before is None or at < before)

    return test


def _created(chat: Chat) -> datetime | None:
    return moment(chat.created_at or "")


def _updated(chat: Chat) -> datetime | None:
    return moment(chat.updated_at or "")


def _health_since(chat: Chat) -> datetime | None:
    return moment(chat.health_status.updated_at or "") if chat.health_status else None


FIND_CHATS = Tool(
    name="find_chats",
    title="Find chats",
    description=(
        "The chats that match, found by reading the account: by name or participant, health, group, service, or when "
        "created or updated; with count_only only how many. Rows as in list_chats; go on with next_cursor while there "
        "is one. Needs a filter besides from and to, an order, or count_only. For messages use find_messages."
    ),
    arguments=Arguments,
    result=FoundChats,
    example='{"health_status":["CRITICAL","OPTED_OUT"],"limit":20}',
    annotations=READS,
    run=find_chats,
    seconds=SCAN_SECONDS,
)
