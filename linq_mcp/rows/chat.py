"""A chat as a row: the compact summary of it that lists of chats are made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NotRequired, TypedDict

from linq_mcp.rows.status import guide_to, is_unhealthy, status_of
from linq_mcp.sanitize import HANDLE_LIMIT, ID_LIMIT, clean, clean_word, utc

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat, Handle

NAME_LIMIT = 80
PARTICIPANT_LIMIT = 8
_GONE = frozenset({"left", "removed"})


class ChatState(TypedDict):
    """How a chat stands. Times are UTC; `health_since` is there unless it is healthy."""

    is_group: NotRequired[bool]
    service: NotRequired[str]
    health_status: NotRequired[str]
    health_since: NotRequired[str]
    updated_at: NotRequired[str]


class ChatRow(ChatState):
    """A chat in short; the README says when each optional member is there."""

    id: NotRequired[str]
    display_name: NotRequired[str]
    line: NotRequired[str]
    participants: NotRequired[list[str]]
    participant_count: NotRequired[int]


CHAT_ROW_SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "display_name": {"type": "string"},
        "line": {"type": "string"},
        "participants": {"type": "array", "items": {"type": "string"}},
        "participant_count": {"type": "integer"},
        "is_group": {"type": "boolean"},
        "service": {"type": "string"},
        "health_status": {"type": "string"},
        "health_since": {"type": "string"},
        "updated_at": {"type": "string"},
    },
}
HEALTH_GUIDE_SCHEMA = {"type": "object"}


def chat_row(chat: Chat, preferred_line: str | None = None) -> ChatRow:
    """`chat` in short."""
    row: ChatRow = {}
    if chat_id := clean(chat.id or "", ID_LIMIT):
        row["id"] = chat_id
    if (given := given_name(chat)) and (name := clean(given, NAME_LIMIT)):
        row["display_name"] = name
    line = own_line(chat, preferred_line)
    if line and (number := clean(line.handle or "", HANDLE_LIMIT)):
        row["line"] = number
    others = [
        shown
        for handle in chat.handles or ()
        if handle is not line and is_present(handle) and (shown := clean(handle.handle or "", HANDLE_LIMIT))
    ]
    if others:
        row["participants"] = others[:PARTICIPANT_LIMIT]
    if len(others) > PARTICIPANT_LIMIT:
        row["participant_count"] = len(others)
    add_state(row, chat)
    return row


def add_state(row: ChatState, chat: Chat) -> None:
    """Write into `row` how `chat` stands."""
    if chat.is_group:
        row["is_group"] = True
    if service := clean_word(chat.service):
        row["service"] = service
    health = chat.health_status
    if health and (status := status_of(health)):
        row["health_status"] = status
        if is_unhealthy(status) and (since := utc(health.updated_at or "")):
            row["health_since"] = since
    if updated_at := utc(chat.updated_at or ""):
        row["updated_at"] = updated_at


def given_name(chat: Chat) -> str | None:
    """The chat's name when someone gave it one: a list of nothing but the chat's handles is Linq's default."""
    name = chat.display_name
    if not name:
        return None
    handles = [handle.handle for handle in chat.handles or () if handle.handle]
    if name == ", ".join(handles):
        return None
    known = {handle.casefold() for handle in handles}
    items = (item.strip().casefold() for item in name.split(","))
    return None if all(item in known or not item for item in items) else name


def own_line(chat: Chat, preferred: str | None = None) -> Handle | None:
    """Your own number in the chat: the preferred one, else the first one still in it, else the first that was."""
    own = [handle for handle in chat.handles or () if handle.is_me and handle.handle]
    if len(own) > 1:
        own.sort(key=lambda handle: (handle.handle != preferred, not is_present(handle)))
    return own[0] if own else None


def is_present(handle: Handle) -> bool:
    """Whether a handle is still in its chat; `status` is trusted before `left_at`."""
    if handle.status == "active":
        return True
    return handle.status.casefold() not in _GONE if handle.status else not handle.left_at


def health_status(chat: Chat) -> str | None:
    """The status as Linq sent it, known or not."""
    return status_of(chat.health_status)


def health_guide(chats: Iterable[Chat]) -> dict[str, str]:
    """Where Linq explains each unhealthy status among `chats`: status -> URL."""
    return guide_to(chat.health_status for chat in chats)
