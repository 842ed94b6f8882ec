"""What operators see with tools of their own: metrics and traces, each if the extra for it is installed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linq_mcp.transports.http.metrics import Metrics

logger = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def open_metrics() -> Metrics | None:
    """The server's metrics; None without the extra."""
    try:
        from linq_mcp.transports.http.metrics import Metrics
    except ModuleNotFoundError:
        return None
    return Metrics()


def start_traces(environ: Mapping[str, str]) -> Callable[[], None]:
    """Send traces if `environ` asks for them by one of OpenTelemetry's variables. The result ends that."""
    if not _asks_for_traces(environ):
        return lambda: None
    try:
        from linq_mcp.transports import traces
    except ModuleNotFoundError:
        # Clients may have the variables for traces of their own, so this is not worth a warning.
        logger.info("no traces are sent: they need the extra linq-mcp[otel]")
        return lambda: None
    return partial(traces.end, traces.start())


def _asks_for_traces(environ: Mapping[str, str]) -> bool:
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if exporters := environ.get("OTEL_TRACES_EXPORTER", "").strip():
        return "otlp" in exporters.split(",")
    return any(environ.get(name, "").strip() for name in _ENDPOINTS)
