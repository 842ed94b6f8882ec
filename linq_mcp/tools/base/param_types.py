"""The types of the tools' parameters: for each its JSON schema, and how what a model sent is read.

Fields of `ToolArguments` are declared with them. A value that can't be used raises `InvalidArgument`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import PlainValidator, WithJsonSchema

from linq_mcp.handles import read_handle, read_number
from linq_mcp.region import local_moment, local_time_at, region
from linq_mcp.sanitize import ID_LIMIT
from linq_mcp.search import SearchQuery
from linq_mcp.tools.base.parameters import InvalidArgument, list_of_text, one_of_list

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CURSOR_LIMIT = 2000
_TEXT_LIMIT = 200
_LINE = "takes one of your own numbers (see list_phone_numbers) in E.164 form such as +12052535597"
_HANDLE = "one number in E.164 form such as +12052532136 or one email address"
_BY_NAME = " (find_chats with `text` finds people by name or address)"

# 20 November 2026, 17:45 UTC.
_EXAMPLE_TIME = 1_795_196_700

_STRING = WithJsonSchema({"type": "string"})


def _whole_number(minimum: int, maximum: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}(\.0*)?", value.strip()):
            value = float(value)
        whole = isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0
        if not whole or not minimum <= value <= maximum:
            raise InvalidArgument(f"takes a whole number from {minimum} to {maximum}")
        return int(value)

    return read


def _uuid(thing: str, source: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if isinstance(value, str) and _UUID.fullmatch(value.strip()):
            return value.strip()
        raise InvalidArgument(f"takes the UUID of a {thing}, from {source}")

    return read


def _one_of(*words: str, hint: str = "") -> Callable[[Any], str]:
    def read(value: Any) -> str:
        value = one_of_list(value)
        if isinstance(value, str) and value.strip().lower() in words:
            return value.strip().lower()
        raise InvalidArgument("takes " + " or ".join(f'"{word}"' for word in words) + hint)

    return read


def _line(value: Any) -> str:
    number = read_number(value, region().country) if isinstance(value, str) else None
    return number or _refuse_number(value, _LINE)


def _handle(value: Any, besides: str = "") -> str:
    """Read a handle. `besides` are the words that the parameter takes as well, for the text of an error."""
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    is_name = any(map(str.isalpha, text))
    return read_handle(text, region().country) or _refuse_number(
        value, f"takes {besides}{_HANDLE}{_BY_NAME if is_name else ''}"
    )


def _sender(value: Any) -> str:
    if isinstance(value, str) and value.strip().lower() in ("me", "them"):
        return value.strip().lower()
    return _handle(value, '"me", "them" for everybody else, or ')


def _refuse_number(value: Any, valid: str) -> str:
    digits = re.sub(r"[\s().\-/+]", "", str(value)) if isinstance(value, str | int) else ""
    if not digits.isascii() or not digits.isdecimal():
        raise InvalidArgument(valid)
    # Eleven digits that begin with 1 are a North American number.
    if len(digits) == len("12055550101") and digits[0] == "1":
        raise InvalidArgument(f"{valid} (perhaps +{digits}?)")
    raise InvalidArgument(f"{valid}, with + and the country code")


def _cursor(value: Any) -> str:
    if isinstance(value, float) and value % 1 == 0:
        value = int(value)
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not text or len(text) > _CURSOR_LIMIT or not text.isprintable():
        raise InvalidArgument("takes the `next_cursor` of the previous answer, unchanged")
    return text


def _attachment_id(value: Any) -> str:
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not text or len(text) > ID_LIMIT or not text.isprintable():
        raise InvalidArgument("takes the `id` of one of the message's `attachments`")
    return text


def _text(value: Any) -> SearchQuery:
    if not isinstance(value, str | int) or isinstance(value, bool) or len(str(value)) > _TEXT_LIMIT:
        raise InvalidArgument(f"takes text of at most {_TEXT_LIMIT} characters")
    if query := SearchQuery.parse(str(value)):
        return query
    raise InvalidArgument("takes words that can be seen")


def _flag(value: Any) -> bool:
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.strip().lower(), value)
    if isinstance(value, bool):
        return value
    raise InvalidArgument("takes true or false")


def _words(value: Any) -> frozenset[str] | None:
    value = list_of_text(value)
    if isinstance(value, str):
        value = value.split(",")
    # In a strict mode that asks for every argument, an empty list is how models leave this one out.
    if isinstance(value, list) and all(isinstance(item, str) and _is_word(item) for item in value):
        return frozenset(re.sub(r"[ -]", "_", item.strip()).upper() for item in value) or None
    raise InvalidArgument('takes a list of words such as ["AT_RISK","CRITICAL"]')


def _word(value: Any) -> str:
    value = one_of_list(value)
    if isinstance(value, str) and _is_word(value):
        return value.strip()
    raise InvalidArgument("takes one word")


def _is_word(value: str) -> bool:
    return re.fullmatch(r"[A-Za-z][A-Za-z_ -]{0,39}", value.strip()) is not None


def _timestamp(value: Any) -> datetime:
    if isinstance(value, str) and (read := local_moment(value)):
        return read
    now = datetime.now(region().time_zone)
    example = local_time_at(_EXAMPLE_TIME)
    raise InvalidArgument(f"takes a date or a time such as {example} (it is {now:%A}, {_now()} now)")


def _past_timestamp(value: Any) -> datetime:
    read = _timestamp(value)
    if read > datetime.now(UTC):
        raise InvalidArgument(f"takes a time that has passed (it is {_now()} now)")
    return read


def _now() -> str:
    return local_time_at(datetime.now(UTC).timestamp())


Line: TypeAlias = Annotated[str, PlainValidator(_line), _STRING]
"""One of the account's own numbers, E.164."""

