"""What `linq-mcp config` prints is in each client's own format and survives any path."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shlex
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any, NoReturn

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


def started(server: dict[str, Any]) -> list[str]:
    return [server["command"], *server.get("args", [])]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("client", ["claude-desktop", "claude-code", "cursor"])
def test_mcp_servers_json_starts_the_command(client: str, command: list[str]) -> None:
    """Claude Desktop, Claude Code and Cursor read `mcpServers`."""
    config = json.loads(snippets(client, command, "linux")[-1])
    server = config["mcpServers"][SERVER_NAME]
    assert started(server) == command
    assert server["env"] == {KEY_VARIABLE: KEY_EXAMPLE}


@pytest.mark.parametrize("command", COMMANDS)
def test_vscode_json_starts_the_command(command: list[str]) -> None:
    """VS Code reads `servers` and wants the transport named."""
    (snippet,) = snippets("vscode", command, "linux")
    server = json.loads(snippet)["servers"][SERVER_NAME]
    assert server["type"] == "stdio"
    assert started(server) == command
    assert server["env"] == {KEY_VARIABLE: KEY_EXAMPLE}


@pytest.mark.parametrize("command", COMMANDS)
def test_codex_toml_starts_the_command(command: list[str]) -> None:
    """Codex reads `mcp_servers` tables."""
    server = tomllib.loads(snippets("codex", command, "linux")[-1])["mcp_servers"][SERVER_NAME]
    assert started(server) == command
    assert server["env"] == {KEY_VARIABLE: KEY_EXAMPLE}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("client", ["claude-code", "codex"])
def test_shell_line_holds_the_command_whole(client: str, command: list[str]) -> None:
    """A shell hands over the same words that were given, after `--`."""
    words = shlex.split(snippets(client, command, "linux")[0])
    assert words[words.index("--") + 1 :] == command
    assert f"{KEY_VARIABLE}={KEY_EXAMPLE}" in words


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
    """Each platform is told its own path."""
    assert f" {file}" in rendered(CLIENTS[client], platform=platform)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_render_without_a_client_has_all_in_turn(platform: str) -> None:
    """Nobody has to know the names first."""
    text = rendered(platform=platform)
    places = [text.index(f"== {client.name} ==") for client in CLIENTS.values()]
    assert len(places) == 5
    assert places == sorted(places)


@pytest.mark.parametrize("client", CLIENTS)
def test_render_has_each_snippet_word_for_word(client: str) -> None:
    """Snippets stand unindented between blank lines, ready to be copied."""
    text = rendered(CLIENTS[client], command=COMMANDS[1], platform="darwin")
    for snippet in snippets(client, COMMANDS[1], "darwin"):
        assert f"\n\n{snippet}\n\n" in text


@pytest.mark.parametrize("client", CLIENTS)
def test_render_says_when_the_key_can_be_left_out(client: str) -> None:
    """A profile of `linq login` makes it unnecessary."""
    assert f"If you have run `linq login`, you can leave {KEY_VARIABLE} out" in rendered(CLIENTS[client])


@pytest.mark.parametrize("client", CLIENTS)
def test_without_variables_nothing_is_said_of_a_key(client: str) -> None:
    """The demo account needs none, nor does a stored profile."""
    text = render([CLIENTS[client]], Server(["/x/linq-mcp", "--demo"], {}), platform="linux")
    assert "env" not in text.split("==")[-1]
    assert "key" not in text


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
    """Case, spaces and punctuation make no difference; `claude` means both."""
    assert find_clients(name) == [CLIENTS[client] for client in clients]


def test_the_help_lists_the_clients_there_are() -> None:
    """The parser has its own copy of the names, in their order."""
    assert tuple(CLIENTS) == CLIENT_NAMES


def printed(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def test_a_client_of_two_words_needs_no_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    """As it is typed without thinking."""
    code, out, _ = printed(capsys, "config", "VS", "Code")
    assert code == 0
    assert out.startswith("== VS Code ==")


@pytest.mark.parametrize(("name", "said"), [("cusor", "did you mean cursor?"), ("zed", "choose from claude-desktop,")])
def test_an_unknown_client_is_refused_with_those_there_are(
    name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line."""
    code, out, err = printed(capsys, "config", name)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("argv", [("config", "--demo", "cursor"), ("--demo", "config", "cursor")], ids=" ".join)
