"""ASGI middlewares that requests pass before MCP, each with one job. None of them knows anything about Linq.

`app` puts them in order. Headers are checked before the body is read, so the body of an unauthorized caller never is.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

import anyio
from mcp.types.jsonrpc import CONNECTION_CLOSED
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from linq_mcp.server.callers.caller import Caller
from linq_mcp.transports.http.config import HttpLimits
from linq_mcp.transports.jsonrpc import InvalidMessage, error_response, parse_message, repair

# The key in the scope under which the parsed JSON-RPC message is found.
MESSAGE = "linq_mcp.message"
BODY_BYTES = 1024 * 1024
# Bodies up to this size are read however many bytes are held already.
_ALWAYS_READ_BYTES = 64 * 1024
_CLOSE_HEADERS = {"Connection": "close"}
_RETRY_HEADERS = {"Retry-After": "1"}
# The headers of answers that scripts of web pages may read.
_READABLE_HEADERS = ("WWW-Authenticate", "X-Request-Id", "Retry-After")
_JSON = "application/json"


class BodyLengthMiddleware:
    """Refuses a request with both `Content-Length` and `Transfer-Encoding`, and closes its connection.

    If a proxy used one of them and this server the other, part of one caller's body could be read as the next caller's
    request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and {"content-length", "transfer-encoding"} <= set(Headers(scope=scope)):
            await Response("Two body lengths", status_code=400, headers=_CLOSE_HEADERS)(scope, receive, send)
            return
        await self._app(scope, receive, send)


class ConcurrencyLimitMiddleware:
    """Answers 503 with `Retry-After` while `calls` is exhausted.

    It is used twice with the same `calls`: before the body is read, so that nobody uploads in vain, and, with
    `acquires`, after it, so that a request whose body never ends does not count as a call.
    """

    def __init__(self, app: ASGIApp, calls: anyio.Semaphore, *, acquires: bool) -> None:
        self._app = app
        self._calls = calls
        self._acquires = acquires

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._calls.value:
            busy = Response("Too many calls are in progress", status_code=503, headers=_RETRY_HEADERS)
            await busy(scope, receive, send)
        elif self._acquires:
            self._calls.acquire_nowait()
            try:
                await self._app(scope, receive, send)
            finally:
                self._calls.release()
        else:
            await self._app(scope, receive, send)


class SingleHeaderMiddleware:
    """Refuses a request that repeats one of the headers `names`, of which a proxy could read another value."""

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if repeated := [name for name in sorted(self._names) if len(headers.getlist(name)) > 1]:
            text = f"The header {repeated[0]} must not be repeated"
            await Response(text, status_code=400)(scope, receive, send)
            return
        await self._app(scope, receive, send)


class AllowedHostMiddleware:
    """Requires a `Host` header that `is_allowed` accepts. This prevents DNS rebinding."""

    def __init__(self, app: ASGIApp, is_allowed: Callable[[str], bool]) -> None:
        self._app = app
        self._is_allowed = is_allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._is_allowed(Headers(scope=scope).get("host", "")):
            await Response("Invalid Host header", status_code=421)(scope, receive, send)
            return
        await self._app(scope, receive, send)


class AllowedOriginMiddleware:
    """Requires an `Origin` header that `is_allowed` accepts, or none at all, because only browsers send one."""

    def __init__(self, app: ASGIApp, is_allowed: Callable[[str], bool]) -> None:
        self._app = app
        self._is_allowed = is_allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = Headers(scope=scope).get("origin")
        if origin is not None and not self._is_allowed(origin):
            await Response("Invalid Origin header", status_code=403)(scope, receive, send)
            return
        await self._app(scope, receive, send)


class CorsMiddleware(CORSMiddleware):
    """Lets the web pages that `is_allowed` accepts send requests and read every answer. Preflights need no token."""

    def __init__(self, app: ASGIApp, is_allowed: Callable[[str], bool]) -> None:
        super().__init__(app, allow_methods=["POST"], allow_headers=["*"], expose_headers=_READABLE_HEADERS)
        self._is_allowed = is_allowed

    def is_allowed_origin(self, origin: str) -> bool:
        return self._is_allowed(origin)


class PostMiddleware:
    """Answers 405 to anything but POST: the server sends nothing on its own and keeps no sessions."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await Response("Use POST", status_code=405, headers={"Allow": "POST"})(scope, receive, send)
            return
        await self._app(scope, receive, send)


class MediaTypeMiddleware:
    """Rewrites `Accept` and `Content-Type`, of which the SDK refuses some forms that HTTP allows.

    Media types are compared without regard to case, a header may come in several lines, and a client without an
    `Accept` takes anything; it gets JSON.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = MutableHeaders(raw=list(scope["headers"]))
        for name, default in (("accept", _JSON), ("content-type", "")):
            given = ", ".join(headers.getlist(name)).strip().lower() or default
            del headers[name]
            if given:
                headers[name] = given
        await self._app({**scope, "headers": headers.raw}, receive, send)


