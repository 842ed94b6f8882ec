"""`RESULTS.md`, of which each of the benchmarks writes a section, leaving the others' as they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"


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


def write_section(text: str) -> None:
    """Replace the section that has the same heading as `text`, or add it to the end."""
    heading = text.splitlines()[0]
    sections = re.split(r"(?m)^(?=##? )", RESULTS.read_text(encoding="utf-8"))
    kept = [text if section.startswith(f"{heading}\n") else section for section in sections if section.strip()]
    if text not in kept:
        kept.append(text)
    RESULTS.write_text("\n\n".join(section.strip() for section in kept) + "\n", encoding="utf-8")
