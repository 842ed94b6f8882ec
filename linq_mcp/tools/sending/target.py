"""Where a message goes: the chat of an id, the one chat with a person, or a new one. Reads only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import anyio

from linq_mcp.contacts.directory import normal_handle
from linq_mcp.errors import ArgumentsError, LineNotOpenError, LinqError
from linq_mcp.rows.chat import given_name, health_status, is_active, own_line
from linq_mcp.rows.message import sender_of
from linq_mcp.rows.status import status_of
from linq_mcp.sanitize import HANDLE_LIMIT, ID_LIMIT, clean
from linq_mcp.tools.sending.gates import check_health

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from linq_mcp.api.models import Chat
    from linq_mcp.api.responses import Page
    from linq_mcp.tools.base.tool import Call

_PAGE = 100
# Of a chat's messages, when looking for one of theirs.
_MOST_PAGES = 10
# Of a large group.
_PEOPLE_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class Target:
    """A chat that a message can go to; without a `chat_id` it is opened by its first message.

    `recipients` are the handles of everybody else in it, and `unreadable` counts those whose handle can't be read.
    `status` is its health and `reputation` that of the line, both as Linq reports them.
    """

    chat_id: str | None
    line: str
    recipients: tuple[str, ...]
    unreadable: int = 0
    name: str | None = None
    is_group: bool = False
    status: str | None = None
    reputation: str | None = None


@dataclass(frozen=True)
class History:
    """Whether a chat has no messages, and who of its recipients never wrote in it."""

    is_empty: bool
    silent: tuple[str, ...]


async def find_target(call: Call, *, chat_id: str | None, to: str | None, from_: str | None) -> Target:
    """The chat that is meant. Raises `ArgumentsError` where that is not exactly one, and what the API raises.

    Raises `LineNotOpenError` where a chat would have to be opened on a line that is not one's own.
    """
    if (chat_id is None) == (to is None):
        raise ArgumentsError(["Pass exactly one of `chat_id` and `to`."])
    if chat_id is not None:
        chat = await call.api.get_chat(chat_id, deadline=call.deadline)
        target = _target_of(chat, from_)
        if target is None:
            raise ArgumentsError(["`chat_id` is a chat that you have left, or that nobody else is in."])
        if from_ and from_ != target.line:
            raise ArgumentsError(
                [f"`from` must be a line of yours in the chat, such as {target.line}; it can be left out."]
            )
    else:
        target = await _with_person(call, to or "", from_)
    numbers = await call.api.list_phone_numbers(deadline=call.deadline)
    own = {number.phone_number: status_of(number.reputation) for number in numbers.items}
    # A shared line may be missing from the list; its chats show that it can be used.
    if target.chat_id is None and target.line not in own:
        raise LineNotOpenError(target.line)
    return replace(target, reputation=own.get(target.line))


async def read_history(call: Call, target: Target) -> History:
    """Who has written in the chat, as far as its first thousand messages tell."""
    silent = {normal_handle(handle): handle for handle in target.recipients}
    is_empty = True
    cursor: str | None = None
    for _ in range(_MOST_PAGES if target.chat_id else 0):
        page = await call.api.list_messages(target.chat_id or "", limit=_PAGE, cursor=cursor, deadline=call.deadline)
        is_empty = is_empty and not page.items
        for message in page.items:
            if message.is_from_me is False:
                writer = sender_of(message)
                # In a chat between two, whatever is not ours is theirs.
                silent.pop(normal_handle(writer or "") if target.is_group else next(iter(silent), ""), None)
        cursor = page.next_cursor
        if cursor is None or not silent:
            break
    return History(is_empty=is_empty, silent=tuple(silent.values()))


async def check_people(call: Call, target: Target) -> None:
    """Look at all chats with each recipient, and raise `NotSentError` if one of them opted out, on whatever line.

    Raises what the API raises, as those who could not be looked at may have opted out.
    """
    at_once = anyio.CapacityLimiter(_PEOPLE_AT_ONCE)
    found: dict[str, frozenset[str]] = {}
    failure: LinqError | None = None

    async def look(person: str) -> None:
        nonlocal failure
        try:
            async with at_once:
                is_person = partial(_is_same, person)
                found[person] = await call.api.health_with(person, is_person=is_person, deadline=call.deadline)
        except LinqError as error:
            # Raised after the group, which would wrap it.
            failure = error

    async with anyio.create_task_group() as tasks:
        for person in target.recipients:
            tasks.start_soon(look, person)
    for person in target.recipients:
        for status in sorted(found.get(person, ()), reverse=True):
            check_health(status, allow_critical=call.sending.allow_critical, person=person)
    if failure:
        raise failure


def _is_same(one: str, other: str) -> bool:
    return normal_handle(one) == normal_handle(other)


async def _with_person(call: Call, to: str, from_: str | None) -> Target:
    def list_page(cursor: str | None) -> Awaitable[Page[Chat]]:
        return call.api.list_chats(from_=from_, to=to, limit=_PAGE, cursor=cursor, deadline=call.deadline)

    from linq_mcp.api.client import every_chat  # noqa: PLC0415 - it imports httpx, as the client does

    found = [
        target
        async for chat in every_chat(list_page)
        if (target := _target_of(chat, from_))
        and not (target.is_group or target.unreadable)
        and [normal_handle(recipient) for recipient in target.recipients] == [normal_handle(to)]
    ]
    match found:
        case [target]:
            return target
        case [] if from_:
            return Target(chat_id=None, line=from_, recipients=(to,))
        case []:
            raise ArgumentsError(
                [f"There is no chat with {to} yet. To start one, pass the line that should write to them as `from`."]
            )
        case _:
            ids = ", ".join(f"{target.chat_id} (your line {target.line})" for target in found[:10])
            raise ArgumentsError([f"There are several chats with {to}. Pass the id of one as `chat_id`: {ids}."])


def _target_of(chat: Chat, preferred: str | None = None) -> Target | None:
    """`chat` as a target; None if there is nobody in it to write, or to write to."""
    line = own_line(chat, preferred)
    others = [handle.handle or "" for handle in chat.handles or () if not handle.is_me and is_active(handle)]
    recipients = tuple(other for other in others if other and clean(other, HANDLE_LIMIT) == other)
    if not chat.id or line is None or not is_active(line) or not others:
        return None
    return Target(
        chat_id=clean(chat.id, ID_LIMIT),
        line=clean(line.handle or "", HANDLE_LIMIT),
        recipients=recipients,
        unreadable=len(others) - len(recipients),
        name=given_name(chat),
        is_group=bool(chat.is_group) or len(others) > 1,
        status=health_status(chat),
    )
