"""The wire of Linq's API V3, read tolerantly: this is the one boundary where anything may arrive.

Unknown members are passed over, unknown values of enums are kept, and a member that is absent or of another
type reads as None. A list's items that are not objects are left out. Shapes follow "Linq docs: List all
chats" and the types of the official SDK.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, OnErrorOmit, TypeAdapter
from pydantic_core import CoreSchema, core_schema

T = TypeVar("T")


class _NoneOnError:
    """Annotates a member that reads as None when what arrived does not fit its type."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_default_schema(handler(source), default=None, on_error="default")


Maybe = Annotated[T | None, _NoneOnError()]
Items = Annotated[list[OnErrorOmit[T]] | None, _NoneOnError()]


class _Wire(BaseModel):
    # Strict: 1 is not true and 5 is not "5"; what does not fit is absent instead of bent.
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class Handle(_Wire):
    """A participant of a chat: a phone number (E.164) or an email address. `is_me` marks your own line."""

    handle: Maybe[str] = None
    service: Maybe[str] = None
    status: Maybe[str] = None
    is_me: Maybe[bool] = None
    joined_at: Maybe[str] = None
    left_at: Maybe[str] = None
    line_type: Maybe[str] = None


class HealthStatus(_Wire):
    """How well a chat's messages land; `updated_at` is when `status` last changed."""

    status: Maybe[str] = None
    doc_url: Maybe[str] = None
    updated_at: Maybe[str] = None


class Chat(_Wire):
    """A conversation. Times are RFC 3339 with any offset."""

    id: Maybe[str] = None
    created_at: Maybe[str] = None
    updated_at: Maybe[str] = None
    display_name: Maybe[str] = None
    handles: Items[Handle] = None
    health_status: Maybe[HealthStatus] = None
    is_group: Maybe[bool] = None
    service: Maybe[str] = None
    group_chat_icon: Maybe[str] = None


CHATS = TypeAdapter(list[OnErrorOmit[Chat]])
