"""`linq-mcp config`: prints what to paste or run so that an MCP client starts this server.

Knows each client's format and where its configuration is stored. Writes no file. The key in a snippet is always a
placeholder, never the real one.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
import sysconfig
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linq_mcp.cli.account import read_settings
from linq_mcp.cli.parser import CLIENT_NAMES, USAGE_ERROR, did_you_mean
from linq_mcp.cli.stderr import replace_unencodable
from linq_mcp.settings import (
    BASE_URL_VARIABLE,
    CONFIG_FILE,
    CONTACTS_VARIABLE,
    KEY_EXAMPLE,
    KEY_VARIABLE,
    LINES_VARIABLE,
    PROFILE_VARIABLE,
    TOOLS_VARIABLE,
    Settings,
)
from linq_mcp.settings.problems import KeySource, LaunchedBy
from linq_mcp.settings.region import COUNTRY_VARIABLE, TIME_ZONE_VARIABLE
from linq_mcp.settings.sending import sending_variables
from linq_mcp.settings.store import store_variables
from linq_mcp.wording.settings import format_problem

SERVER_NAME = "linq"
# Why no entry is printed: a client that starts the server from there fails on the day the cache is cleaned.
TEMPORARY = "this linq-mcp runs from a cache that gets cleaned; install it for good first, as the README shows."
_SCRIPT = "linq-mcp"


@dataclass(frozen=True)
class Server:
    """The command that a client starts, by its absolute path, and the environment variables it needs."""

    command: Sequence[str]
    env: Mapping[str, str]


@dataclass(frozen=True)
class Step:
    """One way to add the server to a client: `where` says what to do with `snippet`."""

    where: str
    snippet: str


@dataclass(frozen=True)
class Client:
    """An MCP client: its name, and the ways to add a server to it, best first, on a `sys.platform`."""

    name: str
    steps: Callable[[Server, str], tuple[Step, ...]]


def run(options: Namespace) -> int:
    """Print the instructions for the clients that were asked for, or for all."""
    asked = " ".join(options.client)
    clients = find_clients(asked) if asked else list(CLIENTS.values())
    if not clients:
        print(f"linq-mcp config: there is no client {asked!r}{did_you_mean(asked, CLIENT_NAMES)}", file=sys.stderr)
        return USAGE_ERROR
    if is_temporary():
        print(f"linq-mcp config: {TEMPORARY}", file=sys.stderr)
        return USAGE_ERROR
    settings = read_settings(options)
    # Without the list that can't be used, the entry would open everything, or let anybody be written to.
    if problem := settings.scope_problem or (settings.sending and settings.sending.problem):
        print(f"linq-mcp config: {format_problem(problem, LaunchedBy.TERMINAL)}", file=sys.stderr)
        return USAGE_ERROR
    replace_unencodable(sys.stdout)
    print(render(clients, this_server(settings, demo=options.demo)))
    if settings.base_url_problem:
        print(f"\nnote  {format_problem(settings.base_url_problem, LaunchedBy.TERMINAL)}", file=sys.stderr)
    return 0


def find_clients(name: str) -> list[Client]:
    """The clients that people may mean by a name such as `VS Code`; `claude` means both of Claude's."""
    letters = re.sub(r"[^a-z]", "", name.casefold())
    known = {re.sub(r"[^a-z]", "", key): client for key, client in CLIENTS.items()}
    letters = _OTHER_NAMES.get(letters, letters)
    if letters in known:
        return [known[letters]]
    return [client for key, client in known.items() if letters == "claude" and key.startswith(letters)]


def this_server(settings: Settings, *, demo: bool) -> Server:
    """This installation with its effective settings, so that a client starts the same server."""
    scope = {
        LINES_VARIABLE: ",".join(settings.lines),
        TOOLS_VARIABLE: ",".join(settings.tools),
        TIME_ZONE_VARIABLE: settings.region.zone_name if settings.time_zone_is_set else "",
        COUNTRY_VARIABLE: settings.region.country or "",
    }
    scope = {name: value for name, value in scope.items() if value}
    if demo:
        return Server([*this_command(), "--demo", *(["--allow-send"] if settings.sending else [])], scope)
    env = {}
    if settings.key_source is not KeySource.PROFILE:
        env[KEY_VARIABLE] = KEY_EXAMPLE
    elif settings.profile_is_set and settings.profile:
        env[PROFILE_VARIABLE] = settings.profile
    if settings.base_url_is_set and not settings.base_url_problem:
        env[BASE_URL_VARIABLE] = settings.base_url
    if settings.contacts:
        # A client may start its servers in any folder.
        env[CONTACTS_VARIABLE] = str(settings.contacts.absolute())
    env |= store_variables(settings.store)
    if settings.sending:
        env |= sending_variables(settings.sending)
    return Server(this_command(), env | scope)


def entry(server: Server) -> dict[str, Any]:
    """The `{"command", "args"?, "env"?}` object that clients with JSON configuration share."""
    program, *arguments = server.command
    shape: dict[str, Any] = {"command": program}
    if arguments:
        shape["args"] = arguments
    if server.env:
        shape["env"] = dict(server.env)
    return shape


