"""Linq's Partner API V3 for a `DemoAccount`, as an ASGI application: reading, and sending to nobody.

The account's files are served here as well, to whoever has the signed address, as at Linq. Served on a port, messages
have addresses of files on the same port.

It is as strict as Linq's documentation allows: it refuses a limit out of range, a bad cursor, or someone else's line
with Linq's own code. What is sent is kept in memory, beside the account.
"""

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NoReturn

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
from linq_mcp.demo.outbox import ApiError, Outbox
from linq_mcp.demo.wire import CDN, Wire, new_id, seeded

DEMO_KEY = "demo-key"
BASE_PATH = "/api/partner"
DEMO_BASE_URL = f"http://127.0.0.1{BASE_PATH}"

_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NUMBER = re.compile(r"[0-9]{1,9}")
_MAX_LIMIT = 100
_TRACE = "linq.trace_id"


def demo_api(account: DemoAccount, *, key: str = DEMO_KEY, oldest_first: bool = True) -> Starlette:
    """An application that serves the account to callers with the key, under `/api/partner/v3` and `/v3`.

    Linq does not document the order of a chat's messages; `oldest_first` chooses one.
    """
    endpoints = _Endpoints(account, oldest_first=oldest_first)
    routes = [
        ("GET", "/v3/chats", endpoints.list_chats),
        ("POST", "/v3/chats", endpoints.create_chat),
        ("GET", "/v3/chats/{chat_id}", endpoints.get_chat),
        ("GET", "/v3/chats/{chat_id}/messages", endpoints.list_messages),
        ("POST", "/v3/chats/{chat_id}/messages", endpoints.send_message),
        ("GET", "/v3/messages/{message_id}", endpoints.get_message),
        ("GET", "/v3/messages/{message_id}/poll", endpoints.get_poll),
        ("POST", "/v3/messages/{message_id}/reactions", endpoints.react_to_message),
        ("GET", "/v3/phone_numbers", endpoints.list_phone_numbers),
    ]
    app = Starlette(
        routes=[
            Route("/attachments/{attachment_id}/{filename}", endpoints.get_file),
            *(Route(base + path, to, methods=[method]) for base in (BASE_PATH, "") for method, path, to in routes),
        ],
        middleware=[Middleware(_Gate, key=key)],
        exception_handlers={ApiError: _error_answer, HTTPException: _error_answer},
    )
    # Linq answers a path that ends in a slash with 404 instead of a redirect.
    app.router.redirect_slashes = False
    return app


class _Endpoints:
    def __init__(self, account: DemoAccount, *, oldest_first: bool) -> None:
        self._account = account
        self._oldest_first = oldest_first
        self._found: dict[tuple[str | None, str | None], list[Wire]] = {}
        self._outbox = Outbox(account)

    async def list_chats(self, request: Request) -> Response:
        query = request.query_params
        limit, offset = _page(query, default=20)
        line, to = query.get("from"), query.get("to")
        if line is not None:
            self._check_line(line)
        if to is not None and not _is_handle(to):
            raise ApiError(400, 1002, "to must be a phone number in E.164 format or an email address")
        opened = [chat for chat in self._outbox.chats.values() if _has_handles(chat, line, to)]
        return _answer(_paged("chats", [*reversed(opened), *self._filtered(line, to)], limit, offset))

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

    async def get_poll(self, request: Request) -> NoReturn:
        self._message(request)
        raise ApiError(404, 2002, "The message is not a poll")

    async def get_file(self, request: Request) -> Response:
        file = self._files.get(request.path_params["attachment_id"])
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
            raise ApiError(400, 1002, "to must be a list of one phone number or email address")
        return _answer(self._outbox.open_chat(str(line), str(to[0]), body.get("message")), 201)

    async def send_message(self, request: Request) -> Response:
        chat, body = self._chat(request), await _body(request)
        return _answer(self._outbox.send(chat, body.get("message")), 202)

    async def react_to_message(self, request: Request) -> Response:
        message = self._message(request)
        chat = self._outbox.chats.get(message["chat_id"]) or self._chats.get(message["chat_id"])
        self._outbox.react(message, chat or {}, await _body(request))
        return _answer({"status": "accepted"}, 202)

    async def list_phone_numbers(self, _: Request) -> Response:
        return _answer({"phone_numbers": self._account.phone_numbers})

    def _chat(self, request: Request) -> Wire:
        chat_id = _id(request, "chat_id")
        chat = self._outbox.chats.get(chat_id) or self._chats.get(chat_id)
        if chat is None:
            raise ApiError(404, 2001, "Chat not found")
        return chat

    def _message(self, request: Request) -> Wire:
        message_id = _id(request, "message_id")
        sent = (one for messages in self._outbox.messages.values() for one in messages if one["id"] == message_id)
        message = next(sent, None) or self._outbox.reacted.get(message_id) or self._messages.get(message_id)
        if message is None:
            raise ApiError(404, 2002, "Message not found")
        return message

    def _filtered(self, line: str | None, to: str | None) -> Sequence[Wire]:
        """The account's chats on this line and with this person, looked up once for all pages."""
        if (line, to) not in self._found:
            self._found[line, to] = [chat for chat in self._account.chats if _has_handles(chat, line, to)]
        return self._found[line, to]

    @cached_property
    def _chats(self) -> dict[str, Wire]:
        return {chat["id"]: chat for chat in self._account.chats}

    @cached_property
    def _messages(self) -> dict[str, Wire]:
        return {message["id"]: message for messages in self._account.messages.values() for message in messages}

    @cached_property
    def _files(self) -> dict[str, Wire]:
        parts = (part for message in self._messages.values() for part in message["parts"] or ())
        return {part["id"]: part for part in parts if part["type"] == "media"}

    def _check_line(self, line: str) -> None:
        if not _E164.fullmatch(line):
            raise ApiError(400, 1002, "from must be a phone number in E.164 format")
        if line not in {number["phone_number"] for number in self._account.phone_numbers}:
            raise ApiError(403, 2006, "The phone number does not belong to this account")