Handle: TypeAlias = Annotated[str, PlainValidator(_handle), _STRING]
"""Another person's handle: an E.164 number, an email address or a short code."""

Sender: TypeAlias = Annotated[str, PlainValidator(_sender), _STRING]
"""`me`, `them` or a handle."""

ChatId: TypeAlias = Annotated[
    str, PlainValidator(_uuid("chat", "find_chats (by name) or list_chats (by person)")), _STRING
]
MessageId: TypeAlias = Annotated[str, PlainValidator(_uuid("message", "list_messages or find_messages")), _STRING]

AttachmentId: TypeAlias = Annotated[str, PlainValidator(_attachment_id), _STRING]
"""The id that an attachment has in an answer. Linq does not document its form."""

Cursor: TypeAlias = Annotated[str, PlainValidator(_cursor), _STRING]
"""An opaque `next_cursor` of an earlier answer."""

Side: TypeAlias = Annotated[
    Literal["me", "them"],
    PlainValidator(_one_of("me", "them", hint=" (for a person use `to`)")),
    WithJsonSchema({"type": "string", "enum": ["me", "them"]}),
]
"""Whether a message is yours or somebody else's."""

Text: TypeAlias = Annotated[SearchQuery, PlainValidator(_text), _STRING]
"""Words to look for."""

Flag: TypeAlias = Annotated[bool, PlainValidator(_flag), WithJsonSchema({"type": "boolean"})]

Words: TypeAlias = Annotated[
    frozenset[str],
    PlainValidator(_words),
    WithJsonSchema({"type": "array", "items": {"type": "string"}}),
]
"""One or several of Linq's enum values, in upper case. Linq adds to them, so any word is taken."""

Word: TypeAlias = Annotated[str, PlainValidator(_word), _STRING]
"""One of Linq's enum values, of which any word may be one."""

Timestamp: TypeAlias = Annotated[datetime, PlainValidator(_timestamp), _STRING]
"""A moment: RFC 3339, or a time or date of the time zone in force; a date is its first moment."""

PastTimestamp: TypeAlias = Annotated[datetime, PlainValidator(_past_timestamp), _STRING]
"""A moment that has passed, for what came after it."""

Limit: TypeAlias = Annotated[
    int,
    PlainValidator(_whole_number(1, 100)),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 100}),
]
"""How many rows to answer."""

RowCount: TypeAlias = Annotated[
    int,
    PlainValidator(_whole_number(0, 20)),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 20}),
]
"""How many rows to add to an answer, possibly none."""

Order: TypeAlias = Annotated[
    Literal["newest", "oldest"],
    PlainValidator(_one_of("newest", "oldest")),
    WithJsonSchema({"type": "string", "enum": ["newest", "oldest"]}),
]
"""Which end of a list to begin with."""

ChatOrder: TypeAlias = Annotated[
    Literal["linq", "created", "health_changed"],
    PlainValidator(_one_of("linq", "created", "health_changed")),
    WithJsonSchema({"type": "string", "enum": ["linq", "created", "health_changed"]}),
]
"""As Linq lists chats, or those first that were created, or changed their health status, last."""

ActivityRows: TypeAlias = Annotated[
    Literal["line", "day"],
    PlainValidator(_one_of("line", "day")),
    WithJsonSchema({"type": "string", "enum": ["line", "day"]}),
]
"""What each row of a summary is about."""

InboxOrder: TypeAlias = Annotated[
    Literal["newest", "longest_waiting"],
    PlainValidator(_one_of("newest", "longest_waiting")),
    WithJsonSchema({"type": "string", "enum": ["newest", "longest_waiting"]}),
]
"""By the last message, or by how long somebody waits for an answer."""
