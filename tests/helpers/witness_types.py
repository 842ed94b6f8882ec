"""Validates answers with the official SDK's types, which the SDK itself only constructs, without validating."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError


def refused(model: type[BaseModel], thing: dict[str, Any]) -> set[object]:
    """Return the members of `thing` that `model` refuses or does not know when it validates JSON strictly."""
    try:
        # JSON can escape half an emoji; UTF-8 cannot encode it.
        read = model.model_validate_json(json.dumps(thing, ensure_ascii=False).encode("utf-8", "replace"), strict=True)
    except ValidationError as error:
        return {found["loc"][0] for found in error.errors()}
    return {*unknown_members(read)}


def unknown_members(value: object) -> Iterator[str]:
    """Yield the members that the SDK's types do not have, at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from unknown_members(item)
    elif isinstance(value, BaseModel):
        yield from value.model_extra or {}
        for name in type(value).model_fields:
            yield from unknown_members(getattr(value, name))
