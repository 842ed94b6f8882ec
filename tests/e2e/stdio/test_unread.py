"""Clients that read too little, and descriptors that are closed: the server stays small, lives on and can be ended."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import IO

import pytest
from helpers.piped import COMMAND, HELLO, MEASURED, SECONDS, Piped, request

pytestmark = pytest.mark.skipif(not hasattr(select, "poll"), reason="closes and fills descriptors as POSIX does")

# A server that has not read for so long has stopped reading.
BLOCKED_SECONDS = 0.5
# Long requests with long answers: both pipes are full after a few dozen, and each read takes in but a few.
PADDED = json.dumps(request("tools/list", {"_meta": {"padding": "x" * 4000}}, id_=0)).replace('"id": 0', '"id": {}')
LOUD = {"LINQ_MCP_LOG_LEVEL": "DEBUG"}


@contextmanager
def unread() -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes], IO[bytes]]]:
    """A server of the demo account whose stdout nobody reads but the test; its stdin does not block."""
    command = [*COMMAND, "--demo"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=MEASURED) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request("initialize", HELLO, id_=0)).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == 0
            os.set_blocking(process.stdin.fileno(), False)
            yield process, process.stdin, process.stdout
        finally:
            process.kill()


def send_until_blocked(stdin: IO[bytes], line: str, most: int) -> int:
    """Write `line` again and again, `{}` in it replaced by a number. Returns how many lines, the last one in part."""
    pending = b""
    for number in count(1):
        assert number < most, "the server reads on and on"
        pending += line.replace("{}", str(number), 1).encode() + b"\n"
        while pending:
            if not select.select([], [stdin], [], BLOCKED_SECONDS)[1]:
                return number
            pending = pending[os.write(stdin.fileno(), pending) :]
    raise AssertionError


@pytest.mark.slow
def test_a_client_that_reads_no_answers_is_not_read_either() -> None:
    """Answers wait in bounded number, none is lost or doubled, and a blocked writer does not keep the process alive."""
    with unread() as (process, stdin, stdout):
        sent = send_until_blocked(stdin, PADDED, 1000)
        answered = [json.loads(stdout.readline())["id"] for _ in range(sent - 1)]
        assert sorted(answered) == list(range(1, sent))
        assert process.poll() is None
        send_until_blocked(stdin, PADDED, 1000)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("line", "most"), [(PADDED, 1000), ("nonsense" * 500, 5000)], ids=["answers", "refusals"])
def test_ends_when_a_client_hangs_up_without_having_read(line: str, most: int) -> None:
    """Errors for malformed lines are bounded like answers; the end of input is noticed even while reading pauses."""
    with unread() as (process, stdin, _):
        send_until_blocked(stdin, line, most)
        assert process.poll() is None
        stdin.close()
        assert process.wait(SECONDS) == 0


def full_pipe() -> tuple[int, int, int]:
    """The two ends of a pipe that takes no byte more, and how many it holds."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    held = 0
    with suppress(BlockingIOError):
        while True:
            held += os.write(writing, b"x" * select.PIPE_BUF)
    os.set_blocking(writing, True)
    return reading, writing, held


@pytest.mark.slow
def test_log_records_are_dropped_while_nobody_reads_stderr(live: dict[str, str]) -> None:
    reading, writing, held = full_pipe()
    with os.fdopen(reading, "rb") as log, Piped(env={**live, **LOUD}, stderr=writing) as server:
        os.close(writing)
        server.initialize()
        server.call("list_chats", {"limit": 1}, id_=1)
        assert set(log.read(held)) == {ord("x")}
        server.call("list_chats", {"limit": 1}, id_=2)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(SECONDS) == 0
        lines = log.read().splitlines()
    assert b"log records were dropped" in lines[1]
    assert [b"GET /v3/chats -> 200" in line for line in lines].count(True) == 1


@pytest.mark.parametrize(("closed", "name"), [("<&-", b"stdin"), (">&-", b"stdout")])
def test_a_closed_descriptor_is_said_in_one_line(closed: str, name: bytes) -> None:
    """Exit code 2, as for other wrong ways to start, and no traceback."""
    command = ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *COMMAND]
    done = subprocess.run(
        command,
        input=b"" if name == b"stdout" else None,
        capture_output=True,
        env=MEASURED,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert name in line
    assert done.stdout == b""
