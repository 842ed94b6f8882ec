"""MCP over stdin and stdout, with one JSON-RPC message per line.

Every request that is not cancelled gets exactly one answer. Reading pauses while too many requests are unanswered, so a
client that does not read its answers can't make the server hold more of them. Serving ends on EOF, on SIGINT or
SIGTERM, and when nobody reads stdout any more.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import stat
import sys
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.lowlevel import Server
from mcp.shared.dispatcher import coerce_request_id
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp.types.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
)

from linq_mcp.transports.eras import serve_any_era
from linq_mcp.transports.jsonrpc import InvalidMessage, error_response, parse_message

logger = logging.getLogger(__name__)

MAX_LINE_BYTES = 8 * 1024 * 1024
MAX_UNANSWERED = 256
# Clients kill a server that is slow to exit. Any clean-up that takes longer than this is cut off.
_CLEAN_UP_SECONDS = 0.7
_HANG_UP_CHECK_SECONDS = 0.5
_CHUNK_BYTES = 65536

_ToServer = MemoryObjectSendStream[SessionMessage | Exception]
_ToClient = MemoryObjectSendStream[SessionMessage]
_FromServer = MemoryObjectReceiveStream[SessionMessage]


class _Line:
    """A line that arrives in pieces. If it grows too long, nothing of it is kept."""

    def __init__(self, piece: bytes = b"") -> None:
        self._kept = bytearray()
        self._too_long = False
        self.add(piece)

    def add(self, piece: bytes) -> None:
        self._too_long = self._too_long or len(self._kept) + len(piece) > MAX_LINE_BYTES
        if self._too_long:
            self._kept.clear()
        else:
            self._kept += piece

    def parse(self) -> JSONRPCMessage | InvalidMessage | None:
        """The message on the line, or why it is not valid. None for a blank line."""
        if self._too_long:
            return InvalidMessage(INVALID_REQUEST, f"A message may have at most {MAX_LINE_BYTES:,} bytes")
        line = bytes(self._kept)
        if not line.strip():
            return None
        try:
            return parse_message(line)
        except InvalidMessage as invalid:
            return invalid


class _Stdin:
    """Reads messages from a file descriptor: in the event loop from a pipe or socket, in a thread from anything else.

    Reading can be cancelled at once in both cases.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._watched = _can_be_watched(fd)

    async def messages(self) -> AsyncIterator[JSONRPCMessage | InvalidMessage]:
        line = _Line()
        while chunk := await self._read():
            first, *rest = chunk.split(b"\n")
            line.add(first)
            for piece in rest:
                if message := line.parse():
                    yield message
                line = _Line(piece)
        if message := line.parse():
            yield message

    async def _read(self) -> bytes:
        if self._watched:
            await anyio.wait_readable(self._fd)
            return os.read(self._fd, _CHUNK_BYTES)
        return await anyio.to_thread.run_sync(os.read, self._fd, _CHUNK_BYTES, abandon_on_cancel=True)

    def is_hung_up(self) -> bool:
        """Whether the client has closed its end, even while there is more to read."""
        if not self._watched:
            return False
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return any(event & select.POLLHUP for _, event in poll.poll(0))


