"""The metrics at `/metrics`, for Prometheus. Needs `prometheus-client`, of the extra `http`.

Names, labels and buckets are those of OpenTelemetry's semantic conventions for MCP and HTTP; other names begin
with `linq_mcp_`. No label has a value that a caller could choose, so the number of series has a limit.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import choose_encoder

from linq_mcp import __version__
from linq_mcp.api.http_client import LinqRequest
from linq_mcp.server.call_record import CallRecord, Outcome
from linq_mcp.transports.http.access_log import HttpRecord

_MCP_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
_HTTP_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_NO_ANSWER = "no_answer"
_NO_ERROR = frozenset({Outcome.OK, Outcome.ASKED})
_NO_TOOL_ERROR = frozenset({Outcome.CANCELLED, Outcome.PROTOCOL_ERROR})


class Metrics:
    """The metrics of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        # Memory, CPU time, and open files, where the system has them.
        ProcessCollector(registry=self._registry)
        Info("linq_mcp", "The server.", registry=self._registry).info({"version": __version__})
        self._operations = Histogram(
            "mcp_server_operation_duration_seconds",
            "MCP requests, by method, tool, and outcome.",
            ["mcp_method_name", "gen_ai_tool_name", "outcome", "error_type"],
            buckets=_MCP_SECONDS,
            registry=self._registry,
        )
        self._requests = Histogram(
            "http_server_request_duration_seconds",
            "HTTP requests to this server.",
            ["http_request_method", "http_route", "http_response_status_code"],
            buckets=_HTTP_SECONDS,
            registry=self._registry,
        )
        self._linq_requests = Histogram(
            "http_client_request_duration_seconds",
            "HTTP requests of this server to Linq, each attempt by itself.",
            ["http_request_method", "http_response_status_code", "error_type"],
            buckets=_HTTP_SECONDS,
            registry=self._registry,
        )
        self._retries = Counter(
            "linq_mcp_linq_retries", "Requests to Linq that were sent again.", registry=self._registry
        )
        self._in_flight = Gauge("linq_mcp_calls_in_flight", "MCP requests in progress.", registry=self._registry)

    def count_calls_in_flight(self, count: Callable[[], int]) -> None:
        self._in_flight.set_function(count)

    def observe_request(self, record: HttpRecord) -> None:
        """Count a request to this server."""
        status = str(record.status or "")
        self._requests.labels(record.method, record.path, status).observe(record.seconds)
        call = record.call
        if call.outcome:
            self._operations.labels(call.method, call.tool, call.outcome, _error_type(call)).observe(record.seconds)

    def observe_linq_request(self, request: LinqRequest) -> None:
        """Count a request to Linq."""
        error = _NO_ANSWER if not request.status else str(request.status) if request.status >= 400 else ""
        self._linq_requests.labels(request.method, str(request.status or ""), error).observe(request.seconds)
        if request.is_retry:
            self._retries.inc()

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """All of it, and its media type, in a format that `accept` allows."""
        try:
            encode, media_type = choose_encoder(accept)
        except TypeError:
            # It compares a version that is no number with one that is.
            encode, media_type = choose_encoder("")
        return encode(self._registry), media_type


def _error_type(call: CallRecord) -> str:
    if call.outcome in _NO_ERROR:
        return ""
    return str(call.outcome) if call.outcome in _NO_TOOL_ERROR else "tool_error"
