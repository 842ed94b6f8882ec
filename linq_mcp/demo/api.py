"""Linq's Partner API V3 for a `DemoAccount`, as an ASGI application: reading, and sending to nobody.

The account's files are served here as well, to whoever has the signed address, as at Linq. Served on a port, messages
have addresses of files on the same port.

It is as strict as Linq's documentation allows: it refuses a limit out of range, a bad cursor, or someone else's line
with Linq's own code. What is sent is kept in memory, beside the account.
"""

import hmac
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from linq_mcp.demo.account import DemoAccount
from linq_mcp.demo.attachments import content_of
from linq_mcp.demo.index import Index
from linq_mcp.demo.outbox import Outbox, SendRefused
from linq_mcp.demo.wire import CDN, Wire, new_id, seeded

DEMO_KEY = "demo-key"
BASE_PATH = "/api/partner"
DEMO_BASE_URL = f"http://127.0.0.1{BASE_PATH}"

_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
_NUMBER = re.compile(r"[0-9]{1,9}")
_MAX_LIMIT = 100
_RETRY_AFTER_SECONDS = 1
_TRACE = "linq.trace_id"

Endpoint = Callable[[Request], Awaitable[Response]]


class _ApiError(Exception):
    """Raised to answer a request with Linq's error envelope."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def demo_api(
    account: DemoAccount,
    *,
    key: str = DEMO_KEY,
    oldest_first: bool = True,
    delay: float = 0,
    rate_limit_every: int | None = None,
) -> Starlette:
    """An application that serves the account to callers with the key, under `/api/partner/v3` and `/v3`.

    Linq does not document the order of a chat's messages; `oldest_first` chooses one. `delay` is how many seconds
    each answer takes. With `rate_limit_every=n`, every n-th request is answered with 429 and `Retry-After: 1`.
    """
    endpoints = _Endpoints(account, oldest_first=oldest_first)
    routes: list[tuple[str, dict[str, Endpoint]]] = [
        ("/v3/chats", {"GET": endpoints.list_chats, "POST": endpoints.create_chat}),
        ("/v3/chats/{chat_id}", {"GET": endpoints.get_chat}),
        ("/v3/chats/{chat_id}/messages", {"GET": endpoints.list_messages, "POST": endpoints.send_message}),
        ("/v3/messages/{message_id}", {"GET": endpoints.get_message}),
        ("/v3/messages/{message_id}/reactions", {"POST": endpoints.react_to_message}),
        ("/v3/phone_numbers", {"GET": endpoints.list_phone_numbers}),
    ]
    app = Starlette(
        routes=[
            Route("/attachments/{attachment_id}/{filename}", endpoints.get_file),
            *(
                Route(base + path, _by_method(endpoints_of_path), methods=METHODS)
                for base in (BASE_PATH, "")
                for path, endpoints_of_path in routes
            ),
        ],
        middleware=[Middleware(_Gate, key=key, delay=delay, rate_limit_every=rate_limit_every)],
        exception_handlers={_ApiError: _error_answer, SendRefused: _error_answer, HTTPException: _error_answer},
    )
    # Linq answers a path that ends in a slash with 404 instead of a redirect.
    app.router.redirect_slashes = False
    return app


def _by_method(endpoints: Mapping[str, Endpoint]) -> Endpoint:
    async def answer(request: Request) -> Response:
        endpoint = endpoints.get(request.method)
        if endpoint is None:
            raise HTTPException(405, headers={"Allow": ", ".join(endpoints)})
        return await endpoint(request)

    return answer


class _Endpoints:
    def __init__(self, account: DemoAccount, *, oldest_first: bool) -> None:
        self._account = account
        self._oldest_first = oldest_first
        self._index = Index(account)
        self._outbox = Outbox(account)

    async def list_chats(self, request: Request) -> Response:
        query = request.query_params
        limit, offset = _page(query, default=20)
        line, to = query.get("from"), query.get("to")
        if line is not None:
            self._check_line(line)
        if to is not None and not _is_handle(to):
            raise _ApiError(400, 1002, "to must be a phone number in E.164 format or an email address")
        opened = [chat for chat in self._outbox.chats.values() if _has_handles(chat, line, to)]
        return _answer(_paged("chats", [*reversed(opened), *self._index.chats(line, to)], limit, offset))

    async def get_chat(self, request: Request) -> Response:
        return _answer(self._chat(request))

    async def list_messages(self, request: Request) -> Response:
        limit, offset = _page(request.query_params, default=50)
        chat_id = self._chat(request)["id"]
        kept = [self._outbox.reacted.get(one["id"], one) for one in self._account.messages.get(chat_id, [])]
        messages = [*kept, *self._outbox.messages.get(chat_id, [])]
        ordered = messages if self._oldest_first else messages[::-1]
        paged = _paged("messages", ordered, limit, offset)
        return _answer({**paged, "messages": [_with_own_files(request, one) for one in paged["messages"]]})

    async def get_message(self, request: Request) -> Response:
        message = self._message(request)
        self._outbox.progress(message)
        return _answer(_with_own_files(request, message))

    async def get_file(self, request: Request) -> Response:
        file = self._index.file(request.path_params["attachment_id"])
        if file is None or not file["url"].endswith(f"{request.url.path}?{request.url.query}"):
            return Response("<Error><Code>AccessDenied</Code></Error>", 403, media_type="application/xml")
        try:
            content = content_of(file["filename"])
        except FileNotFoundError:
            return Response("<Error><Code>NoSuchKey</Code></Error>", 404, media_type="application/xml")
        headers = {"Content-Length": str(file["size_bytes"])}
        return StreamingResponse(content, headers=headers, media_type=file["mime_type"])

    async def create_chat(self, request: Request) -> Response:
        body = await _body(request)
        line, to = body.get("from"), body.get("to")
        self._check_line(str(line))
        if not isinstance(to, list) or len(to) != 1 or not _is_handle(str(to[0])):
            raise _ApiError(400, 1002, "to must be a list of one phone number or email address")
        return _answer(self._outbox.open_chat(str(line), str(to[0]), body.get("message")), 201)

    async def send_message(self, request: Request) -> Response:
        chat, body = self._chat(request), await _body(request)
        return _answer(self._outbox.send(chat, body.get("message")), 202)

    async def react_to_message(self, request: Request) -> Response:
        message = self._message(request)
        chat = self._outbox.chats.get(message["chat_id"]) or self._index.chat(message["chat_id"])
        self._outbox.react(message, chat or {}, await _body(request))
        return _answer({"status": "accepted"}, 202)

    async def list_phone_numbers(self, _: Request) -> Response:
        return _answer({"phone_numbers": self._account.phone_numbers})

    def _chat(self, request: Request) -> Wire:
        chat_id = _id(request, "chat_id")
        chat = self._outbox.chats.get(chat_id) or self._index.chat(chat_id)
        if chat is None:
            raise _ApiError(404, 2001, "Chat not found")
        return chat

    def _message(self, request: Request) -> Wire:
        message_id = _id(request, "message_id")
        sent = (one for messages in self._outbox.messages.values() for one in messages if one["id"] == message_id)
        message = next(sent, None) or self._outbox.reacted.get(message_id) or self._index.message(message_id)
        if message is None:
            raise _ApiError(404, 2002, "Message not found")
        return message

    def _check_line(self, line: str) -> None:
        if not _E164.fullmatch(line):
            raise _ApiError(400, 1002, "from must be a phone number in E.164 format")
        if line not in {number["phone_number"] for number in self._account.phone_numbers}:
            raise _ApiError(403, 2006, "The phone number does not belong to this account")


class _Gate:
    """Adds the trace id and the delay, and passes on only requests with the key and within the rate limit."""

    def __init__(self, app: ASGIApp, *, key: str, delay: float, rate_limit_every: int | None) -> None:
        self._app = app
        self._expected = f"Bearer {key}".encode()
        self._delay = delay
        self._rate_limit_every = rate_limit_every
        self._requests = 0
        self._random = seeded("trace ids")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace_id = scope[_TRACE] = new_id(self._random)

        async def send_traced(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Trace-ID"] = trace_id
            await send(message)

        # A file's address has a signature instead of a key.
        is_file = scope["path"].startswith("/attachments/")
        answer = (None if is_file else self._error(Request(scope))) or self._app
        if self._delay:
            await anyio.sleep(self._delay)
        await answer(scope, receive, send_traced)

    def _error(self, request: Request) -> Response | None:
        given = request.headers.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(given, self._expected):
            return _envelope(request, 401, 2004, "Unauthorized: missing or invalid authentication token")
        self._requests += 1
        if self._rate_limit_every and self._requests % self._rate_limit_every == 0:
            return _envelope(request, 429, 1007, "Rate limit exceeded", retry_after=_RETRY_AFTER_SECONDS)
        return None


def _page(query: Mapping[str, str], *, default: int) -> tuple[int, int]:
    limit, cursor = query.get("limit", str(default)), query.get("cursor", "0")
    if not (_NUMBER.fullmatch(limit) and 1 <= int(limit) <= _MAX_LIMIT):
        raise _ApiError(400, 1005, f"limit must be a whole number from 1 to {_MAX_LIMIT}")
    if not _NUMBER.fullmatch(cursor):
        raise _ApiError(400, 1005, "cursor is not one that was given out")
    return int(limit), int(cursor)


def _paged(name: str, rows: Sequence[Wire], limit: int, offset: int) -> Wire:
    end = offset + limit
    return {name: rows[offset:end], "next_cursor": str(end) if end < len(rows) else None}


def _with_own_files(request: Request, message: Wire) -> Wire:
    """`message` with addresses of files at which a port can answer; without a port, every address leads here."""
    if request.url.port is None or not any(part["type"] == "media" for part in message["parts"] or ()):
        return message
    here = str(request.base_url).rstrip("/")
    parts = [
        {**part, "url": part["url"].replace(CDN, here, 1)} if part["type"] == "media" else part
        for part in message["parts"]
    ]
    return {**message, "parts": parts}


def _is_handle(text: str) -> bool:
    return bool(_E164.fullmatch(text) or _EMAIL.fullmatch(text))


def _has_handles(chat: Wire, line: str | None, to: str | None) -> bool:
    handles = {(one["handle"].lower(), one["is_me"]) for one in chat["handles"]}
    return (line is None or (line, True) in handles) and (to is None or (to.lower(), False) in handles)


async def _body(request: Request) -> Wire:
    try:
        body = json.loads(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _ApiError(400, 1003, "The body must be a JSON object")
    return body


def _id(request: Request, name: str) -> str:
    given = str(request.path_params[name])
    if not _UUID.fullmatch(given):
        raise _ApiError(400, 1005, f"{name} must be a UUID")
    return given.lower()


def _answer(content: Any, status: int = 200) -> Response:
    # Escape to ASCII: a lone surrogate can't be encoded as UTF-8, but JSON can contain its escape.
    body = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return Response(body, status, media_type="application/json")


def _envelope(request: Request, status: int, code: int, message: str, *, retry_after: int | None = None) -> Response:
    error: Wire = {"status": status, "code": code, "message": message}
    if retry_after is not None:
        error["retry_after"] = retry_after
    # Linq has no code of its own, and so no page, for an unknown path or method.
    if code != status:
        error["doc_url"] = f"https://docs.linqapp.com/error/codes/{code // 1000}xxx/{code}/"
    trace_id = request.scope[_TRACE]
    answer = _answer({"success": False, "error": error, "trace_id": trace_id}, status)
    if retry_after is not None:
        answer.headers["Retry-After"] = str(retry_after)
    return answer


async def _error_answer(request: Request, error: Exception) -> Response:
    if isinstance(error, _ApiError):
        return _envelope(request, error.status, error.code, error.message)
    if isinstance(error, SendRefused):
        return _envelope(request, error.status, error.code, error.text, retry_after=error.retry_after)
    if isinstance(error, HTTPException) and error.status_code == 405:
        refusal = _envelope(request, 405, 405, "Method not allowed")
        refusal.headers.update(error.headers or {})
        return refusal
    return _envelope(request, 404, 404, "Not found")
