"""Gives each HTTP request an id and a record, which the access log and the metrics get once it has been answered."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from time import perf_counter

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from linq_mcp.api.http_client import LinqRequest, observe_linq_request
from linq_mcp.logs import request_id
from linq_mcp.server.call_record import OTHER, CallRecord

logger = logging.getLogger(__name__)

REQUEST_ID_HEADER = "X-Request-Id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ANOTHER_PATH = "(another path)"
_PROBES = frozenset({"/healthz", "/metrics"})
# A value that can't be mistaken for the next member of a line.
_PLAIN = re.compile(r"[A-Za-z0-9@._+:/-]+", re.ASCII)
# How much of a caller's hash is logged: enough to tell a team's members apart.
_SHORT = 12


@dataclass
class HttpRecord:
    """One HTTP request. `status` is 0 if no response was sent; `path` is one of the server's own."""

    method: str
    path: str = _ANOTHER_PATH
    status: int = 0
    seconds: float = 0.0
    call: CallRecord = field(default_factory=CallRecord)


class RecordMiddleware:
    """Makes a record of each request and passes it to `observers` at the end.

    Requests to Linq are counted in the record, and passed to `linq_observer`. The request's id is the one that a
    balancer sent, if it is well-formed, or a new one. The response repeats it, and so does every log line about the
    request.
    """

    def __init__(
        self,
        app: ASGIApp,
        observers: Sequence[Callable[[HttpRecord], None]],
        linq_observer: Callable[[LinqRequest], None] | None = None,
    ) -> None:
        self._app = app
        self._observers = observers
        self._linq_observer = linq_observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        record = HttpRecord(scope["method"] if scope["method"] in _METHODS else OTHER)
        scope.setdefault("state", {})["call"] = record.call
        given = Headers(scope=scope).getlist(REQUEST_ID_HEADER)
        used = given[0] if len(given) == 1 and _REQUEST_ID.fullmatch(given[0]) else token_hex(16)

        async def note_status(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = used
            await send(message)

        def count_linq_request(request: LinqRequest) -> None:
            record.call.linq_requests += 1
            if self._linq_observer:
                self._linq_observer(request)

        id_token, observer_token = request_id.set(used), observe_linq_request.set(count_linq_request)
        try:
            await self._app(scope, receive, note_status)
        finally:
            if "route" in scope or "endpoint" in scope:
                # Routes also match a path with a line break at its end.
                record.path = scope["path"].rstrip("\n")
            record.seconds = perf_counter() - started
            for observe in self._observers:
                observe(record)
            observe_linq_request.reset(observer_token)
            request_id.reset(id_token)


def log_request(record: HttpRecord, *, audit: bool = False) -> None:
    """Log one line: method, path, status, milliseconds, and as far as they are known caller, tool, and outcome.

    With `audit` it also says who called, and for which chat, message, or line. Probes come every few seconds, so those
    that succeed are logged at the level DEBUG.
    """
    ms = round(record.seconds * 1000)
    call = record.call
    found = {"caller": call.caller[:_SHORT], "mcp_method": call.method, "tool": call.tool, "outcome": call.outcome}
    known: dict[str, str | int] = {name: str(value) for name, value in found.items() if value}
    if call.tool:
        known["linq_requests"] = call.linq_requests
    if audit:
        known |= {"subject": call.name, **call.target} if call.name else call.target
    text = f"{record.method} {record.path} {record.status} {ms} ms" + "".join(
        f" {name}={_shown(str(value))}" for name, value in known.items()
    )
    members = {"method": record.method, "path": record.path, "status": record.status, "ms": ms, **known}
    level = logging.DEBUG if record.path in _PROBES and record.status == 200 else logging.INFO
    logger.log(level, "%s", text, extra={"members": members})


def _shown(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else json.dumps(value)
