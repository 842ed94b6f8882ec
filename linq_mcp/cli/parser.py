"""The command-line arguments of `linq-mcp`. A usage error is one line, and its exit code is 2."""

from __future__ import annotations

import argparse
import difflib
import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from linq_mcp import __version__

USAGE_ERROR = 2
# The clients that `linq-mcp config` knows. They are listed here so that `--help` needs no other import.
CLIENT_NAMES = ("claude-desktop", "claude-code", "cursor", "vscode", "codex")

# What `http` serves beside MCP.
_RESERVED_PATHS = ("/healthz", "/metrics")
_MOST_DAYS = 3650
_DESCRIPTION = "A Model Context Protocol server over a Linq account's conversations. Without a command it serves stdio."
_ALLOW_SEND = "let assistants send messages, each only after a person has agreed to it"
_STORE = "keep what was read in this file, so that answers about the whole account are fast after a restart"
_PREPARE = (
    "Make the tables in the PostgreSQL database of LINQ_MCP_STORE, as its user. Servers then need a user who may read "
    "and write rows."
)
_FILL = (
    "Read the account and keep it, so that questions about all of it are answered at once. What was read before is "
    "read again: what Linq has deleted goes, and what it recovered late comes. Ctrl-C loses nothing."
)
_ENVIRONMENT = """\
environment variables:
  LINQ_API_V3_API_KEY   the API key; without it, the token that `linq login` stored in ~/.linq/config.json
  LINQ_PROFILE          which profile of that file to use
  LINQ_API_V3_BASE_URL  where the API is, if not at https://api.linqapp.com/api/partner
  LINQ_MCP_CONTACTS     a CSV or vCard export of an address book, for the names of people
  LINQ_MCP_TIME_ZONE    the time zone of times, such as America/New_York; default the computer's, and UTC for `http`
  LINQ_MCP_COUNTRY      the country of numbers without a country code, such as US
  LINQ_MCP_LOG_LEVEL    DEBUG, INFO, WARNING, ERROR or CRITICAL; default WARNING, and INFO for `http`
  LINQ_MCP_LOG_SUBJECT  for `http`: 1 logs who called, and for which chat or line
  LINQ_MCP_STORE        the same as --store, which overrides it, or a database, postgresql://…; without it, what was
                        read is in memory only
  LINQ_MCP_STORE_DAYS   drop from there what was not read again for so many days
  LINQ_MCP_MAX_AGE      for how many seconds what was read is used without a look at Linq; default 60
  LINQ_MCP_LINES        the same as --lines, which overrides it
  LINQ_MCP_TOOLS        the same as --tools, which overrides it
  LINQ_MCP_HTTP_TOKEN   for `http --key-from settings`: the bearer token that callers must send
  LINQ_MCP_SEND         1 lets assistants send, as --allow-send does; docs/sending.md has the settings for it

`linq-mcp COMMAND --help` describes a command. Try `linq-mcp demo` first: it needs no key."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        # argparse refuses an unknown command here. Before Python 3.14 its own message has no suggestions.
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:  # noqa: SLF001 - has no public name
            raise argparse.ArgumentError(None, f"there is no command {value!r}{did_you_mean(value, action.choices)}")
        super()._check_value(action, value)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line. Without a command, which means to serve stdio, `command` is None."""
    parser = _Parser(
        prog="linq-mcp",
        description=_DESCRIPTION,
        epilog=_ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-V", "--version", action="version", version=f"linq-mcp {__version__}")
    parser.add_argument("--demo", action="store_true", help="use the embedded demo account: no key, no network")
    _add_scope(parser, default=None)
    parser.add_argument("--allow-send", action="store_true", help=_ALLOW_SEND)
    parser.add_argument("--store", metavar="PATH", type=_store_path, help=_STORE)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    def add_command(name: str, purpose: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")

    demo = add_command("demo", "show what an assistant sees, on the demo account")
    api = add_command("demo-api", "serve the demo account's HTTP API on a loopback port")
    api.add_argument("--port", type=_port, default=8787, help="default 8787; 0 picks a free one")
    http = add_command("http", "serve a team over Streamable HTTP")
    http.add_argument("--host", type=_host, default="127.0.0.1", help="the address to listen on; default 127.0.0.1")
    http.add_argument("--port", type=_port, default=8000, help="default 8000; 0 picks a free one")
    http.add_argument("--path", type=_path, default="/mcp", help="default /mcp")
    http.add_argument(
        "--allowed-host", action="append", default=[], metavar="NAME", help="a host name that clients use; repeatable"
    )
    http.add_argument(
        "--allowed-origin", action="append", default=[], metavar="URL", help="an origin of web clients; repeatable"
    )
    http.add_argument(
        "--key-from",
        choices=["header", "settings", "sign-in"],
        default="header",
        help="whose Linq key is used: each caller's own (header x-linq-api-v3-api-key, the default), the server's "
        "(settings), or the one that an access file has for people who sign in (sign-in)",
    )
    http.add_argument(
        "--log-format", choices=["text", "json"], default="text", help="the format of the log; default text"
    )
    sign_in = http.add_argument_group("sign-in", "with --key-from sign-in; docs/team.md describes the access file")
    sign_in.add_argument("--issuer", metavar="URL", help="the identity provider that signs people in")
    sign_in.add_argument(
        "--public-url", metavar="URL", help="how clients call this server, such as https://mcp.example.com/mcp"
    )
    sign_in.add_argument("--access", metavar="FILE", help="who may read which account: rules from claims to keys")
    sign_in.add_argument(
        "--audience",
        action="append",
        default=[],
        metavar="NAME",
        help="whom tokens must be for (their claim aud); repeatable; default: the public URL",
    )
    sign_in.add_argument(
        "--scope", action="append", default=[], metavar="NAME", help="a scope that every token must have; repeatable"
    )
    sign_in.add_argument(
        "--send-scope", metavar="NAME", help="a scope that sending needs, besides a rule that allows it"
    )
    access = add_command("access", "check an access file, and show what a person could read and do under it")
    access.add_argument("--check", required=True, metavar="FILE", help="the access file")
    access.add_argument(
        "--claims", type=_claims, metavar="JSON", help="the claims of a person's access token: '{\"email\": …}'"
    )
    board = add_command("board", "open the board in the browser: who is waiting, what is unhealthy, what failed")
    board.add_argument("--port", type=_port, default=0, help="default 0, which picks a free one")
    board.add_argument("--no-open", dest="open", action="store_false", help="only print the address")
    doctor = add_command("doctor", "check the key, the connection, and one chat")
    config = add_command("config", "print how to register this server in a client")
    config.add_argument(
        "client",
        nargs="*",
        metavar="CLIENT",
        help=f"{', '.join(CLIENT_NAMES)}, or a similar name, such as claude; all of them if omitted",
    )
    store = add_command("store", "fill the file or database in which readings are kept, say what is in it, or clear it")
    actions = store.add_subparsers(
        dest="action", metavar="fill|status|clear|prepare", required=True, parser_class=_Parser
    )
    fill = actions.add_parser("fill", help="read the account", description=_FILL)
    fill.add_argument("--days", type=_days, default=30, help="how far back to read everything again; default 30")
    status = actions.add_parser("status", help="say what is kept of each account")
    clear = actions.add_parser("clear", help="drop what is kept of the account of this key")
    clear.add_argument("--all", action="store_true", help="drop everything, and delete the file")
    prepare = actions.add_parser("prepare", help="make the tables in PostgreSQL", description=_PREPARE)
    for command in (demo, http, board, doctor, config):
        # Accepted both before and after the command.
        command.add_argument("--demo", action="store_true", default=argparse.SUPPRESS, help="use the demo account")
    for command in (http, access, board, doctor, config, fill):
        _add_scope(command, default=argparse.SUPPRESS)
    for command in (http, board, doctor, config, store, fill, status, clear, prepare):
        command.add_argument("--store", default=argparse.SUPPRESS, metavar="PATH", type=_store_path, help=_STORE)
    for command in (http, access, doctor, config):
        command.add_argument("--allow-send", action="store_true", default=argparse.SUPPRESS, help=_ALLOW_SEND)
    return parser


def _add_scope(parser: argparse.ArgumentParser, *, default: str | None) -> None:
    parser.add_argument(
        "--lines", default=default, metavar="NUMBERS", help="open only chats on these of your numbers: +1…,+1…"
    )
    parser.add_argument("--tools", default=default, metavar="NAMES", help="offer only these tools: list_chats,…")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown `word`: the most similar known word, or else all known words."""
    known = list(known)
    similar = difflib.get_close_matches(word.casefold(), known, n=1)
    return f"; did you mean {similar[0]}?" if similar else f"; choose from {', '.join(known)}"


def _claims(text: str) -> dict[str, Any]:
    try:
        claims = json.loads(text)
    except (ValueError, RecursionError):
        claims = None
    if isinstance(claims, dict):
        return claims
    raise argparse.ArgumentTypeError('the claims are a JSON object, such as {"email": "ann@example.com"}')


def _host(text: str) -> str:
    # An IPv6 address is written in brackets where a port can follow.
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text


def _port(text: str) -> int:
    if text.isdecimal() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")


def _days(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= _MOST_DAYS:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of days (1 to {_MOST_DAYS})")


def _store_path(text: str) -> str:
    from linq_mcp.settings.store import STORE_VARIABLE, is_address

    # Other users of the machine see arguments. Nothing of this one is repeated.
    if is_address(text):
        raise argparse.ArgumentTypeError(f"a database's address may hold a password: put it into {STORE_VARIABLE}")
    return text


def _path(text: str) -> str:
    if re.fullmatch(r"/[A-Za-z0-9._~/-]*", text) and text not in _RESERVED_PATHS:
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is not a path such as /mcp")
