"""Contact cards: vCard 2.1, 3.0, and 4.0, as phones and address books write them."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from linq_mcp.contacts.entry import Entry, decoded

_PROPERTY_START = re.compile(rb"(?:[\w-]++\.)?+(?:BEGIN|END|FN|N|ORG|NICKNAME|TEL|EMAIL)[;:]", re.IGNORECASE)
_PROPERTY = re.compile(
    rb"""(?:[\w-]++\.)?+                          # its group
    (BEGIN|END|FN|N|ORG|NICKNAME|TEL|EMAIL)
    ((?:;(?:[^":;]|"[^"]*+")*+)*+)                # its parameters
    :(.*)""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_QUOTED_PRINTABLE = re.compile(rb";(?:ENCODING=)?QUOTED-PRINTABLE(?:;|$)", re.IGNORECASE)
_CHARSET = re.compile(rb';CHARSET="?([\w.:-]+)', re.IGNORECASE)
_COMPONENT = re.compile(r"((?:\\.|[^\\;])*+)(?:;|$)", re.DOTALL)


def is_vcard(lines: Sequence[bytes]) -> bool:
    """Whether the first line that is not blank begins a card."""
    first = next((line for line in lines if line.strip()), b"")
    return first.strip().upper() == b"BEGIN:VCARD"


def vcard_entries(lines: Sequence[bytes]) -> Iterator[Entry]:
    """The people of the cards in `lines`."""
    card: _Card | None = None
    for line, name, value in _properties(lines):
        if name in ("BEGIN", "END"):
            if card:
                yield card.entry()
            card = _Card(line) if name == "BEGIN" else None
        elif card is not None:
            card.add(line, name, value)
    if card:
        yield card.entry()


@dataclass(slots=True)
class _Card:
    """The properties so far of the card that begins on `line`. Of several values, the first one counts."""

    line: int
    names: dict[str, str] = field(default_factory=dict)
    handles: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, property_: str, value: str) -> None:
        if property_ in ("TEL", "EMAIL"):
            self.handles.append((line, _unescaped(value)))
            return
        parts = [_unescaped(part[1]) for part in islice(_COMPONENT.finditer(f"{value};"), 3)]
        if property_ == "N":
            # Family name, given name, additional names.
            parts = [*parts[1:], parts[0]]
        shown = _unescaped(value) if property_ == "FN" else " ".join(filter(None, parts))
        self.names.setdefault(property_, shown)

    def entry(self) -> Entry:
        names = (self.names.get(property_, "") for property_ in ("FN", "N", "NICKNAME", "ORG"))
        return Entry(self.line, tuple(self.handles), next(filter(None, names), ""))


def _properties(lines: Sequence[bytes]) -> Iterator[tuple[int, str, str]]:
    """The properties that matter, each with its line, its name in upper case, and its value, unfolded and decoded."""
    at = 0
    while at < len(lines):
        start, at = at, at + 1
        # The further lines of other properties begin with white space, or hold nothing that looks like a property.
        if not _PROPERTY_START.match(lines[start]):
            continue
        quoted = _QUOTED_PRINTABLE.search(lines[start].partition(b":")[0]) is not None
        # Joined before it is decoded: a fold may be in the middle of a character.
        parts = [lines[start]]
        while at < len(lines):
            if quoted and parts[-1].endswith(b"="):
                parts[-1] = parts[-1][:-1]
                # Some programs fold the line as well.
                parts.append(lines[at].removeprefix(b" "))
            elif lines[at].startswith((b" ", b"\t")):
                parts.append(lines[at][1:])
            else:
                break
            at += 1
        if found := _PROPERTY.fullmatch(b"".join(parts)):
            value = binascii.a2b_qp(found[3]) if quoted else found[3]
            charset = _CHARSET.search(found[2])
            yield start + 1, found[1].decode().upper(), decoded(value, charset[1].decode() if charset else None)


def _unescaped(value: str) -> str:
    return re.sub(r"\\(.)", lambda escape: " " if escape[1] in "nN" else escape[1], value).strip()
