"""Streamable HTTP for a team: whose key is used, who may call, how much at once; no caller sees another's data."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel
import httpx
import pytest
from helpers.command_line import command_line
from helpers.generated_account import generated_account
from helpers.linq import KEY, ByKey, Canned, Recorded, Silent
from helpers.piped import SECONDS
from helpers.streamable_http import MODERN, call, demo, eras, hang_up, posted, result_of, serving
from pydantic import SecretStr

from linq_mcp import __version__
from linq_mcp.cli import main
from linq_mcp.demo import in_process
from linq_mcp.demo.api import DEMO_BASE_URL, demo_api
from linq_mcp.server.callers.caller import SettingsClientProvider
from linq_mcp.server.callers.many import HeaderClientProvider
from linq_mcp.settings import KEY_HEADER, Settings, load_settings
from linq_mcp.tools import TOOLS
from linq_mcp.transports.http.app import build_app
from linq_mcp.transports.http.config import HttpConfig, HttpLimits, validate_http_config
from linq_mcp.transports.http.middleware import BODY_BYTES
from linq_mcp.transports.http.run import HttpServer


@eras
async def test_lists_and_calls_in_json_without_a_session(era: str) -> None:
    async with serving(build_app(demo(), HttpConfig())) as client:
        listed = await client.post("/mcp", **posted(era, "tools/list"))
        assert len(result_of(listed)["tools"]) == len(TOOLS)
        called = await client.post("/mcp", **call(era, "list_chats", {"limit": 3}))
        assert len(result_of(called)["structuredContent"]["chats"]) == 3
    for response in (listed, called):
        assert response.headers["content-type"] == "application/json"
        assert "mcp-session-id" not in response.headers


@eras
async def test_progress_streams(era: str) -> None:
    """A client that asks for progress gets a stream of events, of which the last one is the answer."""
    asked = call(era, "summarize_chat_health")
    asked["json"]["params"].setdefault("_meta", {})["progressToken"] = "p"
    async with serving(build_app(demo(), HttpConfig())) as client:
        response = await client.post("/mcp", **asked)
    assert response.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: {")]
    assert [event["params"]["progress"] for event in events[:-1]] == [100, 200, 300]
    assert events[-1]["result"]["structuredContent"]["scanned"] == 300


@eras
async def test_a_client_that_reads_no_streams_gets_json(era: str) -> None:
    asked = call(era, "summarize_chat_health")
    asked["json"]["params"].setdefault("_meta", {})["progressToken"] = "p"
    asked["headers"] = {**asked["headers"], "Accept": "application/json"}
    async with serving(build_app(demo(), HttpConfig())) as client:
        assert result_of(await client.post("/mcp", **asked))["structuredContent"]["scanned"] == 300


@eras
async def test_without_a_key_the_tools_list_and_a_call_says_how(era: str) -> None:
    """The error names the header, and nothing is sent to Linq."""

    def never(sent: httpx.Request) -> httpx.Response:
        raise AssertionError(sent.url)

    accounts = HeaderClientProvider(Settings(), transport=httpx.MockTransport(never))
    async with serving(build_app(accounts, HttpConfig())) as client:
        assert result_of(await client.post("/mcp", **posted(era, "tools/list")))["tools"]
        refused = result_of(await client.post("/mcp", **call(era, "list_chats")))
        assert refused["isError"] is True
        assert KEY_HEADER in refused["content"][0]["text"]


async def test_a_malformed_key_is_refused_without_repeating_it() -> None:
    asked = call("modern", "list_chats")
    asked["headers"] = {**asked["headers"], KEY_HEADER: f"{KEY} {KEY}"}
    async with serving(build_app(HeaderClientProvider(Settings()), HttpConfig())) as client:
        text = result_of(await client.post("/mcp", **asked))["content"][0]["text"]
    assert "character that no key has" in text
    assert KEY[:6] not in text


async def test_the_error_for_a_rejected_key_names_the_header() -> None:
    asked = call("modern", "list_chats")
    asked["headers"] = {**asked["headers"], KEY_HEADER: KEY}
    accounts = HeaderClientProvider(Settings(), transport=Canned(lambda _: httpx.Response(401, json={})))
    async with serving(build_app(accounts, HttpConfig())) as client:
        text = result_of(await client.post("/mcp", **asked))["content"][0]["text"]
    assert f"the header {KEY_HEADER}" in text


async def test_each_caller_is_told_of_a_bad_base_url() -> None:
    settings = load_settings({"LINQ_API_V3_BASE_URL": "ftp://example.com"})
    async with serving(build_app(HeaderClientProvider(settings), HttpConfig())) as client:
        refused = result_of(await client.post("/mcp", **call("modern", "list_chats")))
    assert refused["content"][0]["text"].startswith("LINQ_API_V3_BASE_URL can't be used.")


@eras
async def test_only_what_is_open_is_offered_and_read(era: str) -> None:
    scope = {"LINQ_MCP_LINES": "+12052535597", "LINQ_MCP_TOOLS": "list_chats"}
    settings = load_settings({"LINQ_API_V3_BASE_URL": DEMO_BASE_URL, **scope})
    provider = HeaderClientProvider(settings, transport=httpx.ASGITransport(demo_api(generated_account(40), key=KEY)))
    async with serving(build_app(provider, HttpConfig())) as client:
        listed = result_of(await client.post("/mcp", **posted(era, "tools/list")))
        asked = call(era, "list_chats", {"limit": 100})
        asked["headers"][KEY_HEADER] = KEY
        answer = result_of(await client.post("/mcp", **asked))["structuredContent"]
    assert [tool["name"] for tool in listed["tools"]] == ["list_chats"]
    assert listed.get("cacheScope", "private") == "private"
    assert {chat["line"] for chat in answer["chats"]} == {"+12052535597"}


class WithCookies(Recorded):
    """Linq as `transport`, letting others come in between, with a cookie for each caller."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await anyio.lowlevel.checkpoint()
        response = await super().handle_async_request(request)
        response.headers["set-cookie"] = f"who={request.headers['authorization'][-1]}; Path=/"
        return response


