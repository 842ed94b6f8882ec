"""What a tool is: a name, the texts and schemas a model is shown, and the call. Nothing about MCP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from linq_mcp.errors import LinqError
from linq_mcp.tools.support.parameters import input_schema, read_arguments

if TYPE_CHECKING:
    # httpx, which it brings, is not needed before the first call.
    from linq_mcp.api.client import LinqApi

ArgumentsT = TypeVar("ArgumentsT")
# The whole of a call, answered before clients give up on it.
CALL_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Call:
    """What a call may use: the account, and the moment (of `anyio.current_time()`) by which it must be answered.

    `progress` tells the client, if it asked, how many things have been read. `format_error` words an error for an
    answer that is returned in spite of it.
    """

    api: LinqApi
    deadline: float
    progress: Callable[[int], Awaitable[None]]
    format_error: Callable[[LinqError], str]


@dataclass(frozen=True, kw_only=True)
class Tool(Generic[ArgumentsT]):
    """One tool, read-only. `run` returns the JSON object of the answer; it raises only `LinqMcpError`.

    `arguments` is the dataclass the arguments are read into, `example` the arguments of a call that is right,
    as JSON. `not_found` says where valid ids come from, for when Linq does not know the one that was given.
    """

    name: str
    title: str
    description: str
    arguments: type[ArgumentsT]
    example: str
    output_schema: Mapping[str, Any]
    run: Callable[[ArgumentsT, Call], Awaitable[Mapping[str, Any]]]
    not_found: str = ""
    seconds: float = CALL_SECONDS

    @property
    def input_schema(self) -> dict[str, Any]:
        return input_schema(self.arguments)

    def read(self, given: Mapping[str, Any]) -> ArgumentsT:
        """The arguments in the tool's own type. Raises `ArgumentsError`."""
        return read_arguments(self.arguments, given)
