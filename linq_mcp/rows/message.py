"""A message as a row of a transcript: who, when, and what, in as few bytes as keep every fact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from linq_mcp.sanitize import HANDLE_LIMIT, ID_LIMIT, clean, clean_word, moment, utc

if TYPE_CHECKING:
    from linq_mcp.api.models import Message, Part, Reaction

TEXT_LIMIT = 2000
LIST_LIMIT = 12
ME = "me"
_FILE_NAME_LIMIT = 100
_UNKNOWN = "unknown"
_KNOWN_PARTS = frozenset({"text", "link", "media", "imessage_app", "app_clip"})

From = TypedDict("From", {"from": NotRequired[str]})
"""`from` is a word that Python keeps for itself; a TypedDict can only have it in this notation."""


class ReactionRow(From):
    type: str


class AttachmentRow(TypedDict):
    """A file of a message. Its `url` is presigned and expires within about an hour, so rows of a list go without."""

    id: NotRequired[str]
    filename: NotRequired[str]
    mime_type: NotRequired[str]
    size_bytes: NotRequired[int]
    url: NotRequired[str]


class MessageRow(From):
    """A message in short; README says when each optional member is there. Times are UTC."""

    id: NotRequired[str]
    at: NotRequired[str]
    text: NotRequired[str]
    text_length: NotRequired[int]
    attachments: NotRequired[list[AttachmentRow]]
    attachment_count: NotRequired[int]
    other_parts: NotRequired[list[str]]
    reactions: NotRequired[list[ReactionRow]]
    reaction_count: NotRequired[int]
    reply_to: NotRequired[str]
    effect: NotRequired[str]
    delivery_status: NotRequired[str]
    service: NotRequired[str]


MESSAGE_ROW_PROPERTIES: dict[str, Any] = {
    "id": {"type": "string"},
    "at": {"type": "string"},
    "from": {"type": "string"},
    "text": {"type": "string"},
    "text_length": {"type": "integer"},
    "attachments": {"type": "array", "items": {"type": "object"}},
    "attachment_count": {"type": "integer"},
    "other_parts": {"type": "array", "items": {"type": "string"}},
    "reactions": {"type": "array", "items": {"type": "object"}},
    "reaction_count": {"type": "integer"},
    "reply_to": {"type": "string"},
    "effect": {"type": "string"},
    "delivery_status": {"type": "string"},
    "service": {"type": "string"},
}
MESSAGE_ROW_SCHEMA = {"type": "object", "properties": MESSAGE_ROW_PROPERTIES}


def transcript(messages: Iterable[Message], *, every_service: bool = False) -> list[MessageRow]:
    """`messages` as rows, oldest first; `service` stands only where it is not the most common one among them.

    With `every_service` it always does: among messages that were picked the most common one says nothing.
    """
    ordered = sorted(messages, key=_moment)
    services = Counter(message.service for message in ordered if message.service)
    usual = services.most_common(1)[0][0] if services and not every_service else None
    return [message_row(message, usual_service=usual) for message in ordered]


def message_row(
    message: Message, *, usual_service: str | None = None, text_limit: int | None = TEXT_LIMIT, whole: bool = False
) -> MessageRow:
    """`message` as a row. `whole` lifts the limits of the lists and adds the files' urls."""
    row: MessageRow = {}
    if message_id := clean(message.id or "", ID_LIMIT):
        row["id"] = message_id
    if at := utc(time_of(message) or ""):
        row["at"] = at
    if sender := sender_of(message):
        row["from"] = sender
    if text := text_of(message):
        row["text"] = text if text_limit is None else clean(text, text_limit, lines=True)
        if len(row["text"]) != len(text):
            row["text_length"] = len(text)
    _add_parts(row, message.parts or [], whole=whole)
    if reply_to := clean((message.reply_to and message.reply_to.message_id) or "", ID_LIMIT):
        row["reply_to"] = reply_to
    if effect := clean_word(message.effect.name if message.effect else None):
        row["effect"] = effect
    if message.is_from_me and (delivery_status := clean_word(message.delivery_status)):
        row["delivery_status"] = delivery_status
    if message.service != usual_service and (service := clean_word(message.service)):
        row["service"] = service
    return row


