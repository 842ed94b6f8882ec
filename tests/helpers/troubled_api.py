"""Applications in front of an API that make it slow, or let it ask for pauses."""

from __future__ import annotations

from itertools import count

import anyio
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


def delayed(app: ASGIApp, seconds: float) -> ASGIApp:
    """`app`, each of whose answers takes this long; other requests go on meanwhile."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.sleep(seconds)
        await app(scope, receive, send)

    return answer


def rate_limited(app: ASGIApp, *, every: int) -> ASGIApp:
    """`app`, but that every n-th request is answered with 429 and `Retry-After: 1`."""
    numbers = count(1)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if next(numbers) % every:
            await app(scope, receive, send)
            return
        error = {"status": 429, "code": 1007, "message": "Rate limit exceeded", "retry_after": 1}
        refusal = JSONResponse({"success": False, "error": error}, 429, {"Retry-After": "1"})
        await refusal(scope, receive, send)

    return answer
