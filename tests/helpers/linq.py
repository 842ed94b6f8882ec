"""Stand-ins for Linq behind httpx's transport, a tool's call over one, and a key that no output may hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio
import httpx
from pydantic import SecretStr

from linq_mcp.api.client import LinqApi
from linq_mcp.api.retry import RetryPolicy
from linq_mcp.api.scoped_client import Scope, open_api
from linq_mcp.contacts.directory import NOBODY, Directory
from linq_mcp.demo.account import DemoAccount
from linq_mcp.demo.api import DEMO_BASE_URL, DEMO_KEY, demo_api
from linq_mcp.server.callers.caller import SettingsClientProvider
from linq_mcp.settings import Settings
from linq_mcp.settings.problems import KeySource
from linq_mcp.settings.sending import STRICTEST, SendSettings
from linq_mcp.settings.store import StoreSettings
from linq_mcp.store.access import Access
from linq_mcp.store.open_account import OpenAccount
from linq_mcp.store.stores import Stores
from linq_mcp.tools.base.loop_yield import LoopYield
from linq_mcp.tools.base.question import Ask, require_consent
from linq_mcp.tools.base.tool import Call
from linq_mcp.wording.errors import format_error

# If any output contains this, the key has leaked.
KEY = "lq-test-7f3a9c"
# Waits for nothing.
AT_ONCE = RetryPolicy(backoff=0, delivery_pause=0)
DATA = Path(__file__).parent.parent / "data"


class Silent(httpx.AsyncBaseTransport):
    """A Linq that does not answer; the events tell when a request came and when the client gave it up."""

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


class Body(httpx.AsyncByteStream):
    """A body as it comes over a socket: `sent` bytes of its chunks so far, each after `pause` seconds."""

    def __init__(self, chunks: bytes | Iterable[bytes], *, pause: float = 0) -> None:
        self._chunks = [chunks] if isinstance(chunks, bytes) else chunks
        self._pause = pause
        self.sent = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            await anyio.sleep(self._pause)
            self.sent += len(chunk)
            yield chunk

    async def aclose(self) -> None:
        self.closed = True


class Canned(httpx.AsyncBaseTransport):
    """Answers with what `handler` returns, as a stream: a response from a socket is not read in advance either."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        canned = self._handler(request)
        return httpx.Response(canned.status_code, headers=canned.headers, stream=Body(canned.content))


class Recorded(httpx.AsyncBaseTransport):
    """Passes requests on to another transport and keeps them."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return await self._transport.handle_async_request(request)


class ByKey(httpx.AsyncBaseTransport):
    """Linq with several accounts, each with a key of its own."""

    def __init__(self, accounts: Mapping[str, DemoAccount]) -> None:
        self._apis = {f"Bearer {key}": httpx.ASGITransport(demo_api(one, key=key)) for key, one in accounts.items()}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._apis[request.headers["Authorization"]].handle_async_request(request)


def account_over(handler: Handler, *, settings: Settings | None = None) -> SettingsClientProvider:
    """A client provider whose API is `handler`."""
    given = settings or Settings(api_key=SecretStr(KEY), key_source=KeySource.ENVIRONMENT)
    return SettingsClientProvider(lambda: given, transport=lambda: Canned(handler), retry=AT_ONCE)


@asynccontextmanager
async def call_over(  # noqa: PLR0913 - each has a default that nearly every test keeps
    transport: httpx.AsyncBaseTransport,
    *,
    seconds: float = 30,
    progress: list[tuple[int, int | None]] | None = None,
    retry: RetryPolicy = AT_ONCE,
    now: Callable[[], datetime] | datetime | None = None,
    directory: Directory = NOBODY,
    sending: SendSettings | None = None,
    consent: Ask | None = None,
    stores: Stores | None = None,
    lines: Collection[str] = (),
    key: str = DEMO_KEY,
    pause: LoopYield | None = None,
) -> AsyncIterator[Call]:
    """What a tool is called with, over `transport`; the progress that it reports is appended to `progress`.

    What is read is kept in `stores`, for this call alone if they are omitted; in their background it goes on.
    """

    async def note_progress(count: int, total: int | None) -> None:
        if progress is not None:
            progress.append((count, total))

    def clock() -> datetime:
        return now() if callable(now) else now or datetime.now(UTC)

    settings = Settings(api_key=SecretStr(key), base_url=DEMO_BASE_URL, sending=sending)
    stores = stores or Stores(StoreSettings(), now=lambda: clock().timestamp())
    pause = pause or LoopYield()
    async with LinqApi(settings, transport=transport, retry=retry) as api:
        deadline = anyio.current_time() + seconds
        access = Access(
            account=stores.account(settings),
            api=api,
            scope=Scope(lines),
            deadline=deadline,
            now=lambda: clock().timestamp(),
            max_age=stores.settings.max_age,
            progress=note_progress,
            pause=pause,
            may_go_on=lambda: True,
        )
        yield Call(
            api=await open_api(api, lines, deadline=deadline),
            account=OpenAccount(access),
            deadline=deadline,
            format_error=lambda error: format_error(error, settings=settings, tool=None, arguments={}),
            directory=directory,
            now=clock,
            yield_if_due=pause,
            consent=consent or require_consent,
            sending=sending or STRICTEST,
        )


def page(data: str) -> bytes:
    """A page of `GET /v3/chats` from the data folder."""
    return (DATA / data).read_bytes()
