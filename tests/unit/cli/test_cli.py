"""The command line: what each command prints, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.command_line import Cli, Ended
from helpers.linq import KEY
from helpers.piped import COMMAND, SECONDS

import linq_mcp
from linq_mcp import settings


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version(option: str, cli: Cli) -> None:
    assert cli(option) == Ended(0, f"linq-mcp {linq_mcp.__version__}\n", "")


def test_help_names_every_command_and_variable(cli: Cli) -> None:
    done = cli("--help")
    assert done.code == 0
    # The help names one variable of sending, and the document with the others.
    names = (value for name, value in vars(settings).items() if name.endswith("_VARIABLE"))
    variables = {name for name in names if not name.startswith("LINQ_MCP_SEND_")}
    words = [
        "demo",
        "demo-api",
        "doctor",
        "config",
        "http",
        "access",
        "board",
        "store",
        *variables - {settings.LAUNCHED_BY_VARIABLE},
    ]
    assert [word for word in words if f"  {word} " not in done.out] == []
    assert max(map(len, done.out.splitlines())) <= 120


@pytest.mark.parametrize(
    "arguments",
    [
        "--nonsense",
        "nonsense",
        "demo extra",
        "demo-api --port x",
        "demo-api --port 65536",
        "http --path x",
        "board --port x",
        "board --allow-send",
        "config no",
    ],
)
def test_usage_errors_are_one_line_and_code_2(arguments: str, cli: Cli) -> None:
    done = cli(*arguments.split())
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1


def test_store_alone_says_what_it_can_do(cli: Cli) -> None:
    assert "required: fill|status|clear|prepare" in cli("store").err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a file that is always full")
@pytest.mark.parametrize("argv", [["config"], ["--help"]], ids=" ".join)
def test_a_full_disk_is_one_line_and_code_1(argv: list[str], cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    # It is flushed again when it is closed, as at the end of a process.
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        done = cli(*argv)
    # Before Python 3.12 or so, argparse itself ignores that its help can't be written.
    assert (done.code, done.err) in (
        (1, "linq-mcp: the output can't be written (No space left on device)\n"),
        *([(0, "")] if argv == ["--help"] else []),
    )


def test_doctor_on_a_working_account(live: dict[str, str], cli: Cli) -> None:
    """The key's source, the API with its latency, one chat, and an entry that leads to the same account."""
    done = cli("doctor", **live)
    assert done.code == 0
    assert "the environment variable LINQ_API_V3_API_KEY" in done.out
    assert live["LINQ_API_V3_BASE_URL"] + " answered in " in done.out
    assert "The first chat: " in done.out
    entry = json.loads(done.out[done.out.index("\n{") :])["mcpServers"]["linq"]
    assert Path(entry["command"]).is_absolute()
    assert entry["env"]["LINQ_API_V3_BASE_URL"] == live["LINQ_API_V3_BASE_URL"]
    assert KEY[:6] not in done.out + done.err


@pytest.mark.parametrize("argv", [("--demo", "doctor"), ("doctor", "--demo")], ids=" ".join)
def test_doctor_on_the_demo_account(argv: tuple[str, ...], cli: Cli) -> None:
    """Without a key there is still something to examine, wherever the option stands; the entry serves it, too."""
    done = cli(*argv)
    assert done.code == 0
    assert "Names by number or email address from the demo account: 335." in done.out
    assert '"--demo"' in done.out
    assert '"env"' not in done.out


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "Set LINQ_API_V3_API_KEY in this terminal, or run `linq login`"),
        ({"LINQ_API_V3_API_KEY": "your key"}, "still contains a placeholder, such as `your key`"),
        ({"LINQ_API_V3_API_KEY": f'"{KEY}"'}, "contains quotation marks"),
        ({"LINQ_API_V3_API_KEY": "wrong" + KEY}, "Linq did not accept the API key."),
        ({"LINQ_API_V3_BASE_URL": "http://example.com"}, "LINQ_API_V3_BASE_URL can't be used."),
        ({"LINQ_MCP_LOG_LEVEL": "LOUD"}, "note  LINQ_MCP_LOG_LEVEL must be one of"),
        (
            {"LINQ_API_V3_API_KEY": KEY, "LINQ_MCP_STORE_DAYS": "abc"},
            "\nFAIL  LINQ_MCP_STORE_DAYS takes a number of days, 1 to 3650; until that is corrected, ",
        ),
        (
            {"LINQ_API_V3_API_KEY": KEY, "LINQ_MCP_STORE": "~nosuchuser/x"},
            "\nFAIL  LINQ_MCP_STORE takes the path of a file or folder, or a database's address, ",
        ),
        (
            {"LINQ_API_V3_API_KEY": KEY, "LINQ_MCP_SEND": "1", "LINQ_MCP_SEND_TO": "Ann"},
            "\nFAIL  LINQ_MCP_SEND_TO has a value that can't be used; until that is corrected, nothing is sent.\n",
        ),
    ],
    ids=[
        "no key",
        "placeholder",
        "quotes",
        "wrong key",
        "bad base URL",
        "bad log level",
        "bad days",
        "bad store",
        "bad recipients",
    ],
)
def test_doctor_says_what_is_wrong_and_fails(env: dict[str, str], said: str, live: dict[str, str], cli: Cli) -> None:
    done = cli("doctor", **{"LINQ_API_V3_BASE_URL": live["LINQ_API_V3_BASE_URL"], **env})
    assert done.code == 1
    assert said in done.out
    assert "mcpServers" not in done.out
    assert "client's configuration" not in done.out
    assert KEY[:6] not in done.out + done.err


