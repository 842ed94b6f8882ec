"""Replaces a caller's Linq key wherever a text that is shown contains it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

REDACTED_KEY = "[key]"
# Anything shorter is no real key, but may well occur in an ordinary text.
_SHORTEST_KEY = 8


def contains_key(json_text: str, key: str) -> bool:
    """Whether `json_text` contains the key, as it is or as JSON escapes it. Fast; may be true by chance."""
    return len(key) >= _SHORTEST_KEY and (key in json_text or json.dumps(key)[1:-1] in json_text)


def without_key(value: Any, key: str) -> Any:
    """`value`, any JSON value, with `[key]` in place of the key in every text.

    A number that contains the key is removed from its object or list, because a schema allows no text in its place.
    """
    if len(key) < _SHORTEST_KEY:
        return value
    if isinstance(value, str):
        return value.replace(key, REDACTED_KEY)
    if isinstance(value, Mapping):
        return {
            without_key(name, key): without_key(item, key) for name, item in value.items() if not _is_key(item, key)
        }
    if isinstance(value, list | tuple):
        return [without_key(item, key) for item in value if not _is_key(item, key)]
    return value


def _is_key(value: object, key: str) -> bool:
    return key.isdecimal() and isinstance(value, int | float) and key in repr(value)
