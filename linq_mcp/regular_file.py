"""Opens files that must be regular ones, and never waits for a FIFO or a device in their place."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path) -> BinaryIO:
    """Open `path` for reading. Raises OSError if there is no such file, or if it is anything but a regular file."""
    file = open(path, "rb", opener=_open_without_waiting)  # noqa: SIM115 - closed by the caller
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is not a regular file")
    return file


def _open_without_waiting(path: str, flags: int) -> int:
    # Opening a FIFO would otherwise wait until somebody writes into it.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
