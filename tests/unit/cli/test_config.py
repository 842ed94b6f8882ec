"""What `linq-mcp config` prints is in each client's own format and survives any path."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from linq_mcp.cli import main
from linq_mcp.cli.config import (
    CLIENTS,
    SERVER_NAME,
    Client,
    Server,
    entry,
    find_clients,
    render,
    this_command,
    this_server,
)
from linq_mcp.cli.parser import CLIENT_NAMES
from linq_mcp.settings import KEY_EXAMPLE, KEY_VARIABLE, Settings, load_settings
from linq_mcp.settings.problems import KeySource

ENV = {KEY_VARIABLE: KEY_EXAMPLE}
MCP_SERVERS = ("claude-desktop", "claude-code", "cursor")
PLATFORMS = ["darwin", "linux", "win32"]
COMMANDS = [
    ["/usr/local/bin/linq-mcp"],
    ['/Users/Ann Lee/it\'s/a "b"/ünï/linq-mcp', "--demo"],
    ["/opt/\U0001f600/del\x7f/linq-mcp"],
    [r"C:\Users\Ann Lee\new\tools\linq-mcp.exe"],
    [r"C:\R&D\$x (1)\python.exe", "-m", "linq_mcp"],
]


def snippets(client: str, command: list[str], platform: str) -> list[str]:
    return [step.snippet for step in CLIENTS[client].steps(Server(command, ENV), platform)]


def rendered(*clients: Client, command: list[str] | None = None, platform: str = "linux") -> str:
    return render(clients or list(CLIENTS.values()), Server(command or ["/x/linq-mcp"], ENV), platform=platform)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_clients_entry_starts_the_command(command: list[str]) -> None:
    """Each client's format, read as the client reads it, has the same words and the same variables."""
    entries = {client: json.loads(snippets(client, command, "linux")[-1])["mcpServers"] for client in MCP_SERVERS}
    entries["vscode"] = json.loads(snippets("vscode", command, "linux")[-1])["servers"]
    entries["codex"] = tomllib.loads(snippets("codex", command, "linux")[-1])["mcp_servers"]
    assert entries.keys() == CLIENTS.keys()
    assert entries["vscode"][SERVER_NAME].pop("type") == "stdio"
    for servers in entries.values():
        server = servers[SERVER_NAME]
        assert [server["command"], *server.get("args", [])] == command
        assert server["env"] == {KEY_VARIABLE: KEY_EXAMPLE}
    for client in ("claude-code", "codex"):
        words = shlex.split(snippets(client, command, "linux")[0])
        assert words[words.index("--") + 1 :] == command
        assert f"{KEY_VARIABLE}={KEY_EXAMPLE}" in words


def test_the_time_zone_and_country_in_force_are_in_the_entry() -> None:
    settings = load_settings({"LINQ_MCP_TIME_ZONE": "Asia/Tokyo", "LINQ_MCP_COUNTRY": "jp"})
    env = this_server(settings, demo=False).env
    assert (env["LINQ_MCP_TIME_ZONE"], env["LINQ_MCP_COUNTRY"]) == ("Asia/Tokyo", "JP")
    assert not {"LINQ_MCP_TIME_ZONE", "LINQ_MCP_COUNTRY"} & this_server(load_settings({}), demo=False).env.keys()


@pytest.mark.parametrize("client", ["claude-code", "codex"])
def test_shell_line_gives_the_name_before_env(client: str) -> None:
    """Claude Code's --env takes each word after it, so a name that follows it is lost."""
    words = shlex.split(snippets(client, ["/x/linq-mcp"], "linux")[0])
    assert words.index(SERVER_NAME) < words.index("--env")
    assert words[words.index("--env") + 2] == "--"


@pytest.mark.parametrize(
    ("command", "tail"),
    [
        ([r"C:\tools\linq-mcp.exe", "--demo"], r"-- C:\tools\linq-mcp.exe --demo"),
        ([r"C:\Users\Ann Lee\linq-mcp.exe"], r'-- "C:\Users\Ann Lee\linq-mcp.exe"'),
        ([r"C:\R&D\linq-mcp.exe"], r'-- "C:\R&D\linq-mcp.exe"'),
    ],
)
def test_windows_shell_line_quotes_for_windows(command: list[str], tail: str) -> None:
    """Neither cmd nor PowerShell knows single quotes the way a POSIX shell does."""
    for client in ("claude-code", "codex"):
        line = snippets(client, command, "win32")[0]
        assert line.endswith(tail)
        assert f'--env "{KEY_VARIABLE}={KEY_EXAMPLE}"' in line


