"""What stands before MCP over HTTP: the token, the cap on calls at once, JSON or a stream, and the access log.

ASGI applications around an application; none knows anything about Linq.
"""

from __future__ import annotations

import hmac
import json
import logging
from time import perf_counter

import anyio
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 1024 * 1024
# A caller that sends no whole body by then is turned away.
UPLOAD_SECONDS = 15


class Choice:
    """Answers in JSON, or as a stream of events where the client asks for progress and can read one.

    The body is read first, in a limited time; a caller that hangs up afterwards cancels its call.
    """

    def __init__(self, plain: ASGIApp, streaming: ASGIApp) -> None:
        self._plain = plain
        self._streaming = streaming

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        messages: list[Message] = []
        size = 0
        with anyio.move_on_after(UPLOAD_SECONDS) as upload:
            while not messages or (messages[-1].get("more_body") and size <= MAX_BODY_BYTES):
                messages.append(await receive())
                size += len(messages[-1].get("body", b""))
        if upload.cancelled_caught:
            late = Response("The body took too long", status_code=408, headers={"Connection": "close"})
            await late(scope, receive, send)
            return

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        body = b"".join(message.get("body", b"") for message in messages)
        accepts = Headers(scope=scope).get("accept", "")
        if _asks_for_progress(body) and ("text/event-stream" in accepts or "*/*" in accepts):
            await self._streaming(scope, replay, send)
            return
        if messages[-1].get("more_body"):
            await self._plain(scope, replay, send)
            return

        async def hung_up() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hung_up)
            await self._plain(scope, replay, send)
            tasks.cancel_scope.cancel()


def _asks_for_progress(body: bytes) -> bool:
    if b"progressToken" not in body:
        return False
    try:
        return "progressToken" in json.loads(body)["params"]["_meta"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


class ConcurrencyLimitMiddleware:
    """Turns away what is more than the server takes on at once, with a word on when to come again."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0

    def of(self, app: ASGIApp) -> ASGIApp:
        return lambda scope, receive, send: self._answer(app, scope, receive, send)

    async def _answer(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        if self._count >= self._most:
            busy = Response("Too many calls are under way", status_code=503, headers={"Retry-After": "1"})
            await busy(scope, receive, send)
            return
        self._count += 1
        try:
            await app(scope, receive, send)
        finally:
            self._count -= 1


class Token:
    """Lets in who shows the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scheme, _, shown = Headers(scope=scope).get("authorization", "").partition(" ")
        # Compared in the same time whatever is shown.
        if hmac.compare_digest(shown.encode("latin-1"), self._expected) and scheme.lower() == "bearer":
            await self._app(scope, receive, send)
            return
        challenge = {"WWW-Authenticate": 'Bearer realm="linq-mcp"'}
        await Response("A bearer token is needed", status_code=401, headers=challenge)(scope, receive, send)


class AccessLog:
    """One line a request on stderr: method, path, status and milliseconds. No query, header or body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            known = "route" in scope or "endpoint" in scope
            logger.info(
                "%s %s %d %.0f ms",
                scope["method"],
                scope["path"] if known else "(another path)",
                status,
                (perf_counter() - started) * 1000,
            )
