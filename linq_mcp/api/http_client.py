"""Requests to Linq with one key: with retries within a deadline, and with errors as exceptions.

It knows none of Linq's endpoints. All requests go through `HttpClient.get` and, if the settings allow sending,
`HttpClient.post`. Nothing is cached, and only open connections are kept from one call to the next.
"""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from time import monotonic
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import anyio
import httpx

from linq_mcp import __version__
from linq_mcp.api.files import FileFetcher
from linq_mcp.api.proxies import proxy_for
from linq_mcp.api.public_addresses import NameLookup
from linq_mcp.api.redaction import without_key
from linq_mcp.api.responses import (
    ApiAnswer,
    read_body,
    safe_trace_id,
    seconds_to_wait,
    trace_id_of,
)
from linq_mcp.api.retry import RetryPolicy, with_retries
from linq_mcp.errors import ApiConnectionError, ApiResponseError, ApiStatusError, LinqError
from linq_mcp.sanitize import clean
from linq_mcp.settings import Settings, is_loopback

logger = logging.getLogger(__name__)

_ERROR_MESSAGE_LIMIT = 300
_MAX_CONNECTIONS = 512
_READ = httpx.ByteStream(b"")
# Raised before any byte of the request itself has left.
_BEFORE_SENDING = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


@dataclass(frozen=True, slots=True)
class LinqRequest:
    """One attempt. `status` is 0 if no answer arrived; `is_retry` means that the same request was sent before."""

    method: str
    status: int
    seconds: float
    is_retry: bool


# Called with each request to Linq that the current call makes, once it has ended.
observe_linq_request: ContextVar[Callable[[LinqRequest], None] | None] = ContextVar(
    "observe_linq_request", default=None
)


