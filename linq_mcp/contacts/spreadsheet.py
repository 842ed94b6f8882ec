"""CSV files with people: exports of address books and CRMs, recognised by their headings, and what Excel saves.

Without headings the first column has the handle and the second the name, or the other way round.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from linq_mcp.contacts.entry import Entry
from linq_mcp.handles import read_handle

# A quotation mark that nothing closes would otherwise swallow all the lines after it.
_LINES_OF_A_RECORD = 20
_SEPARATOR_LINE = re.compile(r"sep=([,;|\t])", re.IGNORECASE)
# Compared with a heading in lower case.
_HANDLE = re.compile(
    r"\b(?:handle|phones?|mobile|cell|tel|telephone|telefon\w*|mobil\w*|handy|m[oó]vil|portable|t[eé]l[eé]phone|tel[eé]fono"
    r"|whatsapp|e-?mails?|e-?mail-?adresse|courriel|correo)\b|^numbers?$"
)
_NO_HANDLE = re.compile(
    r"\b(?:label|type|typ|display name|fax|pager|telex|tty|domain|opted|status|date|count|confirmed|owner|reply|replied"
    r"|last|sent|opened|clicked|bounce|bounced|quarantined|extension|ext|assistant|assistant's|carrier|verified|consent)\b"
)
_NAME_PARTS = (
    re.compile(r"^(?:full |display |contact |file )?name$|^file as$|^anzeigename$|^nom complet$|^nombre completo$"),
    re.compile(r"^(?:first|given)[ _]?name$|^first$|^vorname$|^pr[eé]nom$|^nombre$"),
    re.compile(r"^(?:middle|additional)[ _]?name$|^weitere vornamen$"),
    re.compile(r"^(?:last|family)[ _]?name$|^last$|^surname$|^nachname$|^nom$|^apellidos?$"),
    re.compile(r"^nick ?name$|^spitzname$"),
    re.compile(r"^(?:company|organi[sz]ation|account)(?: 1 -)?(?: name)?$|^firma$|^soci[eé]t[eé]$|^empresa$"),
)
_KINDS = (
    ("a Google Contacts export", {"phone 1 - value", "e-mail 1 - value"}),
    ("an Outlook export", {"e-mail address", "mobile phone", "business phone"}),
    ("a HubSpot export", {"record id"}),
)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where a person's handles are, and the parts of their name: whole, first, middle, last, nickname, company."""

    handles: tuple[int, ...]
    names: tuple[int | None, ...]

    @staticmethod
    def of(headings: Sequence[str]) -> _Columns | None:
        """The columns that `headings` name; None if these are no headings of people."""
        handles = tuple(at for at, name in enumerate(headings) if _HANDLE.search(name) and not _NO_HANDLE.search(name))
        names = tuple(
            next((at for at, name in enumerate(headings) if part.match(name) and at not in handles), None)
            for part in _NAME_PARTS
        )
        return _Columns(handles, names) if handles and any(at is not None for at in names) else None

    def entry(self, line: int, cells: Sequence[str]) -> Entry:
        def cell(at: int | None) -> str:
            return cells[at].strip() if at is not None and at < len(cells) else ""

        whole, first, middle, last, nickname, company = map(cell, self.names)
        name = whole or " ".join(filter(None, (first, middle, last))) or nickname or company
        return Entry(line, tuple((line, text) for at in self.handles if (text := cell(at))), name)


def csv_entries(lines: Sequence[str]) -> tuple[str, Iterator[Entry]]:
    """What the file is, and the people in its rows."""
    start = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if start < len(lines) and (separator_line := _SEPARATOR_LINE.fullmatch(lines[start].strip())):
        delimiter, start = separator_line[1], start + 1
    else:
        # No handle and no usual heading contains one of them, so the first one separates.
        found = re.search(r"[,;\t|]", lines[start]) if start < len(lines) else None
        delimiter = found[0] if found else ","
    records = _records(lines, start, delimiter)
    first = next(records, None)
    headings = [cell.strip().casefold() for cell in (first and first[1]) or ()]
    if columns := _Columns.of(headings):
        kind = next((kind for kind, marks in _KINDS if marks & set(headings)), "a CSV file")
        return kind, _entries(records, columns)
    swapped = len(headings) > 1 and not read_handle(headings[0], "US") and bool(read_handle(headings[1], "US"))
    columns = _Columns((1 if swapped else 0,), (0 if swapped else 1, *[None] * (len(_NAME_PARTS) - 1)))
    return "a CSV file without the usual headings", _entries(_records(lines, start, delimiter), columns)


def _entries(records: Iterator[tuple[int, list[str] | None]], columns: _Columns) -> Iterator[Entry]:
    for line, cells in records:
        if cells is None:
            yield Entry(line, None, "")
        elif any(cell.strip() for cell in cells):
            yield columns.entry(line, cells)


def _records(lines: Sequence[str], start: int, delimiter: str) -> Iterator[tuple[int, list[str] | None]]:
    """The records from the line `start` on, each with the number of its first line; None for one that is malformed."""
    at = start
    while at < len(lines):
        end = at + 1
        if not lines[at].strip():
            at = end
            continue
        cells = _cells(lines[at], delimiter)
        if cells is None and lines[at].count('"') % 2:
            # A quoted cell goes on until the next line with an odd number of quotation marks.
            last = min(at + _LINES_OF_A_RECORD, len(lines))
            end = next((n + 1 for n in range(at + 1, last) if lines[n].count('"') % 2), at + 1)
            cells = _cells("\n".join(lines[at:end]), delimiter)
        yield at + 1, cells
        at = end if cells is not None else at + 1


def _cells(record: str, delimiter: str) -> list[str] | None:
    try:
        # The reader wants the line breaks inside a cell at the ends of the lines it is given.
        lines = re.split(r"(?<=\n)", record)
        return next(csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter != "\t", strict=True), [])
    except csv.Error:
        return None
