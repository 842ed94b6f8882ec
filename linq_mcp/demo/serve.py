"""Serves an application on the loopback interface, so that any client can use it by its base URL.

It never listens on another interface, because the demo's key is no secret.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread

import uvicorn
from starlette.types import ASGIApp

from linq_mcp.demo.api import BASE_PATH

_HOST = "127.0.0.1"
# Stopping takes as long as the slowest request; this is an upper limit.
_END_SECONDS = 5


@contextmanager
def running(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """Serve in a background thread during a `with` block, whose value is the base URL.

    Port 0 is any free one. Raises OSError if the port is taken.
    """
    with _bound(port) as bound:
        server = _server(app)
        thread = Thread(target=server.run, kwargs={"sockets": [bound]}, name="linq-demo-api", daemon=True)
        thread.start()
        try:
            yield _base_url(bound)
        finally:
            server.should_exit = True
            thread.join(2 * _END_SECONDS)


def serve_forever(app: ASGIApp, port: int, announce: Callable[[str], None]) -> None:
    """Serve until Ctrl-C; `announce` is called with the base URL once connections are accepted.

    Port 0 is any free one. Raises OSError if the port is taken.
    """
    # uvicorn raises the signal again after it has stopped cleanly; there is nothing left to do then.
    with _bound(port) as bound, suppress(KeyboardInterrupt):
        announce(_base_url(bound))
        _server(app).run(sockets=[bound])


def _server(app: ASGIApp) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        access_log=False,
        # The process's own logging stays as it is.
        log_config=None,
        log_level="warning",
        timeout_graceful_shutdown=_END_SECONDS,
    )
    return uvicorn.Server(config)


def _bound(port: int) -> socket.socket:
    """A listening socket, so that connections wait for the server. Raises OSError if the port is taken."""
    bound = socket.create_server((_HOST, port))
    # Accepted connections inherit this option, which asyncio sets only on sockets that name their protocol. Without it,
    # answers on a reused connection would be delayed by 40 ms.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


def _base_url(bound: socket.socket) -> str:
    return f"http://{_HOST}:{bound.getsockname()[1]}{BASE_PATH}"
