"""Hostile connections over plain sockets: each part of a request has its deadline, and nobody keeps others out."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest
from helpers.linq import KEY
from helpers.piped import COMMAND, MEASURED, SECONDS
from helpers.streamable_http import (
    HEADERS,
    call,
    connected,
    demo,
    eras,
    head,
    listening,
    posted,
    raw,
    read_response,
    read_to_end,
)

from linq_mcp.demo import in_process
from linq_mcp.server.callers.caller import SettingsClientProvider
from linq_mcp.settings import KEY_HEADER
from linq_mcp.transports.http.config import HttpLimits
from linq_mcp.transports.http.run import HttpServer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="how a socket reports its end differs on Windows")

SHORT = 0.3
LIMITS = HttpLimits(header_seconds=SHORT, body_seconds=SHORT, write_seconds=SHORT)
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server with short deadlines."""
    with listening(demo(), LIMITS) as (_, port):
        yield port


def drip(connection: socket.socket, data: bytes) -> bool:
    """Send a byte at a time until the server closes the connection, within a bound; whether it did."""
    for byte in data:
        if select.select([connection], [], [], SHORT / 10)[0]:
            return read_to_end(connection) is not None
        connection.send(bytes([byte]))
    return False


def test_a_connection_without_a_request_is_closed(port: int) -> None:
    with connected(port) as connection:
        assert read_to_end(connection) == b""


@pytest.mark.parametrize("requests_before", [0, 1])
def test_headers_that_never_end_are_cut_off(port: int, requests_before: int) -> None:
    with connected(port) as connection:
        for _ in range(requests_before):
            connection.sendall(HEALTH)
            assert read_response(connection)[0] == 200
        assert drip(connection, b"POST /mcp HTTP/1.1\r\nX-Long: " + b"x" * 100)


def test_an_idle_connection_is_kept_after_an_answer(port: int) -> None:
    with connected(port) as connection:
        connection.sendall(HEALTH)
        assert read_response(connection)[0] == 200
        assert not select.select([connection], [], [], 2 * SHORT)[0]
        connection.sendall(HEALTH)
        assert read_response(connection)[0] == 200


def test_a_body_that_drips_is_answered_with_408(port: int) -> None:
    with connected(port) as connection:
        connection.sendall(head(100))
        for _ in range(100):
            if select.select([connection], [], [], SHORT / 10)[0]:
                break
            connection.send(b" ")
        assert b" 408 " in read_to_end(connection)


def test_the_body_of_a_refused_request_is_not_awaited_for_ever(port: int) -> None:
    with connected(port) as connection:
        connection.sendall(head(100_000, host="evil.example"))
        assert read_response(connection)[0] == 421
        assert drip(connection, b" " * 100)


def ask_without_reading(connection: socket.socket) -> select.poll:
    """Ask for more than the buffers hold; what it returns reports when the server has closed the connection."""
    # It may be closed before everything was sent.
    with suppress(ConnectionError):
        for _ in range(100):
            # A server that is done with the connection makes it writable as well.
            select.select([], [connection], [], SECONDS)
            connection.send(raw(posted("modern", "tools/list")))
    closed = select.poll()
    closed.register(connection, select.POLLRDHUP)
    return closed


def test_an_answer_that_nobody_reads_is_given_up(port: int) -> None:
    with connected(port) as connection:
        assert ask_without_reading(connection).poll(SECONDS * 1000)


@pytest.mark.slow
def test_all_unread_answers_share_a_limit() -> None:
    with listening(demo(), HttpLimits(unread_bytes=1)) as (_, port), connected(port) as connection:
        assert ask_without_reading(connection).poll(SECONDS * 1000)


@pytest.mark.parametrize(
    ("host", "headers", "status"),
    [
        ("evil.example", [], 421),
        ("127.0.0.1", ["Origin: https://evil.example"], 403),
        ("127.0.0.1", [f"{KEY_HEADER}: {KEY}", f"{KEY_HEADER}: another"], 400),
        ("127.0.0.1", ["Authorization: Bearer a", "Authorization: Bearer b"], 400),
        ("127.0.0.1", ["Origin: http://localhost", "Origin: http://evil.example"], 400),
    ],
)
def test_what_headers_tell_is_checked_before_the_body(port: int, host: str, headers: list[str], status: int) -> None:
    with connected(port) as connection:
        connection.sendall(head(100_000, HEADERS, *headers, host=host))
        answered, _, body = read_response(connection)
    assert answered == status
    assert KEY.encode()[:6] not in body
    assert b"evil" not in body


