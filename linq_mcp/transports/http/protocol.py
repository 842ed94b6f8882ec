"""uvicorn's HTTP connection, with a deadline for everything a client has to do, and with limits that admit new clients.

uvicorn itself has a timeout for idle connections only, and its limit on connections would refuse `/healthz`, too.
"""

from __future__ import annotations

import asyncio
import socket
import struct

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from linq_mcp.transports.http.config import HttpLimits


class BoundedProtocol(H11Protocol):
    """One connection of a server, under the server's `limits`.

    It is closed if the headers of a request take too long (from the first byte, or on a new connection from the start),
    if the rest of a body takes too long after the answer, or if the client does not read its answers.

    The server's connections share two dictionaries, used as ordered sets: the connections whose client has not sent a
    whole request (`incomplete`), and those whose client has not read everything (`unread`). Each begins with the one
    that has been in it longest, which is closed when there are too many connections or too many unread bytes.
    """

    limits: HttpLimits
    incomplete: dict[BoundedProtocol, None]
    unread: dict[BoundedProtocol, None]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        # The transport then reports whether anything is unsent, rather than whether much is.
        transport.set_write_buffer_limits(high=0)
        self._read_deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None
        self._awaited: object = None
        self._await_client()
        if len(self.connections) > self.limits.connections:
            next(iter(self.incomplete)).drop()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._await_client()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_client(idle=True)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.unread[self] = None
        self._write_deadline = self.loop.call_later(self.limits.write_seconds, self.drop)
        if sum(one.transport.get_write_buffer_size() for one in self.unread) > self.limits.unread_bytes:
            next(iter(self.unread)).drop()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._end_write_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        if self.conn.their_state is h11.SEND_BODY:
            # Don't wait for a request that is still being sent.
            self.transport.close()
        else:
            super().shutdown()

    def drop(self) -> None:
        """Close the connection at once, and make the kernel discard unread data."""
        self._forget()
        linger = struct.pack("ii", 1, 0)
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.transport.abort()

    def _await_client(self, *, idle: bool = False) -> None:
        """Set the deadline of the client's next part of a request, unless it is set already.

        `idle` means that no byte of the next request has arrived yet; uvicorn's own timeout applies then.
        """
        state = self.conn.their_state
        awaited = (state, self.cycle, idle) if state in (h11.IDLE, h11.SEND_BODY) else None
        if awaited == self._awaited:
            return
        self._end_read_deadline()
        self._awaited = awaited
        if awaited is None:
            return
        self.incomplete[self] = None
        if state is h11.SEND_BODY:
            self._read_deadline = self.loop.call_later(self.limits.body_seconds, self._end_body)
        elif not idle:
            self._read_deadline = self.loop.call_later(self.limits.header_seconds, self.drop)

    def _end_body(self) -> None:
        # If there is no answer yet, `RequestBodyMiddleware`, which has the same deadline, is about to send one.
        if self.cycle.response_complete:
            self.drop()

    def _end_read_deadline(self) -> None:
        self.incomplete.pop(self, None)
        if self._read_deadline:
            self._read_deadline.cancel()

    def _end_write_deadline(self) -> None:
        self.unread.pop(self, None)
        if self._write_deadline:
            self._write_deadline.cancel()

    def _forget(self) -> None:
        self._end_read_deadline()
        self._end_write_deadline()


def bounded_protocol(limits: HttpLimits) -> type[BoundedProtocol]:
    """The class of one server's connections."""
    return type("ServerProtocol", (BoundedProtocol,), {"limits": limits, "incomplete": {}, "unread": {}})
