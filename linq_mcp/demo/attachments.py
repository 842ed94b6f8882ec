"""The files of the demo account: those in the folder `files`, one that is too large, and some that are gone.

`docs/images/draw_demo_files.py` draws them.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

_FILES = Path(__file__).with_name("files")
# This film is made while it is read, and all of it but the beginning is empty.
_FILM = "first-aid.mp4"
_FILM_BYTES = 30_000_000
_FILM_HEAD = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"
_EMPTY = bytes(2**16)


@cache
def size_of(filename: str) -> int | None:
    """How many bytes the file has; None if Linq no longer keeps it."""
    if filename == _FILM:
        return _FILM_BYTES
    return (_FILES / filename).stat().st_size if filename in _kept() else None


def content_of(filename: str) -> Iterator[bytes]:
    """The file, piece by piece. Raises FileNotFoundError if Linq no longer keeps it."""
    if filename == _FILM:
        return _film()
    if filename not in _kept():
        raise FileNotFoundError(filename)
    return iter([(_FILES / filename).read_bytes()])


def _film() -> Iterator[bytes]:
    yield _FILM_HEAD
    left = _FILM_BYTES - len(_FILM_HEAD)
    while left:
        # The same bytes again and again take no memory, even where a whole answer is collected.
        chunk = _EMPTY if left >= len(_EMPTY) else _EMPTY[:left]
        yield chunk
        left -= len(chunk)


@cache
def _kept() -> frozenset[str]:
    """The names are compared, as one from outside could be a path that leads elsewhere."""
    return frozenset(path.name for path in _FILES.iterdir())
