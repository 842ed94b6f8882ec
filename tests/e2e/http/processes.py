"""The processes that `.ci/conformance` tests: replicas of `linq-mcp http`, and nginx in front of them.

They listen on loopback only. Every wait is bounded, and everything that was started is stopped.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

REPO = Path(__file__).resolve().parents[3]
TEMPLATE = Path(__file__).with_name("nginx.conf.template")
# The name that clients call, and that nginx passes on.
NAME = "mcp.example.com"
KEY_HEADER = "x-linq-api-v3-api-key"
START_SECONDS = 30
# Longer than the ten that the server gives to calls in progress.
STOP_SECONDS = 15
_EVERY = 0.05


class Failed(Exception):
    """The test failed; the text says what happened."""


def free_port() -> int:
    """A port that was free a moment ago. It has to be known in advance, as it is used again after a restart."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


@dataclass
class Process:
    """A command that can be started, stopped by SIGTERM and started again. Its stderr goes to a file."""

    name: str
    command: list[str]
    port: int
    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    healthz: bool = True
    _running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until the port answers."""
        with self._log.open("ab") as log:
            self._running = self._popen(log)
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._running.poll() is None:
            if self._answers():
                return
            time.sleep(_EVERY)
        raise Failed(f"{self.name} did not start:\n{self.said()[-2000:]}")

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        assert self._running is not None
        self._running.send_signal(signal.SIGTERM)
        try:
            return self._running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} still ran {STOP_SECONDS} s after SIGTERM:\n{self.said()[-2000:]}") from None

    def end(self) -> None:
        """Make sure that it no longer runs."""
        if self._running is not None and self._running.poll() is None:
            try:
                self.stop()
            except Failed:
                self._running.kill()
                self._running.wait()

    def said(self) -> str:
        """Everything it wrote to stderr."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    def calls(self) -> int:
        """The number of answered MCP requests in its access log."""
        return self.said().count(" POST /mcp 200 ")

    def resident(self) -> float:
        """Resident memory in MiB."""
        assert self._running is not None
        status = Path(f"/proc/{self._running.pid}/status").read_text(encoding="ascii")
        found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) / 1024

    @property
    def _log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def _popen(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        env = {**kept, "HOME": str(self.folder), "PYTHONPATH": str(REPO), **self.env}
        return subprocess.Popen(
            self.command, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )

    def _answers(self) -> bool:
        try:
            if self.healthz:
                return httpx.get(f"http://127.0.0.1:{self.port}/healthz", trust_env=False).is_success
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except (OSError, httpx.HTTPError):
            return False
        return True


@contextmanager
def linq_mcp(name: str, *arguments: str, env: dict[str, str] | None = None) -> Iterator[Process]:
    """Run `linq-mcp ARGUMENTS --port …` for the length of the block. `arguments` include the word `http`."""
    port = free_port()
    command = [sys.executable, "-m", "linq_mcp", *arguments, "--port", str(port)]
    with _folder() as folder, _ended(Process(name, command, port, folder, env or {})) as process:
        yield process


@contextmanager
def replicas(base_url: str) -> Iterator[tuple[str, list[Process]]]:
    """Run two replicas over the Linq at `base_url`, behind nginx. Gives the URL of nginx and the replicas."""
    # Nothing is kept for the next question, which would have no progress to report on the replica that kept it.
    env = {"LINQ_API_V3_BASE_URL": base_url, "LINQ_MCP_MAX_AGE": "0"}
    with ExitStack() as stack:
        two = [
            stack.enter_context(linq_mcp(f"replica {number}", "http", "--allowed-host", NAME, env=env))
            for number in (1, 2)
        ]
        port = free_port()
        folder = stack.enter_context(_folder())
        # If root starts nginx, its workers run as another user.
        folder.chmod(0o755)
        text = TEMPLATE.read_text(encoding="utf-8")
        for written, used in ((8000, port), (8001, two[0].port), (8002, two[1].port)):
            if text.count(f"127.0.0.1:{written}") != 1:
                raise Failed(f"{TEMPLATE.name} must contain 127.0.0.1:{written} once")
            text = text.replace(f"127.0.0.1:{written}", f"127.0.0.1:{used}")
        # Nothing here tests nginx's own limit of requests.
        text = text.replace("rate=60r/m", "rate=10000r/s").replace("burst=60", "burst=10000")
        (folder / "nginx.conf").write_text(text, encoding="utf-8")
        nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if nginx is None:
            raise Failed("nginx is not installed")
        command = [nginx, "-p", str(folder), "-c", "nginx.conf"]
        stack.enter_context(_ended(Process("nginx", command, port, folder, healthz=False)))
        yield f"http://127.0.0.1:{port}/mcp", two


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="linq-mcp-") as folder:
        yield Path(folder)


@contextmanager
def _ended(process: Process) -> Iterator[Process]:
    try:
        process.start()
        yield process
    finally:
        process.end()
