"""The arguments that `linq-mcp` takes, and the usage errors about them: one line each, exit code 2."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

from linq_mcp import __version__

USAGE_ERROR = 2
_DESCRIPTION = "A Model Context Protocol server over a Linq account's conversations. Without a command it serves stdio."


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"{self.prog}: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="linq-mcp", description=_DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"linq-mcp {__version__}")
    parser.add_argument("--demo", action="store_true", help="serve the embedded demo account: no key, no network")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    commands.add_parser("demo", help="start the server on the demo account and show what a client gets from it")
    api = commands.add_parser("demo-api", help="serve the demo account's HTTP API on a loopback port")
    api.add_argument("--port", type=_port, default=8787, help="default 8787; 0 takes a free one")
    http = commands.add_parser("http", help="serve a team over Streamable HTTP instead of one client over stdio")
    http.add_argument("--host", default="127.0.0.1", help="the address to listen on; default 127.0.0.1")
    http.add_argument("--port", type=_port, default=8000, help="default 8000; 0 takes a free one")
    http.add_argument("--path", type=_path, default="/mcp", help="default /mcp")
    http.add_argument("--allowed-host", action="append", default=[], metavar="H", help="a name clients call it by")
    http.add_argument("--allowed-origin", action="append", default=[], metavar="H", help="an origin of web clients")
    http.add_argument(
        "--key-from",
        choices=["header", "settings"],
        default="header",
        help="whose Linq key is used: each caller's own (header x-linq-api-v3-api-key), or the server's",
    )
    doctor = commands.add_parser(
        "doctor", help="check the key, the API and one chat, and print a client's configuration"
    )
    config = commands.add_parser("config", help="print this server's entry for a client's configuration")
    for command in (http, doctor):
        # Before the command or behind it, whichever comes to mind.
        command.add_argument("--demo", action="store_true", default=argparse.SUPPRESS, help="on the demo account")
    config.add_argument("client", nargs="?", type=str.lower, help="one client only, such as cursor")
    return parser


def _port(text: str) -> int:
    if text.isdecimal() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")


def _path(text: str) -> str:
    if re.fullmatch(r"/[A-Za-z0-9._~/-]*", text) and text != "/healthz":
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is not a path such as /mcp")
