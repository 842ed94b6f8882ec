"""The Inspector's command lines in both eras: `mcp-inspector --cli`, and `mcpdo`, which can answer a question.

The second argument is the folder of their executables.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, Self

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
    """The Inspector's connections, which a daemon keeps between its commands. Leaving the block stops it."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        folder = self._folder.name
        private = {"MCP_INSPECTOR_DAEMON_DIR": folder, "MCP_INSPECTOR_DAEMON_TOKEN": token_urlsafe(32)}
        # The daemon's home is its own folder, too, so that nothing is left of it.
        self._env = {**os.environ, **private, "HOME": folder, "MCP_INSPECTOR_SECRET_STORE": "file"}
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        run("mcpdo", "daemon", "stop", env=self._env)
        self._folder.cleanup()

    def run(self, *arguments: str) -> dict[str, Any]:
        """The JSON that a command prints, also if it is a tool's error."""
        done = run("mcpdo", "--format", "json", *arguments, env=self._env)
        if done.returncode not in (0, TOOL_ERROR):
            raise RuntimeError(f"mcpdo {arguments}: exit code {done.returncode}: {done.stderr}")
        printed: dict[str, Any] = json.loads(done.stdout)
        return printed

    def send(self, sending: Sending, era: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Send one message of two: each question, which is what the call prints, and the result after the answer."""
        name = self.run("connect", "--era", era, "--elicit", "form", "--", *sending.command)["name"]
        ended = []
        for said in ("yes", "no"):
            arguments = json.dumps(sending.arguments(era, said))
            asked = self.run("--connection", name, "tools/call", "send_message", arguments)["elicitationPending"]
            answer = expected.answer_of_person(asked["message"])
            given = json.dumps(answer) if answer else "--decline"
            ended.append((asked, self.run("--connection", name, "elicitation/respond", asked["elicitationId"], given)))
        self.run("disconnect", name)
        return ended


def check_sending(sending: Sending, era: str, ended: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    """Check the tools of a server that may send, and how the two questions ended."""
    code, result, said = inspect(sending.command, era, "tools/list", "--strict")
    same(f"{era} tools/list --strict of a server that may send: findings", (code, said.strip()), (0, ""))
    same(f"{era} tools/list of a server that may send", result["tools"], list(sending.tools.values()))
    for (asked, result), check_text in zip(ended, (expected.sent, expected.not_sent), strict=True):
        same(f"{era}: what must be answered", asked["requestedSchema"]["required"], ["choice"])
        check_text(era, flagged=result["isError"], text=result["content"][0]["text"])


def main() -> None:
    wanted = expected.read()
    with ThreadPoolExecutor() as eras:
        list(eras.map(lambda era: check(wanted, era), ERAS))
    # A failed check ends this process at once, so there is none while the daemon runs.
    with Mcpdo() as mcpdo:
        ended = {era: mcpdo.send(wanted.sending, era) for era in ERAS}
    for era in ERAS:
        check_sending(wanted.sending, era, ended[era])
    wanted.report("mcp-inspector --cli and mcpdo, both eras", ", no strict finding, questions", answers=FEW)


main()