def test_two_body_lengths_are_refused_and_the_connection_closed(port: int) -> None:
    """What one reader takes for the end of the body, another would take for the next request."""
    with connected(port) as connection:
        connection.sendall(head(5, HEADERS, "Transfer-Encoding: chunked") + b"0\r\n\r\n" + HEALTH)
        answer = read_to_end(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1


def test_idle_connections_keep_nobody_out() -> None:
    limits = HttpLimits(connections=8)
    with listening(demo(), limits) as (server, port), ExitStack() as opened:
        held = [opened.enter_context(connected(port)) for _ in range(4)]
        for connection in held[2:]:
            connection.sendall(head(100) + b"{")
        idle = [opened.enter_context(connected(port)) for _ in range(20)]
        with connected(port) as connection:
            connection.sendall(raw(posted("modern", "tools/list")))
            assert read_response(connection)[0] == 200
        assert all(read_to_end(connection) == b"" for connection in held + idle[:12])
        assert len(server.server_state.connections) <= limits.connections


def test_health_is_answered_when_no_more_calls_are(silent_linq: str) -> None:
    """Beyond the limit of calls an MCP request gets 503 with `Retry-After`, before its body is read."""
    with listening(over(silent_linq), HttpLimits(calls=1, stop_seconds=0)) as (server, port), connected(port) as first:
        first.sendall(raw(call("modern", "list_chats")))
        wait_for_calls(server, 1)
        with connected(port) as second:
            second.sendall(head(100_000))
            status, headers, _ = read_response(second)
            assert (status, headers["retry-after"]) == (503, "1")
        with connected(port) as third:
            third.sendall(HEALTH)
            assert read_response(third)[0] == 200


@pytest.fixture
def silent_linq() -> Iterator[str]:
    """The base URL of a Linq that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def over(base_url: str) -> SettingsClientProvider:
    settings = in_process.settings()
    return SettingsClientProvider(lambda: type(settings)(api_key=settings.api_key, base_url=base_url))


def wait_for_calls(server: HttpServer, count: int) -> None:
    """Until so many calls are in flight, for a bounded time."""
    end = time.monotonic() + SECONDS
    while len(server.calls) < count:
        assert time.monotonic() < end
        time.sleep(0.01)


@eras
@pytest.mark.parametrize("progress", [False, True], ids=["json", "stream"])
def test_a_call_that_is_not_done_when_the_server_stops_gets_an_error(
    era: str, progress: bool, silent_linq: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked = call(era, "list_chats")
    if progress:
        asked["json"]["params"].setdefault("_meta", {})["progressToken"] = "p"
    limits = HttpLimits(stop_seconds=0.2)
    with listening(over(silent_linq), limits) as (server, port), connected(port) as connection:
        connection.sendall(raw(asked))
        wait_for_calls(server, 1)
        server.should_exit = True
        answer = read_to_end(connection).decode()
    error = json.loads(answer[answer.index("{") : answer.rindex("}") + 1])
    assert (error["id"], error["error"]["code"]) == (1, -32000)
    assert "being stopped" in error["error"]["message"]
    assert caplog.records == []


def test_half_a_request_does_not_hold_up_the_end() -> None:
    with ExitStack() as opened:
        with listening(demo(), HttpLimits()) as (server, port):
            for begun in (head(100) + b"{", head(100)[:50]):
                opened.enter_context(connected(port)).sendall(begun)
            with connected(port) as connection:
                connection.sendall(HEALTH)
                assert read_response(connection)[0] == 200
            started = time.monotonic()
            server.should_exit = True
        assert time.monotonic() - started < 5


@pytest.mark.slow
def test_few_file_descriptors_are_enough() -> None:
    """With 128 of them and 300 idle connections, health is answered and the log has nothing but the end."""
    command = ["/bin/sh", "-c", 'ulimit -n 128; exec "$@"', "sh", *COMMAND, "--demo", "http", "--port", "0"]
    with (
        ExitStack() as opened,
        subprocess.Popen(command, env=MEASURED, stderr=subprocess.PIPE, text=True) as server,
    ):
        try:
            assert server.stderr is not None
            *_, limited, listens = (server.stderr.readline() for _ in range(4))
            assert "at most 64 connections and 32 calls" in limited
            port = int(listens.rsplit(":", 1)[1].split("/")[0])
            for _ in range(300):
                opened.enter_context(connected(port))
            assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=SECONDS, trust_env=False).is_success
            server.terminate()
            assert server.wait(SECONDS) == 0
            (line,) = server.stderr.read().splitlines()
            assert line.endswith("linq_mcp.transports.http.run: stopping; calls in progress: 0")
        finally:
            server.kill()
