"""Whatever form a key has: nothing that is shown repeats it, and what is shown stays what it was otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest

from linq_mcp.api.redaction import contains_key, without_key

KEYS = [
    "lq-test-7f3a9c",
    'quoted"key"9',
    "back\\slash\\n",
    "1234567890",
    "nnnnnnnn",
    "u0041u0041",
    "[key][key]",
    "aaaaaaaa",
]


@pytest.mark.parametrize("key", KEYS)
def test_every_text_of_a_result_is_without_the_key(key: str) -> None:
    result = {"a": f"x{key}y{key}", key: [key, {"b": (key, "\n" + key)}], "c": [1, 2.5, True, None, "plain"]}
    shown = without_key(result, key)
    if key != "[key][key]":
        assert key not in json.dumps(shown)
        assert json.dumps(key)[1:-1] not in json.dumps(shown)
    assert shown["a"] == "x[key]y[key]"
    assert shown["[key]"][1] == {"b": ["[key]", "\n[key]"]}
    assert shown["c"] == [1, 2.5, True, None, "plain"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_a_json_text_that_repeats_the_key_is_noticed(key: str, ensure_ascii: bool) -> None:
    assert contains_key(json.dumps({"a": f"ü{key}"}, ensure_ascii=ensure_ascii), key)
    assert not contains_key(json.dumps({"a": key[:-1] + "?"}), key)


def test_a_number_that_repeats_the_key_is_left_out() -> None:
    value: Any = {"size_bytes": 12345678, "more": [9123456789, 7, 12345678.5], "name": "12345678"}
    assert without_key(value, "12345678") == {"more": [7], "name": "[key]"}


@pytest.mark.parametrize("key", ["", "a", "1234567"])
def test_what_is_too_short_to_be_a_key_is_left_alone(key: str) -> None:
    assert without_key({"a": f"an {key} 1234567"}, key) == {"a": f"an {key} 1234567"}
    assert not contains_key("a 1234567", key)
