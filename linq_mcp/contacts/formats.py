"""The formats of a contacts file, CSV and vCard (2.1, 3.0, 4.0), read into a `Directory`.

What can't be used is skipped and named in `Directory.problems` by its line. The work grows with the length of the
file alone, whatever is in it.
"""

from __future__ import annotations

import binascii
import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from linq_mcp.contacts.directory import Directory, normal_handle
from linq_mcp.sanitize import clean

NAME_LIMIT = 80
MAX_LINES = 1_000_000
_PROBLEMS_SHOWN = 20
# A quotation mark that nothing closes would otherwise swallow all the lines after it.
_LINES_OF_A_RECORD = 20
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_HANDLE = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{3,6}|[^\s@]{1,64}@[^\s@]{1,189}")
_NATIONAL_NUMBER = re.compile(r"[0-9]{7,15}")
_SEPARATOR_LINE = re.compile(r"sep=([,;|\t])", re.IGNORECASE)
_PROPERTY_START = re.compile(r"(?:[\w-]++\.)?+(?:BEGIN|END|FN|N|TEL|EMAIL)[;:]", re.IGNORECASE)
_PROPERTY = re.compile(
    r"""(?:[\w-]++\.)?+                           # its group
    (BEGIN|END|FN|N|TEL|EMAIL)
    ((?:;(?:[^":;]|"[^"]*+")*+)*+)                # its parameters
    :(.*)""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_QUOTED_PRINTABLE = re.compile(r";(?:ENCODING=)?QUOTED-PRINTABLE(?:;|$)", re.IGNORECASE)
_COMPONENT = re.compile(r"((?:\\.|[^\\;])*+)(?:;|$)", re.DOTALL)
_URI = re.compile(r"(?:tel|sms|mailto):([^;?]*+)", re.IGNORECASE)


class _Entry(NamedTuple):
    """A handle and a name as the file has them, and the line they are on. Both are None if it can't be read."""

    line: int
    handle: str | None
    name: str | None


def read_contacts(content: bytes) -> Directory:
    """The directory in a vCard file, or in a CSV file with the columns `handle` and `name`.

    A CSV file without those two headings has handles in its first column and names in its second. Where a handle
    has several names, the first one counts.
    """
    lines = re.split(r"\r\n|\r|\n", _decoded(content), maxsplit=MAX_LINES)
    unread = lines[MAX_LINES:]
    del lines[MAX_LINES:]
    first = next((line for line in lines if line.strip()), "")
    entries = _vcard_entries(lines) if first.strip().upper() == "BEGIN:VCARD" else _csv_entries(lines)
    names: dict[str, str] = {}
    problems: list[str] = []
    more = 0
    for line, handle, name in entries:
        normal, shown = normal_handle(handle or ""), clean(name or "", NAME_LIMIT)
        problem = _problem(handle, normal, shown, names.get(normal, shown))
        if not problem:
            names[normal] = shown
        elif len(problems) < _PROBLEMS_SHOWN:
            problems.append(f"Line {line} {problem}.")
        else:
            more += 1
    if more:
        problems.append(f"{more} more entries can't be used.")
    if unread:
        problems.append(f"Lines after the first {MAX_LINES:,} are not read.")
    return Directory(names, tuple(problems))


def _problem(handle: str | None, normal: str, name: str, known: str) -> str:
    """Why an entry can't be used: the end of a sentence; "" if it can."""
    if handle is None:
        return "can't be read as CSV"
    if _HANDLE.fullmatch(normal):
        if not name:
            return "has no name"
        return "" if name == known else "gives a second name to the same number or address"
    if _NATIONAL_NUMBER.fullmatch(re.sub(r"[\s().\-/]", "", normal)):
        return "has a number without + and the country code"
    return "has no phone number or email address"


def _decoded(content: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return content.removeprefix(mark).decode(encoding, "replace")
    try:
        return content.decode()
    except UnicodeDecodeError:
        # What Excel writes on Windows in Western Europe and America.
        return content.decode("cp1252", "replace")


def _csv_entries(lines: Sequence[str]) -> Iterator[_Entry]:
    start = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if separator_line := _SEPARATOR_LINE.fullmatch(lines[start].strip()):
        delimiter, start = separator_line[1], start + 1
    else:
        # No handle and neither heading contains one of them, so the first one separates.
        found = re.search(r"[,;\t]", lines[start])
        delimiter = found[0] if found else ","
    handle_at, name_at = 0, 1
    for number, cells in _csv_records(lines, start, delimiter):
        if number == start + 1:
            headings = [cell.strip().casefold() for cell in cells or ()]
            if {"handle", "name"} <= set(headings):
                handle_at, name_at = headings.index("handle"), headings.index("name")
                continue
        if cells is None:
            yield _Entry(number, None, None)
        elif any(cell.strip() for cell in cells):
            yield _Entry(number, *("".join(cells[column : column + 1]) for column in (handle_at, name_at)))


def _csv_records(lines: Sequence[str], start: int, delimiter: str) -> Iterator[tuple[int, list[str] | None]]:
    """The records from the line `start` on, each with the number of its first line; None for one that is malformed."""
    at = start
    while at < len(lines):
        end = at + 1
        if not lines[at]:
            at = end
            continue
        cells = _csv_cells(lines[at], delimiter)
        if cells is None and lines[at].count('"') % 2:
            # A quoted cell goes on until the next line with an odd number of quotation marks.
            last = min(at + _LINES_OF_A_RECORD, len(lines))
            end = next((n + 1 for n in range(at + 1, last) if lines[n].count('"') % 2), at + 1)
            cells = _csv_cells("\n".join(lines[at:end]), delimiter)
        yield at + 1, cells
        at = end if cells is not None else at + 1


def _csv_cells(record: str, delimiter: str) -> list[str] | None:
    try:
        # The reader wants the line breaks inside a cell at the ends of the lines it is given.
        lines = re.split(r"(?<=\n)", record)
        return next(csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter != "\t", strict=True), [])
    except csv.Error:
        return None


@dataclass(slots=True)
class _Card:
    """What has been read of a vCard that begins on `line`."""

    line: int
    formatted_name: str = ""
    name: str = ""
    handles: list[tuple[int, str]] = field(default_factory=list)

    def entries(self) -> Iterator[_Entry]:
        name = self.formatted_name or self.name
        for line, handle in self.handles or [(self.line, "")]:
            yield _Entry(line, handle, name)


def _vcard_entries(lines: Sequence[str]) -> Iterator[_Entry]:
    card: _Card | None = None
    for line, name, value in _properties(lines):
        if name in ("BEGIN", "END"):
            if card:
                yield from card.entries()
            card = _Card(line) if name == "BEGIN" else None
        elif card is None:
            continue
        elif name == "FN":
            card.formatted_name = card.formatted_name or _unescaped(value)
        elif name == "N":
            family, given = (_unescaped(part[1]) for part in islice(_COMPONENT.finditer(f"{value};"), 2))
            card.name = card.name or f"{given} {family}".strip()
        else:
            uri = _URI.match(value)
            card.handles.append((line, uri[1] if uri else _unescaped(value)))
    if card:
        yield from card.entries()


def _properties(lines: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """The properties that matter, each with its line, its name in upper case, and its value, unfolded and decoded."""
    at = 0
    while at < len(lines):
        start, at = at, at + 1
        # The further lines of other properties begin with white space, or hold nothing that looks like a property.
        if not _PROPERTY_START.match(lines[start]):
            continue
        quoted = _QUOTED_PRINTABLE.search(lines[start].partition(":")[0]) is not None
        parts = [lines[start]]
        while at < len(lines):
            if quoted and parts[-1].endswith("="):
                parts[-1] = parts[-1][:-1]
                parts.append(lines[at])
            elif lines[at].startswith((" ", "\t")):
                parts.append(lines[at][1:])
            else:
                break
            at += 1
        if found := _PROPERTY.fullmatch("".join(parts)):
            value = found[3]
            yield start + 1, found[1].upper(), _decoded(binascii.a2b_qp(value.encode())) if quoted else value


def _unescaped(value: str) -> str:
    return re.sub(r"\\(.)", lambda escape: " " if escape[1] in "nN" else escape[1], value).strip()
