"""Serving a team over Streamable HTTP: stateless in both protocol eras, so that any replica can answer any request.

The SDK speaks MCP, Starlette routes and uvicorn serves; here is what lies between: whose key a call uses, who may
call, and how much at once.
"""

from __future__ import annotations

import logging
import re
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from sse_starlette.sse import AppStatus
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from linq_mcp import __version__
from linq_mcp.server.app import build_server
from linq_mcp.server.client_provider import ClientProvider
from linq_mcp.settings import HTTP_TOKEN_VARIABLE, Settings, is_loopback
from linq_mcp.transports.http.middleware import MAX_BODY_BYTES, AccessLog, Choice, ConcurrencyLimitMiddleware, Token

logger = logging.getLogger(__name__)

KEY_HEADER = "x-linq-api-v3-api-key"
MAX_HEADER_BYTES = 32 * 1024
MAX_CALLS_IN_FLIGHT = 512
# What is under way when the server is told to stop may take this long to finish.
STOP_SECONDS = 10

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, kw_only=True)
class HttpConfig:
    """Where the server listens and whom it lets in."""

    host: str = "127.0.0.1"
    port: int = 8000
    path: str = "/mcp"
    allowed_hosts: Sequence[str] = ()
    allowed_origins: Sequence[str] = ()


def application(accounts: ClientProvider, door: HttpConfig, *, token: str | None = None) -> Starlette:
    """The ASGI application: MCP at `door.path`, `/healthz`, and everything that stands before them.

    With a `token` every MCP request must show it as `Authorization: Bearer`.
    """
    server = build_server(accounts)
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=[*_with_ports(door.allowed_hosts), *(_with_ports(_LOOPBACK) if _is_loopback(door.host) else [])],
        allowed_origins=[
            *door.allowed_origins,
            *(f"http://{host}" for host in (_with_ports(_LOOPBACK) if _is_loopback(door.host) else [])),
        ],
    )
    plain, streaming = (
        StreamableHTTPSessionManager(
            server,
            stateless=True,
            json_response=json_response,
            security_settings=security,
            max_request_body_size=MAX_BODY_BYTES,
        )
        for json_response in (True, False)
    )
    at_once = ConcurrencyLimitMiddleware(MAX_CALLS_IN_FLIGHT)
    mcp: ASGIApp = Choice(at_once.of(plain.handle_request), at_once.of(streaming.handle_request))
    if token is not None:
        mcp = Token(mcp, token)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with plain.run(), streaming.run():
            yield

    async def healthz(_: Request) -> Response:
        return JSONResponse({"version": __version__})

    # Nothing is ever sent unasked, so there is no stream to GET and no session to DELETE: those get a 405.
    routes = [Route(door.path, endpoint=mcp, methods=["POST"]), Route("/healthz", healthz, methods=["GET"])]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.add_middleware(AccessLog)
    # A redirect would be built from the Host header, and from http behind a balancer that ends TLS.
    app.router.redirect_slashes = False
    return app


def serve(app: Starlette, door: HttpConfig) -> None:
    """Serve until SIGINT or SIGTERM; calls in flight then have ten seconds. Raises OSError for a taken port."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        # Behind the cap on calls, one on connections that do not even get to a call.
        limit_concurrency=2 * MAX_CALLS_IN_FLIGHT,
        # Longer than balancers keep an idle connection, so that none sends into one that is closing.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    server = uvicorn.Server(config)
    # From here on a signal counts; and uvicorn raises the one that ended it once more when it is done.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.handle_exit)
    # Else streams to older clients would be cut at the signal.
    AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]  # it has no types
    family = socket.AF_INET6 if ":" in door.host else socket.AF_INET
    with socket.create_server((door.host, door.port), family=family, backlog=config.backlog) as bound:
        # Accepted connections inherit it; without, each answer on a kept connection may wait 40 ms.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = bound.getsockname()[1]
        logger.info("linq-mcp %s listens on http://%s:%d%s", __version__, _named(door.host), port, door.path)
        server.run(sockets=[bound])


def refusal(door: HttpConfig, settings: Settings, *, own_key: bool) -> str | None:
    """Why the server can't be started like this, in one line; None if it can."""
    for host in door.allowed_hosts:
        if not re.fullmatch(r"[A-Za-z0-9._-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?", host):
            return f"--allowed-host takes a name or address as clients call it, such as mcp.example.com, not {host!r}"
    for origin in door.allowed_origins:
        if not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/\s]+", origin):
            return f"--allowed-origin takes an origin such as https://app.example.com, not {origin!r}"
    if not _is_loopback(door.host) and not door.allowed_hosts:
        return f"on {door.host} the server needs --allowed-host, the name that clients call it by"
    if own_key and settings.http_token is None and not _is_loopback(door.host):
        return (
            f"with the server's own key everybody who reaches {door.host} could read the account: set "
            f"{HTTP_TOKEN_VARIABLE}, or listen on 127.0.0.1"
        )
    return None


def _is_loopback(host: str) -> bool:
    return is_loopback(f"http://{_named(host)}")


def _named(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _with_ports(hosts: Sequence[str]) -> list[str]:
    return [form for host in hosts for form in (host, f"{host}:*")]
