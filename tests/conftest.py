"""What the tests share: accounts behind a transport, canned answers, and a key to look out for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
import tenacity
from pydantic import SecretStr

from linq_mcp.api.client import LinqApi
from linq_mcp.demo.account import demo_account
from linq_mcp.demo.api import DEMO_BASE_URL, DEMO_KEY, demo_api
from linq_mcp.demo.serve import running
from linq_mcp.explain import explain
from linq_mcp.server import Account
from linq_mcp.settings import Settings
from linq_mcp.tools.tool import Call

# Found in any output, this is the key having leaked.
KEY = "lq-test-7f3a9c"
DATA = Path(__file__).parent / "data"


class Silent(httpx.AsyncBaseTransport):
    """Linq, not answering: says when it was asked, and when the request was given up."""

    def __init__(self) -> None:
        self.begun, self.stopped = anyio.Event(), anyio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.begun.set()
        try:
            await anyio.sleep(30)
        finally:
            self.stopped.set()
        raise AssertionError


Handler = Callable[[httpx.Request], httpx.Response]


class _Stream(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body


class Canned(httpx.AsyncBaseTransport):
    """Answers with what `handler` returns, as a stream: what comes over a socket is not read in advance."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        canned = self._handler(request)
        return httpx.Response(canned.status_code, headers=canned.headers, stream=_Stream(canned.content))


def account_over(handler: Handler, *, settings: Settings | None = None) -> Account:
    """An account whose API is `handler`."""
    given = settings or Settings(api_key=SecretStr(KEY), key_source="the environment variable LINQ_API_V3_API_KEY")
    return Account(lambda: given, transport=lambda: Canned(handler))


@asynccontextmanager
async def call_over(
    transport: httpx.AsyncBaseTransport, *, seconds: float = 30, progress: list[int] | None = None
) -> AsyncIterator[Call]:
    """What a tool's call gets, over `transport`; counts of progress are added to `progress`."""

    async def note_progress(count: int) -> None:
        if progress is not None:
            progress.append(count)

    settings = Settings(api_key=SecretStr(DEMO_KEY), base_url=DEMO_BASE_URL)
    async with LinqApi(settings, transport=transport) as api:
        yield Call(
            api=api,
            deadline=anyio.current_time() + seconds,
            progress=note_progress,
            explain=lambda error: explain(error, settings=settings, asked={}, example=""),
        )


def page(data: str) -> bytes:
    """A page of `GET /v3/chats` from the data folder."""
    return (DATA / data).read_bytes()


@pytest.fixture(scope="session")
def api_url() -> Iterator[str]:
    """The demo account's API on a loopback port: its base URL. The key is `KEY`."""
    with running(demo_api(demo_account(), key=KEY)) as url:
        yield url


@pytest.fixture
def live(api_url: str) -> dict[str, str]:
    """An environment for a server that reads the demo account over a real socket."""
    return {"LINQ_API_V3_API_KEY": KEY, "LINQ_API_V3_BASE_URL": api_url}


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries at once."""
    monkeypatch.setattr("linq_mcp.api.client._BACKOFF", tenacity.wait_none())
