"""Serves the application with uvicorn until a signal comes."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING

import anyio
import uvicorn
from sse_starlette.sse import AppStatus
from starlette.applications import Starlette

from linq_mcp import __version__
from linq_mcp.server.callers.caller import ClientProvider
from linq_mcp.transports.http.app import build_app
from linq_mcp.transports.http.auth.challenge import SignIn
from linq_mcp.transports.http.config import HttpConfig, HttpLimits
from linq_mcp.transports.http.protocol import bounded_protocol

if TYPE_CHECKING:
    from linq_mcp.transports.http.metrics import Metrics

logger = logging.getLogger(__name__)

# How long the server may take to answer unfinished calls with errors.
_LAST_ANSWERS_SECONDS = 2
_BACKLOG = 2048
_HEADER_BYTES = 32 * 1024
# Longer than balancers keep idle connections, so that none sends a request on one that is being closed.
_KEEP_ALIVE_SECONDS = 75


class HttpServer(uvicorn.Server):
    """uvicorn for `app`. After a signal, calls that need more than `limits.stop_seconds` are answered with an error."""

    def __init__(self, app: Starlette, limits: HttpLimits) -> None:
        self.calls: set[anyio.CancelScope] = app.state.calls
        self._stop_seconds = limits.stop_seconds
        super().__init__(
            uvicorn.Config(
                app,
                http=bounded_protocol(limits),
                ws="none",
                # asyncio accepts this many connections in a row before it handles the first of them.
                backlog=max(1, min(128, limits.connections // 8)),
                h11_max_incomplete_event_size=_HEADER_BYTES,
                access_log=False,
                log_config=None,
                log_level="warning",
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=int(limits.stop_seconds) + _LAST_ANSWERS_SECONDS,
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Otherwise sse_starlette would cut off event streams at once, and those of every other server in this process.
        AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]  # it has no types
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listening in sockets or ():
            # This is the kernel's queue of connections to accept; when it is full, clients have to try again.
            listening.listen(_BACKLOG)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logger.info("stopping; calls in progress: %d", len(self.calls))
        deadline = asyncio.get_running_loop().call_later(self._stop_seconds, self._end_calls)
        await super().shutdown(sockets)
        deadline.cancel()

    def _end_calls(self) -> None:
        for call in self.calls:
            call.cancel()


def serve(provider: ClientProvider, config: HttpConfig, sign_in: SignIn | None, metrics: Metrics | None) -> None:
    """Serve until SIGINT or SIGTERM. Raises OSError if the port is taken."""
    limits = fit_to_descriptors(config.limits)
    server = HttpServer(build_app(provider, replace(config, limits=limits), sign_in, metrics), limits)
    # From here on a signal stops the server. uvicorn raises it again at the end, and these handlers then ignore it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.handle_exit)
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    with socket.create_server((config.host, config.port), family=family) as bound:
        # Accepted connections inherit this option; without it, answers on a reused connection can be delayed by 40 ms.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = bound.getsockname()[1]
        logger.info("linq-mcp %s listens on http://%s:%d%s", __version__, config.url_host, port, config.path)
        server.run(sockets=[bound])


def fit_to_descriptors(limits: HttpLimits) -> HttpLimits:
    """`limits`, lowered if the process can't open enough files: half of those are for callers, the rest for Linq."""
    if sys.platform == "win32":
        return limits
    import resource  # noqa: PLC0415 - Windows does not have it

    available, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * limits.connections
    if 0 <= available < wanted:
        # Shells and systemd set a low limit, which a process may raise itself; -1 means no limit.
        available = wanted if most < 0 else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (available, most))
    if not 0 <= available < wanted:
        return limits
    connections = max(1, available // 2)
    calls = min(limits.calls, max(1, connections // 2))
    logger.warning(
        "only %d files can be open here: at most %d connections and %d calls are served at once (see `ulimit -Hn`)",
        available,
        connections,
        calls,
    )
    return replace(limits, connections=connections, calls=calls)
