"""The record of a request and its outcome, for the log and the metrics of a transport, in words from closed sets.

The transport makes a `CallRecord` for each request and reads it at the end. But for the audit's `name` and `target`, it
holds nothing that a caller or anyone else wrote: no key, no text, and of unknown tools and methods not even the name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.types.methods import SPEC_CLIENT_METHODS

from linq_mcp.errors import (
    ApiConnectionError,
    ApiResponseError,
    ApiStatusError,
    ArgumentsError,
    ConsentUsedError,
    FileError,
    LineNotOpenError,
    LinqMcpError,
    NotSentError,
    SettingsError,
    StoreError,
)

OTHER = "_OTHER"


class Outcome(StrEnum):
    """How a request ended. From `SETTINGS` on, the answer is a tool's error."""

    OK = "ok"
    ASKED = "asked"  # the answer is a question to a person
    CANCELLED = "cancelled"  # by the caller, or because the server stopped
    PROTOCOL_ERROR = "protocol_error"
    SETTINGS = "settings_error"
    ARGUMENTS = "arguments_error"
    NOT_SENT = "not_sent"
    LINQ_CONNECTION = "linq_connection_error"
    LINQ_STATUS = "linq_status_error"
    LINQ_RESPONSE = "linq_response_error"
    FILE = "file_error"
    INTERNAL = "internal_error"


_OUTCOMES: dict[type[LinqMcpError], Outcome] = {
    SettingsError: Outcome.SETTINGS,
    StoreError: Outcome.SETTINGS,
    ArgumentsError: Outcome.ARGUMENTS,
    LineNotOpenError: Outcome.ARGUMENTS,
    NotSentError: Outcome.NOT_SENT,
    ConsentUsedError: Outcome.NOT_SENT,
    ApiConnectionError: Outcome.LINQ_CONNECTION,
    ApiStatusError: Outcome.LINQ_STATUS,
    ApiResponseError: Outcome.LINQ_RESPONSE,
    FileError: Outcome.FILE,
}


@dataclass
class CallRecord:
    """One request: the hash of its caller, the MCP method, the tool if it called one, and how that ended.

    `outcome` is None for a request that never got as far as MCP, and for a notification. `linq_requests` counts the
    requests to Linq. For an audit, `name` is the caller's name at the identity provider, and `target` the chat,
    message, or line in the arguments.
    """

    caller: str = ""
    method: str = ""
    tool: str = ""
    outcome: Outcome | None = None
    linq_requests: int = 0
    name: str = ""
    target: dict[str, str] = field(default_factory=dict)


def outcome_of(error: LinqMcpError) -> Outcome:
    return _OUTCOMES.get(type(error), Outcome.INTERNAL)


def record_of(context: ServerRequestContext[Any, Any]) -> CallRecord:
    """The record that the transport made; where it made none, as on stdio, one that nobody reads."""
    found = context.request and getattr(context.request.state, "call", None)
    return found if isinstance(found, CallRecord) else CallRecord()


async def record_call(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """A middleware of the MCP server, the outermost one, that records the method and the outcome of each request."""
    if ctx.request_id is None:
        return await call_next(ctx)
    record = record_of(ctx)
    record.method = ctx.method if ctx.method in SPEC_CLIENT_METHODS else OTHER
    # This remains if the request never ends: the transport may read the record before a cancelled tool has stopped.
    record.outcome = Outcome.CANCELLED
    try:
        result = await call_next(ctx)
    except Exception:
        if record.outcome is Outcome.CANCELLED:
            record.outcome = Outcome.PROTOCOL_ERROR
        raise
    if record.outcome is Outcome.CANCELLED:
        record.outcome = Outcome.OK
    return result
