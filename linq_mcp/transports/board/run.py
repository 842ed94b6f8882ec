"""Serves the board on the loopback interface until a signal comes."""

from __future__ import annotations

import secrets
import signal
import socket
from collections.abc import Callable
from types import FrameType

from linq_mcp.server.callers.caller import ClientProvider
from linq_mcp.transports.board.app import LIMITS, build_board_app
from linq_mcp.transports.http.run import HttpServer

_HOST = "127.0.0.1"


def serve_board(provider: ClientProvider, port: int, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `announce` is called with the page's URL. Port 0 is any free one.

    Raises OSError if the port is taken, and KeyboardInterrupt after SIGINT.
    """
    secret = secrets.token_urlsafe(24)
    server = _BoardServer(build_board_app(provider, secret), LIMITS)
    with socket.create_server((_HOST, port)) as bound:
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, server.handle_exit)
        # Connections wait in the socket's queue until the server accepts them.
        announce(f"http://{_HOST}:{bound.getsockname()[1]}/{secret}/")
        server.run(sockets=[bound])
    if server.interrupted:
        raise KeyboardInterrupt


class _BoardServer(HttpServer):
    """Ends quietly, also when Ctrl-C is pressed twice."""

    interrupted = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as signal handlers have it
        self.interrupted = self.interrupted or sig == signal.SIGINT
        self.should_exit = True