UNUSABLE = "can't be opened: look at its path and its permissions."


@pytest.mark.parametrize(
    ("make", "name", "said"),
    [
        (lambda folder: (folder / "note").write_text("hello\n"), "note", "does not look like one that linq-mcp made"),
        (lambda folder: (folder / "file").touch(), "file/kept.db", UNUSABLE),
        (lambda _: None, "x" * 300, UNUSABLE),
        pytest.param(
            lambda _: None,
            "/proc/x",
            UNUSABLE,
            marks=pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc"),
        ),
    ],
    ids=["a note", "below a file", "a long name", "no folder to write into"],
)
def test_doctor_fails_where_the_store_cannot_be_used(
    make: Callable[[Path], object], name: str, said: str, tmp_path: Path, live: dict[str, str], cli: Cli
) -> None:
    make(tmp_path)
    before = sorted(tmp_path.iterdir())
    done = cli("doctor", "--store", str(tmp_path / name), **live)
    assert done.code == 1
    assert re.search(rf"\nFAIL  The store \S+ \(--store\) .*{re.escape(said)}", done.out)
    assert "mcpServers" not in done.out
    assert sorted(tmp_path.iterdir()) == before


def test_doctor_leaves_nothing_of_finding_out_whether_a_store_can_be_made(
    tmp_path: Path, live: dict[str, str], cli: Cli
) -> None:
    done = cli("doctor", "--store", str(tmp_path / "new" / "kept.db"), **live)
    assert done.code == 0
    assert "which is made at the first question." in done.out
    assert list(tmp_path.iterdir()) == []


def test_doctor_says_what_the_contacts_file_holds(tmp_path: Path, live: dict[str, str], cli: Cli) -> None:
    """How many names, and which entries are broken; the exit code is not about them, and nor is the key needed."""
    file = tmp_path / "contacts.csv"
    file.write_text("handle,name\n+12052532136,Ann Adler\n205 253 2137,Bo\n", "utf-8")
    for env, code in ((live, 0), ({}, 1)):
        done = cli("doctor", **env, LINQ_MCP_CONTACTS=str(file))
        assert done.code == code
        assert f"\nok    Names by number or email address from {file} (a CSV file): 1.\n" in done.out
        assert (
            "\nnote  LINQ_MCP_CONTACTS: 1 number without a country code: set LINQ_MCP_COUNTRY, for example to US.\n"
            in done.out
        )


SCOPE = ["--lines", "+12052535597,+14155550142", "--tools", "get_chat,list_chats"]


@pytest.mark.parametrize("argv", [[*SCOPE, "doctor"], ["doctor", *SCOPE]], ids=["before", "after"])
def test_doctor_says_what_is_open(argv: list[str], cli: Cli) -> None:
    done = cli("--demo", *argv)
    assert done.code == 0
    assert "Open lines: +12052535597, +14155550142. Open tools: get_chat, list_chats." in done.out
    assert ", on +12052535597, " in done.out
    entry = json.loads(done.out[done.out.index("\n{") :])["mcpServers"]["linq"]
    assert entry["env"] == {
        "LINQ_MCP_LINES": "+12052535597,+14155550142",
        "LINQ_MCP_TOOLS": "get_chat,list_chats",
    }


def test_doctor_finds_a_line_that_the_account_lacks(cli: Cli) -> None:
    done = cli("doctor", "--demo", LINQ_MCP_LINES="+12052535597,+12055550123")
    assert done.code == 1
    assert "Not a line of this account: +12055550123. Correct LINQ_MCP_LINES in this terminal, or `--lines`" in done.out
    assert "mcpServers" not in done.out


@pytest.mark.parametrize("argv", [["doctor", "--demo"], ["config"]], ids=" ".join)
@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"LINQ_MCP_LINES": "the first"}, "The list of open lines can't be used."),
        ({"LINQ_MCP_TOOLS": "list_chat"}, "list_chat is not a tool; did you mean list_chats?"),
    ],
    ids=["lines", "tools"],
)
def test_no_entry_is_printed_for_a_scope_that_is_wrong(
    argv: list[str], env: dict[str, str], said: str, cli: Cli
) -> None:
    done = cli(*argv, **env)
    assert done.code != 0
    assert said in done.out + done.err
    assert '"command"' not in done.out


