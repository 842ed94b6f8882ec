"""The ASGI application that serves a team over Streamable HTTP.

It keeps no sessions, neither for the current MCP protocol nor for the older one (`initialize`), so any replica can
answer any request. Starlette does the routing and the SDK speaks MCP; the middlewares in between decide who may call,
and how much at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types.jsonrpc import JSONRPCMessage, JSONRPCRequest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from linq_mcp import __version__
from linq_mcp.server.app import build_server
from linq_mcp.server.call_record import record_call
from linq_mcp.server.callers.caller import ClientProvider
from linq_mcp.server.consent.service import ConsentService
from linq_mcp.settings import KEY_HEADER
from linq_mcp.tools import SEND_TOOLS
from linq_mcp.transports.http.access_log import HttpRecord, RecordMiddleware, log_request
from linq_mcp.transports.http.auth.challenge import SignIn
from linq_mcp.transports.http.config import HttpConfig, is_allowed_host, is_allowed_origin
from linq_mcp.transports.http.middleware import (
    BODY_BYTES,
    MESSAGE,
    AllowedHostMiddleware,
    AllowedOriginMiddleware,
    BearerTokenMiddleware,
    BodyLengthMiddleware,
    CallerMiddleware,
    CancelOnDisconnectMiddleware,
    ConcurrencyLimitMiddleware,
    CorsMiddleware,
    JsonRpcMiddleware,
    MediaTypeMiddleware,
    PostMiddleware,
    RequestBodyMiddleware,
    ShutdownMiddleware,
    SingleHeaderMiddleware,
)

if TYPE_CHECKING:
    # It needs an extra that may not be installed.
    from linq_mcp.transports.http.metrics import Metrics

# If one of these is sent twice, a proxy may read one value and this server the other.
_SINGLE_HEADERS = frozenset({"host", "origin", "authorization", KEY_HEADER})


def build_app(
    provider: ClientProvider, config: HttpConfig, sign_in: SignIn | None = None, metrics: Metrics | None = None
) -> Starlette:
    """The application: MCP behind its middlewares at `config.path`, the operator's endpoints, and `sign_in`'s routes.

    `app.state.calls` holds the cancel scope of each call in flight; cancelling one answers its call with an error.
    """
    limits = config.limits
    sending = provider.caller(None).settings.sending
    consent = ConsentService(sending) if sending else None
    server = build_server(provider, consent=consent)
    server.middleware.insert(0, record_call)
    # The SDK chooses between JSON and an event stream by manager, not by request.
    json_manager, stream_manager = (
        StreamableHTTPSessionManager(
            server,
            stateless=True,
            json_response=json_response,
            # `AllowedHostMiddleware` and `AllowedOriginMiddleware` check this, without regard to case.
            security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),
            max_request_body_size=2 * BODY_BYTES,
        )
        for json_response in (True, False)
    )
    mcp = JsonOrEventStream(
        CancelOnDisconnectMiddleware(json_manager.handle_request),
        # The SDK cancels a stream's call itself.
        stream_manager.handle_request,
    )
    places = anyio.Semaphore(limits.calls)
    calls: set[anyio.CancelScope] = set()
    token = config.token.get_secret_value() if config.token else None
    middleware = [
        Middleware(CorsMiddleware, partial(is_allowed_origin, config)),
        Middleware(ConcurrencyLimitMiddleware, places, acquires=False),
        Middleware(SingleHeaderMiddleware, _SINGLE_HEADERS),
        Middleware(AllowedHostMiddleware, partial(is_allowed_host, config)),
        Middleware(AllowedOriginMiddleware, partial(is_allowed_origin, config)),
        Middleware(PostMiddleware),
        Middleware(MediaTypeMiddleware),
        *([Middleware(BearerTokenMiddleware, token)] if token else []),
        *(sign_in.on_headers() if sign_in else []),
        Middleware(CallerMiddleware, provider.caller),
        Middleware(RequestBodyMiddleware, limits),
        Middleware(JsonRpcMiddleware),
        *(sign_in.on_message({tool.name for tool in SEND_TOOLS}) if sign_in else []),
        Middleware(ConcurrencyLimitMiddleware, places, acquires=True),
        Middleware(ShutdownMiddleware, calls),
    ]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with json_manager.run(), stream_manager.run(), anyio.create_task_group() as tasks:
            if sign_in:
                # A wrong address of the issuer is in the log at once, and not only when somebody signs in.
                tasks.start_soon(sign_in.keys.refresh)
            yield
            tasks.cancel_scope.cancel()

    async def healthz(_: Request) -> Response:
        return JSONResponse({"version": __version__})

    async def read_metrics(request: Request) -> Response:
        if metrics is None:
            return Response(
                "Metrics need the extra http: pip install '.[http]' in the clone",
                status_code=404,
                media_type="text/plain",
            )
        body, media_type = metrics.exposition(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": media_type})

    observers: list[Callable[[HttpRecord], None]] = [partial(log_request, audit=config.audit)]
    if metrics:
        observers.append(metrics.observe_request)
        metrics.count_calls_in_flight(lambda: len(calls))
    app = Starlette(
        routes=[
            *(Route(path, endpoint=mcp, middleware=middleware) for path in config.paths),
            Route("/healthz", healthz, methods=["GET"]),
            Route("/metrics", read_metrics, methods=["GET"]),
            *(sign_in.routes() if sign_in else []),
        ],
        middleware=[
            Middleware(RecordMiddleware, observers, metrics.observe_linq_request if metrics else None),
            Middleware(BodyLengthMiddleware),
        ],
        lifespan=lifespan,
    )
    app.state.calls = calls
    # A redirect would be built from the Host header, and would lead to http when a balancer terminates TLS.
    app.router.redirect_slashes = False
    return app


class JsonOrEventStream:
    """Answers with JSON, or with an event stream if the client asks for progress and accepts one."""

    def __init__(self, json_app: ASGIApp, event_stream_app: ASGIApp) -> None:
        self._json_app = json_app
        self._event_stream_app = event_stream_app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        accepts = Headers(scope=scope).get("accept", "")
        streams = _asks_for_progress(scope[MESSAGE]) and ("text/event-stream" in accepts or "*/*" in accepts)
        await (self._event_stream_app if streams else self._json_app)(scope, receive, send)


def _asks_for_progress(message: JSONRPCMessage) -> bool:
    meta = (message.params or {}).get("_meta") if isinstance(message, JSONRPCRequest) else None
    return isinstance(meta, dict) and "progressToken" in meta
