"""The server as a subprocess behind raw pipes, without an SDK. Every wait is bounded, and the process always ends."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

SECONDS = 50.0
# All that is passed on of the environment: what makes coverage measure the subprocess. Times are not the developer's.
MEASURED = {"TZ": "UTC", **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}}
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "pipe", "version": "1"}}
COMMAND = (sys.executable, "-m", "linq_mcp")


class Piped:
    """A running `linq-mcp`.

    `lines` holds every line of stdout in order, and `stderr` everything written there unless it was redirected.
    """

    def __init__(
        self,
        *arguments: str,
        env: dict[str, str] | None = None,
        command: tuple[str, ...] = COMMAND,
        stderr: int = subprocess.PIPE,
        measured: bool = True,
    ) -> None:
        self.process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**(MEASURED if measured else {}), **(env or {})},
        )
        self.lines: list[bytes] = []
        self.stderr = b""
        self._incoming: queue.Queue[bytes] = queue.Queue()
        self._threads = [threading.Thread(target=read, daemon=True) for read in (self._read_out, self._read_err)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(SECONDS)
        for thread in self._threads:
            thread.join(SECONDS)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with suppress(BrokenPipeError):
                if pipe:
                    pipe.close()

    def _read_out(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            self._incoming.put(line)

    def _read_err(self) -> None:
        if self.process.stderr:
            self.stderr = self.process.stderr.read()

    def send(self, message: dict[str, Any] | str | bytes) -> None:
        """Write a message, or raw text, as one line."""
        assert self.process.stdin is not None
        if isinstance(message, dict):
            message = json.dumps(message)
        self.process.stdin.write((message.encode() if isinstance(message, str) else message) + b"\n")
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """Return the next line of stdout, parsed. Raises queue.Empty if none comes within `SECONDS`."""
        message = json.loads(self._incoming.get(timeout=SECONDS))
        assert isinstance(message, dict)
        return message

    def ask(self, method: str, params: dict[str, Any] | None = None, *, id_: int = 1) -> dict[str, Any]:
        """Send one request and return its response, skipping notifications."""
        self.send(request(method, params, id_=id_))
        while (answer := self.receive()).get("id") != id_:
            pass
        return answer

    def initialize(self) -> dict[str, Any]:
        """Shake hands as clients of the older era do."""
        answer = self.ask("initialize", HELLO, id_=0)
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer

    def call(self, tool: str, arguments: dict[str, Any] | None = None, *, id_: int = 1) -> dict[str, Any]:
        """Call a tool and return the result."""
        result = self.ask("tools/call", {"name": tool, "arguments": arguments or {}}, id_=id_)["result"]
        assert isinstance(result, dict)
        return result

    def end_of_input(self) -> int:
        """Close stdin and wait for the exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(SECONDS)


def request(method: str, params: dict[str, Any] | None = None, *, id_: int = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id_, "method": method, **({"params": params} if params is not None else {})}


def modern(params: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return params with the envelope of the 2026-07-28 era."""
    prefix = "io.modelcontextprotocol/"
    envelope = {
        f"{prefix}protocolVersion": "2026-07-28",
        f"{prefix}clientInfo": {"name": "pipe", "version": "1"},
        f"{prefix}clientCapabilities": {},
    }
    return {**(params or {}), "_meta": envelope}


def text_of(result: dict[str, Any]) -> str:
    """Return the text of a result, which must have exactly one text block."""
    (block,) = result["content"]
    assert block["type"] == "text"
    return str(block["text"])
