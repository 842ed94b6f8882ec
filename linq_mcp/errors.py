"""Everything that can keep a call from its answer; nothing about MCP, and no texts for the reader (`format_error`).

LinqMcpError
├── SettingsError     a setting is missing or can't be used; nothing was sent
├── ArgumentsError    the tool does not take these arguments; nothing was sent
└── LinqError         Linq was asked and gave no answer that can be used
    ├── ApiConnectionError   no answer came: connection, DNS, TLS, proxy, or out of time
    ├── ApiStatusError      an error answer: an HTTP status, and usually a code of Linq's
    └── ApiResponseError    an answer that is not Linq's: no JSON, another shape, too large, a redirect
"""

from __future__ import annotations

from collections.abc import Sequence

_RETRIED_STATUS = frozenset({408, 429, 500, 502, 503, 504})
_CHAT_BEING_CREATED = 2009


class LinqMcpError(Exception):
    """The base of all errors that are told to the caller."""


class SettingsError(LinqMcpError):
    """A setting is missing or can't be used. Its text is `Settings.problem`."""


class ArgumentsError(LinqMcpError):
    """The arguments of a call are wrong. `problems` has one sentence for each wrong one."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = tuple(problems)


class LinqError(LinqMcpError):
    """Linq was asked and gave no answer that can be used.

    `attempts` is how often it was asked, `trace_id` Linq's `X-Trace-ID` of the last answer if there was one.
    """

    retryable = False
    retry_after: float | None = None

    def __init__(self, message: str, *, trace_id: str | None = None) -> None:
        super().__init__(message)
        self.trace_id = trace_id
        self.attempts = 1


class ApiConnectionError(LinqError):
    """No answer came: the connection, name look-up, TLS or proxy failed, or time ran out (`timed_out`)."""

    def __init__(self, message: str, *, timed_out: bool = False, retryable: bool = True) -> None:
        super().__init__(message)
        self.timed_out = timed_out
        self.retryable = retryable


class ApiStatusError(LinqError):
    """Linq answered with an error: HTTP `status`, Linq's own `code` (0 if none), `retry_after` in seconds."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: int = 0,
        retry_after: float | None = None,
        trace_id: str | None = None,
    ) -> None:
        super().__init__(message, trace_id=trace_id)
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.retryable = status in _RETRIED_STATUS or (status == 409 and code == _CHAT_BEING_CREATED)


class ApiResponseError(LinqError):
    """An answer came that is not one of Linq's: no JSON, another shape, over the size limit, or a redirect."""
