"""Everything that `.ci/conformance` tests: the conformance suite, two replicas behind nginx, and a short load.

    python tests/e2e/http/proof.py NODE FOLDER

Prints one line for each outcome, then how many passed, failed and were skipped.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import conformance
import load
import replicas
from conformance import Outcome
from processes import Failed

LOAD_SECONDS, LOAD_CLIENTS = 6, 200


def outcomes(node: str, packages: Path) -> Iterator[Outcome]:
    """Yield each outcome as soon as it is known."""
    try:
        yield from conformance.run(node, packages)
    except Failed as failed:
        yield Outcome("FAILED", str(failed))
    for name, shown in (
        ("replicas", replicas.run),
        ("load", lambda: load.run(seconds=LOAD_SECONDS, clients=LOAD_CLIENTS)),
    ):
        try:
            lines = shown()
        except Failed as failed:
            yield Outcome("FAILED", f"{name}: {failed}")
        else:
            yield Outcome("ok", "\n    ".join([f"{name}:", *lines]))


def main() -> None:
    begun = time.monotonic()
    counts: Counter[str] = Counter()
    for outcome in outcomes(sys.argv[1], Path(sys.argv[2])):
        counts[outcome.status] += 1
        sys.stdout.write(f"{outcome}\n")
        sys.stdout.flush()
    sys.stdout.write(f"conformance: done after {time.monotonic() - begun:.0f} s\n")
    sys.stdout.write(f"{counts['ok']} passed, {counts['FAILED']} failed, {counts['skipped']} skipped\n")
    sys.exit(bool(counts["FAILED"]))


if __name__ == "__main__":
    main()
