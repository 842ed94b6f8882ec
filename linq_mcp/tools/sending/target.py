"""Where a message goes: the chat of an id, the one chat with a person, or a new one. Reads only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from linq_mcp.errors import ArgumentsError, LineNotOpenError
from linq_mcp.rows.chat import given_name, health_status, is_active, own_line
from linq_mcp.rows.status import OPTED_OUT, status_of
from linq_mcp.sanitize import HANDLE_LIMIT, ID_LIMIT, clean

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat
    from linq_mcp.tools.base.tool import Call

_PAGE = 100
# Of a chat's messages, when looking for one of theirs.
_MOST_PAGES = 10


@dataclass(frozen=True, kw_only=True)
class Target:
    """A chat that a message can go to; without a `chat_id` it is opened by its first message.

    `recipients` are the handles of everybody else in it, `status` is its health and `reputation` that of the line, both
    as Linq reports them.
    """

    chat_id: str | None
    line: str
    recipients: tuple[str, ...]
    name: str | None = None
    is_group: bool = False
    status: str | None = None
    reputation: str | None = None


@dataclass(frozen=True)
class History:
    """What a chat has of messages: any at all, and any of the others'."""

    is_empty: bool
    have_written: bool


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
    """Whether the chat has messages, and any from the others in it."""
    if target.chat_id is None:
        return History(is_empty=True, have_written=False)
    cursor: str | None = None
    is_empty = True
    for _ in range(_MOST_PAGES):
        page = await call.api.list_messages(target.chat_id, limit=_PAGE, cursor=cursor, deadline=call.deadline)
        is_empty = is_empty and not page.items
        if any(message.is_from_me is False for message in page.items):
            return History(is_empty=False, have_written=True)
        if page.next_cursor is None or page.next_cursor == cursor:
            break
        cursor = page.next_cursor
    return History(is_empty=is_empty, have_written=False)


async def _with_person(call: Call, to: str, from_: str | None) -> Target:
    page = await call.api.list_chats(from_=from_, to=to, limit=_PAGE, cursor=None, deadline=call.deadline)
    found = [
        target
        for chat in page.items
        if (target := _target_of(chat, from_)) and not target.is_group and len(target.recipients) == 1
    ]
    match found:
        case [target] if page.next_cursor is None:
            return target
        case []:
            return await _new_chat(call, to, from_)
        case _:
            ids = ", ".join(f"{target.chat_id} (your line {target.line})" for target in found[:10])
            raise ArgumentsError([f"There are several chats with {to}. Pass the id of one as `chat_id`: {ids}."])


async def _new_chat(call: Call, to: str, from_: str | None) -> Target:
    if from_ is None:
        raise ArgumentsError(
            [f"There is no chat with {to} yet. To start one, pass the line that should write to them as `from`."]
        )
    elsewhere = await call.api.list_chats(from_=None, to=to, limit=_PAGE, cursor=None, deadline=call.deadline)
    statuses = [status for chat in elsewhere.items if not chat.is_group and (status := health_status(chat))]
    # An opt-out holds on every line.
    opted_out = next((status for status in statuses if status.casefold() == OPTED_OUT), None)
    return Target(chat_id=None, line=from_, recipients=(to,), status=opted_out)


def _target_of(chat: Chat, preferred: str | None = None) -> Target | None:
    """`chat` as a target; None if there is nobody in it to write, or to write to."""
    line = own_line(chat, preferred)
    recipients = tuple(
        clean(handle.handle, HANDLE_LIMIT)
        for handle in chat.handles or ()
        if not handle.is_me and handle.handle and is_active(handle)
    )
    if not chat.id or line is None or not is_active(line) or not recipients:
        return None
    return Target(
        chat_id=clean(chat.id, ID_LIMIT),
        line=clean(line.handle or "", HANDLE_LIMIT),
        recipients=recipients,
        name=given_name(chat),
        is_group=bool(chat.is_group),
        status=health_status(chat),
    )