async def test_nothing_of_one_caller_reaches_another() -> None:
    """In 100 interleaved calls with two keys, each answer is its own account's, and no cookie is sent."""
    two = {key: generated_account(40, seed=seed) for seed, key in enumerate(("key-a", "key-b"))}
    linq = WithCookies(ByKey(two))
    own = {key: {chat["id"] for chat in data.chats} for key, data in two.items()}
    foreign = 0
    accounts = HeaderClientProvider(Settings(base_url=DEMO_BASE_URL), transport=linq)
    async with serving(build_app(accounts, HttpConfig())) as client:

        async def caller(key: str, era: str) -> None:
            nonlocal foreign
            for number in range(10):
                asked = call(era, "list_chats", {"limit": 5, "cursor": str(number % 7 * 5) if number % 7 else None})
                asked["headers"] = {**asked["headers"], KEY_HEADER: key}
                answer = result_of(await client.post("/mcp", **asked))["structuredContent"]
                ids = {chat["id"] for chat in answer["chats"]}
                assert len(ids) == 5
                foreign += len(ids - own[key])

        async with anyio.create_task_group() as tasks:
            for number in range(10):
                tasks.start_soon(caller, ("key-a", "key-b")[number % 2], ("modern", "legacy")[number // 2 % 2])
    assert foreign == 0
    assert [request for request in linq.requests if "cookie" in request.headers] == []


@pytest.mark.parametrize("shown", [None, "Bearer wrong", "Basic token", "token", "Bearer token ", "Bearer tök"])
async def test_the_servers_own_key_asks_for_the_token(shown: str | None) -> None:
    async with serving(build_app(demo(), HttpConfig(own_key=True, token=SecretStr("token")))) as client:
        asked = posted("modern", "tools/list")
        if shown is not None:
            asked["headers"] = {**asked["headers"], "Authorization": shown.encode()}
        response = await client.post("/mcp", **asked)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("shown", ["Bearer token", "bearer token"])
async def test_the_token_lets_in(shown: str) -> None:
    async with serving(build_app(demo(), HttpConfig(own_key=True, token=SecretStr("token")))) as client:
        asked = call("modern", "list_chats", {"limit": 1})
        asked["headers"] = {**asked["headers"], "Authorization": shown}
        assert result_of(await client.post("/mcp", **asked))["structuredContent"]["chats"]


@eras
@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Host", "evil.example", 421),
        ("Host", "127.0.0.1.evil.example:8000", 421),
        ("Origin", "https://evil.example", 403),
        ("Origin", "null", 403),
        ("Host", "127.0.0.1@evil.example", 421),
        ("Host", "user@localhost", 421),
        ("Host", "localhost:port", 421),
        ("Host", "localhost:9@evil.example", 421),
        ("Host", "", 421),
        ("Origin", "http://user@localhost", 403),
        ("Origin", "http://localhost:9@evil.example", 403),
        ("Origin", "http://localhost:port", 403),
        ("Origin", "", 403),
        ("Host", "localhost:9", 200),
        ("Host", "LocalHost", 200),
        ("Origin", "HTTP://LOCALHOST:5173", 200),
        ("Origin", "http://127.0.0.1:5173", 200),
    ],
)
async def test_host_and_origin_are_always_checked(header: str, value: str, status: int, era: str) -> None:
    """A web page must not reach the server through a name of its own that resolves to this machine."""
    asked = posted(era, "tools/list")
    asked["headers"] = {**asked["headers"], header: value}
    async with serving(build_app(demo(), HttpConfig())) as client:
        assert (await client.post("/mcp", **asked)).status_code == status


