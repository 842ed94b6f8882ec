"""The cursor of the tools that read much: a place among the rows of an answer, not in a list of Linq's."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite
from typing import Annotated, Any, Protocol, TypeAlias
from urllib.parse import quote, unquote
from zlib import crc32

from pydantic import PlainValidator, WithJsonSchema

from linq_mcp.errors import ArgumentsError
from linq_mcp.tools.base.parameters import InvalidArgument, ToolArguments

SortKey: TypeAlias = tuple[float, str]
"""What rows are ordered by: a number, and an id, so that no two rows are equal."""

_LIMIT = 2000
# The end of the year 9999, in seconds since 1970.
_LATEST = 253_402_300_800
# Arguments that do not change which rows there are.
_NOT_FILTERS = frozenset({"cursor", "limit"})
UNUSABLE = "takes the `next_cursor` of the previous answer, unchanged (omit it to start again)"


@dataclass(frozen=True, slots=True)
class RowCursor:
    """After the row with the key `after`. Times are in seconds since 1970.

    `fingerprint` stands for the tool and its filters. Messages count from `since` on, and if Linq had listed them by
    `until`, the newest that the first answer used; that answer was made at `made`, and stands on what was asked for at
    `as_of`.
    """

    fingerprint: str
    since: float
    until: float
    made: float
    as_of: float
    after: SortKey

    def __str__(self) -> str:
        numbers = (self.since, self.until, self.made, self.as_of, self.after[0])
        # `quote` leaves a tilde as it is.
        id_ = quote(self.after[1], safe="+/=:,").replace("~", "%7E")
        return "~".join([self.fingerprint, *map(_number, numbers), id_])


def fingerprint(arguments: ToolArguments) -> str:
    """Eight hexadecimal digits that stand for the tool and the filters of a call."""
    filters = {name: value for name, value in arguments if name not in _NOT_FILTERS}
    facts = [type(arguments).__module__, *(f"{name}={_plain(value)}" for name, value in sorted(filters.items()))]
    return f"{crc32(' '.join(facts).encode('utf-8', 'surrogatepass')):08x}"


class _HasFingerprint(Protocol):
    @property
    def fingerprint(self) -> str: ...


def check_fingerprint(cursor: _HasFingerprint | None, arguments: ToolArguments) -> str:
    """The fingerprint of `arguments`. Raises `ArgumentsError` if `cursor` was issued for others."""
    expected = fingerprint(arguments)
    if cursor and cursor.fingerprint != expected:
        raise ArgumentsError(
            ["`cursor` needs the same tool, filters and order as the call that gave it; leave it out to start again."]
        )
    return expected


def _plain(value: object) -> str:
    return ",".join(sorted(value)) if isinstance(value, frozenset) else str(value)


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def read_cursor(value: Any) -> RowCursor | None:
    """The cursor that `str()` wrote, or None."""
    fields = value.strip().split("~") if isinstance(value, str) and len(value) <= _LIMIT and value.isprintable() else []
    try:
        mark, since, until, made, as_of, number, id_ = fields
        times = (_finite(since), _finite(until), _finite(made), _finite(as_of))
        # A row without a time comes last.
        after = inf if number == "inf" else _finite(number)
        return RowCursor(mark, *times, (after, unquote(id_)))
    except ValueError:
        return None


def _read(value: Any) -> RowCursor:
    if (cursor := read_cursor(value)) is None:
        raise InvalidArgument(UNUSABLE)
    return cursor


def _finite(text: str) -> float:
    value = float(text)
    # Anything else is no number that a cursor of ours can hold.
    if not (isfinite(value) and abs(value) < _LATEST):
        raise ValueError
    return value


Position: TypeAlias = Annotated[RowCursor, PlainValidator(_read), WithJsonSchema({"type": "string"})]
"""The `next_cursor` of an earlier answer to the same question."""
