"""All errors that a call can end with. They know nothing about MCP; `wording.errors` writes their texts.

LinqMcpError
├── SettingsError             a setting is missing or can't be used; nothing was sent
├── ArgumentsError            the arguments are wrong; nothing was sent
├── LineNotOpenError          the line is not one of the open ones; nothing was sent
├── NotSentError              a rule forbids the message, or nobody agreed to it; nothing was sent
├── ConsentUsedError          an earlier call used the person's answer, and has probably sent the message
├── FileError                 the file of a message can't be fetched or shown
├── StoreError                the database in which readings are kept can't be used; calls go on in memory
└── LinqError                 there is no usable answer from Linq
    ├── ApiConnectionError    no answer arrived: connection, DNS, TLS, proxy, or out of time
    ├── ApiStatusError        Linq answered with an error status, usually with a code of its own
    └── ApiResponseError      the answer did not come from Linq: not JSON, another shape, too large, a redirect
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from linq_mcp.settings.problems import SettingsProblem

# Linq's codes for what it does not know, and for a number that is not the account's. Linq docs: Error codes.
CHAT_NOT_FOUND, MESSAGE_NOT_FOUND, NUMBER_NOT_FOUND = 2001, 2002, 2019

_RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
# HTTP status and Linq's code: a resource that does not exist yet, and a chat that is still being created.
_RETRIED_CODES = frozenset({(404, 2007), (409, 2009)})


class LinqMcpError(Exception):
    """The base of all errors that are reported to the caller."""


class SettingsError(LinqMcpError):
    """A setting is missing or can't be used, as `problem` says."""

    def __init__(self, problem: SettingsProblem) -> None:
        super().__init__(type(problem).__name__)
        self.problem = problem


class ArgumentsError(LinqMcpError):
    """The arguments of a call are wrong. `problems` has one sentence for each of them.

    `unknown` are the names of arguments that the tool does not have, nor any that is like them.
    """

    def __init__(self, problems: Sequence[str], unknown: Sequence[str] = ()) -> None:
        super().__init__(" ".join(problems))
        self.problems = tuple(problems)
        self.unknown = tuple(unknown)


class LineNotOpenError(LinqMcpError):
    """`line` is none of the numbers whose chats are open."""

    def __init__(self, line: str) -> None:
        super().__init__("The line is not open.")
        self.line = line


class NotSent(Enum):
    """Why a message was not sent."""

    OPTED_OUT = auto()
    CRITICAL = auto()
    NOT_PERMITTED = auto()  # by the operator's list of recipients
    LIMIT = auto()
    CANNOT_ASK = auto()  # the client has no way to ask a person
    DECLINED = auto()  # or cancelled, or not answered in time
    INVALID_CONSENT = auto()  # incomplete, or for another question


class NotSentError(LinqMcpError):
    """Nothing was sent, for `reason`; the text adds what is particular to the case."""

    def __init__(self, reason: NotSent, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ConsentUsedError(LinqMcpError):
    """The person's answer, which is good once, came a second time: the first call has probably sent the message."""

    def __init__(self) -> None:
        super().__init__("An earlier call used this answer, so the message has probably left.")


class FileProblem(Enum):
    """Why a file can't be fetched or shown."""

    GONE = auto()
    TOO_LARGE = auto()
    REFUSED = auto()  # its address, or what is at it, breaks a rule
    UNAVAILABLE = auto()  # connection, DNS, TLS, the status of an error, or out of time
    UNREADABLE = auto()  # damaged, or more work than a real file is


class FileError(LinqMcpError):
    """An attachment's file can't be fetched or shown, for the reason `problem`; the text says what is particular.

    `url` is its address where that may still be of use to a person.
    """

    url = ""

    def __init__(self, problem: FileProblem, message: str) -> None:
        super().__init__(message)
        self.problem = problem


class StoreProblem(Enum):
    """Why the database in which readings are kept can't be used."""

    UNREACHABLE = auto()  # the path
    DOWN = auto()  # the server, or it does not let the user in
    REFUSED = auto()  # by the server: the user has no right to the tables
    UNPREPARED = auto()  # there are no tables, and none may be made
    NO_DRIVER = auto()  # the extra is missing
    FOREIGN = auto()  # it holds something else
    NOT_YOURS = auto()  # the file belongs to another user
    NEWER = auto()  # a newer release has written it
    DAMAGED = auto()
    FULL = auto()  # the disk
    READ_ONLY = auto()
    BUSY = auto()  # a statement took too long
    FAILED = auto()


class StoreError(LinqMcpError):
    """The database in which readings are kept can't be used, for the reason `problem`. A call goes on without it.

    If it `is_transient`, nothing happened, as another process was in the way or the connection was lost: the same work
    may succeed now.
    """

    def __init__(self, problem: StoreProblem, message: str = "", *, is_transient: bool = False) -> None:
        super().__init__(message)
        self.problem = problem
        self.is_transient = is_transient


class LinqError(LinqMcpError):
    """There is no usable answer from Linq.

    `attempts` is how often the request was sent, `trace_id` the trace id of the last answer if it had one, `retryable`
    whether the same request may succeed later, and `retry_after` after how many seconds, if Linq said so.
    `may_have_sent` is set where the request was a message that Linq may have taken all the same.
    """

    retryable = False
    retry_after: float | None = None
    may_have_sent = False

    def __init__(self, message: str, *, trace_id: str | None = None) -> None:
        super().__init__(message)
        self.trace_id = trace_id
        self.attempts = 1


class ApiConnectionError(LinqError):
    """No answer arrived: the connection, DNS, TLS, or a proxy failed, or time ran out (`timed_out`).

    It is not `retryable` if a setting or a certificate has to be fixed first. `was_sent` is false if no byte of the
    request had left.
    """

    def __init__(self, message: str, *, timed_out: bool = False, retryable: bool = True, was_sent: bool = True) -> None:
        super().__init__(message)
        self.timed_out = timed_out
        self.retryable = retryable
        self.was_sent = was_sent


class ApiStatusError(LinqError):
    """Linq answered with the HTTP `status` of an error and its own `code` (0 if there is none)."""

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


class ApiResponseError(LinqError):
    """An answer arrived that did not come from Linq; the message says how it differs."""
