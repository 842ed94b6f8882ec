"""The Inspector's command lines in both eras: `mcp-inspector --cli`, and `mcpdo`, which can answer a question.

The second argument is the folder of their executables.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import expected
from expected import Expected, Sending, same

ERAS = ("legacy", "modern")
TOOL_ERROR = 5
SECONDS = 30
# How many of the answers to compare: each call starts the Inspector and the server again.
FEW = 3


def inspect(command: list[str], era: str, method: str, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Return the exit code, the `result` on stdout, and stderr."""
    options = ["--method", method, *arguments, "--format", "json", "--protocol-era", era]
    done = run("mcp-inspector", "--cli", *command, *options)
    return done.returncode, json.loads(done.stdout or "{}").get("result", {}), done.stderr


def run(program: str, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.argv[2], program), *arguments],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env=env,
        timeout=SECONDS,
    )


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


class Mcpdo:
    """The Inspector's connections, which a daemon keeps between its commands."""

    def __init__(self, folder: str) -> None:
        private = {"MCP_INSPECTOR_DAEMON_DIR": folder, "MCP_INSPECTOR_DAEMON_TOKEN": token_urlsafe(32)}
        # The daemon's home is its own folder, too, so that nothing is left of it.
        self._env = {**os.environ, **private, "HOME": folder, "MCP_INSPECTOR_SECRET_STORE": "file"}

    def run(self, *arguments: str) -> dict[str, Any]:
        """The JSON that a command prints. One that ends with a tool's error prints that."""
        done = run("mcpdo", "--format", "json", *arguments, env=self._env)
        same(f"mcpdo {arguments}: exit code {done.returncode}, {done.stderr}", done.returncode in (0, TOOL_ERROR), True)
        printed: dict[str, Any] = json.loads(done.stdout)
        return printed

    @contextmanager
    def connected(self, command: list[str], era: str) -> Iterator[str]:
        """The name of a connection to the server."""
        name = self.run("connect", "--era", era, "--elicit", "form", "--", *command)["name"]
        try:
            yield name
        finally:
            self.run("disconnect", name)

    def stop(self) -> None:
        run("mcpdo", "daemon", "stop", env=self._env)


def check_sending(mcpdo: Mcpdo, sending: Sending, era: str) -> None:
    """Check the tools of a server that may send, and send one message of two: the question is a command's answer."""
    code, result, said = inspect(sending.command, era, "tools/list", "--strict")
    same(f"{era} tools/list --strict of a server that may send: findings", (code, said.strip()), (0, ""))
    same(f"{era} tools/list of a server that may send", result["tools"], list(sending.tools.values()))
    with mcpdo.connected(sending.command, era) as name:
        for said, check_text in (("yes", expected.sent), ("no", expected.not_sent)):
            arguments = json.dumps(sending.arguments(era, said))
            asked = mcpdo.run("--connection", name, "tools/call", "send_message", arguments)["elicitationPending"]
            same(f"{era}: what must be answered", asked["requestedSchema"]["required"], ["choice"])
            answer = expected.answer_of_person(asked["message"])
            given = json.dumps(answer) if answer else "--decline"
            result = mcpdo.run("--connection", name, "elicitation/respond", asked["elicitationId"], given)
            check_text(era, flagged=result["isError"], text=result["content"][0]["text"])


def main() -> None:
    wanted = expected.read()
    with ThreadPoolExecutor() as eras:
        list(eras.map(lambda era: check(wanted, era), ERAS))
    with tempfile.TemporaryDirectory() as folder:
        mcpdo = Mcpdo(folder)
        try:
            for era in ERAS:
                check_sending(mcpdo, wanted.sending, era)
        finally:
            mcpdo.stop()
    wanted.report("mcp-inspector --cli and mcpdo, both eras", ", no strict finding, questions", answers=FEW)


main()
