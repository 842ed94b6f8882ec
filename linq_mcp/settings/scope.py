"""The lines and tools that the operator wants open, read from two lists. A list that can't be used opens nothing."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from linq_mcp.handles import read_number
from linq_mcp.settings.problems import ScopeProblem, ToolsThatSend, UnknownTools, UnusableLines

_SEPARATOR = re.compile(r"[,;\n]")
# Of anything else, a key pasted into the wrong place for example, nothing is repeated.
_NAME = re.compile(r"[A-Za-z_]{1,40}")


@dataclass(frozen=True)
class Scope:
    """The open lines (E.164) and tools, all of them where there are none here. With a `problem` nothing is open."""

    lines: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    problem: ScopeProblem | None = None


def read_scope(
    lines: str | None,
    tools: str | None,
    known_tools: Collection[str] | None,
    absent_tools: Collection[str] = (),
    country: str | None = None,
) -> Scope:
    """The scope of two comma-separated lists, each of which may be missing (None).

    With `known_tools`, the tools have to be among them. `absent_tools` are those that are missing because sending is
    not allowed. Numbers without a country code are of `country`.
    """
    numbers, names = listed(lines), listed(tools)
    read = [number for item in numbers if (number := read_number(item, country))]
    if lines is not None and (len(read) < len(numbers) or not numbers):
        return Scope(problem=UnusableLines())
    unknown = [name for name in names if known_tools is not None and name not in known_tools]
    if tools is not None and (unknown or not names):
        shown = tuple(name for name in unknown if _NAME.fullmatch(name))
        return Scope(problem=UnknownTools(shown, tuple(known_tools or ())))
    if sends := [name for name in names if name in absent_tools]:
        return Scope(problem=ToolsThatSend(tuple(dict.fromkeys(sends))))
    return Scope(tuple(dict.fromkeys(read)), tuple(dict.fromkeys(names)))


def listed(text: str | None) -> list[str]:
    """The items of a list as people write it."""
    return [item.strip() for item in _SEPARATOR.split(text or "") if item.strip()]
