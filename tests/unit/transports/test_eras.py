"""Which era a stream is served in, whatever a client asks before it settles on one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import httpx
import pytest
from helpers.linq import account_over
from helpers.piped import HELLO, modern
from mcp.shared.message import SessionMessage
from mcp.types.jsonrpc import JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from linq_mcp.server.app import build_server
from linq_mcp.transports.eras import serve_any_era

Asked = tuple[str, Mapping[str, Any]]
PROBE: Asked = ("server/discover", modern())
LATER: Asked = (
    "server/discover",
    {"_meta": {**modern()["_meta"], "io.modelcontextprotocol/protocolVersion": "2027-01-01"}},
)
BARE: Asked = ("server/discover", {})
HANDSHAKE: Asked = ("initialize", HELLO)
TOOLS: Asked = ("tools/list", {})
MODERN_TOOLS: Asked = ("tools/list", modern())


async def outcomes(asked: Sequence[Asked]) -> list[int | str]:
    """For each request in turn the code of its error, or the protocol version or the first tool of its result."""
    server = build_server(account_over(lambda _: httpx.Response(500)))
    to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception]()
    outgoing, from_server = anyio.create_memory_object_stream[SessionMessage]()
    found: list[int | str] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve_any_era, server, incoming, outgoing)
        async with to_server, from_server:
            for number, (method, params) in enumerate(asked):
                request = JSONRPCRequest(jsonrpc="2.0", id=number, method=method, params=dict(params))
                await to_server.send(SessionMessage(request))
                with anyio.fail_after(10):
                    answer = (await from_server.receive()).message
                assert isinstance(answer, JSONRPCResponse | JSONRPCError)
                assert answer.id == number
                if isinstance(answer, JSONRPCError):
                    found.append(answer.error.code)
                    continue
                if method == "initialize":
                    initialized = JSONRPCNotification(jsonrpc="2.0", method="notifications/initialized")
                    await to_server.send(SessionMessage(initialized))
                result = answer.result
                tools = result.get("tools")
                found.append(tools[0]["name"] if tools else str(result.get("protocolVersion", "discovered")))
        tasks.cancel_scope.cancel()
    return found


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ([PROBE, HANDSHAKE, TOOLS], ["discovered", "2025-11-25", "list_chats"]),
        ([LATER, HANDSHAKE, TOOLS], [-32022, "2025-11-25", "list_chats"]),
        ([LATER, PROBE, HANDSHAKE, TOOLS], [-32022, "discovered", "2025-11-25", "list_chats"]),
        ([BARE, HANDSHAKE, TOOLS], [-32601, "2025-11-25", "list_chats"]),
        ([PROBE, MODERN_TOOLS, PROBE], ["discovered", "list_chats", "discovered"]),
        ([LATER, MODERN_TOOLS], [-32022, "list_chats"]),
        ([HANDSHAKE, TOOLS], ["2025-11-25", "list_chats"]),
        # What is not a probe settles the era, as the SDK has it.
        ([PROBE, MODERN_TOOLS, HANDSHAKE], ["discovered", "list_chats", -32022]),
        ([HANDSHAKE, MODERN_TOOLS], ["2025-11-25", -32600]),
    ],
    ids=lambda value: "-".join(str(one) if isinstance(one, str | int) else one[0] for one in value),
)
async def test_a_probe_settles_nothing(asked: Sequence[Asked], wanted: list[int | str]) -> None:
    """Clients that know both eras ask what the server is, and then shake hands if they don't like the answer."""
    assert await outcomes(asked) == wanted
