"""The command line: what each command prints, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.linq import KEY
from helpers.piped import COMMAND, SECONDS, run

import linq_mcp


def test_version() -> None:
    """`--version` prints the one version there is."""
    assert run("--version").stdout == f"linq-mcp {linq_mcp.__version__}\n"


def test_help_is_help() -> None:
    """`--help` names the commands and ends well."""
    done = run("--help")
    assert done.returncode == 0
    assert all(command in done.stdout for command in ("demo", "demo-api", "doctor", "config"))


@pytest.mark.parametrize(
    "arguments",
    ["--nonsense", "nonsense", "demo extra", "demo-api --port x", "demo-api --port 65536", "config nope"],
)
def test_usage_errors_are_one_line_and_code_2(arguments: str) -> None:
    """What can't be understood is said in one line on stderr."""
    done = run(*arguments.split())
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1


def test_demo_shows_the_tool_the_pages_the_chats_and_an_answer() -> None:
    """The newcomer's first minute, as a person reads it."""
    done = run("demo")
    assert done.returncode == 0, done.stderr
    assert "was shown 8 tools" in done.stdout
    assert "list_chats {from, to, limit, cursor}" in done.stdout
    assert "+14155550142  CRITICAL   100 chats  ####" in done.stdout
    assert '{"limit": 100, "cursor": "200"}: 100 chats' in done.stdout
    assert "of 300 chats" in done.stdout
    assert "Team Discussion" in done.stdout
    (answer,) = [line for line in done.stdout.splitlines() if line.startswith('{"chats"')]
    assert len(json.loads(answer)["chats"]) == 2
    assert "\x1b" not in done.stdout


def test_demo_into_a_closed_pipe_is_no_traceback() -> None:
    """`linq-mcp demo | head -1` ends quietly."""
    done = subprocess.run(
        f"{sys.executable} -m linq_mcp demo | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert "Traceback" not in done.stderr


def test_doctor_on_a_working_account(live: dict[str, str]) -> None:
    """The key's source, the API with its latency, one chat, and an entry with an absolute path."""
    done = run("doctor", env=live)
    assert done.returncode == 0
    assert "the environment variable LINQ_API_V3_API_KEY" in done.stdout
    assert live["LINQ_API_V3_BASE_URL"] + " answered in " in done.stdout
    assert "The first chat: " in done.stdout
    entry = json.loads(done.stdout[done.stdout.index("\n{") :])["mcpServers"]["linq"]
    assert Path(entry["command"]).is_absolute()
    assert KEY[:6] not in done.stdout + done.stderr


def test_doctor_on_the_demo_account() -> None:
    """Without a key there is still something to examine."""
    assert run("--demo", "doctor").returncode == 0


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "No Linq API key is set."),
        ({"LINQ_API_V3_API_KEY": "wrong" + KEY}, "Linq did not accept the API key."),
        ({"LINQ_API_V3_BASE_URL": "http://example.com"}, "LINQ_API_V3_BASE_URL can't be used."),
        ({"LINQ_MCP_LOG_LEVEL": "LOUD"}, "note  LINQ_MCP_LOG_LEVEL must be one of"),
    ],
    ids=["no key", "wrong key", "bad base URL", "bad log level"],
)
def test_doctor_says_what_is_wrong_and_fails(env: dict[str, str], said: str, live: dict[str, str]) -> None:
    """Exit code 1, and the same sentence a call would get; never the key."""
    done = run("doctor", env={"LINQ_API_V3_BASE_URL": live["LINQ_API_V3_BASE_URL"], **env})
    assert done.returncode == 1
    assert said in done.stdout
    assert KEY[:6] not in done.stdout + done.stderr


def test_doctor_on_an_account_without_chats() -> None:
    """An empty account is in order; there is just no chat to show."""
    script = (
        "import httpx, sys, anyio\n"
        "from linq_mcp.demo.account import DemoAccount\n"
        "from linq_mcp.demo import in_process\n"
        "from linq_mcp.demo.api import demo_api\n"
        "from linq_mcp.cli.doctor import examine\n"
        "from linq_mcp.server.client_provider import SettingsClientProvider\n"
        "empty = httpx.ASGITransport(demo_api(DemoAccount([], {}, [])))\n"
        "account = SettingsClientProvider(in_process.settings, transport=lambda: empty)\n"
        "print(anyio.run(examine, account, in_process.settings(), print))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=SECONDS, check=True)
    assert "no chats yet" in done.stdout
    assert done.stdout.splitlines()[-1] == "True"


def test_config_prints_absolute_paths_and_never_the_key() -> None:
    """What to paste, for all clients or one."""
    env = {"LINQ_API_V3_API_KEY": KEY}
    everything = run("config", env=env).stdout
    assert all(
        f"== {name} ==" in everything for name in ("Claude Desktop", "Claude Code", "Cursor", "VS Code", "Codex")
    )
    assert "== Cursor ==" in run("config", "cursor", env=env).stdout
    assert KEY[:6] not in everything


def test_demo_api_refuses_a_taken_port_in_one_line() -> None:
    """No traceback for what only needs another number."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("demo-api", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "--port" in done.stderr


def test_demo_api_serves_until_interrupted() -> None:
    """It prints what to set, answers, and ends with Ctrl-C."""
    with subprocess.Popen(
        [*COMMAND, "demo-api", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            _, base_url, key = (server.stdout.readline().strip() for _ in range(3))
            env = dict(setting.split("=", 1) for setting in (base_url, key))
            assert run("doctor", env=env).returncode == 0
            server.send_signal(2)
            assert server.wait(SECONDS) == 0
        finally:
            server.kill()


def test_a_person_at_a_terminal_is_told_that_it_waits() -> None:
    """Started by hand it looks dead otherwise; and Ctrl-C ends it."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(COMMAND, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        try:
            assert server.stderr is not None
            assert b"waiting for an MCP client" in server.stderr.readline()
            server.send_signal(2)
            assert server.wait(SECONDS) == 130
        finally:
            server.kill()
            os.close(ours)
            os.close(theirs)


def test_a_setting_that_is_passed_over_is_said_on_stderr() -> None:
    """A wrong log level is a warning, not an end."""
    done = run(env={"LINQ_MCP_LOG_LEVEL": "LOUD"})
    assert done.returncode == 0
    assert "WARNING is used" in done.stderr
