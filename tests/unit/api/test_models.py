"""What is kept of an answer: nothing without a limit, and nothing that does not fit its type."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from linq_mcp.api.models import ChatDetail, Chats, Message, Messages, PhoneNumbers


def read(model: type[BaseModel], value: Any, *, parsed: bool) -> Any:
    return model.model_validate(value) if parsed else model.model_validate_json(json.dumps(value))


def test_every_text_and_list_has_a_limit() -> None:
    def unlimited(schema: dict[str, Any], where: str) -> list[str]:
        found = []
        for name, given in schema.get("properties", {}).items():
            kinds = given.get("anyOf", [given])
            limited = any("maxLength" in kind or "maxItems" in kind for kind in kinds)
            if not limited and any(kind.get("type") in ("string", "array") for kind in kinds):
                found.append(f"{where}.{name}")
        return found

    missing = []
    for model in (ChatDetail, Chats, Messages, PhoneNumbers):
        schema = model.model_json_schema(mode="validation")
        for where, definition in {model.__name__: schema, **schema.get("$defs", {})}.items():
            missing += unlimited(definition, where)
    # Rows have the limit of what was asked for, and an answer as a whole one on its objects.
    assert missing == ["Chats.chats", "Messages.messages", "PhoneNumbers.phone_numbers"]


@pytest.mark.parametrize("parsed", [False, True], ids=["from JSON", "from objects"])
@pytest.mark.parametrize(
    ("member", "limit", "longer"),
    [
        ("id", 200, "hashed"),
        ("display_name", 10_000, "cut"),
        ("service", 200, "absent"),
        ("updated_at", 100, "absent"),
        ("group_chat_icon", 8000, "absent"),
    ],
)
def test_what_becomes_of_a_text_over_its_limit(member: str, limit: int, longer: str, parsed: bool) -> None:
    """What can be read in part is cut, an id becomes a short one of its own, anything else is absent."""
    within, over = "ü" * limit, "ü" * (limit + 1)
    assert getattr(read(ChatDetail, {member: within}, parsed=parsed), member) == within
    kept = getattr(read(ChatDetail, {member: over}, parsed=parsed), member)
    match longer:
        case "cut":
            assert kept == within
        case "absent":
            assert kept is None
        case _:
            assert len(kept) == 33


def test_long_ids_stay_apart() -> None:
    """The same one is the same again, and none can be taken for one of Linq's."""
    ids = [ChatDetail.model_validate({"id": "x" * 3000 + end}).id for end in ("a", "b", "a")]
    assert ids[0] == ids[2] != ids[1]
    assert all(id_ and id_.startswith("…") for id_ in ids)


@pytest.mark.parametrize("parsed", [False, True], ids=["from JSON", "from objects"])
@pytest.mark.parametrize(
    ("model", "member", "item"), [(ChatDetail, "handles", {"handle": "a"}), (Message, "parts", {"type": "text"})]
)
def test_a_list_over_its_limit_is_cut(model: type[BaseModel], member: str, item: Any, parsed: bool) -> None:
    for count in (999, 1000, 1001, 5000):
        kept = getattr(read(model, {member: [item] * count}, parsed=parsed), member)
        assert len(kept) == min(count, 1000)


@pytest.mark.parametrize(
    ("value", "kept"),
    [(0, 0), (7, 7), (2**53 - 1, 2**53 - 1), (2**53, None), (-1, None), (10**400, None), (7.5, None), ("7", None)],
    ids=lambda value: str(value)[:9],
)
def test_a_size_is_one_that_every_reader_of_json_can_hold(value: Any, kept: int | None) -> None:
    (part,) = Message.model_validate_json(json.dumps({"parts": [{"size_bytes": value}]})).parts or []
    assert part.size_bytes == kept


@pytest.mark.parametrize(
    "value", [None, 5, True, 2.5, [], [1], ["x" * 300] * 2000, {}, {"x": 1}], ids=lambda value: repr(value)[:9]
)
@pytest.mark.parametrize("member", ["id", "display_name", "service", "updated_at", "group_chat_icon"])
def test_a_value_of_another_type_is_absent(member: str, value: Any) -> None:
    assert getattr(read(ChatDetail, {member: value}, parsed=False), member) is None
    assert getattr(read(ChatDetail, {member: value}, parsed=True), member) is None
