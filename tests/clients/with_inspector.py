"""The Inspector's command line in both eras. The second argument is its executable."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import expected
from expected import Expected, same

ERAS = ("legacy", "modern")
TOOL_ERROR = 5
SECONDS = 30
# How many of the answers to compare: each call starts the Inspector and the server again.
FEW = 3


def inspect(command: list[str], era: str, method: str, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Return the exit code, the `result` on stdout, and stderr."""
    done = subprocess.run(
        [sys.argv[2], "--cli", *command, "--method", method, *arguments, "--format", "json", "--protocol-era", era],
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=SECONDS,
    )
    return done.returncode, json.loads(done.stdout or "{}").get("result", {}), done.stderr


def check(wanted: Expected, era: str) -> None:
    """Check the list of tools and each call in one era."""
    code, result, said = inspect(wanted.command, era, "tools/list", "--strict")
    same(f"{era} tools/list --strict: findings", (code, said.strip()), (0, ""))
    same(f"{era} tools/list", result["tools"], list(wanted.tools.values()))
    for call in (*wanted.answers[:FEW], *wanted.refusals):
        given = ("--tool-name", call.tool, "--tool-args-json", json.dumps(call.arguments))
        code, result, said = inspect(wanted.command, era, "tools/call", *given)
        if call.data is None:
            same(f"{era} {call}: exit code", code, TOOL_ERROR)
            expected.refused(call, flagged=result["isError"], text=result["content"][0]["text"])
            continue
        same(f"{era} {call}: exit code and stderr", (code, said.strip()), (0, ""))
        same(f"{era} {call}: structuredContent", result.get("structuredContent"), call.data)
        same(f"{era} {call}: content", [block["text"] for block in result["content"]], [call.text])


def main() -> None:
    wanted = expected.read()
    with ThreadPoolExecutor() as eras:
        list(eras.map(lambda era: check(wanted, era), ERAS))
    wanted.report("mcp-inspector --cli, both eras", ", no strict finding", answers=FEW)


main()
