"""Serves an application on the loopback interface, so that any client can use it by its base URL.

It never listens on another interface, because the demo's key is no secret.
"""

import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from linq_mcp.demo.api import BASE_PATH

_HOST = "127.0.0.1"
# Stopping takes as long as the slowest request; this is an upper limit.
_END_SECONDS = 5


def serve_forever(app: ASGIApp, port: int, announce: Callable[[str], None]) -> None:
    """Serve until Ctrl-C; `announce` is called with the base URL once connections are accepted.

    Port 0 is any free one. Raises OSError if the port is taken.
    """
    # uvicorn raises the signal again after it has stopped cleanly; there is nothing left to do then.
    with listen(port) as listening, suppress(KeyboardInterrupt):
        announce(base_url(listening))
        make_server(app).run(sockets=[listening])


def make_server(app: ASGIApp) -> uvicorn.Server:
    """A server that leaves the process's own logging as it is."""
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        timeout_graceful_shutdown=_END_SECONDS,
    )
    return uvicorn.Server(config)


def listen(port: int) -> socket.socket:
    """A listening socket, so that connections wait for the server. Raises OSError if the port is taken."""
    listening = socket.create_server((_HOST, port))
    # Accepted connections inherit this option, which asyncio sets only on sockets that name their protocol. Without it,
    # answers on a reused connection would be delayed by 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def base_url(listening: socket.socket) -> str:
    """The base URL of the API that is served there."""
    return f"http://{_HOST}:{listening.getsockname()[1]}{BASE_PATH}"
