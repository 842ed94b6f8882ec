"""What to paste or run so that an MCP client starts this server: the text of `linq-mcp config`.

Knows each client's format and where its configuration lives. Writes no file, reads no setting: the
key in a snippet is always the stand-in `your key`.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import shlex
import shutil
import sys
import sysconfig
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linq_mcp.cli.parser import USAGE_ERROR
from linq_mcp.settings import CONFIG_FILE, KEY_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SERVER_NAME = "linq"
STAND_IN = "your key"

_ENV = {KEY_VARIABLE: STAND_IN}
_SCRIPT = "linq-mcp"


@dataclass(frozen=True)
class Step:
    """One way to add the server to a client: `where` says what to do with `snippet`, word for word."""

    where: str
    snippet: str


@dataclass(frozen=True)
class Client:
    """An MCP client: its name, and its ways (best first) for a command and a `sys.platform`."""

    name: str
    steps: Callable[[Sequence[str], str], tuple[Step, ...]]


def run(options: Namespace) -> int:
    """Print the instructions for the client that was asked for, or for all."""
    if options.client is not None and options.client not in CLIENTS:
        print(
            f"linq-mcp config: there is no client {options.client!r}; choose one of {', '.join(CLIENTS)}",
            file=sys.stderr,
        )
        return USAGE_ERROR
    print(render(options.client, this_command()))
    return 0


def entry(command: Sequence[str], env: Mapping[str, str]) -> dict[str, Any]:
    """Make the `{"command", "args"?, "env"?}` object that clients with JSON configuration share.

    `command` is the program's absolute path and its arguments, as `this_command` gives it.
    """
    program, *arguments = command
    shape: dict[str, Any] = {"command": program}
    if arguments:
        shape["args"] = arguments
    if env:
        shape["env"] = dict(env)
    return shape


def this_command() -> list[str]:
    """Find the command line, by absolute path, that starts this very installation.

    The console script that runs now, else the one installed beside this interpreter, else
    `python -m linq_mcp`; `uvx linq-mcp` if it was uvx that started it. A `linq-mcp` elsewhere on PATH
    could be another version and is not asked. Links stay links: what those of pipx and uv lead to
    moves with every upgrade.
    """
    if _in_uv_cache() and (uvx := shutil.which("uvx")):
        return [str(Path(uvx).absolute()), _SCRIPT]
    # On Windows argv[0] comes without the `.exe`, which `which` puts back.
    if Path(sys.argv[0]).stem == _SCRIPT and (running := shutil.which(sys.argv[0])):
        return [str(Path(running).absolute())]
    if installed := shutil.which(_SCRIPT, path=sysconfig.get_path("scripts")):
        return [str(Path(installed).absolute())]
    return [sys.executable, "-m", "linq_mcp"]


def _in_uv_cache() -> bool:
    """Whether this is an environment of uvx, which the next cleaning of uv's cache takes away."""
    if not any(part.startswith("archive-v") for part in Path(sys.prefix).parts):
        return False
    try:
        # Set if it came from a folder or repository, where the bare name would not lead back.
        return importlib.metadata.distribution(_SCRIPT).read_text("direct_url.json") is None
    except importlib.metadata.PackageNotFoundError:
        return False


def render(client: str | None, command: Sequence[str], *, platform: str = sys.platform) -> str:
    """Write the instructions for one client of `CLIENTS`, or for all of them in turn if None.

    Raises ValueError, naming those there are, if `client` is none of them.
    """
    if client is not None and client not in CLIENTS:
        raise ValueError(f"There is no client {client!r} here; choose one of {', '.join(CLIENTS)}.")
    parts = []
    for chosen in CLIENTS.values() if client is None else (CLIENTS[client],):
        parts.append(f"== {chosen.name} ==")
        for step in chosen.steps(command, platform):
            parts += [step.where, step.snippet]
    parts.append(
        f"Put your Linq API key in place of `{STAND_IN}`, but not into a project's file that others get to see. "
        f"After `linq login` leave out the env block (or --env with its value): the server then takes the key "
        f"from {CONFIG_FILE}."
    )
    return "\n\n".join(parts)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _toml(value: str | Sequence[str]) -> str:
    # A JSON string is a TOML string, but for DEL, as long as nothing is written as surrogates.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _shell(words: Sequence[str], platform: str) -> str:
    """`words` as one line for the platform's shell; on Windows for cmd and PowerShell alike."""
    if platform != "win32":
        return shlex.join(words)
    # Quoted as soon as there is anything a shell could act on, as in C:\R&D. No path there holds a quote.
    plain = re.compile(r"[\w.:/\\=+-]+")
    return " ".join(word if plain.fullmatch(word) else f'"{word}"' for word in words)


