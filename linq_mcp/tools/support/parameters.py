"""What a tool takes: each argument is declared once, and both its JSON schema and its reading follow from that.

Robust in form (models send `"20"`, `20.0`, `"null"`), strict in meaning: what is out of range, of another kind or
unknown is refused in a sentence that says what is valid. Every wrong argument of a call is named at once.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from linq_mcp.errors import ArgumentsError
from linq_mcp.sanitize import clean

ArgumentsT = TypeVar("ArgumentsT")

_ABSENT_WORDS = frozenset({"", "null", "none", "undefined"})
_UNFILLED = re.compile(r"\$\{[^}]*\}")
_ECHO_LIMIT = 40
_UNKNOWN_SHOWN = 5
# What models call the arguments from habit.
_SYNONYMS = {
    "line": ("from",),
    "phone_number": ("from", "to"),
    "phone": ("from", "to"),
    "sender": ("from",),
    "participant": ("to", "from"),
    "contact": ("to", "from"),
    "page": ("cursor",),
    "offset": ("cursor",),
    "page_token": ("cursor",),
    "next_cursor": ("cursor",),
    "query": ("text",),
    "q": ("text",),
    "search": ("text",),
    "name": ("text",),
    "id": ("chat_id", "message_id"),
    "count": ("limit",),
    "page_size": ("limit",),
    "max_results": ("limit",),
    "status": ("health_status", "delivery_status"),
    "since": ("updated_after", "after"),
    "until": ("updated_before", "before"),
}


class InvalidArgument(ValueError):
    """An argument's value can't be used; its text continues the sentence that begins with the argument's name."""


@dataclass(frozen=True, slots=True)
class _Argument:
    schema: Mapping[str, Any]
    read: Callable[[Any], Any]
    required: bool
    any_word: bool = False


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
        if _is_absent(value, any_word=argument.any_word):
            if argument.required:
                problems.append(f"`{name}` is needed: {argument.schema['description']}")
            continue
        try:
            values[attribute] = argument.read(value)
        except InvalidArgument as refusal:
            problems.append(f"`{name}` {refusal}, not {_shown(value)}.")
    if problems:
        raise ArgumentsError(problems)
    return arguments(**values)


def declare(
    schema: Mapping[str, Any],
    read: Callable[[Any], Any],
    *,
    default: Any = None,
    required: bool = False,
    any_word: bool = False,
) -> Any:
    """An argument of its own kind: its JSON schema, and a function that reads a value or raises `InvalidArgument`.

    With `any_word` words such as "none" are a value like any other.
    """
    metadata = {"argument": _Argument(schema, read, required, any_word)}
    return field(metadata=metadata) if required else field(default=default, metadata=metadata)


def without_absent(given: Mapping[str, Any]) -> dict[str, Any]:
    """What of `given` is there at all: models write null, "" and "null" for what they leave out."""
    return {name: value for name, value in given.items() if not _is_absent(value)}


def _declared(arguments: type[Any]) -> dict[str, tuple[str, _Argument]]:
    """Each argument by the name that models use: `from_` is `from`, a word that Python keeps for itself."""
    return {
        declared.name.removesuffix("_"): (declared.name, declared.metadata["argument"])
        for declared in dataclasses.fields(arguments)
    }


def _is_absent(value: Any, *, any_word: bool = False) -> bool:
    if isinstance(value, str):
        value = value.strip()
        word_for_nothing = not value if any_word else value.lower() in _ABSENT_WORDS
        return word_for_nothing or _UNFILLED.fullmatch(value) is not None
    return value is None


def _unknown(name: str, known: list[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only a wrong call needs it

    word = name.strip("_- ").lower()
    nearest = [meant for meant in _SYNONYMS.get(word, ()) if meant in known] or get_close_matches(word, known, n=1)
    meant = f"; did you mean `{nearest[0]}`?" if nearest else "."
    return f"`{clean(name, _ECHO_LIMIT)}` is not an argument{meant} Valid: {', '.join(known) or 'none'}."


def is_resumable_cursor(cursor: str) -> bool:
    """Whether `cursor`, handed out, is read as just that: a word that means absent would begin at the first page."""
    return not _is_absent(cursor) and cursor == cursor.strip()


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f'"{clean(value, _ECHO_LIMIT)}"'
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, bool):
        return str(value).lower()
    return clean(repr(value), _ECHO_LIMIT)