class _Gate:
    """Adds the trace id, and passes on only requests with the key."""

    def __init__(self, app: ASGIApp, *, key: str) -> None:
        self._app = app
        self._expected = f"Bearer {key}".encode()
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
        given = Request(scope).headers.get("authorization", "").encode("latin-1")
        if is_file or hmac.compare_digest(given, self._expected):
            await self._app(scope, receive, send_traced)
        else:
            refused = ApiError(401, 2004, "Unauthorized: missing or invalid authentication token")
            await _envelope(Request(scope), refused)(scope, receive, send_traced)


def _page(query: Mapping[str, str], *, default: int) -> tuple[int, int]:
    limit, cursor = query.get("limit", str(default)), query.get("cursor", "0")
    if not (_NUMBER.fullmatch(limit) and 1 <= int(limit) <= _MAX_LIMIT):
        raise ApiError(400, 1005, f"limit must be a whole number from 1 to {_MAX_LIMIT}")
    if not _NUMBER.fullmatch(cursor):
        raise ApiError(400, 1005, "cursor is not one that was given out")
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
    handles = {(one["handle"].lower(), bool(one["is_me"])) for one in chat["handles"]}
    return (line is None or (line, True) in handles) and (to is None or (to.lower(), False) in handles)


async def _body(request: Request) -> Wire:
    try:
        body = json.loads(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ApiError(400, 1003, "The body must be a JSON object")
    return body


def _id(request: Request, name: str) -> str:
    given = str(request.path_params[name])
    if not _UUID.fullmatch(given):
        raise ApiError(400, 1005, f"{name} must be a UUID")
    return given.lower()


def _answer(content: Any, status: int = 200) -> Response:
    # Escape to ASCII: a lone surrogate can't be encoded as UTF-8, but JSON can contain its escape.
    body = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return Response(body, status, media_type="application/json")


def _envelope(request: Request, refused: ApiError) -> Response:
    error: Wire = {"status": refused.status, "code": refused.code, "message": refused.text}
    # Linq has no code of its own, and so no page, for an unknown path or method.
    if refused.code != refused.status:
        error["doc_url"] = f"https://docs.linqapp.com/error/codes/{refused.code // 1000}xxx/{refused.code}/"
    return _answer({"success": False, "error": error, "trace_id": request.scope[_TRACE]}, refused.status)


async def _error_answer(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == 405:
        answer = _envelope(request, ApiError(405, 405, "Method not allowed"))
        answer.headers.update(error.headers or {})
        return answer
    return _envelope(request, error if isinstance(error, ApiError) else ApiError(404, 404, "Not found"))
