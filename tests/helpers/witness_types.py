"""What the official SDK's types make of an answer. The SDK itself takes any: it constructs without validating."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError


def refused(model: type[BaseModel], thing: dict[str, Any]) -> set[object]:
    """The members for which `model` refuses what came over the wire, read as JSON and strictly."""
    try:
        # Half an emoji is JSON, but no UTF-8.
        read = model.model_validate_json(json.dumps(thing, ensure_ascii=False).encode("utf-8", "replace"), strict=True)
    except ValidationError as error:
        return {found["loc"][0] for found in error.errors()}
    return {*unknown_members(read)}


def unknown_members(value: object) -> Iterator[str]:
    """The members that the SDK's types do not have, at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from unknown_members(item)
    elif isinstance(value, BaseModel):
        yield from value.model_extra or {}
        for name in type(value).model_fields:
            yield from unknown_members(getattr(value, name))
