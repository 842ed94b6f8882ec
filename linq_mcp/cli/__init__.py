"""argv in, exit code out: serve (without a command), demo, demo-api, doctor, config."""

from __future__ import annotations

import argparse
import gc
import io
import logging
import os
import re
import signal
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from linq_mcp import __version__

if TYPE_CHECKING:
    from linq_mcp.server.client_provider import SettingsClientProvider
    from linq_mcp.settings import Settings

_DESCRIPTION = "A Model Context Protocol server over a Linq account's conversations. Without a command it serves stdio."
_USAGE_ERROR = 2
_INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(_USAGE_ERROR, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process. Exit codes: 0 done, 1 something failed, 2 usage, 130 interrupted."""
    try:
        code = _run(_parser().parse_args(argv))
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except BrokenPipeError:
        # Whoever read stdout has seen enough (`linq-mcp demo | head`); flushing it would only fail again.
        code = 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
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


def _run(options: argparse.Namespace) -> int:
    match options.command:
        case "demo":
            return _demo()
        case "demo-api":
            return _demo_api(options.port)
        case "http":
            return _http(options)
        case "doctor":
            return _doctor(demo=options.demo)
        case "config":
            return _config(options.client)
        case _:
            return _serve(demo=options.demo)


def _account(*, demo: bool) -> tuple[SettingsClientProvider, Settings]:
    """The account to serve, and the settings as they are now."""
    from linq_mcp.server.client_provider import SettingsClientProvider
    from linq_mcp.settings import load_settings

    if demo:
        from linq_mcp.demo import in_process

        own, demo_settings = load_settings(os.environ), in_process.settings()
        kept = {name: getattr(own, name) for name in ("http_token", "log_level", "log_level_is_set", "warnings")}
        return SettingsClientProvider(in_process.settings, transport=in_process.transport), replace(
            demo_settings, **kept
        )
    return SettingsClientProvider(lambda: load_settings(os.environ)), load_settings(os.environ)


def _serve(*, demo: bool) -> int:
    # Until the server is up and listens for it itself.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    account, settings = _account(demo=demo)
    _log_to_stderr(settings.log_level)
    _warn(settings.warnings)
    if sys.stdin.isatty():
        print(
            "linq-mcp is waiting for an MCP client on stdin; press Ctrl-C to end. `linq-mcp config` shows how to "
            "register it in a client, `linq-mcp demo` what it does.",
            file=sys.stderr,
        )
    import anyio

    from linq_mcp.server.app import build_server
    from linq_mcp.transports.stdio import serve_stdio

    # Everything imported stays for good: the collector need not go through it again and again. And pages are
    # thousands of objects that die by their counts; it need not look at each few hundred of them.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)

    async def serve_and_leave() -> None:
        code = await serve_stdio(build_server(account))
        logging.shutdown()
        # Without waiting for threads blocked on stdin or in a name look-up, nor for the interpreter's teardown.
        os._exit(code)

    anyio.run(serve_and_leave)
    return 0


def _http(options: argparse.Namespace) -> int:
    # Until the server is up and listens for it itself; as a container's first process it would be ignored.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    from linq_mcp.server.client_provider import HeaderClientProvider
    from linq_mcp.settings import HTTP_TOKEN_VARIABLE
    from linq_mcp.transports.http.app import HttpConfig, application, refusal, serve

    account, settings = _account(demo=options.demo)
    # The access log is on unless a level was asked for.
    _log_to_stderr(settings.log_level if settings.log_level_is_set else "INFO")
    own_key = options.key_from == "settings" or options.demo
    door = HttpConfig(
        host=options.host,
        port=options.port,
        path=options.path,
        allowed_hosts=options.allowed_host,
        allowed_origins=options.allowed_origin,
    )
    if problem := refusal(door, settings, own_key=own_key):
        print(f"linq-mcp http: {problem}", file=sys.stderr)
        return _USAGE_ERROR
    _warn(settings.warnings)
    if problem := settings.problem if own_key else settings.base_url_problem:
        _warn([f"every call will be refused: {problem}"])
    token = settings.http_token.get_secret_value() if own_key and settings.http_token else None
    if settings.http_token and not own_key:
        _warn([f"{HTTP_TOKEN_VARIABLE} is not asked for: with --key-from header each caller sends their own Linq key"])
    if own_key and not token:
        _warn([f"everybody on this machine can read the account through this server; set {HTTP_TOKEN_VARIABLE}"])
    try:
        serve(application(account if own_key else HeaderClientProvider(settings), door, token=token), door)
    except OSError as error:
        print(f"linq-mcp http: can't listen on {door.host} port {door.port} ({error.strerror})", file=sys.stderr)
        return 1
    return 0


def _demo() -> int:
    import anyio

    from linq_mcp.cli.demo import tour

    _log_to_stderr("WARNING")
    _draw_what_can_be_drawn()
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    try:
        anyio.run(lambda: tour(sys.stdout, colour=colour))
    except BaseExceptionGroup as failures:
        if failures.subgroup(BrokenPipeError):
            raise BrokenPipeError from None
        raise
    return 0


def _demo_api(port: int) -> int:
    from linq_mcp.demo.account import demo_account
    from linq_mcp.demo.api import DEMO_KEY, demo_api
    from linq_mcp.demo.serve import serve_forever

    def announce(base_url: str) -> None:
        print(
            f"The demo account's API; press Ctrl-C to end.\n{BASE_URL}={base_url}\n{KEY}={DEMO_KEY}",
            flush=True,
        )

    from linq_mcp.settings import BASE_URL_VARIABLE as BASE_URL
    from linq_mcp.settings import KEY_VARIABLE as KEY

    try:
        serve_forever(demo_api(demo_account()), port, announce)
    except OSError as error:
        print(
            f"linq-mcp demo-api: port {port} can't be used ({error.strerror}); give another with --port",
            file=sys.stderr,
        )
        return 1
    return 0


def _doctor(*, demo: bool) -> int:
    import anyio

    from linq_mcp.cli.doctor import examine

    _log_to_stderr("WARNING")
    _draw_what_can_be_drawn()
    account, settings = _account(demo=demo)
    return 0 if anyio.run(examine, account, settings, lambda text: print(text, flush=True)) else 1


def _config(client: str | None) -> int:
    from linq_mcp.cli.client_config import CLIENTS, render, this_command

    if client is not None and client not in CLIENTS:
        print(
            f"linq-mcp config: there is no client {client!r}; choose one of {', '.join(CLIENTS)}",
            file=sys.stderr,
        )
        return _USAGE_ERROR
    print(render(client, this_command()))
    return 0


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        logging.getLogger("linq_mcp").warning(warning)


def _draw_what_can_be_drawn() -> None:
    # A terminal without some character shows a mark in its place.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _log_to_stderr(level: str) -> None:
    # Other libraries' logs name requests in full, with people's numbers: only what is wrong with them is let through.
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    logging.getLogger("linq_mcp").setLevel(level)
