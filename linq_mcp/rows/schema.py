"""How rows are declared: as TypedDicts, from which their JSON schema follows, and written without empty members."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any, NotRequired, TypeVar, cast, get_args, get_origin, get_type_hints, is_typeddict

RowT = TypeVar("RowT", bound=Mapping[str, object])

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", dict: "object"}


def without_empty(row: RowT) -> RowT:
    """`row` without the members that say nothing: None, "", False, and empty lists and objects. Zero is a value."""
    kept = {name: value for name, value in row.items() if value or (value == 0 and value is not False)}
    return cast("RowT", kept)


def json_schema(declared: Any) -> dict[str, Any]:
    """The JSON schema of a TypedDict, with no keyword that a client might not support.

    A member is required unless it is declared `NotRequired`. Members of a `dict` are not described.
    """
    if is_typeddict(declared):
        properties: dict[str, Any] = {}
        required = []
        for name, hint in get_type_hints(declared, include_extras=True).items():
            if get_origin(hint) is not NotRequired:
                required.append(name)
            properties[name] = json_schema(get_args(hint)[0] if get_origin(hint) is NotRequired else hint)
        return {"type": "object", "properties": properties, **({"required": required} if required else {})}
    if get_origin(declared) is list:
        return {"type": "array", "items": json_schema(get_args(declared)[0])}
    # `int | None` is for members that `without_empty` leaves out when they are None.
    (kind,) = [kind for kind in get_args(declared) if kind is not NoneType] if _is_optional(declared) else [declared]
    return {"type": _TYPES[get_origin(kind) or kind]}


def _is_optional(declared: Any) -> bool:
    return NoneType in get_args(declared)
