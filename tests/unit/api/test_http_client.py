"""The way to Linq and back: what is sent, what an exchange can end in, and what never gets out."""

from __future__ import annotations

import gc
import logging
import ssl
from dataclasses import replace
from functools import partial

import anyio
import httpx
import pytest
from helpers.linq import AT_ONCE, KEY, Body
from helpers.scripted_api import (
    BASE,
    EMPTY,
    PROXY_VARIABLES,
    SETTINGS,
    Reply,
    Server,
    error_body,
    everything_of,
    failure,
    get,
    list_chats,
    rejected,
)
from helpers.virtual_time import in_virtual_time
from pydantic import SecretStr

from linq_mcp.api.client import LinqApi
from linq_mcp.errors import ApiConnectionError, ApiResponseError, LinqError
from linq_mcp.settings import Settings, load_settings
from linq_mcp.settings.sending import SendSettings


async def test_no_cookie_is_kept() -> None:
    server = Server(Reply(headers={"Set-Cookie": "session=1; Path=/"}))
    async with LinqApi(SETTINGS, transport=server) as api:
        for _ in range(2):
            await api.get("chats", deadline=anyio.current_time() + 5)
    assert "Cookie" not in server.requests[1].headers


async def test_an_answer_is_freed_without_the_garbage_collector() -> None:
    """On stdio the collector runs so rarely that thousands of calls would keep their answers: it looks like a leak."""
    async with LinqApi(SETTINGS, transport=Server(Reply())) as api:
        gc.collect()
        before = {id(one) for one in gc.get_objects()}
        gc.disable()
        try:
            await api.get("chats", deadline=anyio.current_time() + 5)
            kept = [one for one in gc.get_objects() if isinstance(one, httpx.Response) and id(one) not in before]
        finally:
            gc.enable()
    assert kept == []


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (None, "https://api.linqapp.com/api/partner/v3/chats"),
        ("https://api.example.com", "https://api.example.com/v3/chats"),
        ("https://api.example.com/v3/", "https://api.example.com/v3/chats"),
        ("https://api.example.com:8443/a/b/v3", "https://api.example.com:8443/a/b/v3/chats"),
        ("http://127.0.0.1:8765/", "http://127.0.0.1:8765/v3/chats"),
        ("http://[::1]:8765/v3", "http://[::1]:8765/v3/chats"),
    ],
)
async def test_the_address_of_every_form_of_base_url(given: str | None, address: str) -> None:
    server = Server(Reply())
    settings = load_settings({"LINQ_API_V3_API_KEY": KEY, **({"LINQ_API_V3_BASE_URL": given} if given else {})})
    await get(server, settings=settings)
    assert str(server.requests[0].url) == address


async def test_the_body_is_json_and_the_trace_id_beside_it() -> None:
    answer = await get(Server(Reply(body=b'{"a":1}', headers={"X-Trace-ID": "7a-1"})))
    assert (answer.object(), answer.trace_id) == ({"a": 1}, "7a-1")


# What it can end in


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ConnectError("All connection attempts failed"),
        httpx.ConnectError("[Errno -2] Name or service not known"),
        httpx.ConnectTimeout("timed out"),
        httpx.ReadTimeout("timed out"),
        httpx.PoolTimeout("timed out"),
        httpx.ReadError(""),
        httpx.RemoteProtocolError("Server disconnected without sending a response."),
        httpx.ProxyError("407 Proxy Authentication Required"),
        ssl.SSLError("[SSL: WRONG_VERSION_NUMBER] wrong version number"),
        ConnectionResetError("Connection reset by peer"),
    ],
    ids=lambda fault: type(fault).__name__,
)
async def test_connection_errors_are_tried_again(fault: Exception) -> None:
    """They end as `ApiConnectionError` with what happened, and without the HTTP library's own exception."""
    server = Server(fault)
    error = await failure(server)
    assert isinstance(error, ApiConnectionError)
    assert len(server.requests) == error.attempts == 3
    assert error.timed_out is isinstance(fault, httpx.TimeoutException)
    assert str(error).strip()
    assert error.__suppress_context__


@pytest.mark.parametrize("fault", [Reply(503), httpx.ReadError("reset")], ids=["503", "reset"])
async def test_an_answer_after_a_failure_is_the_answer(fault: Reply | Exception) -> None:
    server = Server(fault, fault, Reply())
    assert (await get(server)).object() == {"chats": [], "next_cursor": None}
    assert len(server.requests) == 3


