"""What a tool takes: its parameters are declared once, in a pydantic model, and both schema and parsing follow.

Robust about form (models send `"20"`, `20.0`, `"null"`), strict about meaning: a value that is out of range or of
another type, and an argument that is not known, are refused in a sentence that says what is valid. Every wrong
argument of a call is named at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from linq_mcp.errors import ArgumentsError
from linq_mcp.sanitize import clean

ArgumentsT = TypeVar("ArgumentsT", bound="ToolArguments")

_ABSENT_WORDS = frozenset({"", "null", "none", "undefined"})
# Names that are taken for another one, which the schema has: in Python `from` is a keyword, and `service` is the name
# under which an agent framework passes an object of its own.
_ALIASES = {"from_": "from", "service": "messaging_service"}
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")
# In free text, words such as "none" mean themselves.
_FREE_TEXT = frozenset({"text"})
_ECHO_LIMIT = 40
_UNKNOWN_SHOWN = 5
# Names that models commonly use instead.
_SYNONYMS = {
    "line": ("from",),
    "phone_number": ("from", "to", "line"),
    "phone": ("from", "to", "line"),
    "from": ("sender", "line"),
    "author": ("sender",),
    "to": ("participant",),
    "participant": ("to", "from"),
    "contact": ("to", "participant", "sender"),
    "person": ("to", "participant", "sender"),
    "handle": ("to", "participant", "sender"),
    "page": ("cursor",),
    "offset": ("cursor",),
    "page_token": ("cursor",),
    "next_cursor": ("cursor",),
    "query": ("text",),
    "q": ("text",),
    "search": ("text",),
    "name": ("text",),
    "id": ("chat_id", "message_id"),
    "chat": ("chat_id",),
    "file_id": ("attachment_id",),
    "count": ("limit", "count_only"),
    "page_size": ("limit",),
    "max_results": ("limit",),
    "status": ("health_status", "delivery_status"),
    "sort": ("order",),
    "sort_by": ("order",),
    "since": ("updated_after", "after", "active_after"),
    "until": ("updated_before", "before", "active_before"),
    "after": ("active_after", "updated_after"),
    "before": ("active_before", "updated_before"),
}


class InvalidArgument(ValueError):
    """An argument's value can't be used; its text continues a sentence that begins with the argument's name."""