def time_of(message: Message) -> str | None:
    """When it was written: a message that Linq came by late is created long after it was sent."""
    return message.sent_at or message.created_at


def sender_of(message: Message) -> str | None:
    """The handle it is from, or `me`."""
    if message.is_from_me:
        return ME
    handle = message.from_handle.handle if message.from_handle else None
    return clean(handle or message.from_ or "", HANDLE_LIMIT) or None


def text_of(message: Message) -> str:
    """Everything in it that reads as text, its parts on lines of their own, whole."""
    return clean("\n".join(filter(None, map(_part_text, message.parts or []))), None, lines=True)


def has_attachment(message: Message) -> bool:
    return any(part.type == "media" for part in message.parts or [])


def direction(messages: Sequence[Message]) -> str | None:
    """Where the next page leads: Linq leaves the order open, but a page that came oldest first goes on with newer ones.

    None when the page does not show it.
    """
    first, last = (_moment(messages[index]) for index in (0, -1)) if messages else (0.0, 0.0)
    if not first or not last or first == last:
        return None
    return "newer" if first < last else "older"


def _moment(message: Message) -> float:
    at = moment(time_of(message) or "")
    return at.timestamp() if at else 0.0


def _part_text(part: Part) -> str | None:
    match part.type:
        case "text" | "link":
            return part.value
        case "imessage_app":
            caption = part.layout.caption if part.layout else None
            return part.fallback_text or part.title or caption or (part.app.name if part.app else None)
        case "app_clip":
            return part.title or part.value
        case _:
            return None


def _add_parts(row: MessageRow, parts: Sequence[Part], *, whole: bool) -> None:
    most = None if whole else LIST_LIMIT
    # A file of which nothing is known is still a file.
    attachments = [_attachment(part, whole=whole) or {"filename": _UNKNOWN} for part in parts if part.type == "media"]
    if attachments:
        row["attachments"] = attachments[:most]
    if len(attachments) > len(attachments[:most]):
        row["attachment_count"] = len(attachments)
    # A kind of part that is not known here yet is named, so that the reader knows there is something.
    others = [clean_word(part.type) or _UNKNOWN for part in parts if part.type not in _KNOWN_PARTS]
    if others:
        row["other_parts"] = others[:LIST_LIMIT]
    reactions = [_reaction(reaction) for part in parts for reaction in part.reactions or []]
    if reactions:
        row["reactions"] = reactions[:most]
    if len(reactions) > len(reactions[:most]):
        row["reaction_count"] = len(reactions)


def _attachment(part: Part, *, whole: bool) -> AttachmentRow:
    row: AttachmentRow = {}
    if part_id := clean(part.id or "", ID_LIMIT):
        row["id"] = part_id
    if filename := clean(part.filename or "", _FILE_NAME_LIMIT):
        row["filename"] = filename
    if mime_type := clean(part.mime_type or "", _FILE_NAME_LIMIT):
        row["mime_type"] = mime_type
    if part.size_bytes is not None:
        row["size_bytes"] = part.size_bytes
    if whole and part.url and part.url.startswith("https://"):
        # To be opened as it is: cut short it would lead nowhere.
        row["url"] = clean(part.url, None)
    return row


def _reaction(reaction: Reaction) -> ReactionRow:
    kind = reaction.custom_emoji if reaction.type == "custom" and reaction.custom_emoji else reaction.type
    row: ReactionRow = {"type": clean_word(kind) or _UNKNOWN}
    if reaction.is_me:
        row["from"] = ME
    elif handle := clean((reaction.handle and reaction.handle.handle) or "", HANDLE_LIMIT):
        row["from"] = handle
    return row
