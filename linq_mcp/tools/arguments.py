"""What a tool takes: each argument is declared once, and both its JSON schema and its reading follow from that.

Robust in form (models send `"20"`, `20.0`, `"null"`), strict in meaning: what is out of range, of another kind or
unknown is refused in a sentence that says what is valid. Every wrong argument of a call is named at once.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from linq_mcp.errors import ArgumentsError
from linq_mcp.text import clean

ArgumentsT = TypeVar("ArgumentsT")

_ABSENT_WORDS = frozenset({"", "null", "none", "undefined"})
_UNFILLED = re.compile(r"\$\{[^}]*\}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_EMAIL = re.compile(r"[^\s@,;<>]{1,64}@[^\s@,;<>]{1,190}\.[^\s@,;<>.]{1,63}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CURSOR_LIMIT = 2000
_TEXT_LIMIT = 200
_ECHO_LIMIT = 40
_UNKNOWN_SHOWN = 5


class Refusal(ValueError):
    """An argument's value can't be used; its text continues the sentence that begins with the argument's name."""


@dataclass(frozen=True, slots=True)
class _Argument:
    schema: Mapping[str, Any]
    read: Callable[[Any], Any]
    required: bool


def input_schema(arguments: type[Any]) -> dict[str, Any]:
    """The JSON schema of the dataclass `arguments`: an object of plain types, `required` only if something is."""
    declared = _declared(arguments)
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: dict(argument.schema) for name, (_, argument) in declared.items()},
    }
    if required := [name for name, (_, argument) in declared.items() if argument.required]:
        schema["required"] = required
    return schema


def read_arguments(arguments: type[ArgumentsT], given: Mapping[str, Any]) -> ArgumentsT:
    """Read what a model sent into the dataclass `arguments`. Raises `ArgumentsError` with every problem."""
    declared = _declared(arguments)
    unknown = [name for name in given if name not in declared]
    problems = [_unknown(name, list(declared)) for name in unknown[:_UNKNOWN_SHOWN]]
    if len(unknown) > _UNKNOWN_SHOWN:
        problems.append(f"{len(unknown) - _UNKNOWN_SHOWN} more are no arguments either.")
    values = {}
    for name, (attribute, argument) in declared.items():
        value = given.get(name)
        if _is_absent(value):
            if argument.required:
                problems.append(f"`{name}` is needed: {argument.schema['description']}")
            continue
        try:
            values[attribute] = argument.read(value)
        except Refusal as refusal:
            problems.append(f"`{name}` {refusal}, not {_shown(value)}.")
    if problems:
        raise ArgumentsError(problems)
    return arguments(**values)


def declare(
    schema: Mapping[str, Any], read: Callable[[Any], Any], *, default: Any = None, required: bool = False
) -> Any:
    """An argument of its own kind: its JSON schema, and a function that reads a value or raises `Refusal`."""
    metadata = {"argument": _Argument(schema, read, required)}
    return field(metadata=metadata) if required else field(default=default, metadata=metadata)


def present(given: Mapping[str, Any]) -> dict[str, Any]:
    """What of `given` is there at all: models write null, "" and "null" for what they leave out."""
    return {name: value for name, value in given.items() if not _is_absent(value)}


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
            raise Refusal(f"takes a whole number from {minimum} to {maximum}")
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
        raise Refusal(f"takes the UUID of a {thing}, as {source} give it")

    schema = {"type": "string", "description": f"The {thing}'s id, from {source}."}
    return declare(schema, read, required=True)


def text(description: str) -> Any:
    """Words to look for."""
    return declare({"type": "string", "description": description}, _read_text)


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


def _declared(arguments: type[Any]) -> dict[str, tuple[str, _Argument]]:
    """Each argument by the name that models use: `from_` is `from`, a word that Python keeps for itself."""
    return {
        declared.name.removesuffix("_"): (declared.name, declared.metadata["argument"])
        for declared in dataclasses.fields(arguments)
    }


def _is_absent(value: Any) -> bool:
    if isinstance(value, str):
        value = value.strip()
        return value.lower() in _ABSENT_WORDS or _UNFILLED.fullmatch(value) is not None
    return value is None


def _unknown(name: str, known: list[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only a wrong call needs it

    nearest = get_close_matches(name.strip("_- ").lower(), known, n=1, cutoff=0.6)
    meant = f"; did you mean `{nearest[0]}`?" if nearest else "."
    return f"`{clean(name, _ECHO_LIMIT)}` is not an argument{meant} Valid: {', '.join(known) or 'none'}."


def _read_line(value: Any) -> str:
    return _e164(value) or _refuse("takes one of your own numbers in E.164 form such as +12052535597", value)


def _read_participant(value: Any) -> str:
    if isinstance(value, str) and value.strip().isprintable() and _EMAIL.fullmatch(value.strip()):
        return value.strip()
    return _e164(value) or _refuse("takes one number in E.164 form such as +12052532136 or one email address", value)


def _e164(value: Any) -> str | None:
    return value.strip() if isinstance(value, str) and _E164.fullmatch(value.strip()) else None


def _refuse(valid: str, value: Any) -> str:
    """Refuse a handle; one that only has other punctuation is shown as it should be."""
    meant = "+" + re.sub(r"[\s().\-/+]", "", str(value)) if isinstance(value, str | int) else ""
    raise Refusal(f"{valid} (perhaps {meant}?)" if _E164.fullmatch(meant) else valid)


def comes_back(cursor: str) -> bool:
    """Whether `cursor`, handed out, is read as just that: a word that means absent would begin at the first page."""
    return not _is_absent(cursor) and cursor == cursor.strip()


def _read_cursor(value: Any) -> str:
    if isinstance(value, float) and value % 1 == 0:
        value = int(value)
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not text or len(text) > _CURSOR_LIMIT or not text.isprintable():
        raise Refusal("takes the `next_cursor` of the answer before, unchanged")
    return text


def _read_text(value: Any) -> str:
    if isinstance(value, str | int) and not isinstance(value, bool) and len(str(value)) <= _TEXT_LIMIT:
        return str(value).strip()
    raise Refusal(f"takes text of at most {_TEXT_LIMIT} characters")


def _read_sender(value: Any) -> str:
    if isinstance(value, str) and value.strip().lower() == "me":
        return "me"
    try:
        return _read_participant(value)
    except Refusal as refusal:
        raise Refusal(f'{refusal}, or "me"') from None


def _read_flag(value: Any) -> bool:
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.strip().lower(), value)
    if isinstance(value, bool):
        return value
    raise Refusal("takes true or false")


def _read_words(value: Any) -> frozenset[str]:
    if isinstance(value, str):
        value = value.split(",")
    if isinstance(value, list) and value and all(isinstance(item, str) and _is_word(item) for item in value):
        return frozenset(item.strip().upper() for item in value)
    raise Refusal('takes a list of words such as ["AT_RISK","CRITICAL"]')


def _read_word(value: Any) -> str:
    if isinstance(value, str) and _is_word(value):
        return value.strip()
    raise Refusal("takes one word")


def _is_word(value: str) -> bool:
    return re.fullmatch(r"[A-Za-z][A-Za-z_-]{0,39}", value.strip()) is not None


def _read_time(value: Any) -> datetime:
    if isinstance(value, str):
        try:
            read = datetime.fromisoformat(value.strip().upper())
            # Models leave the offset out; every time they were shown was UTC.
            return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise Refusal("takes a date such as 2026-11-20 or a time such as 2026-11-20T17:45:00Z")


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f'"{clean(value, _ECHO_LIMIT)}"'
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, bool):
        return str(value).lower()
    return clean(repr(value), _ECHO_LIMIT)
