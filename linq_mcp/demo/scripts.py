"""The small language in which the demo's conversations are written, in the files of the folder `texts`.

A script is a short conversation. Each line begins with its speaker: `>` is us, `!` is us with a message that failed,
`*` is us with a closing remark that a tapback may replace, and `<` or a digit is another participant.
`|` divides a message into parts: `file:leak.jpg` is an attachment, `https://…` a link, `tapback:like` our reaction to
the message, anything else text. Words in braces are filled in later. An empty line separates two scripts.
"""

from dataclasses import dataclass
from pathlib import Path

OURS = 0
_TEXTS = Path(__file__).with_name("texts")


@dataclass(frozen=True)
class Line:
    """One message of a script; `speaker` is 0 for our own line and otherwise counts the other participants."""

    speaker: int
    pieces: tuple[str, ...]
    failed: bool = False
    closing: bool = False


Script = tuple[Line, ...]


def sections(file: str) -> list[tuple[str, tuple[Script, ...]]]:
    """The sections of `texts/FILE.txt`: each begins with `# ` and its heading, and its scripts follow."""
    first, *others = (_TEXTS / f"{file}.txt").read_text(encoding="utf-8").split("\n# ")
    parted = (section.partition("\n") for section in (first.removeprefix("# "), *others))
    return [(heading, scripts(source)) for heading, _, source in parted]


def scripts(source: str) -> tuple[Script, ...]:
    """Read scripts that are separated by empty lines."""
    return tuple(tuple(_line(line) for line in block.splitlines()) for block in source.strip().split("\n\n"))


def _line(source: str) -> Line:
    mark, _, words = source.partition(" ")
    speaker = {">": OURS, "!": OURS, "*": OURS, "<": 1}.get(mark)
    pieces = tuple(piece.strip() for piece in words.split("|"))
    return Line(int(mark) if speaker is None else speaker, pieces, failed=mark == "!", closing=mark == "*")
