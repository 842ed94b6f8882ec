"""A message as a row of a transcript: who, when and what, compact, without losing a fact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NotRequired, TypedDict

from linq_mcp.contacts.directory import NOBODY, Directory
from linq_mcp.region import local_time
from linq_mcp.rows.schema import without_empty
from linq_mcp.sanitize import HANDLE_LIMIT, ID_LIMIT, clean, clean_word, safe_url, seconds

if TYPE_CHECKING:
    from linq_mcp.api.models import Message, Part, Reaction

TEXT_LIMIT = 2000
SHORT_TEXT_LIMIT = 200
LIST_LIMIT = 12
ME = "me"
# A message may be sent some seconds after Linq listed it. Where one time bounds the other, this much is added.
SPARE_SECONDS = 3600.0
_FILE_NAME_LIMIT = 100
_UNKNOWN = "unknown"
_KNOWN_PARTS = frozenset({"text", "link", "media", "imessage_app", "app_clip"})


class ReactionRow(TypedDict):
    """Who reacted, and how; a custom reaction shows its emoji."""

    type: str
    sender: NotRequired[str]


class AttachmentRow(TypedDict):
    """A file of a message. Only a message in full has its `url`."""

    id: NotRequired[str]
    filename: NotRequired[str]
    mime_type: NotRequired[str]
    size_bytes: NotRequired[int | None]
    url: NotRequired[str]


class MessageContent(TypedDict):
    """What a message says. `sender` is `me` or a handle, `sender_name` the name the directory has.

    `delivery_status` is there for your own messages only, `empty` where Linq keeps no content. `arrived_at` is when a
    message arrived that Linq recovered late. `may_be_poll`: a poll has no content in lists, only by itself.
    """

    at: NotRequired[str]
    arrived_at: NotRequired[str]
    sender: NotRequired[str]
    sender_name: NotRequired[str]
    text: NotRequired[str]
    text_length: NotRequired[int | None]
    attachments: NotRequired[list[AttachmentRow]]
    attachment_count: NotRequired[int | None]
    other_parts: NotRequired[list[str]]
    empty: NotRequired[bool]
    may_be_poll: NotRequired[bool]
    reactions: NotRequired[list[ReactionRow]]
    reaction_count: NotRequired[int | None]
    reply_to: NotRequired[str]
    effect: NotRequired[str]
    delivery_status: NotRequired[str]
    service: NotRequired[str]


class MessageRow(MessageContent):
    """A message in short."""

    id: NotRequired[str]


class LastMessage(TypedDict):
    """The last message of a chat, on one line. `attachments` is how many; `my_reaction` is an answer to it."""

    at: NotRequired[str]
    sender: NotRequired[str]
    sender_name: NotRequired[str]
    text: NotRequired[str]
    attachments: NotRequired[int | None]
    other_parts: NotRequired[list[str]]
    empty: NotRequired[bool]
    may_be_poll: NotRequired[bool]
    my_reaction: NotRequired[str]
    delivery_status: NotRequired[str]


def usual_service(messages: Iterable[Message]) -> str:
    """The most common service among `messages`, which their rows can leave out; "" if that of any is unknown."""
    services = Counter(clean_word(message.service) for message in messages)
    return services.most_common(1)[0][0] if services and "" not in services else ""


def message_row(message: Message, usual: str = "", directory: Directory = NOBODY) -> MessageRow:
    """`message` in short; its service is omitted where it is the `usual` one."""
    row: MessageRow = {"id": clean(message.id or "", ID_LIMIT), **message_content(message, directory)}
    if row.get("service") == usual:
        row["service"] = ""
    return without_empty(row)


def last_message(message: Message, directory: Directory = NOBODY) -> LastMessage:
    """`message` on one line."""
    parts = message.parts or []
    sender = sender_of(message) or ""
    row: LastMessage = {
        "at": local_time(time_of(message) or ""),
        "sender": sender,
        "sender_name": directory.name_of(sender),
        "text": clean(text_of(message), SHORT_TEXT_LIMIT),
        "attachments": sum(part.type == "media" for part in parts) or None,
        "other_parts": _other_parts(parts),
        "empty": is_empty(message),
        "may_be_poll": may_be_poll(message),
        "my_reaction": next((_kind(reaction) for reaction in _reactions(parts) if reaction.is_me), ""),
        "delivery_status": clean_word(message.delivery_status) if message.is_from_me else "",
    }
    return without_empty(row)


def message_content(
    message: Message,
    directory: Directory = NOBODY,
    *,
    text_limit: int | None = TEXT_LIMIT,
    list_limit: int | None = LIST_LIMIT,
    urls: bool = False,
) -> MessageContent:
    """What `message` says, cut at the limits; None is no limit. Members without a value may be empty."""
    parts = message.parts or []
    whole = text_of(message)
    text = whole if text_limit is None else clean(whole, text_limit, lines=True)
    sender = sender_of(message) or ""
    # A file is kept even if nothing is known about it.
    files = [attachment_row(part, url=urls) or {"filename": _UNKNOWN} for part in parts if part.type == "media"]
    reactions = [_reaction(reaction) for reaction in _reactions(parts)]
    return {
        "at": local_time(time_of(message) or ""),
        "arrived_at": local_time(message.reconciled_at or ""),
        "sender": sender,
        "sender_name": directory.name_of(sender),
        "text": text,
        "text_length": len(whole) if len(text) != len(whole) else None,
        "attachments": files[:list_limit],
        "attachment_count": _count_beyond(files, list_limit),
        "other_parts": _other_parts(parts),
        "empty": is_empty(message),
        "may_be_poll": may_be_poll(message),
        "reactions": reactions[:list_limit],
        "reaction_count": _count_beyond(reactions, list_limit),
        "reply_to": clean((message.reply_to and message.reply_to.message_id) or "", ID_LIMIT),
        "effect": clean_word(message.effect.name if message.effect else None),
        "delivery_status": clean_word(message.delivery_status) if message.is_from_me else "",
        "service": clean_word(message.service),
    }


def direction(messages: Sequence[Message]) -> str | None:
    """Whether a list of messages, as Linq gave it, leads to `older` or to `newer` ones; None if that can't be seen."""
    times = [at for at in map(listed_at, messages) if at]
    steps = [later - earlier for earlier, later in pairwise(times) if later != earlier]
    # All neighbours are compared, as a message that Linq recovered late may be out of order.
    newer = sum(step > 0 for step in steps)
    if 2 * newer == len(steps):
        return None
    return "newer" if 2 * newer > len(steps) else "older"


