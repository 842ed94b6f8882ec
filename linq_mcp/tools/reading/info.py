"""What an answer says about the reading it stands on: how much was read, as of when, and what a further call gives."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import NotRequired, TypedDict

from linq_mcp.errors import LinqMcpError
from linq_mcp.sanitize import ID_LIMIT, clean
from linq_mcp.store.access import Facts
from linq_mcp.tools.base.paging import counted, unreadable_note

_IDS_NAMED = 3
# Readings older than this are worth a note.
_NOTED_SECONDS = 120.0
_UNITS = (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0))


class LeftOut(TypedDict):
    """The chats whose messages Linq does not let be read: how many, and the ids of the first."""

    count: int
    ids: list[str]


class ReadingInfo(TypedDict):
    """How much was read, and as of when: the oldest of it. `complete` says that every chat in question was read."""

    as_of: str
    scanned: int
    complete: bool
    left_out: NotRequired[LeftOut]
    note: NotRequired[str]


class RowsInfo(ReadingInfo):
    """The same about rows, of which `next_cursor` leads to more."""

    next_cursor: NotRequired[str]


def left_out(facts: Facts) -> LeftOut | None:
    """The chats that were left out, if any."""
    ids = [clean(id_ or "?", ID_LIMIT) for id_ in facts.left_out[:_IDS_NAMED]]
    return {"count": len(facts.left_out), "ids": ids} if ids else None


def reading_notes(facts: Facts, now: float, format_error: Callable[[LinqMcpError], str]) -> list[str]:
    """What is out of the ordinary about a reading: what is left, how old it is, and what failed."""
    notes = [_partial_note(facts) if not facts.is_complete else _age_note(facts, now)]
    if facts.error:
        notes.append(f"Linq failed meanwhile. {format_error(facts.error)}")
    if facts.is_endless:
        notes.append("Linq's cursors lead nowhere or in a circle, so reading ended there; there may be more chats.")
    if facts.unreadable:
        notes.append(unreadable_note(facts.unreadable))
    if facts.is_full:
        notes.append("Not all of this account fits into memory; with --store PATH it is kept in a file.")
    if facts.store_error:
        notes.append(format_error(facts.store_error))
    return list(filter(None, notes))


def _partial_note(facts: Facts) -> str:
    if facts.is_endless or (facts.total is not None and facts.scanned + len(facts.left_out) >= facts.total):
        return ""
    if facts.total is None:
        return (
            f"{counted(facts.scanned, 'chat is', 'chats are')} read so far, and there are more; the same call reads on."
        )
    if facts.is_too_much:
        return (
            f"A call has time for {facts.scanned:,} of the {facts.total:,} chats, and the same call for no more; "
            "ask about one line, one person, or a shorter time."
        )
    then = f"in about {_rounded(facts.seconds)} s" if facts.seconds else "if it is made again"
    return f"{facts.scanned:,} of {facts.total:,} chats are read; the same call has the rest {then}."


def _age_note(facts: Facts, now: float) -> str:
    if not facts.stale or now - facts.as_of < _NOTED_SECONDS:
        return ""
    age = now - facts.as_of
    unit, seconds = next(((name, size) for name, size in _UNITS if age >= 2 * size), _UNITS[-1])
    oldest, newest = (int((now - at) // seconds) for at in (facts.as_of, facts.stale_to))
    span = f"{newest} to {oldest}" if newest != oldest else f"{oldest}"
    again = f"; the same call is up to date in about {_rounded(facts.seconds)} s" if facts.seconds else ""
    return f"{counted(facts.stale, 'chat was', 'chats were')} read {span} {unit} ago{again}."


def _rounded(seconds: float) -> int:
    """Whole seconds, in steps of five."""
    return max(5, ceil(seconds / 5) * 5)
