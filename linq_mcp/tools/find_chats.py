"""find_chats: the chats that match, found by the server, so that no model has to page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NotRequired, TypedDict

from pydantic import Field

from linq_mcp.errors import ArgumentsError
from linq_mcp.rows.chat import ChatRow, chat_row, health_guide, health_status, line_number
from linq_mcp.rows.status import KNOWN, UNREPORTED, unknown_words
from linq_mcp.sanitize import moment
from linq_mcp.store.access import ChatFilter
from linq_mcp.tools.base.paging import counted
from linq_mcp.tools.base.param_types import (
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
from linq_mcp.tools.reading.info import ReadingInfo

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat
    from linq_mcp.contacts.directory import Directory
    from linq_mcp.store.listing import ListQuestion
    from linq_mcp.tools.reading.cursor import SortKey

SERVICES = ("iMessage", "SMS", "RCS")
_NAMES_KNOWN = "A person's name is known only if a chat is called by it or the contacts file has it."


class Arguments(ToolArguments):
    ranges = (("updated_after", "updated_before"),)

    text: Text | None = Field(
        None, description="All these words, in its name or its people's names, numbers, addresses."
    )
    health_status: Words | None = Field(None, description="One or several of HEALTHY, AT_RISK, CRITICAL, OPTED_OUT.")
    is_group: Flag | None = Field(None, description="true for groups only, false for no groups.")
    messaging_service: Word | None = Field(None, description="iMessage, SMS or RCS.")
    updated_after: PastTimestamp | None = Field(None, description="Updated by Linq at or after this date or time.")
    updated_before: Timestamp | None = Field(None, description="Updated by Linq before this.")
    health_changed_after: PastTimestamp | None = Field(
        None, description="Health status changed at or after this, e.g. recent opt-outs."
    )
    from_: Line | None = Field(None, alias="from", description="One of your own numbers, E.164.")
    to: Handle | None = Field(None, description="With this person: number in E.164 or email address.")
    limit: Limit = Field(20, description="Chats to return; 20 if omitted.")
    count_only: Flag | None = Field(None, description="Return only counts, in total and by line.")
    cursor: Position | None = Field(None, description="next_cursor of the previous answer, with the same filters.")


class Matches(TypedDict):
    """The chats that match, in Linq's order, and how many in all; with `count_only` how many in all and by line."""

    matched: NotRequired[int]
    chats: NotRequired[list[ChatRow]]
    health_guide: NotRequired[dict[str, str]]
    count: NotRequired[int]
    by_line: NotRequired[dict[str, int]]


class FoundChats(Matches, ReadingInfo):
    """The chats that match. `scanned` counts those that were read for it."""


async def find_chats(arguments: Arguments, call: Call) -> FoundChats:
    """Read `GET /v3/chats` to its end."""
    matches = _matcher(arguments, call.directory)
    answer = Answer(call, arguments, arguments.cursor, Window())
    question = call.account.entries(
        ChatFilter(line=arguments.from_, person=arguments.to), is_repeat=not answer.is_first
    )
    rows: BestRows[Chat] = BestRows(0 if arguments.count_only else arguments.limit, await _start(answer, question))
    by_line = Counter[str]()
    async for index, chat in question:
        if matches(chat):
            by_line[line_number(chat, arguments.from_) or NO_LINE] += 1
            rows.offer((float(index), chat.id or ""), lambda chat=chat: chat)  # type: ignore[misc]
    found, facts = rows.rows, question.facts
    if arguments.count_only:
        result = Matches(count=by_line.total(), by_line=dict(by_line.most_common()))
    else:
        result = Matches(matched=rows.matched, chats=await _rows(found, arguments.from_, call))
        if guide := health_guide(found):
            result["health_guide"] = guide
    met = {(health_status(chat) or UNREPORTED).upper() for chat in found}
    nothing = not rows.matched
    notes = [
        f"None of the {counted(facts.scanned, 'chat', 'chats')} read match."
        if nothing and facts.scanned and facts.is_complete
        else None,
        _NAMES_KNOWN if nothing and arguments.text else None,
        unknown_words((arguments.health_status or frozenset()) - met, [*KNOWN, UNREPORTED]),
        unknown_words([arguments.messaging_service] if arguments.messaging_service else (), SERVICES)
        if nothing
        else None,
        no_chats(arguments.from_, arguments.to) if facts.is_complete and not facts.scanned else None,
    ]
    return {**result, **answer.info(facts, None if arguments.count_only else rows, notes)}


async def _start(answer: Answer, question: ListQuestion) -> SortKey | None:
    """The place after which this answer begins: that of the chat at which the last one ended, as chats may move."""
    if answer.after is None:
        return None
    index, id_ = answer.after
    place = await question.place_of(id_)
    return (index if place is None else float(place), id_)


async def _rows(chats: Sequence[Chat], line: str | None, call: Call) -> list[ChatRow]:
    rows = []
    for chat in chats:
        await call.yield_if_due()
        rows.append(chat_row(chat, line, call.directory))
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
    if after := arguments.updated_after:
        tests.append(lambda chat: (at := moment(chat.updated_at or "")) is not None and at >= after)
    if before := arguments.updated_before:
        tests.append(lambda chat: (at := moment(chat.updated_at or "")) is not None and at < before)
    if changed := arguments.health_changed_after:
        tests.append(lambda chat: (at := _health_since(chat)) is not None and at >= changed)
    if not tests and not arguments.count_only:
        raise ArgumentsError(
            ["Give at least one filter besides from and to; to list chats without one, use list_chats."]
        )
    return lambda chat: all(test(chat) for test in tests)


def _health_since(chat: Chat) -> datetime | None:
    return moment(chat.health_status.updated_at or "") if chat.health_status else None


FIND_CHATS = Tool(
    name="find_chats",
    title="Find chats",
    description=(
        "The chats that match, found by reading the account: by name or participant, health, group, service, or when "
        "updated; with count_only only how many. Rows as in list_chats; go on with next_cursor while there is one. "
        "Needs a filter besides from and to, or count_only. Does not look into messages: see find_messages."
    ),
    arguments=Arguments,
    result=FoundChats,
    example='{"health_status":["CRITICAL","OPTED_OUT"],"limit":20}',
    annotations=READS,
    run=find_chats,
    seconds=SCAN_SECONDS,
)
