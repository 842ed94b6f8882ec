"""`linq-mcp board` as a process: what it prints, whether it opens a browser, and how it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from helpers.command_line import Cli
from helpers.linq import KEY
from helpers.piped import COMMAND, MEASURED, SECONDS


@contextmanager
def board(*arguments: str, **env: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running board and its URL. What would open the browser prints a line instead."""
    with subprocess.Popen(
        [*COMMAND, "board", "--demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**MEASURED, "PATH": "/usr/bin:/bin", "BROWSER": "echo opened %s", **env},
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().split()[-1]
        finally:
            process.kill()


def test_it_opens_the_browser_serves_quietly_until_ctrl_c_and_never_logs_its_secret() -> None:
    with board(LINQ_MCP_LOG_LEVEL="INFO") as (process, url):
        secret = url.split("/")[3]
        root = url.removesuffix(f"{secret}/")
        with httpx.Client() as client:
            assert "<title>Linq board</title>" in client.get(url).text
            assert client.get(f"{url}page.js").status_code == 200
            assert client.get(f"{url}nothing.js").status_code == 404
            assert client.get(f"{root}view").status_code == 200
            assert client.post(f"{root}mcp", headers={"Authorization": f"Bearer {secret}"}).status_code == 400
        for _ in range(2):  # as impatient people do
            process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130
        assert process.stdout is not None
        assert process.stderr is not None
        said, err = process.stdout.read(), process.stderr.read()
    assert set(said.splitlines()) == {"Press Ctrl-C to stop.", f"opened {url}"}
    assert "POST /mcp 400" in err
    assert "Traceback" not in err
    assert secret not in err


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "No Linq API key is set."),
        ({"LINQ_API_V3_API_KEY": KEY, "LINQ_MCP_TOOLS": "list_chat"}, "did you mean list_chats?"),
    ],
    ids=["no key", "a wrong scope"],
)
def test_what_is_wrong_with_the_settings_is_said_in_the_terminal(env: dict[str, str], said: str, cli: Cli) -> None:
    done = cli("board", "--no-open", **env)
    assert (done.code, done.out) == (1, "")
    assert said in done.err
    assert "`linq-mcp board --demo` needs no key." in done.err


def test_a_taken_port_ends_in_one_line(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = cli("board", "--demo", "--no-open", "--port", str(taken.getsockname()[1]))
    assert (done.code, done.out) == (1, "")
    assert len(done.err.splitlines()) == 1
    assert "--port" in done.err
