"""`RESULTS.md`, which each of the benchmarks writes a part of, leaving the others' parts as they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"
_ACCOUNT = "## The whole account"
_HOSTILE = "## Hostile answers"
_BOARD = "## The board"


@dataclass(frozen=True)
class Row:
    """A row of the table: what was measured, our figure, the other side's, and the goal if there is one."""

    what: str
    ours: str
    other: str = ""
    ratio: str = ""
    goal: str = ""
    reached: bool | None = None


def table(rows: list[Row]) -> str:
    marks = {True: "yes", False: "**no**", None: ""}
    lines = ["| measure | linq-mcp | other | ratio | goal | reached |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row.what} | {row.ours} | {row.other} | {row.ratio} | {row.goal} | {marks[row.reached]} |" for row in rows
    ]
    return "\n".join(lines)


def write_results(
    *, figures: str | None = None, account: str | None = None, hostile: str | None = None, board: str | None = None
) -> None:
    """Replace the parts that are given, each of which begins with its heading."""
    text = RESULTS.read_text(encoding="utf-8")
    parts = []
    for given, heading in ((board, _BOARD), (hostile, _HOSTILE), (account, _ACCOUNT)):
        text, boundary, rest = text.partition(f"\n{heading}")
        parts.append(given or boundary + rest)
    parts.append(figures or text)
    RESULTS.write_text("\n\n".join(part.strip() for part in reversed(parts) if part.strip()) + "\n", encoding="utf-8")
