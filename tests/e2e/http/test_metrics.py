"""What Prometheus reads at `/metrics`, as its own parser understands it."""

from __future__ import annotations

import anyio
import httpx
from helpers.linq import AT_ONCE, KEY, Canned, Silent
from helpers.recording_api import RecordingApi
from helpers.streamable_http import call, demo, posted, serving
from prometheus_client.parser import text_string_to_metric_families as parse
from prometheus_client.samples import Sample
from starlette.applications import Starlette

from linq_mcp import __version__
from linq_mcp.demo.api import DEMO_BASE_URL, DEMO_KEY
from linq_mcp.server.callers.caller import SettingsClientProvider
from linq_mcp.server.callers.many import HeaderClientProvider
from linq_mcp.settings import KEY_HEADER, Settings
from linq_mcp.transports.http.app import build_app
from linq_mcp.transports.http.config import HttpConfig
from linq_mcp.transports.http.metrics import Metrics

OPERATIONS = "mcp_server_operation_duration_seconds"
REQUESTS = "http_server_request_duration_seconds"
LINQ_REQUESTS = "http_client_request_duration_seconds"


def measured_app(transport: httpx.AsyncBaseTransport | None = None) -> Starlette:
    """A server for callers with keys of their own, over the demo account or `transport`."""
    metrics = Metrics()
    provider = HeaderClientProvider(Settings(base_url=DEMO_BASE_URL), transport=transport or RecordingApi())
    return build_app(provider, HttpConfig(), metrics=metrics)


async def read(client: httpx.AsyncClient) -> dict[tuple[str, ...], float]:
    """Each sample by its name and the values of its labels in the order of their names, without buckets."""
    response = await client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    samples: list[Sample] = [sample for family in parse(response.text) for sample in family.samples]
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for sample in samples
        if "le" not in sample.labels
    }


async def ask(client: httpx.AsyncClient, era: str, tool: str, **arguments: object) -> None:
    asked = call(era, tool, arguments)
    await client.post("/mcp", **{**asked, "headers": {**asked["headers"], KEY_HEADER: DEMO_KEY}})


async def test_calls_are_counted_by_tool_and_outcome() -> None:
    """An error of a tool is one for the conventions, too, although its response has status 200."""
    async with serving(measured_app()) as client:
        before = await read(client)
        for _ in range(3):
            await ask(client, "modern", "list_chats", limit=1)
        await ask(client, "modern", "list_chats", limit=1000)
        await ask(client, "modern", "get_chat", chat_id="0b8f2c4e-0000-4000-8000-000000000000")
        await client.post("/mcp", **posted("modern", "tools/list"))
        found = await read(client)
    count = f"{OPERATIONS}_count"
    assert {key: value for key, value in found.items() if key[0] == count} == {
        (count, "", "list_chats", "tools/call", "ok"): 3,
        (count, "tool_error", "list_chats", "tools/call", "arguments_error"): 1,
        (count, "tool_error", "get_chat", "tools/call", "linq_status_error"): 1,
        (count, "", "", "tools/list", "ok"): 1,
    }
    assert 0 < found[f"{OPERATIONS}_sum", "", "list_chats", "tools/call", "ok"] < 30
    assert not [key for key in before if key[0] == count]


async def test_requests_are_counted_by_route_and_status() -> None:
    async with serving(measured_app()) as client:
        await client.get("/healthz")
        await client.get("/healthz%0A")
        await client.get(f"/{KEY}")
        await client.request("BREW", "/+12055550101")
        await client.post("/mcp", headers={"Host": "evil.example"})
        found = await read(client)
    count = f"{REQUESTS}_count"
    assert {key: value for key, value in found.items() if key[0] == count} == {
        (count, "GET", "200", "/healthz"): 2,
        (count, "GET", "404", "(another path)"): 1,
        (count, "_OTHER", "404", "(another path)"): 1,
        (count, "POST", "421", "/mcp"): 1,
    }


async def test_requests_to_linq_are_counted_by_status_and_retries_by_themselves() -> None:
    answers = [
        httpx.Response(429, headers={"Retry-After": "0"}),
        httpx.Response(503),
        httpx.Response(200, json={"chats": []}),
        httpx.Response(404, json={}),
    ]

    def answer(_: httpx.Request) -> httpx.Response:
        if answers:
            return answers.pop(0)
        raise httpx.UnsupportedProtocol(KEY)

    metrics = Metrics()
    settings = Settings(api_key=None, base_url=DEMO_BASE_URL)
    provider = SettingsClientProvider(lambda: settings, transport=lambda: Canned(answer), retry=AT_ONCE)
    async with serving(build_app(provider, HttpConfig(own_key=True), metrics=metrics)) as client:
        for _ in range(3):
            await ask(client, "modern", "list_chats")
        found = await read(client)
    count = f"{LINQ_REQUESTS}_count"
    assert {key[1:]: value for key, value in found.items() if key[0] == count} == {
        ("429", "GET", "429"): 1,
        ("503", "GET", "503"): 1,
        ("", "GET", "200"): 1,
        ("404", "GET", "404"): 1,
        ("no_answer", "GET", ""): 3,
    }
    assert found["linq_mcp_linq_retries_total",] == 4


async def test_calls_in_flight_are_those_of_the_moment() -> None:
    silent = Silent()
    async with serving(measured_app(silent)) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(ask, client, "modern", "list_chats")
        await silent.begun.wait()
        during = await read(client)
        tasks.cancel_scope.cancel()
    assert during["linq_mcp_calls_in_flight",] == 1


async def test_no_caller_can_make_a_series() -> None:
    app = measured_app()
    async with serving(app) as client:
        sizes = []
        for number in range(5):
            await ask(client, "modern", f"evil{number}")
            await client.post("/mcp", **posted("modern", f"evil/{number}"))
            await client.request(f"EVIL{number}", f"/evil{number}")
            listed = posted("modern", "tools/list")
            await client.post("/mcp", **{**listed, "headers": {**listed["headers"], KEY_HEADER: f"evil{number}"}})
            sizes.append(len(await read(client)))
        text = (await client.get("/metrics")).text
    assert len(set(sizes[1:])) == 1
    assert "evil" not in text.lower()


async def test_each_server_has_its_own() -> None:
    async with serving(measured_app()) as one, serving(measured_app()) as other:
        await ask(one, "modern", "list_chats")
        assert (f"{OPERATIONS}_count", "", "list_chats", "tools/call", "ok") not in await read(other)
        assert (await read(one))["linq_mcp_info", __version__] == 1


async def test_without_the_extra_there_is_a_hint() -> None:
    async with serving(build_app(demo(), HttpConfig())) as client:
        response = await client.get("/metrics")
    assert (response.status_code, response.text) == (
        404,
        "Metrics need the extra http: pip install '.[http]' in the clone",
    )