class ToolArguments(BaseModel):
    """The base of every tool's arguments: a frozen model with a field for each parameter, of a `param_types` type."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ranges: ClassVar[Sequence[tuple[str, str]]] = ()
    """Pairs of parameters of which the first has to be earlier than the second."""

    def given(self) -> dict[str, Any]:
        """The arguments as they were read, by the names in the schema, without those that were left out."""
        return self.model_dump(by_alias=True, exclude_unset=True, warnings=False)


def one_of_list(value: Any) -> Any:
    """The item of a list that has one, which frameworks make of a single word; anything else as it is."""
    items = list_of_text(value)
    return items[0] if isinstance(items, list) and len(items) == 1 else value


def list_of_text(value: Any) -> Any:
    """A list that came as JSON text; anything else as it is."""
    if isinstance(value, str) and value.strip().startswith("["):
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def input_schema(arguments: type[ToolArguments]) -> dict[str, Any]:
    """The JSON schema of `arguments`: an object of plain types, `required` only if something is."""
    generated = arguments.model_json_schema()
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: _plain(property_) for name, property_ in generated.get("properties", {}).items()},
    }
    return {**schema, "required": generated["required"]} if generated.get("required") else schema


def parse_arguments(arguments: type[ArgumentsT], given: Mapping[str, Any]) -> ArgumentsT:
    """What a model sent as `arguments`. Raises `ArgumentsError` with a sentence for every problem.

    This is the only place where an argument without a value is dropped, whatever its name.
    """
    fields = {field.alias or name: field for name, field in arguments.model_fields.items()}
    present = {name: value for name, value in given.items() if not _is_absent(value, free_text=name in _FREE_TEXT)}
    for alias, name in _ALIASES.items():
        if alias in present and name in fields and name not in present:
            present[name] = present.pop(alias)
    unknown = [name for name in present if name not in fields]
    nearest = {name: _nearest(name, list(fields)) for name in unknown[:_UNKNOWN_SHOWN]}
    problems = [_unknown_argument(name, meant, list(fields)) for name, meant in nearest.items()]
    if len(unknown) > len(nearest):
        problems.append(f"{len(unknown) - len(nearest)} more are not arguments either.")
    values = {name: value for name, value in present.items() if name in fields}
    placeholders = {name: value for name, value in values.items() if _is_placeholder(value)}
    problems += [_placeholder(name, value) for name, value in placeholders.items()]
    try:
        parsed = arguments.model_validate(values)
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False):
            name = str(error["loc"][0])
            if name in placeholders:
                continue
            if error["type"] == "missing":
                problems.append(f"`{name}` is needed: {fields[name].description}")
            else:
                problems.append(f"`{name}` {error['ctx']['error']}, not {_shown(error['input'])}.")
    else:
        problems += _reversed_ranges(parsed)
        if not problems:
            return parsed
    raise ArgumentsError(problems, [name for name, meant in nearest.items() if not meant])


def synonyms(name: str) -> tuple[str, ...]:
    """The names under which tools may have an argument that a model calls `name`, that one first."""
    word = _word(name)
    return (word, *_SYNONYMS.get(word, ()))


def is_resumable_cursor(cursor: str) -> bool:
    """Whether `cursor` would be read back unchanged: a word for an absent value would begin at the first page."""
    return not (_is_absent(cursor) or _is_placeholder(cursor)) and cursor == cursor.strip()


def _plain(generated: Mapping[str, Any]) -> dict[str, Any]:
    """A property without what some clients refuse: titles, defaults, and an `anyOf` with null."""
    (schema,) = [option for option in generated.get("anyOf", [generated]) if option.get("type") != "null"]
    kept = {name: value for name, value in schema.items() if name not in ("title", "default")}
    return {**kept, "description": generated["description"]}


def _is_absent(value: Any, *, free_text: bool = False) -> bool:
    """Whether `value` means that the argument was left out: models write null, "" and "null"."""
    if isinstance(value, str):
        value = value.strip()
        return not value if free_text else value.lower() in _ABSENT_WORDS
    return value is None


def _is_placeholder(value: Any) -> bool:
    return isinstance(value, str) and _PLACEHOLDER.fullmatch(value.strip()) is not None


def _placeholder(name: str, value: str) -> str:
    # As an absent value it would widen the question.
    return f"`{clean(name, _ECHO_LIMIT)}` is the placeholder {_shown(value)}: pass its value, or leave it out."


def _nearest(name: str, known: list[str]) -> Sequence[str]:
    """The arguments that `name` may stand for, the likeliest first."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a wrong call needs it

    word = _word(name)
    if word in known:
        return [word]
    if word in _SYNONYMS:
        return [meant for meant in _SYNONYMS[word] if meant in known]
    return get_close_matches(word, known, n=1)


def _word(name: str) -> str:
    return name.strip("_- ").lower()


def _unknown_argument(name: str, nearest: Sequence[str], known: list[str]) -> str:
    meant = f"; did you mean {' or '.join(f'`{name}`' for name in nearest[:2])}?" if nearest else "."
    return f"`{clean(name, _ECHO_LIMIT)}` is not an argument{meant} Valid: {', '.join(known) or 'none'}."


def _reversed_ranges(parsed: ToolArguments) -> list[str]:
    return [
        f"`{first}` has to be earlier than `{last}`."
        for first, last in parsed.ranges
        if (start := getattr(parsed, first)) is not None
        and (end := getattr(parsed, last)) is not None
        and not start < end
    ]


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f'"{clean(value, _ECHO_LIMIT)}"'
    return clean(json.dumps(value, ensure_ascii=False), _ECHO_LIMIT)