def time_of(message: Message) -> str | None:
    """When it was written: a message that Linq recovered late was created long after it was sent."""
    return message.sent_at or message.created_at


def timestamp(message: Message) -> float:
    """When it was written, in seconds since 1970; 0 if that is not known."""
    return seconds(message.sent_at or message.created_at or "")


def listed_at(message: Message) -> float:
    """When Linq listed it, in seconds since 1970; for a message recovered late, long after it was sent."""
    return seconds(message.created_at or message.sent_at or "")


def arrived_at(message: Message) -> float:
    """When it was there to be read, in seconds since 1970: for a message recovered late, when Linq recovered it."""
    return (message.reconciled_at and seconds(message.reconciled_at)) or timestamp(message)


def is_empty(message: Message) -> bool:
    """Whether Linq keeps no content of it."""
    return not (message.parts or may_be_poll(message))


def may_be_poll(message: Message) -> bool:
    """Whether it may be a poll: these are sent in iMessage, and what they hold is not among a message's parts."""
    return not message.parts and (message.service or "").casefold() == "imessage"


def is_answer(message: Message) -> bool:
    """Whether you sent it and it did not fail."""
    return bool(message.is_from_me) and (message.delivery_status or "").casefold() != "failed"


def sender_of(message: Message) -> str | None:
    """The handle it is from, or `me`."""
    if message.is_from_me:
        return ME
    handle = message.from_handle.handle if message.from_handle else None
    return clean(handle or message.from_ or "", HANDLE_LIMIT) or None


def text_of(message: Message) -> str:
    """Everything in it that reads as text, whole, each part on a line of its own."""
    return clean("\n".join(filter(None, map(_part_text, message.parts or []))), None, lines=True)


def has_attachment(message: Message) -> bool:
    return any(part.type == "media" for part in message.parts or [])


def attachment_row(part: Part, *, url: bool = False) -> AttachmentRow:
    """What a message says of one of its files."""
    row: AttachmentRow = {
        "id": clean(part.id or "", ID_LIMIT),
        "filename": clean(part.filename or "", _FILE_NAME_LIMIT),
        "mime_type": clean(part.mime_type or "", _FILE_NAME_LIMIT),
        "size_bytes": part.size_bytes,
        "url": safe_url(part.url or "") if url else "",
    }
    return without_empty(row)


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


def _other_parts(parts: Sequence[Part]) -> list[str]:
    """The kinds of part that are not known here: named, so that the reader knows there is something."""
    return [clean_word(part.type) or _UNKNOWN for part in parts if part.type not in _KNOWN_PARTS][:LIST_LIMIT]


def _count_beyond(items: Sequence[object], limit: int | None) -> int | None:
    """How many `items` there are, if that is more than `limit`."""
    return len(items) if limit is not None and len(items) > limit else None


def _reactions(parts: Sequence[Part]) -> list[Reaction]:
    return [reaction for part in parts for reaction in part.reactions or []]


def _kind(reaction: Reaction) -> str:
    kind = reaction.custom_emoji if reaction.type == "custom" and reaction.custom_emoji else reaction.type
    return clean_word(kind) or _UNKNOWN


def _reaction(reaction: Reaction) -> ReactionRow:
    handle = clean((reaction.handle and reaction.handle.handle) or "", HANDLE_LIMIT)
    row: ReactionRow = {"type": _kind(reaction), "sender": ME if reaction.is_me else handle}
    return without_empty(row)
