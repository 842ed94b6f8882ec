"""The spans that leave the process, and what is in them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from helpers.piped import COMMAND, MEASURED, SECONDS, Piped
from helpers.streamable_http import call, demo, eras, posted, serving
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from linq_mcp import __version__
from linq_mcp.cli.telemetry import _asks_for_traces
from linq_mcp.transports import traces
from linq_mcp.transports.http.app import build_app
from linq_mcp.transports.http.config import HttpConfig

SECRET = "what Ann wrote"


@pytest.fixture(scope="module")
def started() -> Iterator[tuple[TracerProvider, InMemorySpanExporter]]:
    """A process has one provider, which can't be replaced; after its end, it does nothing."""
    exporter = InMemorySpanExporter()
    provider = traces.start(exporter)
    yield provider, exporter
    provider.shutdown()


@eras
async def test_a_span_tells_method_tool_and_failure(
    era: str, started: tuple[TracerProvider, InMemorySpanExporter]
) -> None:
    """Under the names of OpenTelemetry's conventions for MCP, and one for each request: no call lists the tools."""
    provider, exporter = started
    exporter.clear()
    async with serving(build_app(demo(), HttpConfig())) as client:
        await client.post("/mcp", **call(era, "list_chats", {"limit": 1}))
        await client.post("/mcp", **call(era, "get_chat", {"chat_id": SECRET}))
    provider.force_flush()
    succeeded, failed = exporter.get_finished_spans()
    assert (succeeded.name, succeeded.kind) == ("tools/call list_chats", SpanKind.SERVER)
    assert succeeded.status.status_code is StatusCode.UNSET
    version = {"modern": "2026-07-28", "legacy": "2025-11-25"}[era]
    expected = {
        "mcp.method.name": "tools/call",
        "mcp.protocol.version": version,
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "list_chats",
    }
    assert succeeded.attributes
    assert expected.items() <= succeeded.attributes.items()
    assert succeeded.resource.attributes["service.name"] == "linq-mcp"
    assert succeeded.resource.attributes["service.version"] == __version__
    assert failed.attributes
    assert failed.attributes["error.type"] == "tool_error"
    assert failed.status.status_code is StatusCode.ERROR
    assert SECRET not in succeeded.to_json() + failed.to_json()


@eras
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {"name": SECRET, "arguments": {}}),
        ("prompts/get", {"name": SECRET}),
        ("prompts/get", {"name": "draft_reply", "arguments": {SECRET: SECRET}}),
        (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": SECRET}, "argument": {"name": SECRET, "value": ""}},
        ),
        ("resources/read", {"uri": f"ui://{SECRET}"}),
        (SECRET, {"name": SECRET}),
    ],
    ids=["tool", "prompt", "prompt's arguments", "completion", "resource", "method"],
)
async def test_no_span_has_what_a_caller_wrote(
    era: str,
    method: str,
    params: dict[str, object],
    started: tuple[TracerProvider, InMemorySpanExporter],
) -> None:
    """Neither as a name or an id nor in the message of an error, which for a client quotes it."""
    provider, exporter = started
    exporter.clear()
    async with serving(build_app(demo(), HttpConfig())) as client:
        asked = posted(era, method, params)
        asked["json"]["id"] = SECRET
        await client.post("/mcp", **asked)
    provider.force_flush()
    for span in exporter.get_finished_spans():
        assert SECRET not in span.to_json()
        assert span.status.description is None


def test_no_span_has_the_text_of_a_bug(started: tuple[TracerProvider, InMemorySpanExporter]) -> None:
    """A traceback may quote anything."""
    provider, exporter = started
    with pytest.raises(ValueError, match=SECRET), provider.get_tracer("bug").start_as_current_span("tools/call"):
        raise ValueError(SECRET)
    provider.force_flush()
    span = exporter.get_finished_spans()[-1]
    assert span.status.status_code is StatusCode.ERROR
    assert SECRET not in span.to_json()


@pytest.mark.parametrize(
    ("environ", "asks"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, False),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}, False),
    ],
    ids=str,
)
def test_a_usual_variable_asks_for_traces(environ: dict[str, str], asks: bool) -> None:
    """Nothing leaves otherwise; an exporter to the console would write to stdout, which is the client's."""
    assert _asks_for_traces(environ) is asks


def test_nothing_is_imported_until_a_variable_asks_for_it() -> None:
    """Importing takes longer than everything else before `initialize`."""
    code = "import sys; from linq_mcp.cli.telemetry import start_traces; start_traces({})(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "opentelemetry.sdk" not in done.stdout.split()


def test_without_the_extra_the_server_runs() -> None:
    """It says why there are no traces."""
    code = (
        "import logging, sys; logging.basicConfig(level='INFO'); sys.modules['opentelemetry.sdk.trace'] = None; "
        "from linq_mcp.cli.telemetry import start_traces; start_traces({'OTEL_TRACES_EXPORTER': 'otlp'})()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "no traces are sent: they need the extra linq-mcp[otel]" in done.stderr


def test_a_collector_that_hangs_does_not_keep_the_process() -> None:
    """A client or systemd would kill it."""
    released = threading.Event()

    class Hanging(InMemorySpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            released.wait(SECONDS)
            return super().export(spans)

    exporter = Hanging()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span("a span"):
        pass
    traces.end(provider, seconds=0.01)
    assert exporter.get_finished_spans() == ()
    released.set()


@contextmanager
def collecting() -> Iterator[tuple[dict[str, str], list[ResourceSpans]]]:
    """A collector on loopback: the environment that sends spans to it, and what it got."""
    spans: list[ResourceSpans] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            spans.extend(ExportTraceServiceRequest.FromString(body).resource_spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        yield {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}"}, spans
        collector.shutdown()


def names(spans: list[ResourceSpans]) -> list[str]:
    return [span.name for resource in spans for scope in resource.scope_spans for span in scope.spans]


def test_the_last_spans_are_sent_at_the_end_of_input() -> None:
    """By the real exporter, before the process ends."""
    with collecting() as (env, spans):
        with Piped("--demo", env={**env, "OTEL_SERVICE_NAME": "ours"}) as server:
            server.initialize()
            server.call("list_chats", {"limit": 1})
            assert server.end_of_input() == 0
        assert "tools/call list_chats" in names(spans)
    resource = {pair.key: pair.value.string_value for pair in spans[0].resource.attributes}
    assert resource["service.name"] == "ours"


def test_the_last_spans_are_sent_after_a_signal() -> None:
    """The same over HTTP."""
    command = [*COMMAND, "http", "--demo", "--port", "0"]
    with (
        collecting() as (env, spans),
        subprocess.Popen(command, env={**MEASURED, **env}, stderr=subprocess.PIPE, text=True) as server,
    ):
        try:
            assert server.stderr is not None
            url = [server.stderr.readline() for _ in range(2)][1].split()[-1]
            httpx.post(url, **posted("modern", "ping"), timeout=SECONDS, trust_env=False)
            server.terminate()
            assert server.wait(SECONDS) == 0
        finally:
            server.kill()
        assert names(spans) == ["ping"]
