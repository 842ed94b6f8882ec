"""Linq over HTTP: one connection pool, GET only, retries inside a time budget, error answers as exceptions.

The one way out is `LinqApi.get`; the methods below it name the endpoints and read their answers into wire
models. Nothing is cached and nothing of one call is kept for the next but the connections.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from copy import copy
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Self
from urllib.parse import quote

import anyio
import httpx
import tenacity

from linq_mcp import __version__
from linq_mcp.api.models import Chat, ChatDetail, Chats, Message, Messages, PhoneNumber, PhoneNumbers
from linq_mcp.api.responses import (
    Answer,
    Page,
    as_one,
    as_page,
    read_body,
    safe_trace_id,
    seconds_to_wait,
    trace_id_of,
)
from linq_mcp.errors import ApiConnectionError, ApiResponseError, ApiStatusError, LinqError
from linq_mcp.sanitize import clean
from linq_mcp.settings import Settings, is_loopback

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
_ERROR_MESSAGE_LIMIT = 300
_SHORTEST_KEY = 8
# What an attempt needs at the least; a wait that leaves less than this before the deadline is not begun.
_SHORTEST_ATTEMPT = 1.0
# For a free connection a call waits as long as it has time; the deadline ends that.
_TIMEOUTS = httpx.Timeout(12.0, connect=5.0, pool=None)
_LIMITS = httpx.Limits(max_connections=512, max_keepalive_connections=50, keepalive_expiry=30.0)
_BACKOFF = tenacity.wait_random_exponential(multiplier=0.5, min=0.2, max=8.0)


class LinqApi:
    """Linq with the key of `settings`. An async context manager: leaving it closes the connection pool.

    `transport` stands in for the network (the demo account, tests). Every method takes a `deadline` in the
    clock of `anyio.current_time()` and raises nothing but `LinqError`.
    """

    def __init__(self, settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._key = settings.api_key.get_secret_value() if settings.api_key else ""
        try:
            httpx.URL(settings.base_url)
        except httpx.InvalidURL:
            raise ApiConnectionError("The host of the base URL can't be one.", retryable=False) from None
        try:
            self._http = httpx.AsyncClient(
                base_url=f"{settings.base_url}/v3/",
                headers={
                    "Accept": "application/json",
                    "Accept-Encoding": "gzip",
                    "User-Agent": f"linq-mcp/{__version__}",
                },
                # A cookie set for one key must not go out with another.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                timeout=_TIMEOUTS,
                limits=_LIMITS,
                follow_redirects=False,
                event_hooks={"response": [_refuse_redirect]},
                # To this very machine no proxy of the environment is asked: it would see the key in the clear.
                trust_env=not is_loopback(settings.base_url),
                transport=transport,
            )
        except (ValueError, OSError, ImportError, httpx.InvalidURL) as error:
            # The cause's text may hold a proxy's password.
            raise ApiConnectionError(
                "The environment's proxy or certificate settings (HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE, SSL_CERT_DIR) "
                f"can't be used ({type(error).__name__}).",
                retryable=False,
            ) from None

    def with_key(self, key: str) -> LinqApi:
        """The same connections with another key. Nothing else is shared, and closing remains with the original."""
        other = copy(self)
        other._key = key  # noqa: SLF001 - its own class
        return other

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection pool, for those with another key too."""
        await self._http.aclose()

    async def list_chats(
        self, *, from_: str | None, to: str | None, limit: int, cursor: str | None, deadline: float
    ) -> Page[Chat]:
        """`GET /v3/chats`, one page of at most `limit` (1-100) chats. Linq docs: List all chats."""
        params = {"from": from_, "to": to, "limit": str(limit), "cursor": cursor}
        answer = await self.get("chats", params, deadline=deadline)
        return as_page(answer, Chats)

    async def get_chat(self, chat_id: str, *, deadline: float) -> ChatDetail:
        """`GET /v3/chats/{chatId}`. Linq docs: Get a chat by ID."""
        answer = await self.get(f"chats/{_segment(chat_id)}", deadline=deadline)
        return as_one(answer, ChatDetail)

    async def list_messages(self, chat_id: str, *, limit: int, cursor: str | None, deadline: float) -> Page[Message]:
        """`GET /v3/chats/{chatId}/messages`, in an order that Linq leaves open. Linq docs: List messages in a chat."""
        params = {"limit": str(limit), "cursor": cursor}
        answer = await self.get(f"chats/{_segment(chat_id)}/messages", params, deadline=deadline)
        return as_page(answer, Messages)

    async def get_message(self, message_id: str, *, deadline: float) -> Message:
        """`GET /v3/messages/{messageId}`. Linq docs: Get a message by ID."""
        answer = await self.get(f"messages/{_segment(message_id)}", deadline=deadline)
        return as_one(answer, Message)

    async def list_phone_numbers(self, *, deadline: float) -> Page[PhoneNumber]:
        """`GET /v3/phone_numbers`, which is all on one page. Linq docs: List phone numbers."""
        return as_page(await self.get("phone_numbers", deadline=deadline), PhoneNumbers)

    async def get(self, path: str, params: Mapping[str, str | None] | None = None, *, deadline: float) -> Answer:
        """GET `path` below `/v3/`, at most three times, all within `deadline`.

        Params that are None are not sent. Raises `ApiConnectionError`, `ApiStatusError` or `ApiResponseError`.
        """
        query = {name: value for name, value in (params or {}).items() if value is not None}
        attempts = 0
        last: LinqError | None = None

        async def attempt() -> Answer:
            nonlocal attempts, last
            attempts += 1
            try:
                return await self._get_once(path, query)
            except LinqError as error:
                last = error
                raise

        def enough(state: tenacity.RetryCallState) -> bool:
            no_time = anyio.current_time() + state.upcoming_sleep + _SHORTEST_ATTEMPT > deadline
            return no_time or state.attempt_number >= MAX_ATTEMPTS

        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(_is_retryable),
            wait=_wait,
            stop=enough,
            sleep=anyio.sleep,
            reraise=True,
        )
        try:
            with anyio.fail_after(deadline - anyio.current_time()):
                return await retrying(attempt)
        except TimeoutError:
            error = last or ApiConnectionError(
                "The time for this call ran out before a whole answer came.", timed_out=True
            )
            error.attempts = attempts
            raise error from None
        except LinqError as error:
            error.attempts = attempts
            raise

    async def _get_once(self, path: str, query: Mapping[str, str]) -> Answer:
        try:
            async with self._http.stream("GET", path, params=query, headers=self._authorization) as response:
                try:
                    body = await read_body(response)
                except ApiResponseError:
                    if not response.is_error:
                        raise
                    # The status says enough.
                    body = b""
        except httpx.TimeoutException as error:
            raise ApiConnectionError(_TIMEOUT_TEXTS.get(type(error), _READ_TIMEOUT_TEXT), timed_out=True) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError) as error:
            # Only the cause's own words, with nothing of the request or the answer in them.
            cause = str(error).partition(": bytearray(")[0]
            raise ApiConnectionError(f"The connection failed: {self._told(cause) or type(error).__name__}.") from None
        trace_id = self._safe(trace_id_of(response))
        logger.info(
            "GET /v3/%s -> %d, %d bytes, trace %s",
            path.split("/", maxsplit=1)[0],
            response.status_code,
            len(body),
            trace_id,
        )
        if response.is_success:
            return Answer(body, response.headers.get("Content-Type", ""), trace_id)
        raise self._rejected(response, body, trace_id)

    @property
    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"}

    def _rejected(self, response: httpx.Response, body: bytes, trace_id: str | None) -> ApiStatusError:
        try:
            envelope = json.loads(body)
        except (ValueError, RecursionError):
            envelope = None
        fields = envelope.get("error") if isinstance(envelope, dict) else None
        fields = fields if isinstance(fields, dict) else {}
        code, message = fields.get("code"), fields.get("message")
        retry_after = seconds_to_wait(response.headers.get("Retry-After"))
        return ApiStatusError(
            self._told(message) if isinstance(message, str) else "",
            status=response.status_code,
            code=code if type(code) is int and 0 < code < 1_000_000 else 0,
            retry_after=seconds_to_wait(fields.get("retry_after")) if retry_after is None else retry_after,
            trace_id=trace_id
            or (self._safe(safe_trace_id(envelope.get("trace_id"))) if isinstance(envelope, dict) else None),
        )

    def _told(self, text: str) -> str:
        """Upstream words for a reader: on one line, short, and without the key should they repeat it."""
        return clean(self.without_key(clean(text, None)), _ERROR_MESSAGE_LIMIT).rstrip(".")

    def without_key(self, text: str) -> str:
        """`text`, should it repeat the key, with `[key]` in its place."""
        # What is shorter is no key, but may well stand in a text.
        return text.replace(self._key, "[key]") if len(self._key) >= _SHORTEST_KEY and self._key in text else text

    def _safe(self, trace_id: str | None) -> str | None:
        return None if trace_id and self._key and self._key in trace_id else trace_id


_READ_TIMEOUT_TEXT = "The connection stood, but no answer came within 12 seconds."
_TIMEOUT_TEXTS: dict[type[httpx.TimeoutException], str] = {
    httpx.ConnectTimeout: "No connection came about within 5 seconds.",
}


async def _refuse_redirect(response: httpx.Response) -> None:
    # Before httpx looks at where it leads, which may be no address at all.
    if response.is_redirect:
        said = f"It was a redirect ({response.status_code}), which is not followed."
        raise ApiResponseError(said, trace_id=trace_id_of(response))


def _is_retryable(error: BaseException) -> bool:
    return isinstance(error, LinqError) and error.retryable


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    # What Linq asks for is waited in full, or (when the deadline is nearer) not at all.
    if isinstance(error, LinqError) and error.retry_after is not None:
        return error.retry_after
    return _BACKOFF(state)


def _segment(value: str) -> str:
    """`value` as one segment of a path: nothing in it can end the segment or climb out of it."""
    return "%2E" * len(value) if value in (".", "..") else quote(value, safe="", errors="replace")
