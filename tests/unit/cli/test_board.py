"""`linq-mcp board`: what it prints, whether it opens a browser, and how it ends."""

from __future__ import annotations

import os
import signal
import socket

import httpx
import pytest
from helpers.command_line import Cli
from helpers.linq import KEY


def test_it_opens_the_browser_serves_quietly_until_ctrl_c_and_never_logs_its_secret(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    opened: list[str] = []
    answers: list[httpx.Response] = []

    def browse(url: str) -> None:
        opened.append(url)
        secret = url.split("/")[3]
        root = url.removesuffix(f"{secret}/")
        try:
            with httpx.Client(trust_env=False) as client:
                answers.extend(client.get(at) for at in (url, f"{url}page.js", f"{url}nothing.js", f"{root}view"))
                answers.append(client.post(f"{root}mcp", headers={"Authorization": f"Bearer {secret}"}))
        finally:
            for _ in range(2):  # as impatient people do
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("webbrowser.open", browse)
    done = cli("board", "--demo", LINQ_MCP_LOG_LEVEL="INFO")
    (url,) = opened
    assert (done.code, done.out) == (130, f"The board is at {url}\nPress Ctrl-C to stop.\n")
    assert "<title>Linq board</title>" in answers[0].text
    assert [answer.status_code for answer in answers] == [200, 200, 404, 200, 400]
    assert "POST /mcp 400" in caplog.text
    assert "Traceback" not in caplog.text + done.err
    assert url.split("/")[3] not in caplog.text + done.err


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
