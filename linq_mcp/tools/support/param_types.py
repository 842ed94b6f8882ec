"""The kinds of arguments that tools take: for each its JSON schema, and how what a model sent is read.

Each function declares a field of a tool's dataclass of arguments, as `dataclasses.field` does.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from linq_mcp.tools.support.parameters import InvalidArgument, declare

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_EMAIL = re.compile(r"[^\s@,;<>]{1,64}@[^\s@,;<>]{1,190}\.[^\s@,;<>.]{1,63}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CURSOR_LIMIT = 2000
_TEXT_LIMIT = 200


def line(description: str) -> Any:
    """One of the account's own numbers, E.164."""
    return declare({"type": "string", "description": description}, _read_line)


def participant(description: str) -> Any:
    """The handle of another person: an E.164 number or an email address."""
    return declare({"type": "string", "description": description}, _read_participant)


def integer(description: str, *, default: int, minimum: int, maximum: int) -> Any:
    """A whole number from `minimum` to `maximum`; `default` if omitted."""

    def read(value: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}(\.0*)?", value.strip()):
            value = float(value)
        whole = isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0
        if not whole or not minimum <= value <= maximum:
            raise InvalidArgument(f"takes a whole number from {minimum} to {maximum}")
        return int(value)

    schema = {"type": "integer", "minimum": minimum, "maximum": maximum, "description": description}
    return declare(schema, read, default=default)


def cursor(description: str) -> Any:
    """An opaque `next_cursor` of an earlier answer."""
    return declare({"type": "string", "description": description}, _read_cursor)


def identifier(thing: str, source: str) -> Any:
    """The UUID of a thing, which is needed; `source` names the tools that give it."""

    def read(value: Any) -> str:
        if isinstance(value, str) and _UUID.fullmatch(value.strip()):
            return value.strip()
        raise InvalidArgument(f"takes the UUID of a {thing}, as {source} give it")

    schema = {"type": "string", "description": f"The {thing}'s id, from {source}."}
    return declare(schema, read, required=True)


def text(description: str) -> Any:
    """Words to look for."""
    return declare({"type": "string", "description": description}, _read_text, any_word=True)


def sender(description: str) -> Any:
    """A handle, or `me`."""
    return declare({"type": "string", "description": description}, _read_sender)


def flag(description: str) -> Any:
    """True or false."""
    return declare({"type": "boolean", "description": description}, _read_flag)


def words(description: str) -> Any:
    """One or several of Linq's enum values, which Linq adds to: any word is taken, in upper case."""
    return declare({"type": "array", "items": {"type": "string"}, "description": description}, _read_words)


def word(description: str) -> Any:
    """One of Linq's enum values."""
    return declare({"type": "string", "description": description}, _read_word)


def time(description: str) -> Any:
    """A moment: RFC 3339, or a date, which is its first moment in UTC."""
    return declare({"type": "string", "description": description}, _read_time)


def _read_line(value: Any) -> str:
    return _e164(value) or _refuse("takes one of your own numbers in E.164 form such as +12052535597", value)


def _read_participant(value: Any) -> str:
    if isinstance(value, str) and value.strip().isprintable() and _EMAIL.fullmatch(value.strip()):
        return value.strip()
    return _e164(value) or _refuse("takes one number in E.164 form such as +12052532136 or one email address", value)


def _e164(value: Any) -> str | None:
    return value.strip() if isinstance(value, str) and _E164.fullmatch(value.strip()) else None


def _refuse(valid: str, value: Any) -> str:
    """Refuse a handle; one that only has other punctuation is shown as it should be, a country is never guessed."""
    digits = re.sub(r"[\s().\-/+]", "", str(value)) if isinstance(value, str | int) else ""
    if not digits.isascii() or not digits.isdecimal():
        raise InvalidArgument(valid)
    told = str(value).strip().startswith(("+", "00")) or (len(digits) == len("12055550101") and digits[0] == "1")
    if told and _E164.fullmatch(f"+{digits.removeprefix('00')}"):
        raise InvalidArgument(f"{valid} (perhaps +{digits.removeprefix('00')}?)")
    raise InvalidArgument(f"{valid}, with + and the country code")


def _read_cursor(value: Any) -> str:
    if isinstance(value, float) and value % 1 == 0:
        value = int(value)
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not text or len(text) > _CURSOR_LIMIT or not text.isprintable():
        raise InvalidArgument("takes the `next_cursor` of the answer before, unchanged")
    return text


def _read_text(value: Any) -> str:
    if isinstance(value, str | int) and not isinstance(value, bool) and len(str(value)) <= _TEXT_LIMIT:
        return str(value).strip()
    raise InvalidArgument(f"takes text of at most {_TEXT_LIMIT} characters")


def _read_sender(value: Any) -> str:
    if isinstance(value, str) and value.strip().lower() == "me":
        return "me"
    try:
        return _read_participant(value)
    except InvalidArgument as refusal:
        raise InvalidArgument(f'{refusal}, or "me"') from None


def _read_flag(value: Any) -> bool:
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.strip().lower(), value)
    if isinstance(value, bool):
        return value
    raise InvalidArgument("takes true or false")


def _read_words(value: Any) -> frozenset[str] | None:
    if isinstance(value, str) and value.strip().startswith("["):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    if isinstance(value, str):
        value = value.split(",")
    # In a strict mode that asks for every argument, an empty list is how models leave this one out.
    if isinstance(value, list) and all(isinstance(item, str) and _is_word(item) for item in value):
        return frozenset(re.sub(r"[ -]", "_", item.strip()).upper() for item in value) or None
    raise InvalidArgument('takes a list of words such as ["AT_RISK","CRITICAL"]')


def _read_word(value: Any) -> str:
    if isinstance(value, str) and _is_word(value):
        return value.strip()
    raise InvalidArgument("takes one word")


def _is_word(value: str) -> bool:
    return re.fullmatch(r"[A-Za-z][A-Za-z_ -]{0,39}", value.strip()) is not None


def _read_time(value: Any) -> datetime:
    if isinstance(value, str):
        try:
            read = datetime.fromisoformat(value.strip().upper())
            # Models leave the offset out; every time they were shown was UTC.
            return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise InvalidArgument("takes a date such as 2026-11-20 or a time such as 2026-11-20T17:45:00Z")
