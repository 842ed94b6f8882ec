"""Serving over stdin and stdout, and leaving at once: on EOF, on a signal, and when the client is gone."""

from __future__ import annotations

import io
import logging
import os
import select
import signal
import stat
import sys
from collections.abc import AsyncIterator
from typing import Any, BinaryIO

import anyio
import anyio.lowlevel
import anyio.to_thread
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from linq_mcp.transports.jsonrpc import replace_lone_surrogates

logger = logging.getLogger(__name__)

# Clients kill a server that lingers; what has not unwound by then is cut off.
_UNWIND_SECONDS = 0.7
_CHUNK = 65536


class _Stdin(anyio.AsyncFile[str]):
    """stdin by lines, with three differences from what the SDK would read.

    A pipe is watched by the event loop, where the SDK keeps a thread; and where it takes a thread here too, a read
    under way does not hold up cancellation. Lines that came together are read together. And half an emoji (the escape
    of a lone surrogate, which JavaScript clients do write) is replaced: the SDK's parser refuses such a line and never
    answers it.
    """

    def __init__(self, binary: BinaryIO) -> None:
        super().__init__(io.TextIOWrapper(binary, encoding="utf-8", errors="replace"))
        # The wrapper is for the type; what is read goes past it.
        self._fd = binary.fileno()
        self._watched = _can_be_watched(self._fd)
        self.ended = anyio.Event()

    async def __aiter__(self) -> AsyncIterator[str]:
        begun: list[bytes] = []
        while chunk := await self._read():
            first, *rest = chunk.split(b"\n")
            begun.append(first)
            for piece in rest:
                yield replace_lone_surrogates(b"".join(begun).decode("utf-8", "replace"))
                begun = [piece]
        self.ended.set()
        if line := b"".join(begun):
            yield replace_lone_surrogates(line.decode("utf-8", "replace"))

    async def _read(self) -> bytes:
        if self._watched:
            await anyio.wait_readable(self._fd)
            return os.read(self._fd, _CHUNK)
        return await anyio.to_thread.run_sync(os.read, self._fd, _CHUNK, abandon_on_cancel=True)


class _Stdout(anyio.AsyncFile[str]):
    """stdout, where a message is written and flushed in one go: by the event loop into a pipe, else by a thread."""

    def __init__(self, binary: BinaryIO) -> None:
        super().__init__(io.TextIOWrapper(binary, encoding="utf-8"))
        self._fd = binary.fileno()
        self._watched = _can_be_watched(self._fd)

    async def write(self, text: Any) -> int:
        data = memoryview(text.encode())
        while data:
            if not self._watched:
                written = await anyio.to_thread.run_sync(os.write, self._fd, data)
            else:
                # A pipe that takes anything takes this much at once: the loop is never blocked.
                if not self._has_room():
                    await anyio.wait_writable(self._fd)
                written = os.write(self._fd, data[: select.PIPE_BUF])
            data = data[written:]
        return len(text)

    async def flush(self) -> None:
        await anyio.lowlevel.checkpoint()

    def _has_room(self) -> bool:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return bool(poll.poll(0))


def _can_be_watched(fd: int) -> bool:
    """Whether the event loop can wait for `fd`: for pipes and sockets, on systems that take any file for one."""
    mode = os.fstat(fd).st_mode
    return hasattr(select, "poll") and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))


async def serve_stdio(server: Server[Any]) -> int:
    """Serve until stdin ends, the client is gone or a signal comes, and close the lifespan; the exit code.

    Threads may still be blocked on stdin or a name look-up when this returns: leave with `os._exit`.
    """
    stdin = _Stdin(sys.stdin.buffer)
    stdout = _Stdout(os.fdopen(os.dup(sys.stdout.fileno()), "wb"))
    # What anything prints by mistake goes to stderr, if there is one: stdout is the protocol's.
    os.dup2(sys.stderr.fileno() if sys.stderr else os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    code = 0

    async def cut_off() -> None:
        await anyio.sleep(_UNWIND_SECONDS)
        os._exit(code)

    async def at_end_of_input() -> None:
        await stdin.ended.wait()
        await cut_off()

    async def at_signal(serving: anyio.CancelScope) -> None:
        nonlocal code
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for received in signals:
                code = 128 + signal.SIGINT if received == signal.SIGINT else 0
                serving.cancel()
                await cut_off()

    try:
        async with anyio.create_task_group() as tasks:
            with anyio.CancelScope() as serving:
                tasks.start_soon(at_end_of_input)
                if sys.platform != "win32":
                    tasks.start_soon(at_signal, serving)
                async with stdio_server(stdin=stdin, stdout=stdout) as (incoming, outgoing):
                    await server.run(incoming, outgoing, server.create_initialization_options())
            tasks.cancel_scope.cancel()
    except* OSError as gone:
        # Writing to a client that has died; there is nobody left to tell but the log.
        logger.info("the client is gone: %r", gone.exceptions)
    return code