def this_command() -> list[str]:
    """The command line, by absolute path, that starts this installation and will keep doing so.

    It is the console script that is running, or else the one installed beside this interpreter, or else the module. A
    `linq-mcp` elsewhere on PATH could be another version and is not considered. Symbolic links are kept, because the
    targets of those that pipx and uv create move with every upgrade.
    """
    # On Windows argv[0] comes without the `.exe`, which `which` puts back.
    if Path(sys.argv[0]).stem == _SCRIPT and (running := shutil.which(sys.argv[0])):
        return [str(Path(running).absolute())]
    if installed := shutil.which(_SCRIPT, path=sysconfig.get_path("scripts")):
        return [str(Path(installed).absolute())]
    # Without -P, a folder named linq_mcp in the client's working directory would be run instead.
    return [sys.executable, "-P", "-m", "linq_mcp"]


def is_temporary() -> bool:
    """Whether this installation is in the cache of uvx or `pipx run`, which is cleaned some day."""
    parts = Path(sys.prefix).parts
    return any(part.startswith("archive-v") for part in parts) or {"pipx", ".cache"} <= set(parts)


def render(clients: Sequence[Client], server: Server, *, platform: str = sys.platform) -> str:
    """The instructions for each of `clients` in turn."""
    parts = []
    for client in clients:
        parts.append(f"== {client.name} ==")
        for step in client.steps(server, platform):
            parts += [step.where, step.snippet]
    if KEY_VARIABLE in server.env:
        parts.append(
            f"Put your Linq API key in place of `{KEY_EXAMPLE}`, but not in a project file that others get to see."
            f" If you have run `linq login`, you can leave {KEY_VARIABLE} out: the server then takes the key from "
            f"{CONFIG_FILE}."
        )
    return "\n\n".join(parts)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _toml(value: str | Sequence[str]) -> str:
    # A JSON string is also a TOML string, except for DEL and for surrogate escapes.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _shell(words: Sequence[str], platform: str) -> str:
    """`words` as one line for the platform's shell; on Windows for cmd and PowerShell alike."""
    if platform != "win32":
        return shlex.join(words)
    # Quote words with characters that a shell could interpret, as in C:\R&D. No Windows path has a quotation mark.
    plain = re.compile(r"[\w.:/\\=+-]+")
    return " ".join(word if plain.fullmatch(word) else f'"{word}"' for word in words)


def _mcp_servers(server: Server) -> str:
    return _json({"mcpServers": {SERVER_NAME: entry(server)}})


def _env_options(server: Server) -> list[str]:
    return [word for name, value in server.env.items() for word in ("--env", f"{name}={value}")]


def _folder(platform: str) -> str:
    """Where desktop applications keep their settings."""
    return {"darwin": "~/Library/Application Support/", "win32": "%APPDATA%\\"}.get(platform, "~/.config/")


def _path(folder: str, path: str, platform: str) -> str:
    return folder + (path.replace("/", "\\") if platform == "win32" else path)


def _home(platform: str) -> str:
    return "%USERPROFILE%\\" if platform == "win32" else "~/"


_CLAUDE_PACKAGE = r"%LOCALAPPDATA%\Packages\Claude_pzs8sxrjxfjjc\LocalCache\Roaming\Claude"


def _claude_desktop(server: Server, platform: str) -> tuple[Step, ...]:
    file = _path(_folder(platform), "Claude/claude_desktop_config.json", platform)
    if platform == "win32":
        # An application that was installed as a Windows package is given this folder in place of %APPDATA%.
        file += f" or, if that folder is missing, {_CLAUDE_PACKAGE}\\claude_desktop_config.json"
    where = f"Merge into {file} (Settings > Developer > Edit Config opens it), then restart Claude Desktop:"
    return (Step(where, _mcp_servers(server)),)


def _claude_code(server: Server, platform: str) -> tuple[Step, ...]:
    # The name comes before --env, because that option takes all words up to the next option.
    words = ["claude", "mcp", "add", SERVER_NAME, "--scope", "user", *_env_options(server)]
    return (
        Step("Run in a terminal, for all your projects:", _shell([*words, "--", *server.command], platform)),
        Step("Or merge into .mcp.json at the top of one project:", _mcp_servers(server)),
    )


def _cursor(server: Server, platform: str) -> tuple[Step, ...]:
    file = _path(_home(platform), ".cursor/mcp.json", platform)
    return (Step(f"Merge into {file} or, for one project, .cursor/mcp.json:", _mcp_servers(server)),)


def _vscode(server: Server, platform: str) -> tuple[Step, ...]:
    file = _path(_folder(platform), "Code/User/mcp.json", platform)
    opener = "`MCP: Open User Configuration` opens it"
    where = f"Merge into {file} ({opener}) or, for one project, .vscode/mcp.json:"
    return (Step(where, _json({"servers": {SERVER_NAME: {"type": "stdio", **entry(server)}}})),)


def _codex(server: Server, platform: str) -> tuple[Step, ...]:
    words = ["codex", "mcp", "add", SERVER_NAME, *_env_options(server), "--", *server.command]
    program, *arguments = server.command
    lines = [f"[mcp_servers.{SERVER_NAME}]", f"command = {_toml(program)}"]
    if arguments:
        lines.append(f"args = {_toml(arguments)}")
    if server.env:
        lines += ["", f"[mcp_servers.{SERVER_NAME}.env]"]
        lines += [f"{name} = {_toml(value)}" for name, value in server.env.items()]
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
# Other names that people use, reduced to letters.
_OTHER_NAMES = {"claudeapp": "claudedesktop", "claudecli": "claudecode", "code": "vscode", "visualstudiocode": "vscode"}
