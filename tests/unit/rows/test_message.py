"""A message as a row: a member that is not what it should be costs what it would have said, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

import pytest

from linq_mcp.api.models import Message
from linq_mcp.rows.message import message_row

MESSAGE: dict[str, Any] = {
    "id": "m1",
    "chat_id": "550e8400-e29b-41d4-a716-446655440000",
    "created_at": "2026-11-20T12:00:00Z",
    "updated_at": "2026-11-20T12:00:00Z",
    "sent_at": "2026-11-20T12:00:00Z",
    "is_from_me": False,
    "from": "+12052532136",
    "from_handle": {"handle": "+12052532136"},
    "delivery_status": "received",
    "service": "iMessage",
    "parts": [
        {
            "type": "text",
            "value": "Hello!",
            "reactions": [{"type": "love", "is_me": False, "handle": {"handle": "+12052532136"}}],
        },
        {
            "type": "media",
            "id": "a1",
            "url": "https://x",
            "filename": "a.png",
            "mime_type": "image/png",
            "size_bytes": 7,
        },
    ],
    "effect": {"name": "confetti"},
    "reply_to": {"message_id": "m0"},
}
FILE = {"id": "a1", "filename": "a.png", "mime_type": "image/png", "size_bytes": 7}
ROW = {
    "id": "m1",
    "at": "2026-11-20T12:00:00Z",
    "sender": "+12052532136",
    "text": "Hello!",
    "attachments": [FILE],
    "reactions": [{"type": "love", "sender": "+12052532136"}],
    "reply_to": "m0",
    "effect": "confetti",
}


def _without(sample: Mapping[str, Any], member: str) -> dict[str, Any]:
    return {name: value for name, value in sample.items() if name != member}


_MISSING = object()
# Each kind of JSON value, and nothing at all.
_KINDS: tuple[object, ...] = (_MISSING, None, True, 5, 2.5, "text", [], [None, 7], {}, {"x": 1})


def _variants(sample: Mapping[str, Any], place: str) -> Iterable[dict[str, Any]]:
    """`sample` with every other kind of value in `place`, such as `handles.0.status`."""
    *way, last = [int(step) if step.isdigit() else step for step in place.split(".")]
    for value in _KINDS:
        variant = deepcopy(dict(sample))
        inner: Any = variant
        for step in way:
            inner = inner[step]
        if type(value) is type(inner[last]) and value:
            continue
        if value is _MISSING:
            del inner[last]
        else:
            inner[last] = value
        yield variant


# What is lost (None) or becomes different in the row when the member is not what it should be.
LOSSES: dict[str, dict[str, Any]] = {
    "id": {"id": None},
    "chat_id": {},
    "created_at": {},
    "sent_at": {},
    "is_from_me": {},
    "from": {},
    "from_handle": {},
    "from_handle.handle": {},
    "delivery_status": {},
    "service": {},
    "effect": {"effect": None},
    "effect.name": {"effect": None},
    "reply_to": {"reply_to": None},
    "reply_to.message_id": {"reply_to": None},
    "parts": {"text": None, "attachments": None, "reactions": None, "may_be_poll": True},
    "parts.0.type": {"text": None, "other_parts": ["unknown"]},
    "parts.0.value": {"text": None},
    "parts.0.reactions": {"reactions": None},
    "parts.0.reactions.0.is_me": {},
    "parts.0.reactions.0.type": {"reactions": [{"type": "unknown", "sender": "+12052532136"}]},
    "parts.0.reactions.0.handle": {"reactions": [{"type": "love"}]},
    "parts.1.type": {"attachments": None, "other_parts": ["unknown"]},
    "parts.1.url": {},
    "parts.1.id": {"attachments": [_without(FILE, "id")]},
    "parts.1.filename": {"attachments": [_without(FILE, "filename")]},
    "parts.1.mime_type": {"attachments": [_without(FILE, "mime_type")]},
    "parts.1.size_bytes": {"attachments": [_without(FILE, "size_bytes")]},
}


@pytest.mark.parametrize("place", LOSSES)
def test_a_member_that_is_wrong_or_missing_costs_only_itself(place: str) -> None:
    wanted = {name: value for name, value in {**ROW, **LOSSES[place]}.items() if value is not None}
    variants = list(_variants(MESSAGE, place))
    assert len(variants) >= 8
    for variant in variants:
        assert message_row(Message.model_validate(variant), usual="iMessage") == wanted
