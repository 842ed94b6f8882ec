"""The wire format of Linq's API V3. Only these models deal with unexpected data; all other code can rely on the types.

Unknown members are ignored, unknown enum values are kept, and a member that is missing or of another type reads as
None. Everything that is kept has a limit well above what Linq documents: longer texts and lists are cut, longer ids
are hashed, and any other string over its limit reads as None. Shapes follow "Linq docs: List all chats" and the types
of the official SDK.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, OnErrorOmit
from pydantic_core import CoreSchema, core_schema

T = TypeVar("T")

# A chat has 32 people and a message 100 parts.
ITEMS_LIMIT = 1000
ID_LIMIT = 200
# A larger integer is not exact in every JSON reader.
_LARGEST_INTEGER = 2**53 - 1


class _NoneOnError:
    """Annotates a member that reads as None if the value received does not fit its type."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_default_schema(handler(source), default=None, on_error="default")


@dataclass(frozen=True)
class _AtMost:
    """Annotates a string or list of length `limit` at most; a longer one is replaced by what `shorten` returns."""

    limit: int
    shorten: Callable[[Any, int], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        kept = handler(source)
        # The first branch handles the usual case in the validator's compiled code, without calling a Python function.
        shortened = core_schema.no_info_before_validator_function(self._shortened, kept)
        return core_schema.union_schema([{**kept, "max_length": self.limit}, shortened], mode="left_to_right")

    def _shortened(self, value: Any) -> Any:
        return self.shorten(value, self.limit) if isinstance(value, str | list) else value


def _cut(value: Any, limit: int) -> Any:
    return value[:limit]


def _hashed(value: Any, _: int) -> Any:
    """A hash that tells a long id from others. It begins with an ellipsis, as no real id does."""
    return f"…{blake2b(value.encode(), digest_size=16).hexdigest()}" if isinstance(value, str) else value


Maybe = Annotated[T | None, _NoneOnError()]
Items = Annotated[Annotated[list[OnErrorOmit[T]], _AtMost(ITEMS_LIMIT, _cut)] | None, _NoneOnError()]

Id = Maybe[Annotated[str, _AtMost(ID_LIMIT, _hashed)]]
# What people wrote is still useful when it is cut.
Text = Maybe[Annotated[str, _AtMost(100_000, _cut)]]
Name = Maybe[Annotated[str, _AtMost(10_000, _cut)]]
# These are useless unless they are whole.
Address = Maybe[Annotated[str, Field(max_length=1000)]]
Word = Maybe[Annotated[str, Field(max_length=200)]]
Time = Maybe[Annotated[str, Field(max_length=100)]]
Url = Maybe[Annotated[str, Field(max_length=8000)]]


class _Wire(BaseModel):
    # Strict: 1 is not true, and 5 is not "5". A value that does not fit reads as None and is never converted.
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class Handle(_Wire):
    """A participant of a chat: a phone number (E.164) or an email address. `is_me` marks your own line."""

    handle: Address = None
    status: Word = None
    is_me: Maybe[bool] = None
    left_at: Time = None


class HandleDetail(Handle):
    """A participant with the members that only `GET /v3/chats/{chatId}` has."""

    service: Word = None
    joined_at: Time = None
    line_type: Word = None


class HealthStatus(_Wire):
    """How well a chat's messages are delivered; `updated_at` is when `status` last changed."""

    status: Word = None
    doc_url: Url = None
    updated_at: Time = None


class Chat(_Wire):
    """A conversation with the members that lists show. Times are RFC 3339 with any offset."""

    id: Id = None
    created_at: Time = None
    updated_at: Time = None
    display_name: Name = None
    handles: Items[Handle] = None
    health_status: Maybe[HealthStatus] = None
    is_group: Maybe[bool] = None
    service: Word = None


class ChatDetail(Chat):
    """A conversation in full."""

    handles: Items[HandleDetail] = None  # type: ignore[assignment] # narrower, and never written to
    group_chat_icon: Url = None


class Reaction(_Wire):
    """Who reacted to a part of a message, and how; a custom one has its emoji in `custom_emoji`."""

    type: Word = None
    custom_emoji: Word = None
    is_me: Maybe[bool] = None
    handle: Maybe[Handle] = None


class AppName(_Wire):
    name: Name = None


class AppLayout(_Wire):
    caption: Text = None


class Part(_Wire):
    """A part of a message. It has the members of all documented types; those of other types than its own are None.

    `text` and `link` have `value`; `media` has `id`, `url`, `filename`, `mime_type` and `size_bytes`; `imessage_app`
    has `fallback_text`, `layout` and `app`; `app_clip` has `title` and `value`.
    """

    type: Word = None
    value: Text = None
    id: Id = None
    url: Url = None
    filename: Name = None
    mime_type: Name = None
    size_bytes: Maybe[Annotated[int, Field(ge=0, le=_LARGEST_INTEGER)]] = None
    fallback_text: Text = None
    title: Text = None
    layout: Maybe[AppLayout] = None
    app: Maybe[AppName] = None
    reactions: Items[Reaction] = None


class Effect(_Wire):
    name: Word = None


class ReplyTo(_Wire):
    message_id: Id = None


class Message(_Wire):
    """A message. Lines with zero retention send none of its `parts`, and polls have none.

    `reconciled_at` is when Linq recovered a message that it had missed when it was sent.
    """

    # `from` is a reserved word in Python.
    model_config = ConfigDict(validate_by_alias=True, validate_by_name=False)

    id: Id = None
    chat_id: Id = None
    created_at: Time = None
    updated_at: Time = None
    sent_at: Time = None
    reconciled_at: Time = None
    delivered_at: Time = None
    read_at: Time = None
    is_from_me: Maybe[bool] = None
    from_handle: Maybe[Handle] = None
    from_: Annotated[Address, Field(alias="from")] = None
    delivery_status: Word = None
    service: Word = None
    parts: Items[Part] = None
    effect: Maybe[Effect] = None
    reply_to: Maybe[ReplyTo] = None


class PollVoter(_Wire):
    handle: Address = None


class PollOption(_Wire):
    text: Text = None
    voters: Items[PollVoter] = None


class Poll(_Wire):
    """What a poll in iMessage holds; its question is a message before it. One voter may choose several options."""

    options: Items[PollOption] = None
    total_voters: Maybe[Annotated[int, Field(ge=0, le=_LARGEST_INTEGER)]] = None


class SentMessage(_Wire):
    """What Linq took: a message that it has accepted, not yet delivered."""

    chat_id: Id = None
    message: Maybe[Message] = None

    @property
    def taken(self) -> Message | None:
        return self.message


class _CreatedChat(_Wire):
    id: Id = None
    message: Maybe[Message] = None


class CreatedChat(_Wire):
    """A chat that was opened by its first message."""

    chat: Maybe[_CreatedChat] = None

    @property
    def taken(self) -> Message | None:
        return self.chat.message if self.chat else None


class Reputation(_Wire):
    """How well a line's messages are delivered across all its chats. It has no date."""

    status: Word = None
    doc_url: Url = None


class PhoneNumber(_Wire):
    """One of the account's own lines."""

    id: Id = None
    phone_number: Address = None
    reputation: Maybe[Reputation] = None
    forwarding_number: Address = None
    line_type: Word = None


Entries = list[Maybe[T]] | None


class WirePage(_Wire, Generic[T]):
    """A page of a list. Entries that are not objects read as None; `next_cursor` may be anything."""

    items: Entries[T]
    next_cursor: Any = None


class Chats(WirePage[Chat]):
    items: Entries[Chat] = Field(alias="chats")


class Messages(WirePage[Message]):
    items: Entries[Message] = Field(alias="messages")


class PhoneNumbers(WirePage[PhoneNumber]):
    items: Entries[PhoneNumber] = Field(alias="phone_numbers")
