"""Serves one client over a stream in the protocol era that it settles on, the handshake's or that of 2026-07-28.

The SDK lets the first request decide. But clients that know both eras probe a server with `server/discover` first and
then send `initialize`, so here a probe settles nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from functools import partial
from typing import Any, Self

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.lowlevel import Server
from mcp.server.runner import serve_dual_era_loop
from mcp.shared.message import SessionMessage
from mcp.types.jsonrpc import JSONRPCRequest

_PROBE = "server/discover"
# There is no reason to send more than a message or two before the first request.
_MOST_EARLY = 64


class _PutBack:
    """`incoming`, with the messages in front that were read from it already."""

    def __init__(
        self,
        messages: Iterable[SessionMessage | Exception],
        incoming: MemoryObjectReceiveStream[SessionMessage | Exception],
    ) -> None:
        self._messages = deque(messages)
        self._incoming = incoming

    async def receive(self) -> SessionMessage | Exception:
        return self._messages.popleft() if self._messages else await self._incoming.receive()

    async def aclose(self) -> None:
        await self._incoming.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        return self._messages.popleft() if self._messages else await anext(self._incoming)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


async def serve_any_era(
    server: Server[Any],
    incoming: MemoryObjectReceiveStream[SessionMessage | Exception],
    outgoing: MemoryObjectSendStream[SessionMessage],
) -> None:
    """Serve until `incoming` ends. Opens and closes the lifespan of `server`, and closes both streams."""
    to_probes, probes = anyio.create_memory_object_stream[SessionMessage | Exception]()
    early = deque[SessionMessage | Exception](maxlen=_MOST_EARLY)
    async with server.lifespan(server) as state, anyio.create_task_group() as tasks:
        serve = partial(
            serve_dual_era_loop,
            server,
            lifespan_state=state,
            init_options=server.create_initialization_options(),
        )
        tasks.start_soon(serve, probes, outgoing.clone())
        async with incoming, outgoing, to_probes:
            async for message in incoming:
                request = message.message if isinstance(message, SessionMessage) else None
                if isinstance(request, JSONRPCRequest) and request.method == _PROBE:
                    await to_probes.send(message)
                    continue
                early.append(message)
                if isinstance(request, JSONRPCRequest):
                    break
            # From the first other request on, nothing stands between the stream and the SDK.
            await serve(_PutBack(early, incoming), outgoing)
