"""find_chats: the chats that match, from reading the account here instead of page by page through a model."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NotRequired

from linq_mcp.errors import ArgumentsError
from linq_mcp.rows.chat import (
    CHAT_ROW_SCHEMA,
    HEALTH_GUIDE_SCHEMA,
    ChatRow,
    chat_row,
    given_name,
    health_guide,
    health_status,
    own_line,
)
from linq_mcp.rows.status import KNOWN, UNREPORTED, unknown_words
from linq_mcp.sanitize import clean, folded, moment
from linq_mcp.tools.list_chats import nothing_found
from linq_mcp.tools.support.param_types import flag, integer, line, participant, text, time, word, words
from linq_mcp.tools.support.scan import PAGE, SCAN_SECONDS, SCANNED_PROPERTIES, ScanCursor, Scanned, find, position
from linq_mcp.tools.support.tool import Call, Tool

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat
    from linq_mcp.api.responses import Page

_PHONE_LIKE = re.compile(r"[0-9\s().\-/+]+")
_FEWEST_DIGITS = 3
SERVICES = ("iMessage", "SMS", "RCS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    text: str | None = text("Part of the chat's name, or of a participant's number or email address.")
    health_status: frozenset[str] | None = words("One or several of HEALTHY, AT_RISK, CRITICAL, OPTED_OUT.")
    is_group: bool | None = flag("Groups only, or none.")
    service: str | None = word("iMessage, SMS or RCS.")
    updated_after: datetime | None = time("Last active at or after this date or time (UTC).")
    updated_before: datetime | None = time("Last active before this.")
    health_changed_after: datetime | None = time("Got its health status at or after this, e.g. opted out since.")
    from_: str | None = line("One of your own numbers, E.164.")
    to: str | None = participant("With this person: number in E.164 or email address.")
    limit: int = integer("Chats to return; 20 if omitted.", default=20, minimum=1, maximum=100)
    cursor: ScanCursor = position("next_cursor of the previous answer, with the same filters.")


class FoundChats(Scanned):
    """The chats that match, in Linq's order. `scanned` counts those that were read for it."""

    chats: list[ChatRow]
    health_guide: NotRequired[dict[str, str]]


async def find_chats(arguments: Arguments, call: Call) -> FoundChats:
    """Read `GET /v3/chats` until `limit` chats match or there are no more."""
    matches = _matcher(arguments)

    async def fetch(cursor: str | None) -> Page[Chat]:
        return await call.api.list_chats(
            from_=arguments.from_, to=arguments.to, limit=PAGE, cursor=cursor, deadline=call.deadline
        )

    found, outcome = await find(fetch, matches, asked=arguments, call=call, things="chats")
    result: FoundChats = {"chats": [chat_row(chat, arguments.from_) for chat in found], **outcome}
    if guide := health_guide(found):
        result["health_guide"] = guide
    notes = [
        result.get("note"),
        unknown_words(arguments.health_status or (), [*KNOWN, UNREPORTED]),
        unknown_words([arguments.service] if arguments.service else (), SERVICES),
        nothing_found(arguments.from_, arguments.to) if outcome["complete"] and not outcome["scanned"] else None,
    ]
    if note := " ".join(filter(None, notes)):
        result["note"] = note
    return result


def _matcher(arguments: Arguments) -> Callable[[Chat], bool]:
    """The filters as one function. Raises `ArgumentsError` if there are none."""
    tests: list[Callable[[Chat], bool]] = []
    if arguments.text:
        tests.append(_text_matcher(arguments.text))
    if statuses := arguments.health_status:
        tests.append(lambda chat: (health_status(chat) or UNREPORTED).upper() in statuses)
    if arguments.is_group is not None:
        tests.append(lambda chat: bool(chat.is_group) is arguments.is_group)
    if service := arguments.service:
        tests.append(lambda chat: (chat.service or "").casefold() == service.casefold())
    if after := arguments.updated_after:
        tests.append(lambda chat: (at := moment(chat.updated_at or "")) is not None and at >= after)
    if before := arguments.updated_before:
        tests.append(lambda chat: (at := moment(chat.updated_at or "")) is not None and at < before)
    if changed := arguments.health_changed_after:
        tests.append(lambda chat: (at := _health_since(chat)) is not None and at >= changed)
    if not tests:
        raise ArgumentsError(
            ["Give at least one filter besides from and to; to list chats without one, use list_chats."]
        )
    return lambda chat: all(test(chat) for test in tests)


def _health_since(chat: Chat) -> datetime | None:
    return moment(chat.health_status.updated_at or "") if chat.health_status else None


def _text_matcher(wanted: str) -> Callable[[Chat], bool]:
    """Matches the name somebody gave the chat and everyone's handle but your own line's, those who left included."""
    needle = folded(clean(wanted, None))
    digits = _digits(wanted) if _PHONE_LIKE.fullmatch(wanted) else ""
    by_number = len(digits) >= _FEWEST_DIGITS

    def matches(chat: Chat) -> bool:
        name = given_name(chat)
        if name and needle in folded(clean(name, None)):
            return True
        line = own_line(chat)
        handles = [handle.handle for handle in chat.handles or () if handle is not line and handle.handle]
        return any(needle in folded(handle) or (by_number and digits in _digits(handle)) for handle in handles)

    return matches


def _digits(text: str) -> str:
    return re.sub(r"[^0-9]", "", text)


FIND_CHATS = Tool(
    name="find_chats",
    title="Find chats",
    description=(
        "The chats that match, found by reading the account: by name or participant, health, group, service, activity. "
        "Rows as in list_chats; scanned says how many chats were read. If complete is false, call again with "
        "next_cursor as cursor and the same filters. Needs a filter besides from and to. Does not look into messages: "
        "for those take the chat's id to find_messages."
    ),
    arguments=Arguments,
    example='{"health_status":["OPTED_OUT"],"health_changed_after":"2026-11-16"}',
    output_schema={
        "type": "object",
        "properties": {
            "chats": {"type": "array", "items": CHAT_ROW_SCHEMA},
            **SCANNED_PROPERTIES,
            "health_guide": HEALTH_GUIDE_SCHEMA,
        },
        "required": ["chats", "scanned", "complete"],
    },
    run=find_chats,
    seconds=SCAN_SECONDS,
)