class _Stdout:
    """Writes bytes to a file descriptor: in the event loop to a pipe or socket, in a thread to anything else."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._poll = select.poll() if _can_be_watched(fd) else None
        if self._poll:
            self._poll.register(fd, select.POLLOUT)

    async def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            if not self._poll:
                written = await anyio.to_thread.run_sync(os.write, self._fd, rest)
            else:
                # A pipe that is writable takes this many bytes at once, so writing never blocks the event loop.
                if not self._poll.poll(0):
                    await anyio.wait_writable(self._fd)
                written = os.write(self._fd, rest[: select.PIPE_BUF])
            rest = rest[written:]


def _can_be_watched(fd: int) -> bool:
    """Whether the event loop can wait for `fd`: for pipes and sockets, on systems with `poll`."""
    mode = os.fstat(fd).st_mode
    return hasattr(select, "poll") and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))


class _ErrorResponse(SessionMessage):
    """An error response that the transport itself sends, to a message that never reaches the server."""


class _Unanswered:
    """The messages that were read but not answered yet: requests by their ids, and the number of error responses."""

    def __init__(self) -> None:
        self._ids: set[RequestId] = set()
        self._errors = 0
        self._decreased: anyio.Event | None = None

    async def wait_for_room(self, stdin: _Stdin) -> bool:
        """Wait until another message may be read; False if the client hangs up meanwhile."""
        while len(self._ids) + self._errors >= MAX_UNANSWERED:
            self._decreased = anyio.Event()
            # While nothing is read, EOF has to be checked for.
            with anyio.move_on_after(_HANG_UP_CHECK_SECONDS) as waiting:
                await self._decreased.wait()
            if waiting.cancelled_caught and stdin.is_hung_up():
                return False
        return True

    def add(self, message: JSONRPCRequest | InvalidMessage) -> SessionMessage:
        """Count `message`. Returns what to send: the request to the server, or an error response to the client."""
        if isinstance(message, JSONRPCRequest):
            # The SDK treats 7 and "7" as the same id and would lose one of two such requests.
            key = coerce_request_id(message.id)
            if key not in self._ids:
                self._ids.add(key)
                return SessionMessage(
                    message, ServerMessageMetadata(on_request_unanswered=partial(self._cancelled, key))
                )
            error = error_response(message.id, INVALID_REQUEST, "A request with this id is still unanswered")
        else:
            error = message.answer
        self._errors += 1
        return _ErrorResponse(error)

    def remove(self, written: SessionMessage) -> None:
        """Stop counting the message that `written` answers, if it answers one."""
        if isinstance(written, _ErrorResponse):
            self._errors -= 1
        elif isinstance(written.message, JSONRPCResponse | JSONRPCError) and written.message.id is not None:
            self._ids.discard(coerce_request_id(written.message.id))
        self._wake()

    async def _cancelled(self, key: RequestId) -> None:
        # A request that the client has cancelled is never answered.
        self._ids.discard(key)
        self._wake()

    def _wake(self) -> None:
        if self._decreased:
            self._decreased.set()


async def _read_messages(stdin: _Stdin, to_server: _ToServer, to_client: _ToClient, unanswered: _Unanswered) -> None:
    """Until EOF, pass each message to the server, or an error response to the client if it is invalid."""
    async for message in stdin.messages():
        if isinstance(message, InvalidMessage) and not message.expects_answer:
            if message.responds_to is not None:
                failed = error_response(message.responds_to, INVALID_REQUEST, str(message))
                await to_server.send(SessionMessage(failed))
            continue
        if not isinstance(message, JSONRPCRequest | InvalidMessage):
            await to_server.send(SessionMessage(message))
            continue
        if not await unanswered.wait_for_room(stdin):
            return
        counted = unanswered.add(message)
        receiver = to_client if isinstance(counted, _ErrorResponse) else to_server
        try:
            # Saves a turn of the event loop when the other side is waiting.
            receiver.send_nowait(counted)
        except anyio.WouldBlock:
            await receiver.send(counted)


async def _write_messages(from_server: _FromServer, stdout: _Stdout, unanswered: _Unanswered) -> None:
    """Write each message as one line until the stream is closed."""
    async for message in from_server:
        await stdout.write(_to_line(message.message))
        unanswered.remove(message)


def _to_line(message: JSONRPCMessage) -> bytes:
    try:
        return message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
    except ValueError as error:
        # For example, a result with a lone surrogate. The error's own text may quote the result.
        logger.error("A message cannot be written as JSON: %s", type(error).__name__)  # noqa: TRY400
        request_id = message.id if isinstance(message, JSONRPCResponse | JSONRPCError) else None
        return _to_line(error_response(request_id, INTERNAL_ERROR, "The answer cannot be written as JSON"))


async def serve_stdio(server: Server[Any]) -> int:
    """Serve one client until it leaves or a signal comes, and close the lifespan. Returns the exit code.

    Threads may still be blocked on stdin or a name look-up when this returns: leave with `os._exit`.
    """
    stdin = _Stdin(sys.stdin.fileno())
    stdout = _Stdout(os.dup(sys.stdout.fileno()))
    # Only the protocol may use stdout, so anything that is printed by mistake goes to stderr, if there is one.
    os.dup2(sys.stderr.fileno() if sys.stderr else os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception]()
    outgoing, from_server = anyio.create_memory_object_stream[SessionMessage](MAX_UNANSWERED)
    unanswered = _Unanswered()
    serving = anyio.CancelScope()
    leaving = anyio.Event()
    code = 0

    async def cut_off() -> None:
        await leaving.wait()
        await anyio.sleep(_CLEAN_UP_SECONDS)
        os._exit(code)

    async def leave_on_signal() -> None:
        nonlocal code
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for received in signals:
                code = 128 + signal.SIGINT if received == signal.SIGINT else 0
                leaving.set()
                serving.cancel()

    async def read(to_client: _ToClient) -> None:
        async with to_server, to_client:
            try:
                await _read_messages(stdin, to_server, to_client, unanswered)
            except OSError as error:
                logger.info("stdin cannot be read: %r", error)
            leaving.set()

    async def write() -> None:
        async with from_server:
            try:
                await _write_messages(from_server, stdout, unanswered)
            except OSError as error:
                # The client has gone away, so there is nobody else to tell.
                logger.info("the client is gone: %r", error)
                leaving.set()
                serving.cancel()

    async with anyio.create_task_group() as watching:
        watching.start_soon(cut_off)
        if sys.platform != "win32":
            watching.start_soon(leave_on_signal)
        # The writer is outside `serving`, so that calls that a signal ends are still answered with an error.
        async with anyio.create_task_group() as writing:
            writing.start_soon(write)
            with serving:
                async with anyio.create_task_group() as reading, outgoing:
                    reading.start_soon(read, outgoing.clone())
                    await serve_any_era(server, incoming, outgoing)
                    reading.cancel_scope.cancel()
        watching.cancel_scope.cancel()
    return code
