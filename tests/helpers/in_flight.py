"""Counts the requests that an application works on at the same time."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class InFlight:
    """Passes requests on to another application; `most` is how many there were at once, `requests` how many in all."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._now = 0
        self.most = 0
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._now += 1
        self.requests += 1
        self.most = max(self.most, self._now)
        try:
            await self._app(scope, receive, send)
        finally:
            self._now -= 1
