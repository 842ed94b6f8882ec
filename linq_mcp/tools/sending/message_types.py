"""The types of the parameters of the tools that send, as `param_types` has those of the others."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

from pydantic import PlainValidator, WithJsonSchema

from linq_mcp.sanitize import clean, safe_url
from linq_mcp.tools.base.parameters import InvalidArgument, list_of_text, one_of_list

_STRING = WithJsonSchema({"type": "string"})

# Linq docs: Send a message to a chat.
MESSAGE_LIMIT = 10_000
MOST_FILES = 20
SERVICES = ("iMessage", "RCS", "SMS")
BUBBLE_EFFECTS = ("slam", "loud", "gentle", "invisible")
SCREEN_EFFECTS = (
    "confetti",
    "fireworks",
    "lasers",
    "sparkles",
    "celebration",
    "hearts",
    "love",
    "balloons",
    "happy_birthday",
    "echo",
    "spotlight",
)
EFFECTS = (*SCREEN_EFFECTS, *BUBBLE_EFFECTS)
REACTIONS = ("love", "like", "dislike", "laugh", "emphasize", "question")
_EMOJI_LIMIT = 20


def _named(*names: str) -> Callable[[Any], str]:
    """One of `names`, whatever its case."""
    by_name = {name.casefold(): name for name in names}

    def read(value: Any) -> str:
        value = one_of_list(value)
        if isinstance(value, str) and (name := by_name.get(value.strip().casefold())):
            return name
        raise InvalidArgument(f"takes one of {', '.join(names)}")

    return read


def _message_text(value: Any) -> str:
    text = clean(value, None, lines=True) if isinstance(value, str) and len(value) <= MESSAGE_LIMIT else ""
    if not text:
        raise InvalidArgument(f"takes text of 1 to {MESSAGE_LIMIT:,} characters")
    return text


def _file_urls(value: Any) -> tuple[str, ...]:
    value = list_of_text(value)
    if isinstance(value, str):
        value = [value]
    urls = [safe_url(item) for item in value if isinstance(item, str)] if isinstance(value, list) else []
    if not isinstance(value, list) or len(urls) != len(value) or not all(urls) or len(urls) > MOST_FILES:
        raise InvalidArgument(f"takes a list of at most {MOST_FILES} https urls of files")
    return tuple(urls)


def _reaction(value: Any) -> str:
    value = one_of_list(value)
    # The person who is asked sees all of it.
    text = clean(value, None) if isinstance(value, str) else ""
    if text.lower() in REACTIONS:
        return text.lower()
    # An emoji may be several characters, but no letters, digits or spaces.
    if 0 < len(text) <= _EMOJI_LIMIT and not re.search(r"[\w\s]", text) and not text.isascii():
        return text
    raise InvalidArgument(f"takes one of {', '.join(REACTIONS)}, or one emoji")


MessageText: TypeAlias = Annotated[str, PlainValidator(_message_text), _STRING]
"""What a message says, as typed."""

FileUrls: TypeAlias = Annotated[
    tuple[str, ...], PlainValidator(_file_urls), WithJsonSchema({"type": "array", "items": {"type": "string"}})
]
"""Where the files of a message are."""

Service: TypeAlias = Annotated[
    str, PlainValidator(_named(*SERVICES)), WithJsonSchema({"type": "string", "enum": list(SERVICES)})
]
"""The service that must carry a message."""

Effect: TypeAlias = Annotated[
    str, PlainValidator(_named(*EFFECTS)), WithJsonSchema({"type": "string", "enum": list(EFFECTS)})
]
"""How iMessage shows a message."""

ReactionType: TypeAlias = Annotated[str, PlainValidator(_reaction), _STRING]
"""One of `REACTIONS`, or an emoji."""
