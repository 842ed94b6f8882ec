"""The output of commands: logging to a stderr that never blocks, and a stdout that replaces what it can't encode."""

from __future__ import annotations

import io
import logging
import os
import select
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from linq_mcp.logs import JsonFormatter, SafeFormatter

if TYPE_CHECKING:
    from linq_mcp.settings.problems import SettingsWarning


LOG_FORMATS: dict[str, logging.Formatter] = {
    "plain": SafeFormatter("%(levelname)s %(name)s: %(message)s"),
    "text": SafeFormatter("%(asctime)s %(levelname)s %(request_id)s %(name)s: %(message)s"),
    "json": JsonFormatter(),
}


def log_to_stderr(level: str, log_format: str = "plain") -> None:
    """Log to stderr: linq-mcp's own records from `level` up, and those of libraries from WARNING up."""
    handler = logging.StreamHandler(LossyStderr())
    handler.setFormatter(LOG_FORMATS[log_format])
    # Libraries log whole URLs at INFO, which contain people's numbers.
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("linq_mcp").setLevel(level)
    logging.captureWarnings(True)


def warn(warnings: Iterable[SettingsWarning]) -> None:
    """Log each of `warnings`."""
    from linq_mcp.wording.settings import format_warning

    for warning in warnings:
        logging.getLogger("linq_mcp").warning(format_warning(warning))


def replace_unencodable(stream: TextIO) -> None:
    """Make `stream` print a question mark for characters that its encoding lacks."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")


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
