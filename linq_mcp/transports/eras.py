"""Serves one client over a stream in the protocol era that it settles on, the handshake's or that of 2026-07-28.

The SDK lets the first request decide. But clients that know both eras probe a server with `server/discover` first and
then send `initialize`, so here a probe settles nothing.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.lowlevel import Server
from mcp.server.runner import serve_dual_era_loop
from mcp.shared.message import SessionMessage
from mcp.types.jsonrpc import JSONRPCRequest

_PROBE = "server/discover"


async def serve_any_era(
    server: Server[Any],
    incoming: MemoryObjectReceiveStream[SessionMessage | Exception],
    outgoing: MemoryObjectSendStream[SessionMessage],
) -> None:
    """Serve until `incoming` ends. Opens and closes the lifespan of `server`, and closes both streams."""
    to_probes, probes = anyio.create_memory_object_stream[SessionMessage | Exception]()
    to_rest, rest = anyio.create_memory_object_stream[SessionMessage | Exception]()
    settled = False
    async with server.lifespan(server) as state, anyio.create_task_group() as tasks:
        serve = partial(
            serve_dual_era_loop,
            server,
            lifespan_state=state,
            init_options=server.create_initialization_options(),
        )
        tasks.start_soon(serve, probes, outgoing.clone())
        tasks.start_soon(serve, rest, outgoing)
        async with incoming, to_probes, to_rest:
            async for message in incoming:
                request = message.message if isinstance(message, SessionMessage) else None
                is_probe = isinstance(request, JSONRPCRequest) and request.method == _PROBE
                settled = settled or (isinstance(request, JSONRPCRequest) and not is_probe)
                await (to_probes if is_probe and not settled else to_rest).send(message)