@pytest.mark.parametrize(
    ("client", "platform", "file"),
    [
        ("claude-desktop", "darwin", "~/Library/Application Support/Claude/claude_desktop_config.json"),
        ("claude-desktop", "win32", r"%APPDATA%\Claude\claude_desktop_config.json"),
        (
            "claude-desktop",
            "win32",
            r"%LOCALAPPDATA%\Packages\Claude_pzs8sxrjxfjjc\LocalCache\Roaming\Claude\claude_desktop_config.json",
        ),
        ("claude-desktop", "linux", "~/.config/Claude/claude_desktop_config.json"),
        ("cursor", "darwin", "~/.cursor/mcp.json"),
        ("cursor", "win32", r"%USERPROFILE%\.cursor\mcp.json"),
        ("vscode", "darwin", "~/Library/Application Support/Code/User/mcp.json"),
        ("vscode", "win32", r"%APPDATA%\Code\User\mcp.json"),
        ("vscode", "linux", "~/.config/Code/User/mcp.json"),
        ("codex", "linux", "~/.codex/config.toml"),
        ("codex", "win32", r"%USERPROFILE%\.codex\config.toml"),
    ],
)
def test_render_says_which_file(client: str, platform: str, file: str) -> None:
    assert f" {file}" in rendered(CLIENTS[client], platform=platform)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_render_without_a_client_has_all_in_turn(platform: str) -> None:
    text = rendered(platform=platform)
    places = [text.index(f"== {client.name} ==") for client in CLIENTS.values()]
    assert len(places) == 5
    assert places == sorted(places)


@pytest.mark.parametrize("client", CLIENTS)
def test_render_has_each_snippet_word_for_word(client: str) -> None:
    text = rendered(CLIENTS[client], command=COMMANDS[1], platform="darwin")
    for snippet in snippets(client, COMMANDS[1], "darwin"):
        assert f"\n\n{snippet}\n\n" in text


def test_a_key_is_mentioned_only_where_one_goes() -> None:
    """The demo account and a stored profile need none; a profile of `linq login` makes it unnecessary."""
    assert f"If you have run `linq login`, you can leave {KEY_VARIABLE} out" in rendered()
    text = render(list(CLIENTS.values()), Server(["/x/linq-mcp", "--demo"], {}), platform="linux")
    assert re.findall(r"\b(env|key)\b", text) == []


@pytest.mark.parametrize(
    ("name", "clients"),
    [
        ("cursor", ["cursor"]),
        ("Cursor", ["cursor"]),
        ("VS Code", ["vscode"]),
        ("vs-code", ["vscode"]),
        ("code", ["vscode"]),
        ("Visual Studio Code", ["vscode"]),
        ("claude", ["claude-desktop", "claude-code"]),
        ("Claude", ["claude-desktop", "claude-code"]),
        ("claude_desktop", ["claude-desktop"]),
        ("ClaudeCode", ["claude-code"]),
        ("Codex", ["codex"]),
        ("zed", []),
        ("clau", []),
        ("?!", []),
    ],
)
def test_a_client_is_found_as_people_write_it(name: str, clients: list[str]) -> None:
    assert find_clients(name) == [CLIENTS[client] for client in clients]


def test_the_help_lists_the_clients_there_are() -> None:
    assert tuple(CLIENTS) == CLIENT_NAMES


