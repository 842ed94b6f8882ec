"""`linq-mcp` without a command: serve one client over stdin and stdout."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from argparse import Namespace

from linq_mcp.cli.account import open_account
from linq_mcp.cli.parser import USAGE_ERROR
from linq_mcp.cli.stderr import log_to_stderr, warn


def run(options: Namespace) -> int:
    """Serve until the client closes stdin or a signal comes, then end the process."""
    for stream, name in ((sys.stdin, "stdin"), (sys.stdout, "stdout")):
        # Python found the descriptor closed, so the next file that is opened would get its number.
        if stream is None:
            print(f"linq-mcp: {name} is closed, but MCP clients talk to this server over it", file=sys.stderr)
            return USAGE_ERROR
    # Until the server handles signals itself. A KeyboardInterrupt would not do: if it is raised within an `exec`, as
    # when a dataclass is defined, Python ends with the signal instead of the exit code.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    account, settings = open_account(options)
    log_to_stderr(settings.log_level)
    warn(settings.warnings)
    if sys.stdin.isatty():
        from linq_mcp.settings.problems import LaunchedBy
        from linq_mcp.wording.settings import format_problem

        print(
            "linq-mcp is waiting for an MCP client on stdin; press Ctrl-C to stop. `linq-mcp config` shows how to "
            "register it in a client, and `linq-mcp demo` shows what it does.",
            file=sys.stderr,
        )
        if settings.problem:
            print(f"linq-mcp: {format_problem(settings.problem, LaunchedBy.TERMINAL)}", file=sys.stderr)
    import anyio

    from linq_mcp.server.app import build_server
    from linq_mcp.server.consent.service import ConsentService
    from linq_mcp.transports.stdio import serve_stdio

    # Imported modules are never freed. A page consists of thousands of objects, which reference counting frees;
    # collecting after every few hundred of them would only cost time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)

    async def serve_and_leave() -> None:
        consent = ConsentService(settings.sending) if settings.sending else None
        code = await serve_stdio(build_server(account, consent=consent))
        logging.shutdown()
        # Don't wait for threads that are blocked on stdin or in a DNS query, nor for the interpreter's teardown.
        os._exit(code)

    anyio.run(serve_and_leave)
    return 0