REFUSED, LOST = Reply(403, error_body(status=403, code=2024)), httpx.ReadError("reset")
NOT_CONNECTED = httpx.ConnectError("refused")


@pytest.mark.parametrize(
    ("replies", "may_have_sent"),
    [
        ([REFUSED], False),
        ([Reply(429, error_body(status=429, code=1007, retry_after=0))], False),
        ([Reply(409, error_body(status=409, code=2009))], False),
        ([NOT_CONNECTED], False),
        ([httpx.ConnectTimeout("slow")], False),
        ([httpx.PoolTimeout("full")], False),
        ([httpx.ProxyError("407")], False),
        ([ssl.SSLCertVerificationError(1, "certificate verify failed")], False),
        ([LOST], True),
        ([httpx.ReadTimeout("slow")], True),
        ([httpx.WriteError("reset")], True),
        ([Reply(408)], True),
        ([Reply(500)], True),
        ([Reply(503)], True),
        ([Reply(302, headers={"Location": "/"})], True),
        # What the last attempt ends in says nothing of an earlier one.
        ([LOST, NOT_CONNECTED], True),
        ([Reply(503), REFUSED], True),
        ([NOT_CONNECTED, REFUSED], False),
    ],
    ids=lambda value: (
        "-".join(str(getattr(one, "status", type(one).__name__)) for one in value) if isinstance(value, list) else None
    ),
)
async def test_whether_linq_may_have_taken_a_post(replies: list[Reply | Exception], *, may_have_sent: bool) -> None:
    """Nobody is told to look for a message that never left, nor that nothing left while it may have."""
    settings = replace(SETTINGS, sending=SendSettings())
    async with LinqApi(settings, transport=Server(*replies), retry=AT_ONCE) as api:
        with pytest.raises(LinqError) as failed:
            await api.post("chats", {}, deadline=anyio.current_time() + 5, repeatable=True)
    assert failed.value.may_have_sent is may_have_sent


def test_a_post_that_is_cut_off_may_have_been_taken() -> None:
    server = Server(Reply(429, error_body(status=429, code=1007, retry_after=0)), Reply(stall=60))
    settings = replace(SETTINGS, sending=SendSettings())

    async def post() -> LinqError:
        async with LinqApi(settings, transport=server, retry=AT_ONCE) as api:
            with pytest.raises(LinqError) as failed:
                await api.post("chats", {}, deadline=anyio.current_time() + 5, repeatable=True)
            return failed.value

    assert in_virtual_time(post).may_have_sent
    assert len(server.requests) == 2


@pytest.mark.parametrize("way", ["bare", "through httpx"])
async def test_a_certificate_that_is_refused_is_not_tried_again(way: str) -> None:
    refused = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    refused.verify_message = "certificate has expired"
    wrapped = httpx.ConnectError(str(refused))
    wrapped.__cause__ = httpx.ConnectError("inner")
    wrapped.__cause__.__cause__ = refused
    server = Server(refused if way == "bare" else wrapped)
    error = await failure(server)
    assert isinstance(error, ApiConnectionError)
    assert (len(server.requests), error.retryable, error.timed_out) == (1, False, False)
    assert str(error) == "The server's certificate can't be trusted: certificate has expired."


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "60"}, b"", 60),
        ({}, error_body(status=429, code=1007, retry_after=45), 45),
        ({"Retry-After": "60"}, error_body(status=429, retry_after=45), 60),
        ({"Retry-After": "soon"}, error_body(status=429, retry_after=45), 45),
        ({}, error_body(status=429, retry_after="soon"), None),
    ],
    ids=["header", "envelope", "header first", "unreadable header", "neither"],
)
async def test_where_the_wait_comes_from(headers: dict[str, str], body: bytes, seconds: float | None) -> None:
    assert (await rejected(Server(Reply(429, body, headers)))).retry_after == seconds


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    """The key goes nowhere but to the base URL."""
    server = Server(Reply(status, b"", {"Location": "https://evil.example.com/", "X-Trace-ID": "7a-1"}))
    error = await failure(server)
    assert isinstance(error, ApiResponseError)
    assert f"a redirect ({status})" in str(error)
    assert error.trace_id == "7a-1"
    assert len(server.requests) == 1


