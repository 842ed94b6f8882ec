"""Which messages are asked for: the parameters that choose them, what matches, and what to say about the rest."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from pydantic import Field

from linq_mcp.errors import ArgumentsError
from linq_mcp.rows.message import ME, arrived_at, has_attachment, sender_of, text_of, timestamp
from linq_mcp.rows.status import unknown_words
from linq_mcp.tools.base.param_types import Flag, PastTimestamp, Sender, Text, Timestamp, Word
from linq_mcp.tools.base.parameters import ToolArguments
from linq_mcp.tools.reading.search_note import search_note

if TYPE_CHECKING:
    from linq_mcp.api.models import Message

# Of your own messages. Others' messages are `received`, which `sender` says more plainly.
_DELIVERY_STATUSES = ("pending", "queued", "sent", "delivered", "read", "failed")
THEM = "them"
_RECEIVED = "received"


class FilterArguments(ToolArguments):
    """The parameters that choose messages."""

    ranges = (("after", "before"),)

    text: Text | None = Field(
        None,
        description='All these words or parts of words, in any order; "two words" together, -word not.',
    )
    sender: Sender | None = Field(None, description="me, them, or a person's number or email address.")
    delivery_status: Word | None = Field(
        None, description="Of your own messages: pending, queued, sent, delivered, read or failed."
    )
    has_attachment: Flag | None = Field(None, description="true for messages with files, false for those without.")
    after: PastTimestamp | None = Field(
        None, description="At or after this date or time; if omitted without chat_id, the last 7 days."
    )
    before: Timestamp | None = Field(None, description="Before this.")


@dataclass(slots=True)
class SeenMessages:
    """What the notes need: how many messages had no content, and whether any was from the sender."""

    empty: int = 0
    sender: bool = False

    def add(self, other: SeenMessages) -> None:
        self.empty += other.empty
        self.sender = self.sender or other.sender


class MessageFilter:
    """The filters of a call. `seen` counts what went through them."""

    def __init__(self, arguments: FilterArguments, since: float) -> None:
        self._arguments = arguments
        self._since = since
        self._before = arguments.before.timestamp() if arguments.before else inf
        self.seen = SeenMessages()

    def matches(self, message: Message) -> bool:
        arguments = self._arguments
        self.seen.empty += not message.parts
        if arguments.sender:
            if not _is_from(message, arguments.sender):
                return False
            self.seen.sender = True
        # A message that was recovered late is news since it is here.
        if arrived_at(message) < self._since or (arguments.before and not 0 < timestamp(message) < self._before):
            return False
        if arguments.delivery_status and not has_status(message, arguments.delivery_status):
            return False
        if arguments.has_attachment is not None and has_attachment(message) is not arguments.has_attachment:
            return False
        return arguments.text is None or arguments.text.matches(text_of(message))


def check_delivery_status(sender: str | None, status: str | None) -> None:
    """Raises `ArgumentsError` for a status that messages of that sender never have."""
    received = status is not None and status.casefold() == _RECEIVED
    if status and not received and sender not in (None, ME):
        raise ArgumentsError(["`delivery_status` is that of your own messages; leave out `sender`, or give me."])
    if received and sender == ME:
        raise ArgumentsError(["`delivery_status` received is that of others' messages; leave out `sender`."])


def filter_notes(arguments: FilterArguments, seen: SeenMessages, nothing_in: str | None) -> list[str | None]:
    """The notes on messages that were `seen`; `nothing_in` names what was read if none of them matches."""
    unseen = arguments.sender not in (None, ME, THEM) and not seen.sender
    return [
        f"Nothing in {nothing_in} matches." if nothing_in else None,
        f"None of the messages read is from {arguments.sender}; your own are from me." if unseen else None,
        f"{seen.empty} of the messages read have no stored content to search in."
        if seen.empty and arguments.text
        else None,
        search_note(arguments.text, found=nothing_in is None),
        unknown_status(arguments.delivery_status),
    ]


def unknown_status(status: str | None) -> str | None:
    """The note on a delivery status that Linq is not known to have."""
    return unknown_words([status], _DELIVERY_STATUSES) if status and status.casefold() != _RECEIVED else None


def has_filter(arguments: FilterArguments) -> bool:
    """Whether any of the parameters that choose messages was given."""
    return any(getattr(arguments, name) is not None for name in FilterArguments.model_fields)


def _is_from(message: Message, who: str) -> bool:
    if who == THEM:
        return not message.is_from_me
    return (sender_of(message) or "").casefold() == who.casefold()


def has_status(message: Message, status: str) -> bool:
    """Whether it has that delivery status."""
    # `received` matches only others' messages; every other status only your own.
    own = status.casefold() != _RECEIVED
    return (message.delivery_status or "").casefold() == status.casefold() and bool(message.is_from_me) is own
