"""Everything that can keep a call from its answer; nothing about MCP. `format_error` words it for the reader.

LinqMcpError
├── SettingsError             a setting is missing or cannot be used; nothing was sent
├── ArgumentsError            the tool does not take these arguments; nothing was sent
├── LineNotOpenError          the line is none of those that are open; nothing was sent
└── LinqError                 Linq was asked, but there is no usable answer
    ├── ApiConnectionError    no answer arrived: connection, DNS, TLS, proxy, or out of time
    ├── ApiStatusError        an error answer: an HTTP status, and usually one of Linq's codes
    └── ApiResponseError      the answer is not one of Linq's: not JSON, another shape, too large, a redirect
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from linq_mcp.settings.problems import SettingsProblem

# Linq's codes for what it does not know, and for a number that is not the account's. Linq docs: Error codes.
CHAT_NOT_FOUND, MESSAGE_NOT_FOUND, NUMBER_NOT_FOUND = 2001, 2002, 2019
FOREIGN_LINE = frozenset({2006, NUMBER_NOT_FOUND})

_RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
# HTTP status and Linq's code: a resource that is not there yet, and a chat that is still being created.
_RETRIED_CODES = frozenset({(404, 2007), (409, 2009)})


class LinqMcpError(Exception):
    """The base of all errors that are reported to the caller."""


class SettingsError(LinqMcpError):
    """A setting is missing or can't be used, as `problem` says."""

    def __init__(self, problem: SettingsProblem) -> None:
        super().__init__(type(problem).__name__)
        self.problem = problem


class ArgumentsError(LinqMcpError):
    """The arguments of a call are wrong. `problems` has one sentence for each of them."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = tuple(problems)


class LineNotOpenError(LinqMcpError):
    """`line` is none of the numbers whose chats are open."""

    def __init__(self, line: str) -> None:
        super().__init__("The line is not open.")
        self.line = line


class LinqError(LinqMcpError):
    """Linq was asked, but there is no usable answer.

    `attempts` is how often it was asked, `trace_id` the `X-Trace-ID` of the last answer if there was one, `retryable`
    whether the same request may well succeed later, and `retry_after` in how many seconds, if Linq said so.
    """

    retryable = False
    retry_after: float | None = None

    def __init__(self, message: str, *, trace_id: str | None = None) -> None:
        super().__init__(message)
        self.trace_id = trace_id
        self.attempts = 1


class ApiConnectionError(LinqError):
    """No answer arrived: the connection, name look-up, TLS or proxy failed, or time ran out (`timed_out`).

    It is not `retryable` when a setting or a certificate has to be mended first.
    """

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
        self.retryable = status in _RETRIED_STATUSES or (status, code) in _RETRIED_CODES


class ResponseProblem(Enum):
    """Why an answer cannot be one of Linq's."""

    NOT_JSON = auto()
    WRONG_SHAPE = auto()
    TOO_LARGE = auto()
    BAD_ENCODING = auto()
    REDIRECT = auto()
    NOT_MODIFIED = auto()


class ApiResponseError(LinqError):
    """An answer arrived that is not one of Linq's; `problem` says why."""

    def __init__(
        self,
        message: str,
        *,
        problem: ResponseProblem = ResponseProblem.WRONG_SHAPE,
        trace_id: str | None = None,
    ) -> None:
        super().__init__(message, trace_id=trace_id)
        self.problem = problem
