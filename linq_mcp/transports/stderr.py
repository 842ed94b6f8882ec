"""A stderr for logging that never blocks: records that nobody reads are dropped and counted."""

from __future__ import annotations

import io
import os
import select
import sys


class LossyStderr:
    """A stream for `logging.StreamHandler`.

    Many clients never read a server's stderr. Once its pipe is full, a plain write would block the whole process, and
    with it the event loop and its signal handlers. As soon as there is room again, a line says how many were dropped.
    """

    def __init__(self) -> None:
        self._stderr = sys.stderr
        try:
            self._fd = self._stderr.fileno() if self._stderr else None
        except io.UnsupportedOperation:
            # Something in this process, such as a test, captures stderr; that can't block.
            self._fd = None
        self._dropped = 0

    def write(self, text: str) -> int:
        if self._fd is None:
            return self._stderr.write(text) if self._stderr else 0
        note = f"\n({self._dropped} log records were dropped while nobody read stderr)\n" if self._dropped else ""
        if self._write(self._fd, (note + text).encode("utf-8", "backslashreplace")):
            self._dropped = 0
        else:
            self._dropped += 1
        return len(text)

    def flush(self) -> None:
        """Nothing is buffered."""

    def _write(self, fd: int, data: bytes) -> bool:
        if not hasattr(select, "poll"):
            os.write(fd, data)
            return True
        poll = select.poll()
        poll.register(fd, select.POLLOUT)
        while data:
            if not poll.poll(0):
                return False
            # A pipe that is writable takes this many bytes at once.
            data = data[os.write(fd, data[: select.PIPE_BUF]) :]
        return True