async def test_304_is_not_a_redirect() -> None:
    error = await failure(Server(Reply(304)))
    assert isinstance(error, ApiResponseError)
    assert "304 Not Modified" in str(error)


@pytest.mark.parametrize("status", [200, 201, 206, 299])
async def test_any_2xx_is_an_answer(status: int) -> None:
    assert (await get(Server(Reply(status)))).object()["chats"] == []


# Time and cancellation


async def test_a_body_that_trickles_ends_with_the_deadline() -> None:
    body = Body([b" "] * 200, pause=0.03)
    began = anyio.current_time()
    error = await failure(Server(Reply(body=body)), seconds=0.3)
    assert isinstance(error, ApiConnectionError)
    assert error.timed_out
    assert anyio.current_time() - began < 1
    assert body.closed


async def test_cancelling_a_call_stops_its_request() -> None:
    """The body under way is closed, not left to trickle on."""
    body = Body([b" "] * 200, pause=0.03)
    with anyio.move_on_after(0.2) as scope:
        await get(Server(Reply(body=body)), seconds=30)
    assert scope.cancelled_caught
    assert body.closed


async def test_a_wait_that_linq_asks_for_holds_for_all_requests() -> None:
    """Linq's limit is one for the whole key, so another request under way waits as well."""
    server = Server(Reply(429, headers={"Retry-After": "0.2"}), Reply())
    async with LinqApi(SETTINGS, transport=server, retry=AT_ONCE) as api, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(api.get, "chats", deadline=anyio.current_time() + 5))
        while not api.throttled:
            await anyio.lowlevel.checkpoint()
        await api.get("phone_numbers", deadline=anyio.current_time() + 5)
    assert len(server.requests) == 3
    assert server.times[1] - server.times[0] >= 0.2
    assert api.throttled == 1


# Connections


async def test_connections_that_were_closed_are_opened_again() -> None:
    server = Server(Reply())
    api = LinqApi(SETTINGS, transport=server)
    for _ in range(2):
        await api.retire()
        assert api._http.is_closed
        await api.get("chats", deadline=anyio.current_time() + 5)
        assert api._http.is_closed
    assert len(server.requests) == 2


class Slow(Server):
    """Takes its time to close, as a socket may."""

    closed = False

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.closed = True


async def test_a_cancelled_call_leaves_no_connection_of_a_retired_client_open() -> None:
    server = Slow(Reply(stall=30))
    api = LinqApi(SETTINGS, transport=server)
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(api.get, "chats", deadline=anyio.current_time() + 60))
            while not server.requests:
                await anyio.lowlevel.checkpoint()
            await api.retire()
            scope.cancel()
    assert server.closed


async def test_connections_in_use_are_not_closed() -> None:
    server = Server(Reply(stall=0.05))
    api = LinqApi(SETTINGS, transport=server)
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(partial(api.get, "chats", deadline=anyio.current_time() + 5))
        while len(server.requests) < 2:
            await anyio.lowlevel.checkpoint()
        assert api.idle_seconds() == 0
        await api.retire()
        assert not api._http.is_closed
    assert api._http.is_closed
    assert 0 <= api.idle_seconds() < 5


# The key


SPLIT_KEY = "\u200b".join(KEY)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(401, error_body(message=f"Invalid token {KEY}")), id="message"),
        pytest.param(Reply(400, error_body(message=f"{KEY}{KEY}, {KEY}.")), id="message, repeated"),
        pytest.param(Reply(400, error_body(message="x" * 295 + KEY)), id="message, at the cut"),
        pytest.param(Reply(400, error_body(message=f"Token {SPLIT_KEY}")), id="message, with unseen characters"),
        pytest.param(Reply(400, error_body(trace_id=KEY)), id="trace id of the envelope"),
        pytest.param(Reply(400, error_body(), {"X-Trace-ID": KEY}), id="trace id of the header"),
        pytest.param(Reply(200, EMPTY[:5], {"Content-Type": KEY}), id="content type"),
        pytest.param(Reply(200, KEY.encode(), {"X-Trace-ID": KEY}), id="body"),
        pytest.param(Reply(302, b"", {"Location": f"https://evil.example.com/{KEY}"}), id="redirect"),
        pytest.param(Reply(200, EMPTY, {"Content-Encoding": KEY}), id="encoding"),
        pytest.param(ssl.SSLCertVerificationError(f"bad {KEY}"), id="certificate"),
        pytest.param(httpx.ConnectError(f"no route for Bearer {KEY}"), id="connection error"),
        pytest.param(httpx.LocalProtocolError(f"Illegal header value b'Bearer {KEY}'"), id="protocol error"),
        pytest.param(OSError(5, f"failed with {KEY}"), id="operating system's error"),
    ],
)
async def test_the_key_is_in_no_error(reply: Reply | Exception, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "linq_mcp"):
        error = await failure(Server(reply))
    for shown in (everything_of(error), caplog.text):
        assert KEY not in shown
        assert KEY[:10] not in shown


