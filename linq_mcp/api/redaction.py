"""Keeps a caller's Linq key out of whatever is shown, should somebody's text repeat it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

KEY_PLACEHOLDER = "[key]"
# Anything shorter is not a key, but may well occur in a text.
_SHORTEST_KEY = 8


def may_repeat(json_text: str, key: str) -> bool:
    """Whether `json_text` holds the key, as it is or as JSON escapes it. Fast, and sometimes true without need."""
    return len(key) >= _SHORTEST_KEY and (key in json_text or json.dumps(key)[1:-1] in json_text)


def without_key(value: Any, key: str) -> Any:
    """`value`, any JSON value, with `[key]` wherever a text repeats the key.

    A number that repeats it is left out of its object or list, as no text may stand there.
    """
    if len(key) < _SHORTEST_KEY:
        return value
    if isinstance(value, str):
        return value.replace(key, KEY_PLACEHOLDER)
    if isinstance(value, Mapping):
        return {
            without_key(name, key): without_key(item, key) for name, item in value.items() if not _is_key(item, key)
        }
    if isinstance(value, list | tuple):
        return [without_key(item, key) for item in value if not _is_key(item, key)]
    return value


def _is_key(value: object, key: str) -> bool:
    return key.isdecimal() and isinstance(value, int | float) and key in repr(value)
