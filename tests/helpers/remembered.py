"""A transport that asks another one only once for each URL: for tests that read the same account over and over."""

from __future__ import annotations

import httpx
from helpers.linq import Body


class Remembered(httpx.AsyncBaseTransport):
    """Answers as `transport` did the first time, as a stream of the same bytes."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        self._answers: dict[str, tuple[int, httpx.Headers, bytes]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        if url not in self._answers:
            answer = await self._transport.handle_async_request(request)
            self._answers[url] = answer.status_code, answer.headers, await answer.aread()
        status, headers, body = self._answers[url]
        return httpx.Response(status, headers=headers, stream=Body(body))