async def test_the_log_has_no_handles(caplog: pytest.LogCaptureFixture) -> None:
    """A line for each answer: path, status, size, trace id; no query and no body."""
    with caplog.at_level(logging.DEBUG, "linq_mcp"):
        await list_chats(Server(Reply(headers={"X-Trace-ID": "7a-1"})), to="ann@example.com")
    (record,) = [record.getMessage() for record in caplog.records if record.name.startswith("linq_mcp")]
    assert record == f"GET /v3/chats -> 200, {len(EMPTY)} bytes, trace 7a-1"


# The environment


@pytest.fixture
def no_proxy_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.usefixtures("no_proxy_set")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "foo://user:secretpw@x"),
        ("ALL_PROXY", "foo://user:secretpw@x"),
        ("HTTPS_PROXY", "http://user:secretpw@[::1"),
        ("HTTPS_PROXY", "http://user:secretpw@x:port"),
        ("HTTPS_PROXY", "http://user:secretpw/1@x:3128"),
        ("SSL_CERT_FILE", "/nowhere/secretpw.pem"),
    ],
)
def test_an_environment_that_cannot_be_used(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told which variables to look at, without a proxy's password, and that a retry will not help."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ApiConnectionError) as failed:
        LinqApi(SETTINGS)
    assert not failed.value.retryable
    assert name in str(failed.value)
    assert "secretpw" not in everything_of(failed.value)
    assert failed.value.__suppress_context__


@pytest.mark.usefixtures("no_proxy_set")
@pytest.mark.parametrize(
    ("base_url", "proxied"),
    [
        (BASE, True),
        ("http://127.0.0.1:8765", False),
        ("http://127.1.2.3:8765", False),
        ("http://localhost:8765", False),
        ("http://[::1]:8765", False),
        ("https://127.0.0.1:8765", False),
    ],
)
async def test_no_proxy_is_asked_for_this_machine(
    base_url: str, proxied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://proxy.example.com:3128")
    async with LinqApi(Settings(api_key=SecretStr(KEY), base_url=base_url)) as api:
        assert any(mount is not None for mount in api._http._mounts.values()) is proxied


@pytest.mark.usefixtures("no_proxy_set")
async def test_this_machine_is_reached_in_spite_of_a_proxy(api_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with LinqApi(Settings(api_key=SecretStr(KEY), base_url=api_url)) as api:
        page = await api.list_chats(from_=None, to=None, limit=5, cursor=None, deadline=anyio.current_time() + 10)
    assert len(page.items) == 5


@pytest.mark.usefixtures("no_proxy_set")
async def test_nobody_listening_is_unreachable() -> None:
    """The socket is a real one, so that httpx itself raises the error."""
    async with LinqApi(Settings(api_key=SecretStr(KEY), base_url="http://127.0.0.1:9"), retry=AT_ONCE) as api:
        with pytest.raises(ApiConnectionError) as failed:
            await api.get("chats", deadline=anyio.current_time() + 10)
    assert failed.value.attempts == 3
    assert not failed.value.timed_out
    assert str(failed.value).startswith("The connection failed: ")


@pytest.mark.usefixtures("no_proxy_set")
@pytest.mark.parametrize("host", ["256.256.256.256", "[v1.x]", "xn--", "x" * 300])
async def test_a_host_that_cannot_be_is_not_blamed_on_the_proxy(host: str) -> None:
    settings = Settings(api_key=SecretStr(KEY), base_url=f"https://{host}", base_url_is_set=True)
    with pytest.raises(ApiConnectionError) as failed:
        async with LinqApi(settings, transport=Server(httpx.ConnectError("no")), retry=AT_ONCE) as api:
            await api.get("chats", deadline=anyio.current_time() + 10)
    assert "proxy" not in str(failed.value)
