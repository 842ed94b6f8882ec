"""The process as clients run it: raw pipes, both eras, every way to end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.linq import KEY
from helpers.odd_account import odd_account
from helpers.piped import COMMAND, HELLO, MEASURED, SECONDS, Piped, modern, request, text_of

HALF_AN_EMOJI = "\\ud83d"


@pytest.fixture
def stalled() -> Iterator[dict[str, str]]:
    """An environment whose API accepts every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield {"LINQ_API_V3_API_KEY": KEY, "LINQ_API_V3_BASE_URL": url}


def test_no_key_no_home_no_network_still_lists_the_tools() -> None:
    """An empty environment is enough for `initialize` and `tools/list`."""
    with Piped(env={}) as server:
        hello = server.initialize()["result"]
        assert hello["serverInfo"]["name"] == "linq-mcp"
        assert hello["capabilities"] == {"tools": {"listChanged": False}}
        assert server.ask("tools/list")["result"]["tools"][0]["name"] == "list_chats"


def test_the_modern_era_is_served_with_cache_hints() -> None:
    """`server/discover` and `tools/list` of 2026-07-28 carry capabilities, instructions and how long they hold."""
    with Piped() as server:
        discovered = server.ask("server/discover", modern(), id_=1)["result"]
        assert discovered["capabilities"] == {"tools": {"listChanged": False}}
        assert "next_cursor" in discovered["instructions"]
        listed = server.ask("tools/list", modern(), id_=2)["result"]
        assert (listed["ttlMs"], listed["cacheScope"]) == (3_600_000, "public")


def test_a_page_comes_over_a_real_socket(live: dict[str, str]) -> None:
    """The main job: subprocess, pipe, socket, and the same object in both forms of the result."""
    with Piped(env=live) as server:
        server.initialize()
        result = server.call("list_chats", {"limit": 5})
        assert json.loads(text_of(result)) == result["structuredContent"]
        assert len(result["structuredContent"]["chats"]) == 5
        assert result["structuredContent"]["next_cursor"] == "5"
        assert "isError" not in result or result["isError"] is False


def test_demo_needs_neither_key_nor_network() -> None:
    """`--demo` answers from the embedded account."""
    with Piped("--demo") as server:
        server.initialize()
        assert len(server.call("list_chats")["structuredContent"]["chats"]) == 20


def test_stdout_carries_nothing_but_protocol_and_nothing_leaks(live: dict[str, str]) -> None:
    """Every line of stdout is a JSON-RPC message, also at the lowest log level; the key is on neither stream."""
    with Piped(env={**live, "LINQ_MCP_LOG_LEVEL": "DEBUG"}) as server:
        server.initialize()
        server.call("list_chats", {"to": "+19995550100"}, id_=1)
        server.call("list_chats", {"cursor": "no such"}, id_=2)
        assert server.end_of_input() == 0
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in server.lines)
    assert b"GET /v3/chats -> 400" in server.stderr
    assert KEY[:6].encode() not in b"".join(server.lines) + server.stderr
    assert b"5550100" not in server.stderr


def test_half_an_emoji_in_an_answer_ends_nothing(live: dict[str, str]) -> None:
    """The whole account is listed, the name with a lone surrogate included, and the process lives on."""
    with Piped(env=live) as server:
        server.initialize()
        cursor, chats = None, []
        for id_ in range(1, 10):
            page = server.call("list_chats", {"limit": 100, "cursor": cursor}, id_=id_)["structuredContent"]
            chats += page["chats"]
            cursor = page.get("next_cursor")
            if cursor is None:
                break
        assert len({chat["id"] for chat in chats}) == len(odd_account().chats)
        assert server.ask("ping", id_=99)["result"] == {}


def test_half_an_emoji_in_a_request_is_answered() -> None:
    """The SDK would drop the line without a word; the client would wait for ever."""
    with Piped("--demo") as server:
        server.initialize()
        call = json.dumps(request("tools/call", {"name": "list_chats", "arguments": {"to": "@"}}, id_=7))
        server.send(call.replace("@", HALF_AN_EMOJI))
        answer = server.receive()
        assert (answer["id"], answer["result"]["isError"]) == (7, True)


def test_half_an_emoji_as_the_tool_name_is_answered() -> None:
    """Nor does it come back out in an error and end the process in the SDK's writer."""
    with Piped("--demo") as server:
        server.initialize()
        server.send(
            json.dumps(request("tools/call", {"name": "@", "arguments": {}}, id_=7)).replace("@", HALF_AN_EMOJI)
        )
        assert server.receive()["error"]["code"] == -32602
        assert server.ask("ping", id_=8)["result"] == {}


@pytest.mark.parametrize("line", ["", "{", "[]", "nonsense", '{"jsonrpc":"2.0"}', '"' + "x" * 100_000 + '"', "\x00"])
def test_malformed_lines_do_no_harm(line: str) -> None:
    """What is no message is passed over."""
    with Piped() as server:
        server.initialize()
        server.send(line)
        assert server.ask("ping", id_=2)["result"] == {}


def test_an_unknown_tool_is_a_protocol_error_that_names_the_tools() -> None:
    """-32602, as the protocol has it."""
    with Piped() as server:
        server.initialize()
        error = server.ask("tools/call", {"name": "send_message", "arguments": {}})["error"]
        assert error["code"] == -32602
        assert "list_chats" in error["message"]