def test_the_demo_account_wherever_the_option_stands(argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Before or after the command; the entry serves it and asks for no key."""
    _, out, _ = printed(capsys, *argv)
    config = json.loads(out[out.index("{") :])
    assert config["mcpServers"]["linq"]["args"][-1] == "--demo"
    assert "env" not in config["mcpServers"]["linq"]


SCOPE = {"LINQ_MCP_LINES": "+12052535597,+14155550142", "LINQ_MCP_TOOLS": "list_chats"}
BASE = {"LINQ_API_V3_BASE_URL": "https://linq.example.com/v3"}


@pytest.mark.parametrize(
    ("settings", "env"),
    [
        (load_settings({}), ENV),
        (load_settings({KEY_VARIABLE: "a-real-key-5a1f"}), ENV),
        (load_settings(BASE), {**ENV, "LINQ_API_V3_BASE_URL": "https://linq.example.com"}),
        (load_settings({"LINQ_API_V3_BASE_URL": "http://ann:pw@example.com"}), ENV),
        (load_settings(SCOPE), {**ENV, **SCOPE}),
        (Settings(key_source=KeySource.PROFILE, profile="work"), {}),
        (Settings(contacts=Path("c.csv")), {**ENV, "LINQ_MCP_CONTACTS": str(Path.cwd() / "c.csv")}),
        (Settings(key_source=KeySource.PROFILE, profile="work", profile_is_set=True), {"LINQ_PROFILE": "work"}),
    ],
    ids=["nothing", "a key", "base URL", "bad base URL", "scope", "the file's profile", "contacts", "LINQ_PROFILE"],
)
def test_the_settings_in_force_are_part_of_the_entry(settings: Settings, env: dict[str, str]) -> None:
    """A client does not see this terminal's variables; the key itself is never repeated, nor a URL that is refused."""
    assert this_server(settings, demo=False).env == env
    scope = {name: value for name, value in env.items() if name in SCOPE}
    assert this_server(settings, demo=True).env == scope


@pytest.mark.parametrize("client", ["claude-code", "codex"])
def test_every_variable_is_an_option_of_the_shell_line(client: str) -> None:
    """Each with its own --env, as both clients want it."""
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
    """No empty args, no empty env."""
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


class Distribution:
    def __init__(self, direct_url: str | None) -> None:
        self.direct_url = direct_url

    def read_text(self, name: str) -> str | None:
        return self.direct_url if name == "direct_url.json" else None


def under_uvx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direct_url: str | None) -> tuple[Path, Path]:
    """Set up what uvx sets up; the script in uv's cache and uvx itself."""
    path = script(tmp_path / "uv" / "archive-v0" / "C1yuHx4" / "bin")
    uvx = path.with_name("uvx.exe" if os.name == "nt" else "uvx")
    uvx.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(path), "config"])
    monkeypatch.setattr(sys, "prefix", str(path.parent.parent))
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Distribution(direct_url))
    monkeypatch.setenv("PATH", str(path.parent))
    return path, uvx


def test_this_command_does_not_point_into_the_cache_of_uvx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What uvx runs lies in a cache that gets cleaned; the lasting command is uvx itself."""
    _, uvx = under_uvx(tmp_path, monkeypatch, None)
    assert this_command() == [str(uvx), "linq-mcp"]


@pytest.mark.parametrize(
    ("direct_url", "source"),
    [
        ('{"url": "file:///my%20folder", "dir_info": {}}', "/my folder"),
        (
            '{"url": "https://example.com/linq.git", "vcs_info": {"vcs": "git", "commit_id": "5a1f"}}',
            "git+https://example.com/linq.git",
        ),
        (
            '{"url": "https://example.com/l.git", "vcs_info": {"vcs": "git", "requested_revision": "v1"}}',
            "git+https://example.com/l.git@v1",
        ),
        ('{"url": "https://example.com/linq.whl", "archive_info": {}}', "https://example.com/linq.whl"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="file URLs name drives there")
def test_this_command_under_uvx_names_what_was_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direct_url: str, source: str
) -> None:
    """`uvx --from ./folder linq-mcp` must not turn into whatever the index has under that name."""
    _, uvx = under_uvx(tmp_path, monkeypatch, direct_url)
    assert this_command() == [str(uvx), "--from", source, "linq-mcp"]


def test_this_command_under_uvx_that_is_nowhere_is_still_uvx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare name may work in the client; a path into the cache will not for long."""
    _, uvx = under_uvx(tmp_path, monkeypatch, None)
    uvx.unlink()
    assert this_command() == ["uvx", "linq-mcp"]


def test_this_command_does_not_point_into_the_cache_of_pipx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`pipx run` keeps its environments for two weeks."""
    path = script(tmp_path / "pipx" / ".cache" / "5a1f" / "bin")
    monkeypatch.setattr(sys, "argv", [str(path), "config"])
    monkeypatch.setattr(sys, "prefix", str(path.parent.parent))
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Distribution(None))
    monkeypatch.setenv("PATH", "/nowhere")
    assert this_command() == ["pipx", "run", "linq-mcp"]


def test_this_command_in_a_cache_without_the_package_is_still_uvx(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package without installation records has no source to name."""

    def not_installed(name: str) -> NoReturn:
        raise importlib.metadata.PackageNotFoundError(name)

    _, uvx = under_uvx(tmp_path, monkeypatch, None)
    monkeypatch.setattr(importlib.metadata, "distribution", not_installed)
    assert this_command() == [str(uvx), "linq-mcp"]