class HttpClient:
    """Sends requests with the key of `settings`. An async context manager: leaving it closes the connections.

    `transport` replaces the network (for the demo account and tests), `tls` replaces the certificates that the
    environment names, and `kept_connections` is how many connections stay open between calls. Every method takes a
    `deadline` on the clock of `anyio.current_time()` and raises only `LinqError`. The constructor raises it, too, if
    the environment's proxy or certificate settings can't be used.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        retry: RetryPolicy | None = None,
        tls: ssl.SSLContext | None = None,
        kept_connections: int = 50,
    ) -> None:
        self._key = settings.api_key.get_secret_value() if settings.api_key else ""
        self._retry = retry or RetryPolicy()
        self.delivery_pause = self._retry.delivery_pause
        self._may_send = settings.sending is not None
        # A call may wait for a free connection until its deadline.
        timeout = httpx.Timeout(self._retry.read_timeout, connect=self._retry.connect_timeout, pool=None)
        # Connections to this machine bypass the environment's proxy, which would see the key unencrypted.
        trust_env = not is_loopback(settings.base_url)
        self._options: dict[str, Any] = {
            "base_url": f"{settings.base_url}/v3/",
            "headers": {
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                **({"Authorization": f"Bearer {self._key}"} if self._key else {}),
                "User-Agent": f"linq-mcp/{__version__}",
            },
            "timeout": timeout,
            "limits": httpx.Limits(
                max_connections=_MAX_CONNECTIONS, max_keepalive_connections=kept_connections, keepalive_expiry=30.0
            ),
            "follow_redirects": False,
            "event_hooks": {"response": [_refuse_redirect]},
            "trust_env": False,
            "transport": transport,
        }
        try:
            httpx.URL(settings.base_url)
        except httpx.InvalidURL:
            raise ApiConnectionError("The base URL has an invalid host.", retryable=False) from None
        try:
            self._options["proxy"] = proxy_for(settings.base_url) if trust_env and not transport else None
            self.tls = tls or (None if transport else httpx.create_ssl_context(trust_env=trust_env))
            self._http = self._opened()
        except (ValueError, OSError, ImportError, httpx.InvalidURL) as error:
            # The text of the cause may contain a proxy's password.
            raise ApiConnectionError(
                "The environment's proxy or certificate settings (HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE, SSL_CERT_DIR) "
                f"cannot be used ({type(error).__name__}).",
                retryable=False,
            ) from None
        self._files = FileFetcher(
            settings.base_url, lookup=None if transport else NameLookup(), tls=self.tls, transport=transport
        )
        # How many requests were answered with 429, and until when to send none: Linq's limit applies to the whole key.
        self.throttled = 0
        self._resume_at = 0.0
        self._requests = 0
        self._retired = False
        self._last_used = monotonic()
        # The account's own numbers, as far as they were read.
        self.own_lines: frozenset[str] = frozenset()

    def _opened(self) -> httpx.AsyncClient:
        # No cookies: they would let Linq, and anything on the way to it, link calls to each other.
        cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        return httpx.AsyncClient(verify=self.tls or True, cookies=cookies, **self._options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections, including those in use."""
        self._retired = True
        await self._http.aclose()

    async def retire(self) -> None:
        """Close the connections once no call uses them any more."""
        self._retired = True
        await self._close_if_retired()

    def idle_seconds(self) -> float:
        """How long ago the last request ended; 0 while one is in progress."""
        return 0.0 if self._requests else monotonic() - self._last_used

    async def get(self, path: str, params: Mapping[str, str | None] | None = None, *, deadline: float) -> ApiAnswer:
        """GET `path` below `/v3/`, with retries, until `deadline`.

        Parameters that are None are not sent. Raises `ApiConnectionError`, `ApiStatusError` or `ApiResponseError`.
        """
        query = {name: value for name, value in (params or {}).items() if value is not None}
        # As a part of the path: given parameters beside it, httpx would parse and build the whole URL twice.
        path = f"{path}?{urlencode(query, errors='replace')}" if query else path
        return await self._request("GET", path, {}, self._retry, deadline=deadline)

    async def post(self, path: str, body: Mapping[str, Any], *, deadline: float, repeatable: bool) -> ApiAnswer:
        """POST `body` as JSON to `path` below `/v3/`, again only if `repeatable`: if Linq knows the same one by a key.

        Raises as `get` does, with `may_have_sent` where it is unknown whether Linq took the request.
        """
        if not self._may_send:
            raise RuntimeError("sending is not allowed by the settings")
        content = {"content": json.dumps(body).encode(), "headers": {"Content-Type": "application/json"}}
        policy = self._retry if repeatable else replace(self._retry, attempts=1)
        return await self._request("POST", path, content, policy, deadline=deadline)

    async def _request(
        self, method: str, path: str, content: Mapping[str, Any], policy: RetryPolicy, *, deadline: float
    ) -> ApiAnswer:
        is_retry = False
        # Whether Linq may have acted on any of the attempts. One that is cut off stays in doubt.
        perhaps_taken = False

        async def attempt() -> ApiAnswer:
            nonlocal is_retry, perhaps_taken
            # Don't wait if that would take until the deadline: Linq's own 429 then says how long to wait.
            latest = deadline - self._retry.shortest_attempt
            while anyio.current_time() < self._resume_at <= latest:  # noqa: ASYNC110 - only the clock ends a pause
                await anyio.sleep_until(self._resume_at)
            earlier, perhaps_taken = perhaps_taken, True
            try:
                return await self._request_once(http, method, path, content, is_retry=is_retry)
            except LinqError as error:
                perhaps_taken = earlier or _may_be_taken(error)
                if isinstance(error, ApiStatusError) and error.status == httpx.codes.TOO_MANY_REQUESTS:
                    self.throttled += 1
                    self._resume_at = max(self._resume_at, anyio.current_time() + (error.retry_after or 0.0))
                raise
            finally:
                is_retry = True

        async with self._in_use() as http:
            try:
                return await with_retries(attempt, policy, deadline=deadline)
            except LinqError as error:
                error.may_have_sent = method == "POST" and perhaps_taken
                raise

    @asynccontextmanager
    async def _in_use(self) -> AsyncIterator[httpx.AsyncClient]:
        if self._http.is_closed:
            self._http = self._opened()
        self._requests += 1
        try:
            yield self._http
        finally:
            self._requests -= 1
            self._last_used = monotonic()
            await self._close_if_retired()

    async def _close_if_retired(self) -> None:
        if self._retired and not self._requests:
            # Also when the call was cancelled: otherwise its sockets would stay open.
            with anyio.CancelScope(shield=True):
                await self._http.aclose()

    async def _request_once(
        self, http: httpx.AsyncClient, method: str, path: str, content: Mapping[str, Any], *, is_retry: bool
    ) -> ApiAnswer:
        started, status = monotonic(), 0
        try:
            async with http.stream(method, path, **content) as response:
                status = response.status_code
                try:
                    body = await read_body(response)
                except ApiResponseError:
                    if not response.is_error:
                        raise
                    # The status alone says what went wrong.
                    body = b""
            # httpx ties the two to each other, so that only the garbage collector could free them.
            response.stream = _READ
        except httpx.TimeoutException as error:
            raise self._timed_out(error) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError) as error:
            raise self._unreachable(error) from None
        finally:
            if observe := observe_linq_request.get():
                observe(LinqRequest(method, status, monotonic() - started, is_retry))
        trace_id = self._safe(trace_id_of(response))
        logger.debug(
            "%s /v3/%s -> %d, %d bytes, trace %s",
            method,
            path.partition("?")[0].partition("/")[0],
            response.status_code,
            len(body),
            trace_id,
        )
        if response.is_success and not (method == "POST" and _says_no(body)):
            return ApiAnswer(body, response.headers.get("Content-Type", ""), trace_id)
        raise self._rejected(response, body, trace_id)

    def _timed_out(self, error: httpx.TimeoutException) -> ApiConnectionError:
        if isinstance(error, httpx.ConnectTimeout):
            text = f"No connection was established within {self._retry.connect_timeout:g} seconds."
        else:
            text = f"The connection was established, but no answer arrived within {self._retry.read_timeout:g} seconds."
        return ApiConnectionError(text, timed_out=True, was_sent=not isinstance(error, _BEFORE_SENDING))

    def _unreachable(self, error: Exception) -> ApiConnectionError:
        # h11 appends the bytes that it could not parse, which don't belong in an error text.
        cause = self._quotable(str(error).partition(": bytearray(")[0]) or type(error).__name__
        if (refused := certificate_error(error)) is not None:
            cause = self._quotable(getattr(refused, "verify_message", "")) or cause
            text = f"The server's certificate can't be trusted: {cause}."
            return ApiConnectionError(text, retryable=False, was_sent=False)
        return ApiConnectionError(f"The connection failed: {cause}.", was_sent=not isinstance(error, _BEFORE_SENDING))

    def _rejected(self, response: httpx.Response, body: bytes, trace_id: str | None) -> ApiStatusError:
        envelope = _envelope(body)
        fields = envelope.get("error")
        fields = fields if isinstance(fields, dict) else {}
        code, message = fields.get("code"), fields.get("message")
        retry_after = seconds_to_wait(response.headers.get("Retry-After"))
        status = response.status_code
        if response.is_success:
            # An envelope that says no although its status says yes; it may have the right one.
            named = fields.get("status")
            status = named if type(named) is int and named in range(400, 600) else int(httpx.codes.BAD_REQUEST)
        return ApiStatusError(
            self._quotable(message) if isinstance(message, str) else "",
            status=status,
            code=code if type(code) is int and 0 < code < 1_000_000 else 0,
            retry_after=seconds_to_wait(fields.get("retry_after")) if retry_after is None else retry_after,
            trace_id=trace_id or self._safe(safe_trace_id(envelope.get("trace_id"))),
        )

    def _quotable(self, text: str) -> str:
        """`text` from outside, cleaned for an error text: on one line, short, and with any copy of the key redacted."""
        return clean(without_key(clean(text, None), self._key), _ERROR_MESSAGE_LIMIT).rstrip(".")

    def _safe(self, trace_id: str | None) -> str | None:
        return None if trace_id and self._key and self._key in trace_id else trace_id


