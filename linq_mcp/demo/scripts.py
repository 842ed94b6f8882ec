"""The small language in which the demo's conversations are written.

A script is a short conversation. Each line begins with its speaker: `>` is us, `!` is us with a message that failed,
`*` is us with a closing remark that a tapback may replace, and `<` or a digit is another participant.
`|` divides a message into parts: `file:leak.jpg` is an attachment, `https://…` a link, `tapback:like` our reaction to
the message, anything else text. Words in braces are filled in later.
"""

from dataclasses import dataclass

OURS = 0


@dataclass(frozen=True)
class Line:
    """One message of a script; `speaker` is 0 for our own line and otherwise counts the other participants."""

    speaker: int
    pieces: tuple[str, ...]
    failed: bool = False
    closing: bool = False


Script = tuple[Line, ...]


def scripts(source: str) -> tuple[Script, ...]:
    """Read scripts that are separated by empty lines."""
    return tuple(tuple(_line(line) for line in block.strip().splitlines()) for block in source.strip().split("\n\n"))


def script(source: str) -> Script:
    """Read a single script."""
    (only,) = scripts(source)
    return only


def _line(source: str) -> Line:
    mark, _, words = source.partition(" ")
    speaker = {">": OURS, "!": OURS, "*": OURS, "<": 1}.get(mark)
    return Line(
        int(mark) if speaker is None else speaker,
        tuple(piece.strip() for piece in words.split("|")),
        failed=mark == "!",
        closing=mark == "*",
    )
