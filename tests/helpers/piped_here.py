"""A server behind raw pipes, without an SDK, in this process and event loop. Every wait is bounded."""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO, Any, Self

import anyio
import pytest
from helpers.piped import SECONDS
from mcp.server.lowlevel import Server

from linq_mcp.transports.stdio import serve_stdio


class PipedHere:
    """A server on stdin and stdout. Everything that it writes has to be received."""

    def __init__(self, to_server: IO[bytes], from_server: IO[bytes]) -> None:
        self._to_server, self._from_server = to_server, from_server
        self._received = b""
        self._codes: list[int] = []
        self._ended = anyio.Event()

    @classmethod
    @asynccontextmanager
    async def serving(cls, server: Server[Any], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Self]:
        # A busy machine may take longer to end, and this process lives on.
        monkeypatch.setattr("linq_mcp.transports.stdio._CLEAN_UP_SECONDS", SECONDS)
        stdin, to_server = map(os.fdopen, os.pipe(), ("r", "wb"))
        from_server, stdout = map(os.fdopen, os.pipe(), ("rb", "w"))
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "stdout", stdout)
        here = cls(to_server, from_server)

        async def serve() -> None:
            here._codes.append(await serve_stdio(server))
            here._ended.set()

        with stdin, to_server, from_server, stdout, anyio.fail_after(SECONDS):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(serve)
                yield here
            assert here._received == b""
            assert select.select([from_server], [], [], 0)[0] == []

    def send(self, message: dict[str, Any]) -> None:
        self._to_server.write(json.dumps(message).encode() + b"\n")
        self._to_server.flush()

    async def receive(self) -> dict[str, Any]:
        while b"\n" not in self._received:
            await anyio.wait_readable(self._from_server)
            self._received += os.read(self._from_server.fileno(), 65536)
        line, _, self._received = self._received.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    async def end_of_input(self) -> int:
        """Close stdin and wait for the exit code."""
        self._to_server.close()
        return await self.exit_code()

    async def exit_code(self) -> int:
        await self._ended.wait()
        return self._codes[0]