@pytest.mark.parametrize(
    ("host", "status"),
    [("mcp.example.com", 200), ("mcp.example.com:8443", 200), ("MCP.example.com", 200), ("127.0.0.1", 421)],
)
async def test_on_another_address_only_the_allowed_names_are_accepted(host: str, status: int) -> None:
    config = HttpConfig(host="0.0.0.0", allowed_hosts=["MCP.example.com"], allowed_origins=["https://app.example.com"])
    asked = posted("modern", "tools/list")
    asked["headers"] = {**asked["headers"], "Host": host, "Origin": "https://APP.example.com:443"}
    async with serving(build_app(demo(), config)) as client:
        assert (await client.post("/mcp", **asked)).status_code == status


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (HttpConfig(), None),
        (HttpConfig(own_key=True), None),
        (HttpConfig(host="0.0.0.0"), "--allowed-host"),
        (HttpConfig(host="0.0.0.0", allowed_hosts=["x"]), None),
        (HttpConfig(host="0.0.0.0", allowed_hosts=["x"], own_key=True), "LINQ_MCP_HTTP_TOKEN"),
        (HttpConfig(host="0.0.0.0", allowed_hosts=["x"], own_key=True, token=SecretStr("t")), None),
        (HttpConfig(host="::1", own_key=True), None),
        (HttpConfig(host="127.0.0.1.example.com"), "--allowed-host"),
        (HttpConfig(allowed_hosts=["https://mcp.example.com"]), "--allowed-host"),
        (HttpConfig(allowed_origins=["app.example.com"]), "--allowed-origin"),
        (HttpConfig(allowed_origins=["https://user@app.example.com"]), "--allowed-origin"),
    ],
)
def test_a_config_that_is_not_safe_is_refused(config: HttpConfig, problem: str | None) -> None:
    if problem is None:
        assert validate_http_config(config) is config
    else:
        with pytest.raises(ValueError, match=problem):
            validate_http_config(config)


@eras
@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
async def test_a_body_over_one_mebibyte_is_refused(era: str, chunked: bool) -> None:
    asked = posted(era, "tools/list")
    body = json.dumps({**asked["json"], "padding": "x" * BODY_BYTES}).encode()

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    async with serving(build_app(demo(), HttpConfig())) as client:
        response = await client.post("/mcp", content=chunks() if chunked else body, headers=asked["headers"])
    assert response.status_code == 413


async def test_beyond_the_limit_callers_are_asked_to_come_back() -> None:
    config = HttpConfig(limits=HttpLimits(calls=1))
    begun, go_on = anyio.Event(), anyio.Event()

    class Slow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            begun.set()
            await go_on.wait()
            return await in_process.transport().handle_async_request(request)

    async with serving(build_app(SettingsClientProvider(in_process.settings, transport=Slow), config)) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: client.post("/mcp", **call("modern", "list_chats")))
            await begun.wait()
            turned_away = await client.post("/mcp", **posted("modern", "tools/list"))
            assert (turned_away.status_code, turned_away.headers["retry-after"]) == (503, "1")
            go_on.set()
        assert (await client.post("/mcp", **posted("modern", "tools/list"))).status_code == 200


