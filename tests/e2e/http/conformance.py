"""The MCP conformance suite against a running `linq-mcp --demo http --allow-send`, behind `suite_names`.

    python tests/e2e/http/conformance.py NODE FOLDER

NODE is a node >= 22, and FOLDER holds the packages that `.ci/conformance` installs. A scenario passes if at least one
of its checks was made and all that were made succeeded; conformance-baseline.toml lists what does not apply.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from processes import Failed, linq_mcp
from suite_names import by_suite_names

BASELINE = Path(__file__).with_name("conformance-baseline.toml")
SECONDS = 120
# For each run, the folder of its package and its options.
RUNS = {
    "stable": ("conformance", "--suite", "all"),
    "2025-11-25": ("conformance-alpha", "--requirements", "2025-11-25"),
    "2026-07-28": ("conformance-alpha", "--requirements", "2026-07-28"),
}
# This check is part of every scenario.
WIRE = "wire-schema-valid"
_BAD = ("FAILURE", "WARNING")


@dataclass(frozen=True)
class Outcome:
    """One line of the report; `status` is ok, skipped or FAILED."""

    status: str
    text: str

    def __str__(self) -> str:
        return f"{self.status}: {self.text}"


@dataclass
class Entry:
    """One name of the baseline, and the runs in which it excused something (`met`) or nothing (`idle`)."""

    name: str
    why: str
    runs: tuple[str, ...]
    met: list[str] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)

    def note(self, run: str, *, needed: bool) -> None:
        (self.met if needed else self.idle).append(run)


def baseline() -> dict[str, Entry]:
    tables = tomllib.loads(BASELINE.read_text(encoding="utf-8"))["does-not-apply"]
    entries = [Entry(name, one["why"], tuple(one.get("runs", RUNS))) for one in tables for name in one["names"]]
    return {entry.name: entry for entry in entries}


def judged(run: str, scenario: str, checks: list[dict[str, Any]], entries: dict[str, Entry]) -> Outcome:
    """The outcome of a scenario, from the suite's report on each of its checks."""
    bad = {
        check["id"]: str(check.get("errorMessage") or check["status"]) for check in checks if check["status"] in _BAD
    }
    good = [check["id"] for check in checks if check["status"] == "SUCCESS" and check["id"] != WIRE]
    whole = entries.get(scenario)
    if whole and run in whole.runs:
        needed = bool(bad.keys() - {WIRE}) or not good
        whole.note(run, needed=needed)
        if needed and WIRE not in bad:
            return Outcome("skipped", f"{run} {scenario}: {whole.why}")
    excused = 0
    for check in {check["id"] for check in checks}:
        entry = entries.get(f"{scenario}:{check}")
        if entry and run in entry.runs:
            entry.note(run, needed=check in bad)
            excused += bad.pop(check, None) is not None
    if bad:
        failures = "; ".join(f"{check}: {text[:300]}" for check, text in bad.items())
        return Outcome("FAILED", f"{run} {scenario}: {failures}")
    if not good:
        return Outcome("FAILED", f"{run} {scenario}: no check was made; only the baseline can excuse that")
    apart = f", not applicable {excused}" if excused else ""
    return Outcome("ok", f"{run} {scenario}: checks passed {len(good)}{apart}")


def suite(run: str, node: str, packages: Path, url: str) -> dict[str, list[dict[str, Any]]]:
    """Each scenario's checks, in the order of the run."""
    package, *options = RUNS[run]
    program = packages / "node_modules" / package / "dist" / "index.js"
    with tempfile.TemporaryDirectory(prefix="linq-mcp-") as folder:
        try:
            done = subprocess.run(
                [node, str(program), "server", "--url", url, *options, "--output-dir", folder],
                capture_output=True,
                check=False,
                cwd=folder,
                encoding="utf-8",
                errors="replace",
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"{run}: the suite was not done after {SECONDS} s") from None
        names = re.findall(r"^[✓✗] (\S+): \d+ passed", done.stdout, re.MULTILINE)
        found = {
            re.sub(r"-\d{4}-\d\d-\d\dT[\d-]+Z$", "", one.parent.name).removeprefix("server-"): json.loads(
                one.read_text(encoding="utf-8")
            )
            for one in Path(folder).glob("*/checks.json")
        }
    if not names or set(names) != found.keys():
        raise Failed(f"{run}: the suite ended early:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    return {name: found[name] for name in names}


def run(node: str, packages: Path) -> Iterator[Outcome]:
    """Yield the outcome of each scenario of each run, and of each wrong entry of the baseline. Raises `Failed`."""
    entries = baseline()
    # What was read for one run doesn't count for the next, whose progress would have nothing to report.
    with (
        linq_mcp("server", "--demo", "--allow-send", "http", env={"LINQ_MCP_MAX_AGE": "0"}) as server,
        by_suite_names(f"http://127.0.0.1:{server.port}/mcp") as url,
    ):
        for name in RUNS:
            for scenario, checks in suite(name, node, packages, url).items():
                yield judged(name, scenario, checks, entries)
    for entry in entries.values():
        if entry.idle or not entry.met:
            where = f"in the run {', '.join(entry.idle)}" if entry.idle else "in any run"
            yield Outcome("FAILED", f"{BASELINE.name}: {entry.name} excuses nothing {where}; take it out")


def main() -> None:
    failed = False
    try:
        for outcome in run(sys.argv[1], Path(sys.argv[2])):
            sys.stdout.write(f"{outcome}\n")
            failed |= outcome.status == "FAILED"
    except Failed as failed_run:
        sys.exit(f"FAILED: {failed_run}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
