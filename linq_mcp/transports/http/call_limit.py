"""A limit on tool calls for each caller, so that one of them can't use up what all share.

It is kept in the memory of this process: with several replicas, a caller may make as many calls at each.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from mcp.types.jsonrpc import JSONRPCRequest
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from linq_mcp.transports.http.middleware import MESSAGE
from linq_mcp.transports.jsonrpc import error_response

TOO_MANY_CALLS = -32010
_MINUTE = 60.0
_ROUNDING = 1e-6


class CallLimit:
    """Allows each caller `per_minute` calls at once, and then as many a minute, evenly spread.

    Only callers of the last minute are remembered, and of those the latest `most_callers`.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = monotonic, most_callers: int = 10_000) -> None:
        self._interval = _MINUTE / per_minute
        self._clock = clock
        self._most_callers = most_callers
        # When each caller may again make all calls at once. The latest caller is at the end.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, caller: str) -> float:
        """Count a call, and return 0; or, if it is one too many, the seconds until the next one is allowed."""
        now = self._clock()
        full_at = max(now, self._full_at.pop(caller, now))
        wait = full_at + self._interval - _MINUTE - now
        allowed = wait <= _ROUNDING
        self._full_at[caller] = full_at + self._interval if allowed else full_at
        while len(self._full_at) > self._most_callers or next(iter(self._full_at.values())) <= now:
            self._full_at.popitem(last=False)
        return 0.0 if allowed else wait


class CallLimitMiddleware:
    """Answers 429 with `Retry-After` and a JSON-RPC error to a tool call beyond the limit."""

    def __init__(self, app: ASGIApp, per_minute: int) -> None:
        self._app = app
        self._per_minute = per_minute
        self._limit = CallLimit(per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = scope[MESSAGE]
        if not (isinstance(message, JSONRPCRequest) and message.method == "tools/call"):
            await self._app(scope, receive, send)
            return
        wait = math.ceil(self._limit.take(scope["state"]["call"].caller))
        if not wait:
            await self._app(scope, receive, send)
            return
        text = (
            f"Too many calls: this server allows {self._per_minute} a minute for each caller. Wait {wait} s before the "
            "next call. Nothing was done."
        )
        body = error_response(message.id, TOO_MANY_CALLS, text).model_dump_json(by_alias=True, exclude_unset=True)
        headers = {"Retry-After": str(wait)}
        await Response(body, status_code=429, headers=headers, media_type="application/json")(scope, receive, send)