def test_a_call_in_flight_does_not_hold_up_others(stalled: dict[str, str]) -> None:
    """While Linq is silent on one call, a ping is answered."""
    with Piped(env=stalled) as server:
        server.initialize()
        server.send(request("tools/call", {"name": "list_chats", "arguments": {}}, id_=5))
        assert server.ask("ping", id_=6)["result"] == {}


@pytest.mark.parametrize("in_flight", [False, True], ids=["idle", "in mid-call"])
@pytest.mark.parametrize(
    ("how", "code"), [("eof", 0), (signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["EOF", "SIGTERM", "SIGINT"]
)
def test_ends_at_once_and_cleanly(
    how: str | signal.Signals, code: int, in_flight: bool, stalled: dict[str, str]
) -> None:
    """EOF, SIGTERM and Ctrl-C end the process with their code and without a traceback."""
    with Piped(env=stalled) as server:
        server.initialize()
        if in_flight:
            server.send(request("tools/call", {"name": "list_chats", "arguments": {}}, id_=5))
            server.ask("ping", id_=6)
        if isinstance(how, signal.Signals):
            server.process.send_signal(how)
            assert server.process.wait(SECONDS) == code
        else:
            assert server.end_of_input() == code
    assert server.stderr == b""


def test_files_do_for_pipes(tmp_path: Path) -> None:
    """A file can't be watched by the event loop; it is read and written all the same, the last line without its end."""
    told = tmp_path / "told"
    told.write_text(json.dumps(request("initialize", HELLO, id_=0)))
    with told.open("rb") as incoming, (tmp_path / "answered").open("wb") as outgoing:
        done = subprocess.run(COMMAND, stdin=incoming, stdout=outgoing, env=MEASURED, timeout=SECONDS, check=True)
    assert done.returncode == 0
    (answer,) = (tmp_path / "answered").read_bytes().splitlines()
    assert json.loads(answer)["result"]["serverInfo"]["name"] == "linq-mcp"


def test_an_answer_larger_than_a_pipe_goes_out_whole_to_a_slow_reader(live: dict[str, str]) -> None:
    """While it waits for room, others are served: the event loop is never blocked."""
    with Piped(env=live) as server:
        server.initialize()
        for id_ in range(2, 12):
            server.send(request("tools/call", {"name": "list_chats", "arguments": {"limit": 100}}, id_=id_))
        answers = [server.receive() for _ in range(10)]
    assert sorted(answer["id"] for answer in answers) == list(range(2, 12))
    assert all(len(answer["result"]["structuredContent"]["chats"]) == 100 for answer in answers)


def test_ends_when_the_client_stops_reading(live: dict[str, str]) -> None:
    """A client that died leaves a closed pipe; the server notices at its next answer and goes quietly."""
    server = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=live)
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stderr is not None
    with server.stdin, server.stderr:
        try:
            server.stdout.close()
            server.stdin.write(json.dumps(request("ping")).encode() + b"\n")
            server.stdin.flush()
            assert server.wait(SECONDS) == 0
            assert b"Traceback" not in server.stderr.read()
        finally:
            server.kill()
            server.wait(SECONDS)


_MARKED = """
import anyio, os, sys
from contextlib import asynccontextmanager
from mcp.server.lowlevel import Server
from linq_mcp.transports.stdio import serve_stdio

@asynccontextmanager
async def lifespan(server):
    print("opened", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        print("closed", file=sys.stderr, flush=True)

async def main():
    os._exit(await serve_stdio(Server("marked", lifespan=lifespan)))

anyio.run(main)
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, None], ids=["SIGTERM", "SIGINT", "EOF"])
def test_the_lifespan_is_closed_before_leaving(how: signal.Signals | None) -> None:
    """Whichever way it ends, what the server had opened is closed first."""
    with Piped(command=(sys.executable, "-c", _MARKED)) as server:
        server.initialize()
        if how is None:
            server.end_of_input()
        else:
            server.process.send_signal(how)
            server.process.wait(SECONDS)
    assert server.stderr.split() == [b"opened", b"closed"]


_CHATTY = _MARKED.replace("        yield\n", "        print('stray', flush=True); os.write(1, b'raw'); yield\n")


def test_stray_prints_go_to_stderr() -> None:
    """Whatever a library prints, stdout stays the protocol's."""
    with Piped(command=(sys.executable, "-c", _CHATTY)) as server:
        server.initialize()
        server.end_of_input()
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in server.lines)
    assert b"stray" in server.stderr
    assert b"raw" in server.stderr


_UNWILLING = _MARKED.replace(
    'print("closed", file=sys.stderr, flush=True)', "with anyio.CancelScope(shield=True): await anyio.sleep(3600)"
)


@pytest.mark.parametrize("how", [signal.SIGTERM, None], ids=["SIGTERM", "EOF"])
def test_a_clean_up_that_hangs_is_cut_off(how: signal.Signals | None) -> None:
    """Leaving is bounded: a clean-up that takes for ever is not waited for."""
    with Piped(command=(sys.executable, "-c", _UNWILLING)) as server:
        server.initialize()
        if how is None:
            assert server.end_of_input() == 0
        else:
            server.process.send_signal(how)
            assert server.process.wait(SECONDS) == 0
