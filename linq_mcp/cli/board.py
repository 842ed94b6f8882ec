"""`linq-mcp board`: opens the board in the browser."""

from __future__ import annotations

import os
import signal
import sys
import webbrowser
from argparse import Namespace
from threading import Thread

from linq_mcp.cli.account import open_account
from linq_mcp.cli.stderr import log_to_stderr, warn


def run(options: Namespace) -> int:
    """Serve the page until Ctrl-C. Without a key, or with another unusable setting, the exit code is 1."""
    # Until the server handles SIGTERM itself.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    from linq_mcp.settings.problems import LaunchedBy
    from linq_mcp.transports.board.run import serve_board
    from linq_mcp.wording.settings import format_problem

    # The board does not offer sending, so its server doesn't either.
    account, settings = open_account(options, LaunchedBy.TERMINAL, read_only=True)
    log_to_stderr(settings.log_level)
    warn(settings.warnings)
    if settings.problem:
        problem = format_problem(settings.problem, LaunchedBy.TERMINAL)
        print(f"linq-mcp board: {problem}\n`linq-mcp board --demo` needs no key.", file=sys.stderr)
        return 1

    def announce(url: str) -> None:
        print(f"The board is at {url}\nPress Ctrl-C to stop.", flush=True)
        if options.open:
            # A browser for the terminal does not return until it is closed.
            Thread(target=webbrowser.open, args=[url], daemon=True).start()

    try:
        serve_board(account, options.port, announce)
    except OSError as error:
        print(
            f"linq-mcp board: can't listen on port {options.port} ({error.strerror}); choose another with --port",
            file=sys.stderr,
        )
        return 1
    return 0
