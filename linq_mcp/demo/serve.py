"""Serves an application on the loopback interface, so that any client can use it by its base URL.

It never listens on another interface, because the demo's key is no secret.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import uvicorn
from starlette.types import ASGIApp

from linq_mcp.demo.api import BASE_PATH

_HOST = "127.0.0.1"
# Starting takes milliseconds, and stopping takes as long as the slowest request; these are upper limits.
_START_SECONDS = 10
_END_SECONDS = 5


class _Server(uvicorn.Server):
    """A server that calls `on_start` when it accepts requests."""

    def __init__(self, app: ASGIApp, on_start: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
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
        )
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_start()


@contextmanager
def running(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """Serve in a background thread during a `with` block, whose value is the base URL.

    Port 0 is any free one. Raises OSError if the port is taken.
    """
    with _bound(port) as bound:
        started = Event()
        server = _Server(app, started.set)
        thread = Thread(target=server.run, kwargs={"sockets": [bound]}, name="linq-demo-api", daemon=True)
        thread.start()
        try:
            if not started.wait(_START_SECONDS):
                raise TimeoutError(f"the demo API did not start within {_START_SECONDS} seconds")
            yield _base_url(bound)
        finally:
            server.should_exit = True
            thread.join(2 * _END_SECONDS)


def serve_forever(app: ASGIApp, port: int, announce: Callable[[str], None]) -> None:
    """Serve until Ctrl-C; `announce` is called with the base URL once requests are accepted.

    Port 0 is any free one. Raises OSError if the port is taken.
    """
    # uvicorn raises the signal again after it has stopped cleanly; there is nothing left to do then.
    with _bound(port) as bound, suppress(KeyboardInterrupt):
        _Server(app, lambda: announce(_base_url(bound))).run(sockets=[bound])


def _bound(port: int) -> socket.socket:
    """A bound socket. Binding before the server starts makes the port known, and raises here if it is taken."""
    bound = socket.create_server((_HOST, port))
    # Accepted connections inherit this option, which asyncio sets only on sockets that name their protocol. Without it,
    # answers on a reused connection would be delayed by 40 ms.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


def _base_url(bound: socket.socket) -> str:
    return f"http://{_HOST}:{bound.getsockname()[1]}{BASE_PATH}"
