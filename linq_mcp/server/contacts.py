"""The operator's contacts file, a CSV or vCard: read at the first call that needs it, and again when it changes."""

from __future__ import annotations

import csv
import logging
import os
import quopri
import re
import stat
from collections.abc import Iterable, Iterator
from email import message_from_string
from itertools import islice
from pathlib import Path

from linq_mcp.rows.directory import NOBODY, Directory, normal_handle
from linq_mcp.sanitize import clean

logger = logging.getLogger(__name__)

NAME_LIMIT = 80
MAX_BYTES = 20_000_000
_LONGEST_LINE = 10_000
_PROBLEMS_KEPT = 20


class ContactsFile:
    """The directory in the file at `path`. A file that can't be read leaves the last directory in force."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int] | None = None
        self._directory = NOBODY

    def directory(self) -> Directory:
        """The directory as the file has it now. Never raises; what is wrong is in `Directory.problems`."""
        try:
            found = self._path.stat()
            version = (found.st_mtime_ns, found.st_size)
            if version != self._version:
                self._directory = parse_contacts(_text_of(self._path, found))
                self._version = version
                logger.info("%d names read from the contacts file", len(self._directory.names))
        except OSError as error:
            reason = error.strerror or str(error)
            logger.warning("the contacts file can't be read: %s", reason)
            return Directory(self._directory.names, (f"The contacts file can't be read: {reason}.",))
        return self._directory


def _text_of(path: Path, found: os.stat_result) -> str:
    # Opening a FIFO or a device could wait for ever.
    if not stat.S_ISREG(found.st_mode):
        raise OSError("it is not a regular file")
    if found.st_size > MAX_BYTES:
        raise OSError("it is larger than 20 MB")
    return path.read_bytes().decode("utf-8", "replace")


def parse_contacts(text: str) -> Directory:
    """The directory in the text of a vCard file, or of a CSV file with the columns `handle` and `name`."""
    is_vcard = text.lstrip("\ufeff \r\n\t")[:11].upper().startswith("BEGIN:VCARD")
    names: dict[str, str] = {}
    problems: list[str] = []
    for place, handle, name in _vcards(text) if is_vcard else _rows(text):
        cleaned, shown = normal_handle(handle), clean(name, NAME_LIMIT)
        if not shown or not _is_handle(cleaned):
            problems.append(f"{place} has no {'name' if _is_handle(cleaned) else 'number or email address'} to use.")
        else:
            names.setdefault(cleaned, shown)
    return Directory(names, tuple(problems[:_PROBLEMS_KEPT]))


def _rows(text: str) -> Iterator[tuple[str, str, str]]:
    lines = [line[:_LONGEST_LINE] for line in text.removeprefix("\ufeff").splitlines()]
    header = [cell.strip().casefold() for cell in next(csv.reader(lines[:1]), [])]
    named = {"handle", "name"} <= set(header)
    handle_at, name_at = (header.index("handle"), header.index("name")) if named else (0, 1)
    for number, line in enumerate(islice(lines, int(named), None), start=1 + int(named)):
        if not line.strip():
            continue
        try:
            cells = next(csv.reader([line]))
        except csv.Error:
            cells = []
        cells += [""] * (max(handle_at, name_at) + 1 - len(cells))
        yield f"Line {number}", cells[handle_at], cells[name_at]


def _vcards(text: str) -> Iterator[tuple[str, str, str]]:
    cards = re.split(r"^BEGIN:VCARD[ \t]*\r?$", text, flags=re.IGNORECASE | re.MULTILINE)[1:]
    for number, card in enumerate(cards, start=1):
        # A vCard's lines are folded as those of an email's header are.
        properties = [(name.upper(), value) for name, value in message_from_string(card.strip()).items()]
        name = next(_values(properties, "FN"), "") or " ".join(
            part.strip() for part in reversed(next(_values(properties, "N"), "").split(";")[:2])
        )
        handles = [*_values(properties, "TEL"), *_values(properties, "EMAIL")]
        for handle in handles or [""]:
            yield f"Card {number}", re.sub(r"^(tel|mailto):", "", handle, flags=re.IGNORECASE), name


def _values(properties: Iterable[tuple[str, str]], wanted: str) -> Iterator[str]:
    for name, value in properties:
        kind, *parameters = name.split(";")
        if kind.rpartition(".")[2] != wanted:
            continue
        quoted = "ENCODING=QUOTED-PRINTABLE" in parameters
        text = quopri.decodestring(value.encode()).decode("utf-8", "replace") if quoted else value
        yield re.sub(r"\\([,;\\])", r"\1", text).strip()


def _is_handle(handle: str) -> bool:
    return re.fullmatch(r"\+?[0-9]{3,15}|[^\s@]+@[^\s@]+", handle) is not None