async def test_a_body_that_never_ends_gives_its_place_up() -> None:
    statuses: list[int] = []
    uploading = anyio.Event()

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        uploading.set()
        await anyio.sleep(30)

    app = build_app(demo(), HttpConfig(limits=HttpLimits(calls=1, body_seconds=0.3)))
    async with serving(app) as client, anyio.create_task_group() as tasks:

        async def upload() -> None:
            response = await client.post("/mcp", content=never(), headers=MODERN)
            statuses.append(response.status_code)

        tasks.start_soon(upload)
        await uploading.wait()
        assert (await client.post("/mcp", **posted("modern", "tools/list"))).status_code == 200
    assert statuses == [408]


async def test_incomplete_bodies_share_a_limit() -> None:
    begun, go_on = anyio.Event(), anyio.Event()

    async def half() -> AsyncIterator[bytes]:
        yield b" " * 200_000
        begun.set()
        await go_on.wait()

    app = build_app(demo(), HttpConfig(limits=HttpLimits(held_body_bytes=200_000)))
    async with serving(app) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: client.post("/mcp", content=half(), headers=MODERN))
        await begun.wait()
        large = await client.post("/mcp", content=b" " * 100_000, headers=MODERN)
        assert (large.status_code, large.headers["retry-after"]) == (503, "1")
        assert (await client.post("/mcp", **posted("modern", "tools/list"))).status_code == 200
        go_on.set()
        tasks.cancel_scope.cancel()
    async with serving(build_app(demo(), HttpConfig())) as client:
        assert (await client.post("/mcp", content=b" " * 100_000, headers=MODERN)).status_code == 400


@eras
async def test_hanging_up_cancels_the_call(era: str) -> None:
    """When the client closes the connection, the request to Linq is cancelled."""
    silent = Silent()
    app = build_app(SettingsClientProvider(in_process.settings, transport=lambda: silent), HttpConfig())
    await hang_up(app, call(era, "list_chats"), silent.begun)
    assert silent.stopped.is_set()


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
async def test_only_post_is_allowed(method: str) -> None:
    async with serving(build_app(demo(), HttpConfig())) as client:
        response = await client.request(method, "/mcp")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_health_has_the_version_and_nothing_else() -> None:
    async with serving(build_app(demo(), HttpConfig(own_key=True, token=SecretStr("token")))) as client:
        assert (await client.get("/healthz")).json() == {"version": __version__}


@pytest.mark.parametrize("path", ["mcp", "/healthz", "/metrics", "/mcp?x"])
def test_a_path_that_can_not_be_served_is_a_usage_error(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["http", "--path", path])
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=str)
def test_serves_over_a_socket_and_stops_gracefully(
    how: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The command answers on a real port, and ends with 0 on SIGTERM and on Ctrl-C, without a traceback."""
    answers: list[httpx.Response] = []

    def ask(port: int) -> None:
        try:
            asked = call("modern", "list_chats", {"limit": 1})
            answers.append(httpx.post(f"http://127.0.0.1:{port}/mcp", **asked, timeout=SECONDS, trust_env=False))
        finally:
            os.kill(os.getpid(), how)

    run = HttpServer.run

    def run_and_ask(server: HttpServer, sockets: list[socket.socket]) -> None:
        asking = threading.Thread(target=ask, args=[sockets[0].getsockname()[1]])
        asking.start()
        run(server, sockets)
        asking.join()

    monkeypatch.setattr(HttpServer, "run", run_and_ask)
    with command_line(monkeypatch, capsys) as cli:
        done = cli("--demo", "http", "--port", "0")
    assert (done.code, done.out) == (0, "")
    assert result_of(answers[0])["structuredContent"]["has_more"] is True
    warned, in_force, listens = caplog.messages[:3]
    assert "LINQ_MCP_HTTP_TOKEN" in warned
    assert "in force: keys: the server's own, from the demo account; sending: off; open lines: all;" in in_force
    assert "listens on http://127.0.0.1:" in listens
    assert "Traceback" not in caplog.text + done.err
