"""Computes the rows of answers from the official SDK's own objects, independently of the code under test.

Times are datetimes here; `instants` makes an answer comparable.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from linq.types import Chat, Message
from linq.types.phone_number_list_response import PhoneNumber
from linq.types.shared.chat_handle import ChatHandle
from linq.types.shared.reaction import Reaction

Row = dict[str, Any]

_TIMES = frozenset({"at", "created_at", "updated_at", "health_since", "joined_at", "left_at"})
_TIMES |= {"sent_at", "delivered_at", "read_at", "arrived_at"}
_LINE_BREAKS = ("\r\n", "\r", "\u2028", "\u2029", "\u0085")
_ZWJ, _VS16 = "\u200d", "\ufe0f"


def instants(answer: Any) -> Any:
    """Return an answer, or a part of one, with each time as a datetime."""
    if isinstance(answer, list):
        return [instants(item) for item in answer]
    if isinstance(answer, dict):
        return {
            name: datetime.fromisoformat(value) if name in _TIMES else instants(value) for name, value in answer.items()
        }
    return answer


def shown(text: str, limit: int | None = None, *, lines: bool = False) -> str:
    """Return what a reader can see of `text`, at most `limit` characters of it."""
    for line_break in _LINE_BREAKS:
        text = text.replace(line_break, "\n")
    kept = "".join(character for character in text if character.isprintable() or character in f"\n{_ZWJ}{_VS16}")
    words = [" ".join(line.split()) for line in (kept.split("\n") if lines else [kept])]
    text = "\n".join(words)
    return text if limit is None or len(text) <= limit else text[: limit - 1].rstrip() + "…"


def chat_as_row(chat: Chat) -> Row:
    """Return a chat as `list_chats` shows it."""
    line = _line(chat)
    others = [handle.handle for handle in chat.handles if handle is not line and _is_present(handle)]
    row = {
        "id": chat.id,
        "display_name": shown(chat.display_name or "", 80) if _is_named(chat) else None,
        "line": line and line.handle,
        "participants": others[:8],
        "participant_count": len(others) if len(others) > 8 else None,
    }
    return _without_absent({**row, **_state(chat)})


def chat_in_full(chat: Chat) -> Row:
    """Return the chat as `get_chat` shows it."""
    line = _line(chat)
    health = getattr(chat, "health_status", None)
    row = {
        "id": chat.id,
        "display_name": shown(chat.display_name or ""),
        "line": line and line.handle,
        "participants": [
            _without_absent(
                {
                    "handle": handle.handle,
                    "is_me": handle.is_me,
                    "service": handle.service,
                    "status": handle.status if handle.status != "active" else None,
                    "line_type": handle.line_type,
                    "joined_at": _second(handle.joined_at),
                    "left_at": _second(handle.left_at),
                }
            )
            for handle in chat.handles
        ],
        "created_at": _second(chat.created_at),
        "health_guide": health.doc_url if health and health.status != "HEALTHY" else None,
        "group_chat_icon": chat.group_chat_icon,
    }
    return _without_absent({**row, **_state(chat)})


def transcript_of(messages: Sequence[Message]) -> list[Row]:
    """Return a page of messages as `list_messages` shows it."""
    ordered = sorted(messages, key=lambda message: message.sent_at or message.created_at)
    services = Counter(message.service or "" for message in ordered)
    usual = "" if "" in services or not services else services.most_common(1)[0][0]
    rows = []
    for message in ordered:
        row = message_as_row(message)
        if message.service == usual:
            del row["service"]
        if len(row.get("text", "")) > 2000:
            row.update(text=shown(row["text"], 2000, lines=True), text_length=len(row["text"]))
        rows.append(row)
    return rows


def message_as_row(message: Message, *, urls: bool = False) -> Row:
    """Return a message with its full text."""
    parts: Sequence[Any] = message.parts or []
    sender = message.from_handle.handle if message.from_handle else message.from_
    return _without_absent(
        {
            "id": message.id,
            "at": _second(message.sent_at or message.created_at),
            "sender": "me" if message.is_from_me else sender,
            "text": shown("\n".join(filter(None, map(_words, parts))), lines=True),
            "attachments": [
                _without_absent(
                    {
                        "id": part.id,
                        "filename": shown(part.filename),
                        "mime_type": part.mime_type,
                        "size_bytes": part.size_bytes,
                        # One that holds what an address can't is left out: cleaned it would lead elsewhere.
                        "url": part.url if urls and re.fullmatch(r"https://[!-~]+", part.url) else None,
                    }
                )
                for part in parts
                if part.type == "media"
            ],
            "empty": not parts and message.service != "iMessage",
            # In a list; one message by itself is a poll or empty, and the account has no polls.
            "may_be_poll": not parts and message.service == "iMessage",
            "arrived_at": _second(message.reconciled_at),
            "other_parts": [part.type for part in parts if part.type == "poll"],
            "reactions": [_reaction(reaction) for part in parts for reaction in getattr(part, "reactions", None) or []],
            "reply_to": message.reply_to and message.reply_to.message_id,
            "effect": message.effect and message.effect.name,
            "delivery_status": message.delivery_status if message.is_from_me else None,
            "service": message.service,
        }
    )


def message_in_full(message: Message) -> Row:
    """Return the message as `get_message` shows it."""
    times = ("created_at", "sent_at", "delivered_at", "read_at")
    stamps = {name: _second(getattr(message, name)) for name in times}
    content = {**message_as_row(message, urls=True), "empty": not message.parts, "may_be_poll": False}
    return _without_absent({**content, "chat_id": message.chat_id, **stamps})


def line_as_row(number: PhoneNumber) -> Row:
    """Return a line as `list_phone_numbers` shows it."""
    return _without_absent(
        {
            "phone_number": number.phone_number,
            "reputation": number.reputation.status,
            "line_type": number.line_type,
            "forwarding_number": number.forwarding_number,
            "id": number.id,
        }
    )


def _without_absent(row: Row) -> Row:
    return {name: value for name, value in row.items() if value not in (None, "", [], False)}


def _second(at: datetime | None) -> datetime | None:
    return at and at.astimezone(UTC).replace(microsecond=0)


def _state(chat: Chat) -> Row:
    health = getattr(chat, "health_status", None)
    return {
        "is_group": chat.is_group,
        "service": chat.service,
        "health_status": health and health.status,
        "health_since": _second(health.updated_at) if health and health.status != "HEALTHY" else None,
        "updated_at": _second(chat.updated_at),
    }


def _line(chat: Chat) -> ChatHandle | None:
    own = [handle for handle in chat.handles if handle.is_me]
    return next(iter([*filter(_is_present, own), *own]), None)


def _is_present(handle: ChatHandle) -> bool:
    return handle.status not in ("left", "removed")


def _is_named(chat: Chat) -> bool:
    """Return whether somebody named the chat: Linq names others after their handles."""
    return not {*(chat.display_name or "").split(", ")} <= {"", *(handle.handle for handle in chat.handles)}


def _words(part: Any) -> str | None:
    members = {"text": "value", "link": "value", "imessage_app": "fallback_text", "app_clip": "title"}
    return getattr(part, members[part.type]) if part.type in members else None


def _reaction(reaction: Reaction) -> Row:
    by = "me" if reaction.is_me else reaction.handle.handle
    return {"type": reaction.custom_emoji if reaction.type == "custom" else reaction.type, "sender": by}
