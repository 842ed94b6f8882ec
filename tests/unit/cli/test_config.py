"""What `linq-mcp config` prints is in each client's own format and survives any path."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shlex
import sys
import sysconfig
import tomllib
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from linq_mcp.cli.config import CLIENTS, SERVER_NAME, STAND_IN, entry, render, this_command
from linq_mcp.settings import KEY_VARIABLE

if TYPE_CHECKING:
    from pathlib import Path

PLATFORMS = ["darwin", "linux", "win32"]
COMMANDS = [
    ["/usr/local/bin/linq-mcp"],
    ['/Users/Ann Lee/it\'s/a "b"/ünï/linq-mcp', "--demo"],
    ["/opt/\U0001f600/del\x7f/linq-mcp"],
    [r"C:\Users\Ann Lee\new\tools\linq-mcp.exe"],
    [r"C:\R&D\$x (1)\python.exe", "-m", "linq_mcp"],
]


def snippets(client: str, command: list[str], platform: str) -> list[str]:
    return [step.snippet for step in CLIENTS[client].steps(command, platform)]


def started(server: dict[str, Any]) -> list[str]:
    return [server["command"], *server.get("args", [])]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("client", ["claude-desktop", "claude-code", "cursor"])
def test_mcp_servers_json_starts_the_command(client: str, command: list[str]) -> None:
    """Claude Desktop, Claude Code and Cursor read `mcpServers`."""
    config = json.loads(snippets(client, command, "linux")[-1])
    server = config["mcpServers"][SERVER_NAME]
    assert started(server) == command
    assert server["env"] == {KEY_VARIABLE: STAND_IN}


@pytest.mark.parametrize("command", COMMANDS)
def test_vscode_json_starts_the_command(command: list[str]) -> None:
    """VS Code reads `servers` and wants the transport named."""
    (snippet,) = snippets("vscode", command, "linux")
    server = json.loads(snippet)["servers"][SERVER_NAME]
    assert server["type"] == "stdio"
    assert started(server) == command
    assert server["env"] == {KEY_VARIABLE: STAND_IN}


@pytest.mark.parametrize("command", COMMANDS)
def test_codex_toml_starts_the_command(command: list[str]) -> None:
    """Codex reads `mcp_servers` tables."""
    server = tomllib.loads(snippets("codex", command, "linux")[-1])["mcp_servers"][SERVER_NAME]
    assert started(server) == command
    assert server["env"] == {KEY_VARIABLE: STAND_IN}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("client", ["claude-code", "codex"])
def test_shell_line_holds_the_command_whole(client: str, command: list[str]) -> None:
    """A shell hands over the same words that were given, after `--`."""
    words = shlex.split(snippets(client, command, "linux")[0])
    assert words[words.index("--") + 1 :] == command
    assert f"{KEY_VARIABLE}={STAND_IN}" in words


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
        assert f'--env "{KEY_VARIABLE}={STAND_IN}"' in line


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
    assert f" {file}" in render(client, ["/x/linq-mcp"], platform=platform)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_render_without_a_client_has_all_in_turn(platform: str) -> None:
    """Nobody has to know the names first."""
    text = render(None, ["/x/linq-mcp"], platform=platform)
    places = [text.index(f"== {client.name} ==") for client in CLIENTS.values()]
    assert len(places) == 5
    assert places == sorted(places)


@pytest.mark.parametrize("client", CLIENTS)
def test_render_has_each_snippet_word_for_word(client: str) -> None:
    """Snippets stand unindented between blank lines, ready to be copied."""
    text = render(client, COMMANDS[1], platform="darwin")
    for snippet in snippets(client, COMMANDS[1], "darwin"):
        assert f"\n\n{snippet}\n\n" in text


@pytest.mark.parametrize("client", CLIENTS)
def test_render_says_when_the_key_can_be_left_out(client: str) -> None:
    """A profile of `linq login` does without the env block."""
    assert "After `linq login` leave out the env block" in render(client, ["/x/linq-mcp"])


def test_render_refuses_an_unknown_client_by_name() -> None:
    """The refusal names the clients there are."""
    with pytest.raises(ValueError, match=r"'zed'.*claude-desktop, claude-code, cursor, vscode, codex"):
        render("zed", ["/x/linq-mcp"])


@pytest.mark.parametrize("platform", PLATFORMS)
def test_render_never_shows_the_real_key(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in the environment stays there: the text is made to be pasted and shown around."""
    monkeypatch.setenv(KEY_VARIABLE, "a-real-key-5a1f")
    assert "a-real-key-5a1f" not in render(None, this_command(), platform=platform)


def test_entry_leaves_out_what_is_empty() -> None:
    """No empty args, no empty env."""
    assert entry(["/x/linq-mcp"], {}) == {"command": "/x/linq-mcp"}


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
    assert this_command() == [sys.executable, "-m", "linq_mcp"]


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


def test_this_command_under_uvx_from_a_folder_is_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`uvx --from ./folder linq-mcp` must not turn into whatever the index has under that name."""
    path, _ = under_uvx(tmp_path, monkeypatch, '{"url": "file:///folder"}')
    assert this_command() == [str(path)]


def test_this_command_in_a_cache_without_the_package_is_the_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that was never installed has no bare name for uvx to run."""

    def not_installed(name: str) -> NoReturn:
        raise importlib.metadata.PackageNotFoundError(name)

    path, _ = under_uvx(tmp_path, monkeypatch, None)
    monkeypatch.setattr(importlib.metadata, "distribution", not_installed)
    assert this_command() == [str(path)]
