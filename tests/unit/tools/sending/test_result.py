"""How long a sent message's delivery is waited for, on a clock that jumps."""

from __future__ import annotations

import anyio
import httpx
import pytest
from helpers.linq import Body, call_over
from helpers.virtual_time import in_virtual_time

from linq_mcp.api.retry import RetryPolicy
from linq_mcp.tools.sending.result import delivery_of


class Delivering(httpx.AsyncBaseTransport):
    """A Linq whose message has these statuses in turn, the last one for good; `looks` are the times of the requests."""

    def __init__(self, *statuses: str) -> None:
        self._statuses = statuses
        self.looks: list[float] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.looks.append(anyio.current_time())
        status = self._statuses[min(len(self.looks), len(self._statuses)) - 1]
        return httpx.Response(200, stream=Body(b'{"id":"m","delivery_status":"%s"}' % status.encode()))


@pytest.mark.parametrize(
    ("statuses", "answer", "looks"),
    [
        pytest.param(["pending", "sent", "delivered"], "delivered", [0.25, 0.75, 1.75], id="until it is settled"),
        pytest.param(["queued"], "queued", [0.25, 0.75, 1.75, 3.75], id="four times at most"),
    ],
)
def test_a_sent_message_is_read_back_after_pauses_that_double(
    statuses: list[str], answer: str, looks: list[float]
) -> None:
    linq = Delivering(*statuses)

    async def delivery() -> str:
        async with call_over(linq, retry=RetryPolicy()) as call:
            return await delivery_of(call, "m", "pending")

    assert in_virtual_time(delivery) == answer
    assert linq.looks == pytest.approx(looks)


def test_a_message_that_is_settled_is_not_read_back() -> None:
    linq = Delivering("read")

    async def delivery() -> str:
        async with call_over(linq) as call:
            return await delivery_of(call, "m", "delivered")

    assert in_virtual_time(delivery) == "delivered"
    assert linq.looks == []
