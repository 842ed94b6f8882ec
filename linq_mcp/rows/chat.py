"""A chat as a row: the compact summary that lists of chats are made of, and what other rows share with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NotRequired, TypedDict

from linq_mcp.contacts.directory import NOBODY, Directory
from linq_mcp.region import local_time
from linq_mcp.rows.schema import without_empty
from linq_mcp.rows.status import guide_to, is_unhealthy, status_of
from linq_mcp.sanitize import HANDLE_LIMIT, ID_LIMIT, clean, clean_word

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat, Handle

NAME_LIMIT = 80
PARTICIPANT_LIMIT = 8
REFERENCE_PARTICIPANT_LIMIT = 3
_GONE = frozenset({"left", "removed"})


class ChatState(TypedDict):
    """The state of a chat. `health_since` is omitted while the chat is healthy."""

    is_group: NotRequired[bool]
    service: NotRequired[str]
    health_status: NotRequired[str]
    health_since: NotRequired[str]


class ChatSummary(ChatState):
    """A chat in short, without any time of its own. `participants` are the others who are still in it."""

    id: NotRequired[str]
    display_name: NotRequired[str]
    line: NotRequired[str]
    participants: NotRequired[list[str]]
    participant_count: NotRequired[int | None]


class ChatRow(ChatSummary):
    """A chat in short. `updated_at` is when Linq last updated it, which need not be its last message."""

    updated_at: NotRequired[str]


class ChatReference(TypedDict):
    """A chat as other rows refer to it: by its name, or else by the others who are in it, at most three."""

    id: NotRequired[str]
    display_name: NotRequired[str]
    participants: NotRequired[list[str]]


def chat_reference(chat: Chat, directory: Directory = NOBODY) -> ChatReference:
    """`chat`, enough to recognise it."""
    summary = chat_summary(chat, directory=directory)
    name = summary.get("display_name", "")
    reference: ChatReference = {
        "id": summary.get("id", ""),
        "display_name": name,
        "participants": [] if name else summary.get("participants", [])[:REFERENCE_PARTICIPANT_LIMIT],
    }
    return without_empty(reference)


def chat_row(chat: Chat, preferred_line: str | None = None, directory: Directory = NOBODY) -> ChatRow:
    """`chat` in short; with several of your own numbers in it, `line` is `preferred_line` if that is one of them."""
    row: ChatRow = {**chat_summary(chat, preferred_line, directory), "updated_at": local_time(chat.updated_at or "")}
    return row if row["updated_at"] else without_empty(row)


def chat_summary(chat: Chat, preferred_line: str | None = None, directory: Directory = NOBODY) -> ChatSummary:
    """`chat` in short, without a time. A chat that nobody gave a name shows the names of its people."""
    line = own_line(chat, preferred_line)
    others = [
        shown for handle in chat.handles or () if handle is not line and is_active(handle) and (shown := _shown(handle))
    ]
    summary: ChatSummary = {
        "id": clean(chat.id or "", ID_LIMIT),
        "display_name": clean(given_name(chat) or _people(others, directory), NAME_LIMIT),
        "line": _shown(line),
        "participants": others[:PARTICIPANT_LIMIT],
        "participant_count": len(others) if len(others) > PARTICIPANT_LIMIT else None,
        **chat_state(chat),
    }
    return without_empty(summary)


def _people(handles: Sequence[str], directory: Directory) -> str:
    """The names of these people, with the handle of whoever has none; "" if nobody's name is known."""
    names = [directory.name_of(handle) for handle in handles]
    return ", ".join(name or handle for name, handle in zip(names, handles, strict=True)) if any(names) else ""


def chat_state(chat: Chat) -> ChatState:
    """The state of `chat`; members without a value may be empty."""
    status = health_status(chat)
    changed = chat.health_status.updated_at if chat.health_status and is_unhealthy(status) else None
    return {
        "is_group": bool(chat.is_group),
        "service": clean_word(chat.service),
        "health_status": status or "",
        "health_since": local_time(changed or ""),
    }


def given_name(chat: Chat) -> str | None:
    """The chat's name if somebody gave it one: Linq's default is a list of nothing but the chat's handles."""
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
        own.sort(key=lambda handle: (handle.handle != preferred, not is_active(handle)))
    return own[0] if own else None


def line_number(chat: Chat, preferred: str | None = None) -> str:
    """Your own number in the chat as answers show it, or ""."""
    return _shown(own_line(chat, preferred))


def is_active(handle: Handle) -> bool:
    """Whether a handle is still in its chat; `status` is trusted before `left_at`."""
    if handle.status == "active":
        return True
    return handle.status.casefold() not in _GONE if handle.status else not handle.left_at


def health_status(chat: Chat) -> str | None:
    """The status as Linq sent it, known or not."""
    return status_of(chat.health_status)


def _shown(handle: Handle | None) -> str:
    return clean(handle.handle or "", HANDLE_LIMIT) if handle else ""


def health_guide(chats: Iterable[Chat]) -> dict[str, str]:
    """Where Linq explains each unhealthy status among `chats`: status -> URL."""
    return guide_to(chat.health_status for chat in chats)
