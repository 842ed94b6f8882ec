"""The cursor of the tools that read much, of the whole account or of one chat, and answer a part of what they found.

Such an answer ends for one of two reasons: its `limit`, or the time of a call. So the cursor says which parts of the
list of chats still have something to show, and, for a part that was read before, after which row to go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from typing import Annotated, Any, TypeAlias
from urllib.parse import quote, unquote

from pydantic import PlainValidator, WithJsonSchema

from linq_mcp.tools.base.parameters import InvalidArgument
from linq_mcp.tools.reading.scan import UNUSABLE_POSITION, ScanCursor

Rank: TypeAlias = tuple[float, str]
"""What rows are ordered by: a number, and the id, so that no two rows are equal."""

_LIMIT = 20_000
_PART_FIELDS = 8
_OFFSET_DIGITS = 10
# The end of the year 9999, in seconds since 1970.
_LATEST = 253_402_300_800


@dataclass(frozen=True, slots=True)
class Part:
    """The chats from `start` up to `end` (None: the last one). Rows up to the rank `after` have been shown."""

    start: ScanCursor = field(default_factory=ScanCursor)
    end: ScanCursor | None = None
    after: Rank | None = None


@dataclass(frozen=True, slots=True)
class ReadingCursor:
    """Where to go on. `since` and `until` bound the times of messages, in seconds since 1970, as of the first call."""

    fingerprint: str
    since: float
    until: float
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        fields = [self.fingerprint, _number(self.since), _number(self.until)]
        for part in self.parts:
            fields += [part.start.cursor or "", str(part.start.offset), part.start.last_id]
            fields += [part.end.cursor or "", str(part.end.offset), part.end.last_id] if part.end else ["", "", ""]
            fields += [_number(part.after[0]), part.after[1]] if part.after else ["", ""]
        # `quote` leaves a tilde as it is.
        return "~".join(quote(text, safe="+/=:,").replace("~", "%7E") for text in fields)


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _read(value: Any) -> ReadingCursor:
    if isinstance(value, str) and len(value) <= _LIMIT and value.isprintable():
        fingerprint, *fields = (unquote(text) for text in value.strip().split("~"))
        times, rest = fields[:2], fields[2:]
        if rest and len(rest) % _PART_FIELDS == 0:
            try:
                since, until = map(_seconds, times)
                return ReadingCursor(fingerprint, since, until, tuple(_parts(rest)))
            except ValueError:
                pass
    raise InvalidArgument(UNUSABLE_POSITION)


def _seconds(text: str) -> float:
    value = float(text)
    # Anything else is no time that a message can have.
    if not (isfinite(value) and abs(value) < _LATEST):
        raise ValueError
    return value


def _place(cursor: str, offset: str, last_id: str) -> ScanCursor:
    if not (offset.isascii() and offset.isdecimal() and len(offset) < _OFFSET_DIGITS):
        raise ValueError
    return ScanCursor(cursor or None, int(offset), last_id)


def _parts(fields: list[str]) -> Iterator[Part]:
    for index in range(0, len(fields), _PART_FIELDS):
        cursor, offset, last_id, end_cursor, end_offset, end_id, rank, id_ = fields[index : index + _PART_FIELDS]
        yield Part(
            _place(cursor, offset, last_id),
            _place(end_cursor, end_offset, end_id) if end_offset else None,
            (float(rank), id_) if rank else None,
        )


ReadingPosition: TypeAlias = Annotated[ReadingCursor, PlainValidator(_read), WithJsonSchema({"type": "string"})]
"""The `next_cursor` of an earlier answer of a tool that reads the whole account, to the same question."""
