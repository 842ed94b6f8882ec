"""Requests to the HTTP server in both protocol eras: by a client that needs no socket, and by plain sockets."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from helpers.piped import SECONDS, modern, request
from starlette.applications import Starlette
from starlette.requests import Request

from linq_mcp.demo import in_process
from linq_mcp.server.callers.caller import ClientProvider, SettingsClientProvider
from linq_mcp.settings import KEY_HEADER
from linq_mcp.transports.http.app import build_app
from linq_mcp.transports.http.config import HttpConfig, HttpLimits
from linq_mcp.transports.http.run import HttpServer

HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
MODERN = {**HEADERS, "MCP-Protocol-Version": "2026-07-28"}
LEGACY = {**HEADERS, "MCP-Protocol-Version": "2025-11-25"}
eras = pytest.mark.parametrize("era", ["modern", "legacy"])


def posted(era: str, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """The body and headers of one request of that era."""
    if era == "legacy":
        return {"json": request(method, params or {}), "headers": LEGACY}
    named = {"Mcp-Name": params["name"]} if params and "name" in params else {}
    return {"json": request(method, modern(params)), "headers": {**MODERN, "Mcp-Method": method, **named}}


def call(era: str, tool: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
    return posted(era, "tools/call", {"name": tool, "arguments": arguments or {}})


def with_key(key: str | None) -> Request:
    """A request with that Linq key in its header, or without one, as a provider of clients sees it."""
    return Request({"type": "http", "headers": [] if key is None else [(KEY_HEADER.encode(), key.encode())]})


@asynccontextmanager
async def serving(app: Starlette, base_url: str = "http://127.0.0.1:8000") -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, whose lifespan is open."""
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=base_url, headers=HEADERS) as client:
            yield client


async def hang_up(app: Starlette, asked: dict[str, Any], when: anyio.Event) -> None:
    """Send a request, and close the connection at the event instead of waiting for the answer."""
    headers = {"host": "127.0.0.1:8000", **asked["headers"]}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "raw_path": b"/mcp",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    messages = [{"type": "http.request", "body": json.dumps(asked["json"]).encode(), "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await when.wait()
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        await anyio.lowlevel.checkpoint()

    with anyio.fail_after(SECONDS):
        async with app.router.lifespan_context(app):
            await app(scope, receive, send)


def demo() -> ClientProvider:
    return SettingsClientProvider(in_process.settings, transport=in_process.transport)


def result_of(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    result = response.json()["result"]
    assert isinstance(result, dict)
    return result


@contextmanager
def listening(provider: ClientProvider, limits: HttpLimits) -> Iterator[tuple[HttpServer, int]]:
    """The server with its port, served on loopback by a thread; leaving the block stops it."""
    server = HttpServer(build_app(provider, HttpConfig(limits=limits)), limits)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        # Connections inherit it. Otherwise the kernel would take in megabytes of answers that nobody reads.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**16)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        try:
            yield server, bound.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(SECONDS)
            assert not thread.is_alive()


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    """A plain socket to the server, on which every wait is bounded."""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        connection.settimeout(SECONDS)
        yield connection


def raw(asked: dict[str, Any]) -> bytes:
    """What `posted` or `call` gave, as it goes over a socket."""
    body = json.dumps(asked["json"]).encode()
    return head(len(body), asked["headers"]) + body


def head(length: int, fields: Mapping[str, str] = HEADERS, *headers: str, host: str = "127.0.0.1") -> bytes:
    """The head of a POST whose body has this length."""
    lines = [f"Host: {host}", f"Content-Length: {length}", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(["POST /mcp HTTP/1.1", *lines, *headers, "", ""]).encode()


def read_response(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (names in lower case) and body of the next response that declares its length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _received(connection)
    top, _, body = data.partition(b"\r\n\r\n")
    first, *rest = top.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
    while len(body) < int(headers.get("content-length", 0)):
        body += _received(connection)
    return int(first.split()[1]), headers, body


def read_to_end(connection: socket.socket) -> bytes:
    """Everything that comes until the server closes the connection."""
    data = b""
    try:
        while chunk := connection.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return data


def _received(connection: socket.socket) -> bytes:
    if chunk := connection.recv(65536):
        return chunk
    raise EOFError