def test_config_prints_every_client_and_never_the_key(cli: Cli) -> None:
    done = cli("config", LINQ_API_V3_API_KEY=KEY)
    assert done.code == 0
    assert done.out.count("\n== ") == 4
    assert KEY[:6] not in done.out + done.err


@pytest.mark.parametrize(
    ("argv", "env", "said"),
    [
        (["--host", "0.0.0.0"], {}, "--allowed-host"),
        (["--key-from", "settings", "--host", "0.0.0.0", "--allowed-host", "x"], {}, "LINQ_MCP_HTTP_TOKEN"),
        (["--allowed-host", "two words"], {}, "'two words'"),
        (["--key-from", "settings"], {"LINQ_MCP_HTTP_TOKEN": "\udcff\udcfe"}, "LINQ_MCP_HTTP_TOKEN contains a space"),
        (["--key-from", "settings"], {"LINQ_MCP_HTTP_TOKEN": "${TOKEN}"}, "LINQ_MCP_HTTP_TOKEN contains a reference"),
    ],
    ids=["no allowed host", "no token", "no host name", "bytes that are no text", "a token that nothing expanded"],
)
def test_http_refuses_to_start_unsafely(argv: list[str], env: dict[str, str], said: str, cli: Cli) -> None:
    done = cli("http", *argv, **env)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert len(done.err.splitlines()) == 1


ISSUER = ["--issuer", "https://id.example.com"]
PUBLIC = ["--public-url", "https://mcp.example.com/mcp"]
ACCESS = ["--access", "/nowhere/access.toml"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "--key-from sign-in needs --issuer, the URL of your identity provider, such as https://id.example.com; "),
        ([], "such as https://mcp.example.com/mcp; --access, the file"),
        (ISSUER, "--key-from sign-in needs --public-url, the URL by which clients call this server, such as"),
        ([*ISSUER, *PUBLIC], "--key-from sign-in needs --access, the file with the rules from claims to keys"),
        ([*ISSUER, *PUBLIC, *ACCESS], "the access file can't be read: No such file or directory"),
        ([*ISSUER, *PUBLIC, *ACCESS, "--demo"], "--demo needs no key"),
        (["--issuer", "id.example.com", *PUBLIC, *ACCESS], "--issuer takes an https URL such as"),
        ([*ISSUER, "--public-url", "https://mcp.example.com", *ACCESS], "--public-url needs the path"),
        ([*ISSUER, *PUBLIC, *ACCESS, "--scope", "a b"], "a scope has no spaces"),
        ([*ISSUER, *PUBLIC, *ACCESS, "--audience", " "], "--audience takes the value of the tokens' claim aud"),
    ],
    ids=[
        "all",
        "all in one line",
        "public URL",
        "access",
        "no such file",
        "demo",
        "odd issuer",
        "no path",
        "odd scope",
        "no audience",
    ],
)
def test_sign_in_says_what_it_needs(argv: list[str], said: str, cli: Cli) -> None:
    done = cli("http", "--key-from", "sign-in", *argv)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert len(done.err.splitlines()) == 1


RULES = """
[[rule]]
claim = "groups"
value = "leads"
key_env = "LEADS_KEY"
send = true

[[rule]]
claim = "email"
value = "ann@example.com"
key_env = "ACME_KEY"
lines = ["+12052535597"]
tools = ["list_chats"]
"""


@pytest.mark.parametrize(
    ("claims", "code", "said"),
    [
        (
            None,
            0,
            [
                "ok    rule 1: groups = 'leads', key_env LEADS_KEY",
                "lines: all; tools: all; sending: yes, after a person has agreed;",
                "lines: +12052535597; tools: list_chats; sending: no;",
            ],
        ),
        ({"groups": ["leads"], "email": "ann@example.com"}, 0, ["ok    rule 1 matches: groups = 'leads'"]),
        (
            {"groups": ["sales"], "email": "ann@example.com"},
            0,
            [
                "note  rule 1 does not match: the claim groups neither is nor holds 'leads'",
                "ok    rule 2 matches: email = 'ann@example.com', key_env ACME_KEY",
            ],
        ),
        (
            {"email": "ann@example.com", "email_verified": False},
            1,
            [
                "note  rule 1 does not match: there is no claim groups",
                "note  rule 2 does not match: the email address is not verified",
                "FAIL  no rule matches, so nothing is open",
            ],
        ),
    ],
    ids=["all", "first", "second", "none"],
)
def test_access_says_who_would_see_what_and_why(
    claims: dict[str, object] | None, code: int, said: list[str], tmp_path: Path, cli: Cli
) -> None:
    path = tmp_path / "access.toml"
    path.write_text(RULES, "utf-8")
    argv = ["--claims", json.dumps(claims)] if claims is not None else []
    done = cli("access", "--check", str(path), "--allow-send", *argv, LEADS_KEY=KEY, ACME_KEY=KEY)
    assert (done.code, done.err) == (code, "")
    assert [text for text in said if text not in done.out] == []
    assert KEY not in done.out


