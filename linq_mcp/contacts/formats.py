"""Reads a contacts file, CSV or vCard, into a `Directory`.

What can't be used is skipped and named in `Directory.problems`. The work grows with the length of the file alone,
whatever is in it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from linq_mcp.contacts.directory import Directory
from linq_mcp.contacts.entry import Entry, decoded
from linq_mcp.contacts.spreadsheet import csv_entries
from linq_mcp.contacts.vcard import is_vcard, vcard_entries
from linq_mcp.handles import read_handle
from linq_mcp.sanitize import HANDLE_LIMIT, clean

NAME_LIMIT = 80
MAX_LINES = 1_000_000
_PROBLEMS_SHOWN = 20
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Files that people take for a CSV file.
_OTHER_FILES = (
    (b"PK\x03\x04", "an Excel workbook (xlsx) or another archive"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook (xls)"),
    (b"%PDF", "a PDF"),
    (b"SQLite format 3", "a database"),
)
_EXTENSION = re.compile(
    r"\s{0,9}(?:;\s{0,9}ext(?:ension)?\s{0,9}=|(?:ext(?:ension|n)?\b|x|#|,{1,9}|;)[.:]?)"
    r"\s{0,9}[0-9]{1,6}\s{0,9}$",
    re.IGNORECASE,
)
_BETWEEN_HANDLES = re.compile(r"\s{0,9}:::\s{0,9}|[;,|\n]|\s/\s")
_NATIONAL_NUMBER = re.compile(r"[0-9]{7,15}")
_ROUNDED = re.compile(r"[0-9][.,][0-9]+E\+?[0-9]{1,2}", re.IGNORECASE)
# Excel writes text as a formula, or with an apostrophe; other programs write numbers with a decimal.
_AS_TEXT = re.compile(r'^(?:="?|\')|"$|(?<=[0-9]{7})\.0$')


def read_contacts(content: bytes, country: str | None = None) -> Directory:
    """The directory in a vCard file, or in a CSV file with headings or with the columns handle and name.

    National numbers are of `country`. Where a handle has several names, the first one counts.
    """
    if other := next((kind for start, kind in _OTHER_FILES if content.startswith(start)), None):
        problem = f"The contacts file is {other}: save or export it as CSV or vCard."
        return Directory(problems=(problem,), missing=problem)
    lines = re.split(rb"\r\n|\r|\n", _as_utf8(content), maxsplit=MAX_LINES)
    unread = lines[MAX_LINES:]
    del lines[MAX_LINES:]
    entries: Iterator[Entry]
    if is_vcard(lines):
        kind, entries = "a vCard file", vcard_entries(lines)
    else:
        kind, entries = csv_entries([decoded(line) for line in lines])
    reader = _Reader(country)
    for entry in entries:
        reader.add(entry)
    amiss, problems = reader.sentences(), reader.problems()
    if unread:
        problems.append(f"Lines after the first {MAX_LINES:,} are not read.")
    if not (amiss or reader.names):
        amiss = problems[:1] or ["It is empty."]
    missing = f"The contacts file is {kind}. {amiss[0]}" if amiss else ""
    return Directory(reader.names, tuple(problems), kind, missing)


def _as_utf8(content: bytes) -> bytes:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            rest = content.removeprefix(mark)
            return rest if encoding == "utf-8" else rest.decode(encoding, "replace").encode("utf-8", "replace")
    if b"\0" in content[:2]:
        # UTF-16 without a mark: the first character is ASCII, in a heading as in BEGIN.
        return content.decode("utf-16-be" if content[0] == 0 else "utf-16-le", "replace").encode("utf-8", "replace")
    return content


class _Reader:
    """Takes entries, and keeps the names, and what could not be used."""

    def __init__(self, country: str | None) -> None:
        self.names: dict[str, str] = {}
        self._country = country
        self._lines: list[str] = []
        self._more = 0
        self._national = 0
        self._rounded = 0

    def add(self, entry: Entry) -> None:
        if entry.handles is None:
            self._note(entry.line, "can't be read as CSV")
            return
        name = clean(entry.name, NAME_LIMIT)
        unusable = entry.line
        found = counted = False
        for line, written in entry.handles:
            handles = list(self._handles(written))
            found = found or bool(handles)
            for handle in handles:
                if not name:
                    self._note(line, "has no name")
                elif self.names.setdefault(handle, name) != name:
                    self._note(line, "gives a second name to the same number or address")
            if not handles:
                unusable = line
                counted = self._count(written) or counted
        if not found and not counted:
            self._note(unusable, "has no phone number or email address")

    def problems(self) -> list[str]:
        """What could not be used: the sentences, and then one for each line."""
        more = [f"{self._more} more entries can't be used."] if self._more else []
        return [*self.sentences(), *self._lines, *more]

    def sentences(self) -> list[str]:
        """A sentence for each kind of number that lacks something."""
        sentences = []
        if self._national:
            numbers = _counted(self._national, "number")
            if self._country:
                sentences.append(
                    f"{numbers} without a country code that can't be of {self._country} (LINQ_MCP_COUNTRY)."
                )
            else:
                sentences.append(f"{numbers} without a country code: set LINQ_MCP_COUNTRY, for example to US.")
        if self._rounded:
            numbers = _counted(self._rounded, "number")
            sentences.append(f"{numbers} that Excel has rounded (1.2E+10): format the column as text and save again.")
        return sentences

    def _handles(self, written: str) -> Iterator[str]:
        whole = _EXTENSION.sub("", _AS_TEXT.sub("", written.strip()))
        if handle := read_handle(whole, self._country):
            yield handle
            return
        for part in _BETWEEN_HANDLES.split(whole):
            handle = read_handle(_EXTENSION.sub("", part.strip()), self._country)
            # A few digits beside a number are an extension, or the rest of one.
            if handle and (handle.startswith("+") or "@" in handle):
                yield handle

    def _count(self, written: str) -> bool:
        """Count a number that lacks its country code, or its last digits; whether it is one of these."""
        text = _EXTENSION.sub("", _AS_TEXT.sub("", written.strip()))
        numbers = [
            re.sub(r"[\s().\-/\u2010-\u2015]", "", clean(part, HANDLE_LIMIT)) for part in _BETWEEN_HANDLES.split(text)
        ]
        national = sum(_NATIONAL_NUMBER.fullmatch(number) is not None for number in numbers)
        rounded = _ROUNDED.fullmatch(text) is not None
        self._national += national
        self._rounded += rounded
        return rounded or national > 0

    def _note(self, line: int, problem: str) -> None:
        if len(self._lines) < _PROBLEMS_SHOWN:
            self._lines.append(f"Line {line} {problem}.")
        else:
            self._more += 1


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
