"""`RESULTS.md`, which each of the benchmarks writes a part of, leaving the other's part as it is."""

from __future__ import annotations

from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"
_BOUNDARY = "\n## Hostile answers"


def write_results(*, figures: str | None = None, hostile: str | None = None) -> None:
    """Replace the parts that are given."""
    before, boundary, after = RESULTS.read_text(encoding="utf-8").partition(_BOUNDARY)
    before = figures or before
    after = f"\n{hostile}" if hostile else boundary + after
    RESULTS.write_text(f"{before.rstrip()}\n{after}", encoding="utf-8")