def test_access_says_why_a_rule_opens_less_than_it_allows(tmp_path: Path, cli: Cli) -> None:
    """Options of the server and settings of its environment are easily forgotten when the file is checked."""
    path = tmp_path / "access.toml"
    path.write_text(f"{RULES}\ncontacts = true\n", "utf-8")
    path.chmod(0o600)
    checked = ("access", "--check", str(path))
    done = cli(*checked, LEADS_KEY=KEY, ACME_KEY=KEY)
    assert done.out.count("sending: no (the server runs without --allow-send); ") == 2
    assert done.out.count("contacts file: not shown (LINQ_MCP_CONTACTS is not set)\n") == 2
    done = cli(*checked, LEADS_KEY=KEY, ACME_KEY=KEY, LINQ_MCP_CONTACTS="contacts.csv")
    assert [line.rpartition("; ")[2] for line in done.out.splitlines()[1::2]] == [
        "names of the contacts file: not shown",
        "names of the contacts file: shown",
    ]


def test_access_says_why_the_server_could_not_use_the_file(tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / "access.toml"
    path.write_text(RULES.replace("lines", "line"), "utf-8")
    done = cli("access", "--check", str(path), LEADS_KEY=KEY)
    assert done.code == 1
    assert done.out.startswith("FAIL  in the access file, rule 2: line is not a key; did you mean lines?")
    assert cli("access", "--check", str(path), "--claims", "[]").code == 2


def test_sign_in_starts_with_what_it_needs(cli: Cli, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The host of the public URL is an allowed one, and a token of the server's is not used."""
    path = tmp_path / "access.toml"
    path.write_text('[[rule]]\nclaim = "org"\nvalue = "acme"\nkey_env = "ACME"\n', "utf-8")
    with socket.create_server(("0.0.0.0", 0)) as taken:
        where = ["--host", "0.0.0.0", "--port", str(taken.getsockname()[1])]
        options = [*ISSUER, *PUBLIC, "--access", str(path)]
        done = cli("http", *where, "--key-from", "sign-in", *options, ACME=KEY, LINQ_MCP_HTTP_TOKEN="a-token")
    assert done.code == 1
    assert "can't listen on 0.0.0.0" in done.err
    assert "rules read from the access file: 1" in caplog.text
    assert "LINQ_MCP_HTTP_TOKEN is not used: with --key-from sign-in each caller signs in" in caplog.text
    assert "every call will be refused" not in caplog.text


def test_http_on_a_taken_port_ends_in_one_line(cli: Cli, caplog: pytest.LogCaptureFixture) -> None:
    """Before that, a missing setting has been named in the words of whoever runs the service."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = cli("http", "--key-from", "settings", "--port", str(taken.getsockname()[1]))
    assert done.code == 1
    assert done.err.startswith("linq-mcp http: can't listen on 127.0.0.1 port")
    assert len(done.err.splitlines()) == 1
    assert "every call will be refused: No Linq API key is set. The operator of this server has to set" in caplog.text


@pytest.mark.parametrize("tools", ["send_message", "list_chats,send_message"])
def test_a_tool_that_sends_is_missed_without_the_switch(tools: str, cli: Cli) -> None:
    done = cli("doctor", "--demo", "--tools", tools)
    assert done.code == 1
    assert "FAIL  The list of open tools can't be used." in done.out
    assert (
        "sending is not allowed: send_message. Allow it with LINQ_MCP_SEND=1 in this terminal, or `--allow-send`"
        in done.out
    )
    assert cli("doctor", "--demo", "--tools", tools, "--allow-send").code == 0


def test_a_person_at_a_terminal_reads_that_it_waits_and_that_the_key_is_missing(tmp_path: Path) -> None:
    """Started by hand the server looks dead otherwise, and no call would name the key; Ctrl-C ends it."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "HOME": str(tmp_path), "LINQ_API_V3_API_KEY": "your key"}
    with subprocess.Popen(COMMAND, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as server:
        try:
            assert server.stderr is not None
            assert b"waiting for an MCP client" in server.stderr.readline()
            assert b"LINQ_API_V3_API_KEY still contains a placeholder" in server.stderr.readline()
            server.send_signal(2)
            assert server.wait(SECONDS) == 130
        finally:
            server.kill()
            os.close(ours)
            os.close(theirs)