def _envelope(body: bytes) -> dict[str, Any]:
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return envelope if isinstance(envelope, dict) else {}


def _says_no(body: bytes) -> bool:
    """Whether the body of a success is an envelope that says that there was none."""
    return _envelope(body).get("success") is False


def _may_be_taken(error: LinqError) -> bool:
    """Whether Linq may have acted on the request that failed with `error`."""
    if isinstance(error, ApiStatusError):
        return error.status >= 500 or error.status == httpx.codes.REQUEST_TIMEOUT
    return not isinstance(error, ApiConnectionError) or error.was_sent


async def _refuse_redirect(response: httpx.Response) -> None:
    # A hook runs before httpx parses the Location header, which may not be a URL at all.
    if response.status_code == httpx.codes.NOT_MODIFIED:
        message = "It was 304 Not Modified, although the request had no condition."
        raise ApiResponseError(message, trace_id=trace_id_of(response))
    if response.is_redirect:
        message = f"It was a redirect ({response.status_code}), which is not followed."
        raise ApiResponseError(message, trace_id=trace_id_of(response))


def certificate_error(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """The certificate error that caused `error`, if there is one."""
    for _ in range(10):
        if error is None or isinstance(error, ssl.SSLCertVerificationError):
            return error
        error = error.__cause__ or error.__context__
    return None