class BearerTokenMiddleware:
    """Requires `Authorization: Bearer <token>`."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        # The comparison takes the same time whatever was given.
        if hmac.compare_digest(given.encode("latin-1"), self._expected) and scheme.lower() == "bearer":
            await self._app(scope, receive, send)
            return
        challenge = {"WWW-Authenticate": 'Bearer realm="linq-mcp"'}
        await Response("A valid bearer token is needed", status_code=401, headers=challenge)(scope, receive, send)


class CallerMiddleware:
    """Adds the caller to the scope's state, where tools find them, and to the record of the request.

    It comes after everything that may refuse a caller.
    """

    def __init__(self, app: ASGIApp, make_out: Callable[[Request], Caller]) -> None:
        self._app = app
        self._make_out = make_out

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = self._make_out(Request(scope))
        state = scope["state"]
        state["caller"] = caller
        state["call"].caller, state["call"].name = caller.id, caller.name
        await self._app(scope, receive, send)


class RequestBodyMiddleware:
    """Reads the whole body, within limits on time and size, before the application runs.

    All incomplete bodies together have a limit; once it is reached, only small bodies are read.
    """

    def __init__(self, app: ASGIApp, limits: HttpLimits) -> None:
        self._app = app
        self._limits = limits
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdecimal() and int(declared) > BODY_BYTES:
            await _too_large(scope, receive, send)
            return
        body = bytearray()
        error: Response | None = None
        try:
            with anyio.move_on_after(self._limits.body_seconds) as upload:
                error = await self._read(receive, body)
        finally:
            self._held -= len(body)
        if upload.cancelled_caught:
            error = Response("The body took too long", status_code=408, headers=_CLOSE_HEADERS)
        if error is None:
            await self._app(scope, _replay(bytes(body), receive), send)
        else:
            await error(scope, receive, send)

    async def _read(self, receive: Receive, body: bytearray) -> Response | None:
        """Read the request into `body`. Returns an error response if that fails."""
        while (message := await receive())["type"] == "http.request":
            chunk = message.get("body", b"")
            body += chunk
            self._held += len(chunk)
            if len(body) > BODY_BYTES:
                return _too_large
            if self._held > self._limits.held_body_bytes and len(body) > _ALWAYS_READ_BYTES:
                return Response("Too many bodies are being sent", status_code=503, headers=_RETRY_HEADERS)
            if not message.get("more_body"):
                return None
        # The client has disconnected and won't read this.
        return Response(status_code=400)


class JsonRpcMiddleware:
    """Passes a well-formed JSON-RPC message on, adding it to the scope, and answers anything else with an error."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive())["body"]
        try:
            message = parse_message(body)
        except InvalidMessage as invalid:
            error = invalid.answer.model_dump_json(by_alias=True, exclude_unset=True)
            await Response(error, status_code=400, media_type=_JSON)(scope, receive, send)
            return
        await self._app({**scope, MESSAGE: message}, _replay(repair(body), receive), send)


class ShutdownMiddleware:
    """Adds the cancel scope of each call to `calls`, and answers a call that was cancelled with a JSON-RPC error."""

    def __init__(self, app: ASGIApp, calls: set[anyio.CancelScope]) -> None:
        self._app = app
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started: Message | None = None
        finished = False

        async def note_progress(message: Message) -> None:
            nonlocal started, finished
            await send(message)
            if message["type"] == "http.response.start":
                started = message
            finished = message["type"] == "http.response.body" and not message.get("more_body")

        with anyio.CancelScope() as call:
            self._calls.add(call)
            try:
                await self._app(scope, receive, note_progress)
            finally:
                self._calls.remove(call)
        if not call.cancelled_caught or finished:
            return
        text = "The server is being stopped and could not finish this call; call again."
        error = error_response(getattr(scope[MESSAGE], "id", None), CONNECTION_CLOSED, text)
        body = error.model_dump_json(by_alias=True, exclude_unset=True)
        if started is None:
            response = Response(body, status_code=503, headers=_RETRY_HEADERS, media_type=_JSON)
            await response(scope, receive, send)
        elif Headers(raw=started["headers"]).get("content-type", "").startswith("text/event-stream"):
            event = f"event: message\r\ndata: {body}\r\n\r\n".encode()
            await send({"type": "http.response.body", "body": event, "more_body": False})


class CancelOnDisconnectMiddleware:
    """Cancels a call when its client disconnects, because nobody would read the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive())["body"]

        async def wait_for_disconnect() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait_for_disconnect)
            await self._app(scope, _replay(body, receive), send)
            tasks.cancel_scope.cancel()


_too_large = Response("Request body too large", status_code=413)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that returns the whole body first, and then whatever `receive` does."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
