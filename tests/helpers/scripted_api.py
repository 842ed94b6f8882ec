"""An API that replies from a script, behind httpx's transport: for what a client sends and what it makes of answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
import pytest
from helpers.linq import AT_ONCE, KEY, Body
from pydantic import SecretStr

from linq_mcp.api.client import LinqApi
from linq_mcp.api.models import Chat
from linq_mcp.api.responses import ApiAnswer, Page
from linq_mcp.api.retry import RetryPolicy
from linq_mcp.errors import ApiStatusError, LinqError
from linq_mcp.settings import Settings
from linq_mcp.settings.problems import KeySource
from linq_mcp.wording.errors import format_error

BASE = "https://api.example.com/api/partner"
SETTINGS = Settings(api_key=SecretStr(KEY), key_source=KeySource.ENVIRONMENT, base_url=BASE)
EMPTY = b'{"chats":[],"next_cursor":null}'
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
MB = 1_000_000


@dataclass
class Reply:
    """What the server does with a request: an answer, first waiting for `stall` seconds."""

    status: int = 200
    body: bytes | Body = EMPTY
    headers: Mapping[str, str] | Mapping[bytes, bytes] | list[tuple[str, str]] | None = None
    stall: float = 0


class Server(httpx.AsyncBaseTransport):
    """Answers with `replies` in turn, the last of them for good; an exception is raised. Keeps every request."""

    def __init__(self, *replies: Reply | Exception) -> None:
        self._replies = replies
        self.requests: list[httpx.Request] = []
        self.times: list[float] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        reply = self._replies[min(len(self.requests), len(self._replies) - 1)]
        self.requests.append(request)
        self.times.append(anyio.current_time())
        if isinstance(reply, Exception):
            raise reply
        await anyio.sleep(reply.stall)
        stream = reply.body if isinstance(reply.body, Body) else Body([reply.body] if reply.body else [])
        return httpx.Response(reply.status, headers=reply.headers, stream=stream)


async def get(
    server: Server, *, seconds: float = 10, settings: Settings = SETTINGS, retry: RetryPolicy = AT_ONCE
) -> ApiAnswer:
    async with LinqApi(settings, transport=server, retry=retry) as api:
        return await api.get("chats", {}, deadline=anyio.current_time() + seconds)


async def list_chats(server: Server, **given: Any) -> Page[Chat]:
    asked = {"from_": None, "to": None, "limit": 20, "cursor": None, **given}
    async with LinqApi(SETTINGS, transport=server, retry=AT_ONCE) as api:
        return await api.list_chats(**asked, deadline=anyio.current_time() + 10)


async def failure(server: Server, *, seconds: float = 10, retry: RetryPolicy = AT_ONCE) -> LinqError:
    with pytest.raises(LinqError) as failed:
        (await get(server, seconds=seconds, retry=retry)).object()
    return failed.value


async def rejected(server: Server) -> ApiStatusError:
    error = await failure(server)
    assert isinstance(error, ApiStatusError)
    return error


def error_body(*, status: int = 400, trace_id: Any = None, **fields: Any) -> bytes:
    error = {"status": status, "code": 1005, "message": "Invalid parameter", **fields}
    return json.dumps({"success": False, "error": error, "trace_id": trace_id}).encode()


def everything_of(error: LinqError) -> str:
    """Everything of an error that a reader or a log could show."""
    text = format_error(error, settings=SETTINGS, tool=None, arguments={})
    return f"{text} {error!r} {vars(error)} {error.__cause__!r}"