def _mcp_servers(command: Sequence[str]) -> str:
    return _json({"mcpServers": {SERVER_NAME: entry(command, _ENV)}})


def _folder(platform: str) -> str:
    """Where desktop applications keep their settings."""
    return {"darwin": "~/Library/Application Support/", "win32": "%APPDATA%\\"}.get(platform, "~/.config/")


def _path(folder: str, path: str, platform: str) -> str:
    return folder + (path.replace("/", "\\") if platform == "win32" else path)


def _home(platform: str) -> str:
    return "%USERPROFILE%\\" if platform == "win32" else "~/"


def _claude_desktop(command: Sequence[str], platform: str) -> tuple[Step, ...]:
    file = _path(_folder(platform), "Claude/claude_desktop_config.json", platform)
    where = f"Merge into {file} (Settings > Developer > Edit Config opens it), then restart Claude Desktop:"
    return (Step(where, _mcp_servers(command)),)


def _claude_code(command: Sequence[str], platform: str) -> tuple[Step, ...]:
    # The name comes before --env: that option takes every word after it up to the next option.
    words = ["claude", "mcp", "add", SERVER_NAME, "--scope", "user", "--env", f"{KEY_VARIABLE}={STAND_IN}"]
    return (
        Step("Run in a terminal, for all your projects:", _shell([*words, "--", *command], platform)),
        Step("Or merge into .mcp.json at the top of one project:", _mcp_servers(command)),
    )


def _cursor(command: Sequence[str], platform: str) -> tuple[Step, ...]:
    file = _path(_home(platform), ".cursor/mcp.json", platform)
    return (Step(f"Merge into {file} or, for one project, .cursor/mcp.json:", _mcp_servers(command)),)


def _vscode(command: Sequence[str], platform: str) -> tuple[Step, ...]:
    file = _path(_folder(platform), "Code/User/mcp.json", platform)
    opener = "`MCP: Open User Configuration` opens it"
    where = f"Merge into {file} ({opener}) or, for one project, .vscode/mcp.json:"
    return (Step(where, _json({"servers": {SERVER_NAME: {"type": "stdio", **entry(command, _ENV)}}})),)


def _codex(command: Sequence[str], platform: str) -> tuple[Step, ...]:
    words = ["codex", "mcp", "add", SERVER_NAME, "--env", f"{KEY_VARIABLE}={STAND_IN}", "--", *command]
    program, *arguments = command
    lines = [f"[mcp_servers.{SERVER_NAME}]", f"command = {_toml(program)}"]
    if arguments:
        lines.append(f"args = {_toml(arguments)}")
    lines += ["", f"[mcp_servers.{SERVER_NAME}.env]"]
    lines += [f"{name} = {_toml(value)}" for name, value in _ENV.items()]
    file = _path(_home(platform), ".codex/config.toml", platform)
    return (
        Step("Run in a terminal:", _shell(words, platform)),
        Step(f"Or add to {file}:", "\n".join(lines)),
    )


CLIENTS: Mapping[str, Client] = {
    "claude-desktop": Client("Claude Desktop", _claude_desktop),
    "claude-code": Client("Claude Code", _claude_code),
    "cursor": Client("Cursor", _cursor),
    "vscode": Client("VS Code", _vscode),
    "codex": Client("Codex", _codex),
}
