"""The wire of Linq's API V3, read tolerantly: this is the one boundary where anything may arrive.

Unknown members are passed over, unknown values of enums are kept, and a member that is absent or of another
type reads as None. A list's items that are not objects are left out. Shapes follow "Linq docs: List all
chats" and the types of the official SDK.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, OnErrorOmit
from pydantic_core import CoreSchema, core_schema

T = TypeVar("T")


class _NoneOnError:
    """Annotates a member that reads as None when what arrived does not fit its type."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_default_schema(handler(source), default=None, on_error="default")


Maybe = Annotated[T | None, _NoneOnError()]
Items = Annotated[list[OnErrorOmit[T]] | None, _NoneOnError()]


# A page has 100 entries at most and an account some lines; 10 MB of `{}` would be three million.
Entries = Annotated[list[Maybe[T]], Field(max_length=10_000)] | None


class _Wire(BaseModel):
    # Strict: 1 is not true and 5 is not "5"; what does not fit is absent instead of bent.
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class Handle(_Wire):
    """A participant of a chat: a phone number (E.164) or an email address. `is_me` marks your own line."""

    handle: Maybe[str] = None
    status: Maybe[str] = None
    is_me: Maybe[bool] = None
    left_at: Maybe[str] = None


class HandleDetail(Handle):
    """A participant with what only the chat in full shows."""

    service: Maybe[str] = None
    joined_at: Maybe[str] = None
    line_type: Maybe[str] = None


class HealthStatus(_Wire):
    """How well a chat's messages land; `updated_at` is when `status` last changed."""

    status: Maybe[str] = None
    doc_url: Maybe[str] = None
    updated_at: Maybe[str] = None


class Chat(_Wire):
    """A conversation, as far as lists show it: many are read at a stretch. Times are RFC 3339 with any offset."""

    id: Maybe[str] = None
    updated_at: Maybe[str] = None
    display_name: Maybe[str] = None
    handles: Items[Handle] = None
    health_status: Maybe[HealthStatus] = None
    is_group: Maybe[bool] = None
    service: Maybe[str] = None


class ChatDetail(Chat):
    """A conversation in full."""

    handles: Items[HandleDetail] = None  # type: ignore[assignment] # narrower, and never written to
    created_at: Maybe[str] = None
    group_chat_icon: Maybe[str] = None


class Reaction(_Wire):
    """Who reacted to a part of a message, and how; a custom one has its emoji in `custom_emoji`."""

    type: Maybe[str] = None
    custom_emoji: Maybe[str] = None
    is_me: Maybe[bool] = None
    handle: Maybe[Handle] = None


class AppName(_Wire):
    name: Maybe[str] = None


class AppLayout(_Wire):
    caption: Maybe[str] = None


class Part(_Wire):
    """A part of a message, of whatever type: the members of all documented types, each None where it has no place.

    `text` and `link` have `value`; `media` has `id`, `url` (presigned, good for about an hour), `filename`,
    `mime_type` and `size_bytes`; `imessage_app` `fallback_text`, `layout` and `app`; `app_clip` `title` and `value`.
    """

    type: Maybe[str] = None
    value: Maybe[str] = None
    id: Maybe[str] = None
    url: Maybe[str] = None
    filename: Maybe[str] = None
    mime_type: Maybe[str] = None
    size_bytes: Maybe[int] = None
    fallback_text: Maybe[str] = None
    title: Maybe[str] = None
    layout: Maybe[AppLayout] = None
    app: Maybe[AppName] = None
    reactions: Items[Reaction] = None


class Effect(_Wire):
    name: Maybe[str] = None


class ReplyTo(_Wire):
    message_id: Maybe[str] = None


class Message(_Wire):
    """A message. Lines with zero retention send none of its `parts`."""

    # `from` is a word that Python keeps for itself.
    model_config = ConfigDict(validate_by_alias=True, validate_by_name=False)

    id: Maybe[str] = None
    chat_id: Maybe[str] = None
    created_at: Maybe[str] = None
    updated_at: Maybe[str] = None
    sent_at: Maybe[str] = None
    delivered_at: Maybe[str] = None
    read_at: Maybe[str] = None
    is_from_me: Maybe[bool] = None
    from_handle: Maybe[Handle] = None
    from_: Annotated[Maybe[str], Field(alias="from")] = None
    delivery_status: Maybe[str] = None
    service: Maybe[str] = None
    parts: Items[Part] = None
    effect: Maybe[Effect] = None
    reply_to: Maybe[ReplyTo] = None


class Reputation(_Wire):
    """How well a line's messages land over all its chats. It has no date."""

    status: Maybe[str] = None
    doc_url: Maybe[str] = None


class PhoneNumber(_Wire):
    """One of the account's own lines."""

    id: Maybe[str] = None
    phone_number: Maybe[str] = None
    reputation: Maybe[Reputation] = None
    forwarding_number: Maybe[str] = None
    line_type: Maybe[str] = None


class Listing(_Wire, Generic[T]):
    """A page of a list. Entries that are no objects read as None; `next_cursor` may be anything."""

    items: Entries[T]
    next_cursor: Any = None


class Chats(Listing[Chat]):
    items: Entries[Chat] = Field(alias="chats")


class Messages(Listing[Message]):
    items: Entries[Message] = Field(alias="messages")


class PhoneNumbers(Listing[PhoneNumber]):
    items: Entries[PhoneNumber] = Field(alias="phone_numbers")
