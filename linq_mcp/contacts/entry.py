"""One entry of a contacts file, whatever its format, and how its bytes become text."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A person's handles, as they are written and each with its line, and their name.

    `line` is where the entry begins. `handles` is None if it can't be read at all.
    """

    line: int
    handles: tuple[tuple[int, str], ...] | None
    name: str


def decoded(line: bytes, charset: str | None = None) -> str:
    """`line` in its `charset`, or else in UTF-8, or else in Windows-1252, which Excel writes in the West.

    One odd byte among characters of UTF-8 is a slip in that line, and does not make it another encoding.
    """
    try:
        return line.decode(charset or "utf-8")
    except (LookupError, UnicodeDecodeError):
        text = line.decode("utf-8", "replace")
    is_utf8 = any(not character.isascii() and character != "\ufffd" for character in text)
    return text.replace("\ufffd", "") if is_utf8 else line.decode("cp1252", "replace")
