"""The process as clients run it: raw pipes, both eras, every way to end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from helpers.linq import KEY
from helpers.odd_account import odd_account
from helpers.piped import COMMAND, HELLO, MEASURED, SECONDS, Piped, request, text_of
from helpers.piped_here import PipedHere
from mcp.server.lowlevel import Server

CAPABILITIES = {
    "tools": {"listChanged": False},
    "resources": {"listChanged": False, "subscribe": False},
    "prompts": {"listChanged": False},
    "completions": {},
}


@pytest.fixture
def stalled() -> Iterator[dict[str, str]]:
    """An environment whose API accepts every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield {"LINQ_API_V3_API_KEY": KEY, "LINQ_API_V3_BASE_URL": url}


def end(server: Piped, how: signal.Signals | None) -> int:
    """Send the signal, or close stdin if there is none, and wait for the exit code."""
    if how is None:
        return server.end_of_input()
    server.process.send_signal(how)
    return server.process.wait(SECONDS)


def test_tools_and_prompts_are_there_without_a_key_a_home_a_network_or_slow_imports() -> None:
    """An empty environment is enough for `initialize` and for the lists, and nothing keeps a person from typing.

    Neither other commands nor what only a call to Linq needs may delay these answers.
    """
    command = (sys.executable, "-X", "importtime", "-m", "linq_mcp")
    # What measures coverage imports more.
    with Piped(command=command, env={"LINQ_MCP_LOG_LEVEL": "LOUD"}, measured=False) as server:
        hello = server.initialize()["result"]
        assert hello["serverInfo"]["name"] == "linq-mcp"
        assert hello["capabilities"] == CAPABILITIES
        assert server.ask("tools/list")["result"]["tools"][0]["name"] == "list_chats"
        assert server.ask("prompts/list")["result"]["prompts"][0]["name"] == "who_is_waiting"
        typing = {"ref": {"type": "ref/prompt", "name": "catch_up"}, "argument": {"name": "chat", "value": "Ma"}}
        completion = server.ask("completion/complete", typing)["result"]["completion"]
        assert completion == {"values": [], "total": 0, "hasMore": False}
        assert server.end_of_input() == 0
    lines = server.stderr.decode().splitlines()
    assert any("WARNING is used" in line for line in lines)
    modules = {line.rsplit("|", 1)[1].strip() for line in lines if line.startswith("import time:")}
    assert {"linq_mcp.cli.account", "linq_mcp.wording.settings"} <= modules
    own = ("linq_mcp.demo.", "linq_mcp.transports.http.", "linq_mcp.api.client.", "linq_mcp.cli.config.")
    unwanted = (*own, "httpx.", "phonenumbers.", "sqlite3.")
    assert [module for module in modules if f"{module}.".startswith(unwanted)] == []


@pytest.mark.slow
def test_only_what_the_command_line_and_the_environment_open_is_offered_and_read() -> None:
    with Piped("--demo", "--lines", "+12052535597", env={"LINQ_MCP_TOOLS": "list_chats,get_chat"}) as server:
        server.initialize()
        tools = server.ask("tools/list", id_=1)["result"]["tools"]
        assert [tool["name"] for tool in tools] == ["list_chats", "get_chat"]
        chats = server.call("list_chats", {"limit": 100}, id_=2)["structuredContent"]["chats"]
        assert {chat["line"] for chat in chats} == {"+12052535597"}


