"""The processes that are measured: an MCP server on plain pipes, and the API that it reads."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, Self

HERE = Path(__file__).parent
KEY = "benchmark"
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "benchmark", "version": "1"},
}
OURS = [sys.executable, "-m", "linq_mcp"]
NAIVE = [sys.executable, str(HERE / "naive_server.py")]
INDENTING = [*NAIVE, "indent"]
OURS_HTTP = [*OURS, "http", "--port"]
NAIVE_HTTP = [*NAIVE, "http"]
BARE = [sys.executable, str(HERE / "bare_server.py")]


class Measured:
    """A process, what it uses, and its end."""

    process: subprocess.Popen[bytes]

    def memory(self) -> float:
        """Resident memory in MiB (Linux)."""
        return self._status("VmRSS")

    def peak_memory(self) -> float:
        """The highest resident memory so far, in MiB (Linux)."""
        return self._status("VmHWM")

    def cpu_seconds(self) -> float:
        """CPU time used so far, of all threads (Linux)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _status(self, field: str) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(status.split(f"{field}:")[1].split()[0]) / 1024

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)


class HttpServer(Measured):
    """An MCP server over Streamable HTTP, with `more` in its environment. It is killed at the end of the block."""

    def __init__(self, command: list[str], api: str, more: Mapping[str, str] | None = None) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        env = {"LINQ_API_V3_BASE_URL": api, "PYTHONPATH": str(HERE.parent), **(more or {})}
        self.process = subprocess.Popen([*command, str(self.port)], stderr=subprocess.DEVNULL, env=env)

    def __enter__(self) -> Self:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except ConnectionRefusedError:
                time.sleep(0.1)
            else:
                return self
        self.kill()
        raise RuntimeError("the server did not start")

    def __exit__(self, *_: object) -> None:
        self.kill()


class Server(Measured):
    """An MCP server as a subprocess; `started` is when it was spawned."""

    def __init__(self, command: list[str], api: str, more: Mapping[str, str] | None = None) -> None:
        own = {"LINQ_API_V3_API_KEY": KEY, "LINQ_API_V3_BASE_URL": api, "PYTHONPATH": str(HERE.parent)}
        env = {**own, **(more or {})}
        self.started = perf_counter()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._stdin, self._stdout = self.process.stdin, self.process.stdout
        self._ids = 0

    def send(self, method: str, params: dict[str, Any] | None = None) -> int:
        """Send a request; its id."""
        self._ids += 1
        message = {"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params or {}}
        self._stdin.write(json.dumps(message).encode() + b"\n")
        self._stdin.flush()
        return self._ids

    def read_line(self) -> bytes:
        """The next line of stdout, whatever it is; empty at the end."""
        return self._stdout.readline()

    def receive(self) -> bytes:
        """The next line of stdout, which must be a success."""
        line = self.read_line()
        if not line or b'"error"' in line[:60] or b'"isError":true' in line[-40:]:
            raise RuntimeError(f"the server failed: {line[:300]!r}")
        return line

    def initialize(self) -> None:
        self.send("initialize", INITIALIZE)
        self.receive()
        self._stdin.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')

    def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.send("tools/call", {"name": tool, "arguments": arguments})
        result = json.loads(self.receive())["result"]
        assert isinstance(result, dict)
        return result

    def call_and_ping(self, tool: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], float]:
        """As `call`, with pings meanwhile, one after the other; the answer, and the seconds that the slowest took."""
        self.send("tools/call", {"name": tool, "arguments": arguments})
        result: dict[str, Any] = {}
        slowest = 0.0
        while not result:
            started, ping = perf_counter(), self.send("ping")
            while (answer := json.loads(self.receive()))["id"] != ping:
                result = answer["result"]
            slowest = max(slowest, perf_counter() - started)
            time.sleep(0.02)
        return result, slowest

    def calls(self, number: int, in_flight: int, limit: int) -> float:
        """Make `number` calls of list_chats with `in_flight` open at a time; the seconds that took."""
        arguments = {"name": "list_chats", "arguments": {"limit": limit}}
        started = perf_counter()
        for _ in range(in_flight):
            self.send("tools/call", arguments)
        for done in range(number):
            self.receive()
            if done + in_flight < number:
                self.send("tools/call", arguments)
        return perf_counter() - started

    def end(self) -> float:
        """Close stdin and wait; the seconds until the process was gone."""
        started = perf_counter()
        self._stdin.close()
        self.process.wait(20)
        self._stdout.close()
        return perf_counter() - started

    def terminate(self) -> float:
        """Send SIGTERM and wait; the seconds until the process was gone."""
        started = perf_counter()
        self.process.terminate()
        self.process.wait(20)
        return perf_counter() - started


@contextmanager
def api(program: str, *arguments: str) -> Iterator[str]:
    """One of the measuring APIs in a process of its own: its base URL."""
    command = [sys.executable, str(HERE / program), *arguments]
    env = {"PYTHONPATH": os.pathsep.join((str(HERE.parent), str(HERE.parent / "tests")))}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