def printed(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def test_a_client_of_two_words_needs_no_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = printed(capsys, "config", "VS", "Code")
    assert code == 0
    assert out.startswith("== VS Code ==")


@pytest.mark.parametrize(("name", "said"), [("cusor", "did you mean cursor?"), ("zed", "choose from claude-desktop,")])
def test_an_unknown_client_is_refused_with_those_there_are(
    name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = printed(capsys, "config", name)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("argv", [("config", "--demo", "cursor"), ("--demo", "config", "cursor")], ids=" ".join)
def test_the_demo_account_wherever_the_option_stands(argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = printed(capsys, *argv)
    config = json.loads(out[out.index("{") :])
    assert config["mcpServers"]["linq"]["args"][-1] == "--demo"
    assert "env" not in config["mcpServers"]["linq"]


@pytest.mark.parametrize("value", ["+1 (205) 555-0101,Ana", "${SEND_TO}"])
def test_recipients_that_can_not_be_read_are_not_left_out(
    value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The entry without them would let the assistant write to more people than the operator meant."""
    monkeypatch.setenv("LINQ_MCP_SEND", "1")
    monkeypatch.setenv("LINQ_MCP_SEND_TO", value)
    code, out, err = printed(capsys, "config", "cursor")
    assert (code, out) == (2, "")
    assert "LINQ_MCP_SEND_TO can't be used." in err


def test_recipients_are_printed_as_they_are_in_force(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LINQ_MCP_SEND", "1")
    monkeypatch.setenv("LINQ_MCP_SEND_TO", "+1 (205) 555-0101")
    _, out, _ = printed(capsys, "config", "cursor")
    assert '"LINQ_MCP_SEND_TO": "+12055550101"' in out


STORE = {"LINQ_MCP_STORE": "s.sqlite", "LINQ_MCP_STORE_DAYS": "30", "LINQ_MCP_MAX_AGE": "0"}
SCOPE = {
    "LINQ_MCP_LINES": "+12052535597,+14155550142",
    "LINQ_MCP_TOOLS": "list_chats",
    "LINQ_MCP_TIME_ZONE": "Asia/Tokyo",
    "LINQ_MCP_COUNTRY": "US",
}
BASE = {"LINQ_API_V3_BASE_URL": "https://linq.example.com/v3"}


@pytest.mark.parametrize(
    ("settings", "env"),
    [
        (load_settings({}), ENV),
        (load_settings({KEY_VARIABLE: "a-real-key-5a1f"}), ENV),
        (load_settings(BASE), {**ENV, "LINQ_API_V3_BASE_URL": "https://linq.example.com"}),
        (load_settings({"LINQ_API_V3_BASE_URL": "http://ann:pw@example.com"}), ENV),
        (load_settings(SCOPE), {**ENV, **SCOPE}),
        (load_settings(STORE), {**ENV, **STORE, "LINQ_MCP_STORE": str(Path.cwd() / "s.sqlite")}),
        (
            load_settings({"LINQ_MCP_STORE": "postgresql://linq:pw@db/linq"}),
            {**ENV, "LINQ_MCP_STORE": "postgresql://USER:PASSWORD@HOST/DATABASE"},
        ),
        (Settings(key_source=KeySource.PROFILE, profile="work"), {}),
        (Settings(contacts=Path("c.csv")), {**ENV, "LINQ_MCP_CONTACTS": str(Path.cwd() / "c.csv")}),
        (Settings(key_source=KeySource.PROFILE, profile="work", profile_is_set=True), {"LINQ_PROFILE": "work"}),
    ],
    ids=[
        "nothing",
        "a key",
        "base URL",
        "bad base URL",
        "scope",
        "store",
        "database",
        "the file's profile",
        "contacts",
        "LINQ_PROFILE",
    ],
)
def test_the_settings_in_force_are_part_of_the_entry(settings: Settings, env: dict[str, str]) -> None:
    """A client does not see this terminal's variables; the key itself is never repeated, nor a URL that is refused."""
    assert this_server(settings, demo=False).env == env
    scope = {name: value for name, value in env.items() if name in SCOPE}
    assert this_server(settings, demo=True).env == scope


@pytest.mark.parametrize("client", ["claude-code", "codex"])
def test_every_variable_is_an_option_of_the_shell_line(client: str) -> None:
    server = Server(["/x/linq-mcp"], {**ENV, "LINQ_PROFILE": "my work"})
    words = shlex.split(CLIENTS[client].steps(server, "linux")[0].snippet)
    assert [words[index + 1] for index, word in enumerate(words) if word == "--env"] == [
        f"{KEY_VARIABLE}={KEY_EXAMPLE}",
        "LINQ_PROFILE=my work",
    ]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_render_never_shows_the_real_key(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in the environment stays there: the text is made to be pasted and shown around."""
    monkeypatch.setenv(KEY_VARIABLE, "a-real-key-5a1f")
    assert "a-real-key-5a1f" not in render(
        list(CLIENTS.values()), this_server(load_settings(os.environ), demo=False), platform=platform
    )


def test_entry_leaves_out_what_is_empty() -> None:
    assert entry(Server(["/x/linq-mcp"], {})) == {"command": "/x/linq-mcp"}


def script(folder: Path) -> Path:
    folder.mkdir(parents=True)
    path = folder / ("linq-mcp.exe" if os.name == "nt" else "linq-mcp")
    path.touch(mode=0o755)
    return path


def test_this_command_is_the_running_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script started by a relative path is named by its absolute one, links and spaces kept."""
    path = script(tmp_path / "my tools")
    monkeypatch.chdir(path.parent)
    monkeypatch.setattr(sys, "argv", [f"./{path.name}", "config"])
    monkeypatch.setenv("PATH", str(path.parent))
    assert this_command() == [str(path)]


def test_this_command_finds_the_script_beside_the_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m linq_mcp config` names the script of the same installation, not one on PATH."""
    path = script(tmp_path / "env" / "bin")
    other = script(tmp_path / "other")
    monkeypatch.setattr(sys, "argv", ["/lib/linq_mcp/__main__.py", "config"])
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(path.parent))
    monkeypatch.setenv("PATH", str(other.parent))
    assert this_command() == [str(path)]


def test_this_command_falls_back_to_the_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a script installed, the interpreter runs the package."""
    monkeypatch.setattr(sys, "argv", ["/lib/linq_mcp/__main__.py"])
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert this_command() == [sys.executable, "-P", "-m", "linq_mcp"]


@pytest.mark.parametrize("folder", ["uv/archive-v0/C1yuHx4", "pipx/.cache/5a1f"])
@pytest.mark.parametrize("command", ["config", "doctor"])
def test_an_installation_in_a_cache_is_not_registered(
    folder: str, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither command prints an entry whose path is gone once uvx or pipx cleans its cache."""
    monkeypatch.setattr(sys, "prefix", f"/home/ann/{folder}")
    code, out, err = printed(capsys, "--demo", command)
    assert "install it for good first" in out + err
    assert code == (2 if command == "config" else 0)
    assert "mcpServers" not in out