@pytest.mark.slow
def test_a_session_over_a_real_socket(api_url: str) -> None:
    """Pages, names, large answers, and errors come whole through pipe and socket, and the key is on neither stream."""
    env = {"LINQ_API_V3_API_KEY": KEY, "LINQ_API_V3_BASE_URL": api_url, "LINQ_MCP_LOG_LEVEL": "DEBUG"}
    with Piped(env=env) as server:
        server.initialize()
        result = server.call("list_chats", {"limit": 5})
        assert json.loads(text_of(result)) == result["structuredContent"]
        assert len(result["structuredContent"]["chats"]) == 5
        assert result["structuredContent"]["next_cursor"] == "5"
        assert not result.get("isError", False)
        # The whole account, including a name with a lone surrogate.
        cursor, chats = None, []
        for _ in range(10):
            page = server.call("list_chats", {"limit": 100, "cursor": cursor})["structuredContent"]
            chats += page["chats"]
            cursor = page.get("next_cursor")
            if cursor is None:
                break
        assert len({chat["id"] for chat in chats}) == len(odd_account().chats)
        # Answers that are larger than a pipe wait for a slow reader, while other calls are served.
        for id_ in range(2, 12):
            server.send(request("tools/call", {"name": "list_chats", "arguments": {"limit": 100}}, id_=id_))
        answers = [server.receive() for _ in range(10)]
        assert sorted(answer["id"] for answer in answers) == list(range(2, 12))
        assert all(len(answer["result"]["structuredContent"]["chats"]) == 100 for answer in answers)
        server.call("list_chats", {"to": "+19995550100"})
        server.call("list_chats", {"cursor": "no such"})
        assert server.end_of_input() == 0
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in server.lines)
    assert b"GET /v3/chats -> 400" in server.stderr
    assert KEY[:6].encode() not in b"".join(server.lines) + server.stderr
    assert b"5550100" not in server.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "code"),
    [(None, 0), (signal.SIGTERM, 0), (signal.SIGINT, 130)],
    ids=["EOF", "SIGTERM", "SIGINT"],
)
def test_ends_at_once_in_mid_call(how: signal.Signals | None, code: int, stalled: dict[str, str]) -> None:
    """EOF, SIGTERM and Ctrl-C end the process with their code and no traceback; the open call gets an error."""
    with Piped(env=stalled) as server:
        server.initialize()
        server.send(request("tools/call", {"name": "list_chats", "arguments": {}}, id_=5))
        server.ask("ping", id_=6)
        assert end(server, how) == code
        last = server.receive()
    assert (last["id"], last["error"]["code"]) == (5, -32000)
    assert server.stderr == b""


@pytest.mark.slow
def test_files_can_take_the_place_of_pipes(tmp_path: Path) -> None:
    requests = tmp_path / "requests"
    requests.write_text(json.dumps(request("initialize", HELLO, id_=0)))
    with requests.open("rb") as incoming, (tmp_path / "answers").open("wb") as outgoing:
        done = subprocess.run(COMMAND, stdin=incoming, stdout=outgoing, env=MEASURED, timeout=SECONDS, check=True)
    assert done.returncode == 0
    (answer,) = (tmp_path / "answers").read_bytes().splitlines()
    assert json.loads(answer)["result"]["serverInfo"]["name"] == "linq-mcp"


async def test_the_lifespan_is_closed_and_prints_go_to_stderr(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    @asynccontextmanager
    async def lifespan(_: Server[None]) -> AsyncIterator[None]:
        sys.stderr.write("opened\n")
        sys.stdout.write("stray\n")
        sys.stdout.flush()
        os.write(sys.stdout.fileno(), b"raw ")
        try:
            yield
        finally:
            sys.stderr.write("closed\n")

    async with PipedHere.serving(Server("marked", lifespan=lifespan), monkeypatch) as server:
        server.send(request("initialize", HELLO, id_=0))
        assert (await server.receive())["result"]["serverInfo"]["name"] == "marked"
        signal.raise_signal(signal.SIGINT)
        assert await server.exit_code() == 130
    assert capfd.readouterr().err.split() == ["opened", "stray", "raw", "closed"]


_UNWILLING = """
import anyio, os
from contextlib import asynccontextmanager
from mcp.server.lowlevel import Server
from linq_mcp.transports.stdio import serve_stdio

@asynccontextmanager
async def lifespan(server):
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True): await anyio.sleep(3600)

async def main():
    os._exit(await serve_stdio(Server("unwilling", lifespan=lifespan)))

anyio.run(main)
"""


@pytest.mark.slow
def test_a_clean_up_that_hangs_is_cut_off() -> None:
    with Piped(command=(sys.executable, "-c", _UNWILLING)) as server:
        server.initialize()
        assert end(server, signal.SIGTERM) == 0


@pytest.mark.slow
def test_ends_when_the_client_has_died() -> None:
    """A dead client leaves a closed pipe; the server notices at its next answer and ends without a traceback.

    A clean-up that hangs is cut off, too.
    """
    with subprocess.Popen(
        [sys.executable, "-c", _UNWILLING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=MEASURED,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stderr is not None
        try:
            server.stdout.close()
            server.stdin.write(json.dumps(request("initialize", HELLO)).encode() + b"\n")
            server.stdin.flush()
            assert server.wait(SECONDS) == 0
            assert b"Traceback" not in server.stderr.read()
        finally:
            server.kill()
