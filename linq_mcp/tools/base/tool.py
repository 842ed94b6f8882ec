"""What a tool is: one declaration of its texts, parameters, result and behaviour, and its call. Nothing about MCP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic

from linq_mcp.contacts.directory import NOBODY, Directory
from linq_mcp.errors import LinqMcpError
from linq_mcp.rows.schema import json_schema
from linq_mcp.settings.sending import STRICTEST, SendSettings
from linq_mcp.tools.base.loop_yield import LoopYield
from linq_mcp.tools.base.parameters import ArgumentsT, input_schema, parse_arguments
from linq_mcp.tools.base.question import Ask, require_consent

if TYPE_CHECKING:
    # It imports httpx, which is not needed before the first call.
    from linq_mcp.api.scoped_client import OpenApi
    from linq_mcp.store.open_account import OpenAccount

# The time limit of a call; clients give up later.
CALL_SECONDS = 30.0
# Clients wait longer for a tool that reports progress.
SCAN_SECONDS = 45.0


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Call:
    """What a call may use: the account as far as it is open, and what it takes to answer.

    `api` reads one thing, `account` many. `deadline` is the moment, of `anyio.current_time()`, by which the call must
    be answered. `format_error` describes an error that a successful answer mentions. `caller` tells callers apart.
    `now` is the clock, `directory` knows the names of people. `yield_if_due` is awaited between the items of long work.
    `consent` is how a person is asked, `sending` the operator's rules for it.
    """

    api: OpenApi
    account: OpenAccount
    deadline: float
    format_error: Callable[[LinqMcpError], str]
    caller: str = ""
    directory: Directory = NOBODY
    now: Callable[[], datetime] = _utc_now
    yield_if_due: LoopYield = field(default_factory=LoopYield)
    consent: Ask = require_consent
    sending: SendSettings = STRICTEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """What a client may rely on when it decides whether to ask a person first. MCP: tool annotations."""

    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool


READS = Annotations(read_only=True, destructive=False, idempotent=True, open_world=True)
SENDS = Annotations(read_only=False, destructive=True, idempotent=False, open_world=True)
REACTS = Annotations(read_only=False, destructive=False, idempotent=False, open_world=True)


@dataclass(frozen=True, kw_only=True)
class Tool(Generic[ArgumentsT]):
    """One tool. `run` returns the answer, an object of the TypedDict `result`; it raises only `LinqMcpError`.

    `example` is the JSON of valid arguments. `not_found` says where valid ids come from, for when Linq does
    not know the one that was given. `seconds` is the time that a call may take. `asks` says that it asks a person
    before it sends something; `if_lost` is then what to do when nobody knows whether Linq took it. `has_view` says that
    its answer can also be shown as a page. With `shows_file`, the answer is a `FileAnswer`.
    """

    name: str
    title: str
    description: str
    arguments: type[ArgumentsT]
    result: type
    example: str
    annotations: Annotations
    run: Callable[[ArgumentsT, Call], Awaitable[Mapping[str, Any]]]
    shows_file: bool = False
    not_found: str = ""
    seconds: float = CALL_SECONDS
    asks: bool = False
    if_lost: str = ""
    has_view: bool = False

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """The JSON schema of the arguments."""
        return input_schema(self.arguments)

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        """The JSON schema of the answer."""
        return json_schema(self.result)

    def parse(self, given: Mapping[str, Any]) -> ArgumentsT:
        """The arguments in the tool's own type. Raises `ArgumentsError`."""
        return parse_arguments(self.arguments, given)
