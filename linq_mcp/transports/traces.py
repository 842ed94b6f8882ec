"""Sends the MCP SDK's spans to an OpenTelemetry collector. Needs the extra `linq-mcp[otel]`.

A span says which method and tool was called, when, for how long, and whether that failed. What callers and people
wrote is left out: messages of errors, tracebacks, and names that are not this server's own. Where spans go, how many
are sampled, and how they are sent follows the usual `OTEL_…` variables, which the libraries read themselves.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence

from mcp.types.methods import SPEC_CLIENT_METHODS, SPEC_CLIENT_NOTIFICATION_METHODS
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Status

from linq_mcp import __version__
from linq_mcp.server.call_record import OTHER
from linq_mcp.server.prompts import PROMPTS
from linq_mcp.tools import SEND_TOOLS, TOOLS

# The attributes that are sent. A set holds the values that are: a caller can put any name into a request.
_METHOD = "mcp.method.name"
_METHODS = SPEC_CLIENT_METHODS | SPEC_CLIENT_NOTIFICATION_METHODS
_TARGETS = {
    "gen_ai.tool.name": frozenset(tool.name for tool in (*TOOLS, *SEND_TOOLS)),
    "gen_ai.prompt.name": frozenset(prompt.name for prompt in PROMPTS),
}
_ATTRIBUTES = frozenset(
    {
        "error.type",
        "gen_ai.operation.name",
        "mcp.protocol.version",
        "rpc.response.status_code",
    }
)
# A caller may use a sentence as the id of a request.
_REQUEST_ID = "jsonrpc.request.id"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class SafeSpanExporter(SpanExporter):
    """Passes spans on to `exporter` without anything that a caller or another person wrote."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([_without_texts(span) for span in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def start(exporter: SpanExporter | None = None) -> TracerProvider:
    """Send the spans of this process to `exporter`, or without one to where the environment says."""
    named = {"service.name": "linq-mcp", "service.version": __version__, **OTELResourceDetector().detect().attributes}
    provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(SafeSpanExporter(exporter or OTLPSpanExporter())))
    trace.set_tracer_provider(provider)
    return provider


def end(provider: TracerProvider, seconds: float = 2) -> None:
    """Send the last spans. A collector that does not answer delays the end of the process by no more than `seconds`."""
    # A thread, because the exporter tries again for ten seconds or so.
    sending = threading.Thread(target=provider.shutdown, daemon=True)
    sending.start()
    sending.join(seconds)


def _without_texts(span: ReadableSpan) -> ReadableSpan:
    given = span.attributes or {}
    attributes = {name: value for name, value in given.items() if name in _ATTRIBUTES}
    if _ID.fullmatch(request_id := str(given.get(_REQUEST_ID, ""))):
        attributes[_REQUEST_ID] = request_id
    method = given.get(_METHOD)
    # Spans of the kind `CLIENT` are about requests of this server.
    attributes[_METHOD] = method if method in _METHODS or span.kind is SpanKind.CLIENT else OTHER
    name = str(attributes[_METHOD])
    for attribute, known in _TARGETS.items():
        if attribute in given:
            attributes[attribute] = given[attribute] if given[attribute] in known else OTHER
            name += f" {attributes[attribute]}"
    return ReadableSpan(
        name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
