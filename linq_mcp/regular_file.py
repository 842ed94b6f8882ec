"""Opens files that must be regular ones, without waiting for a FIFO or a device, and says whether others can write."""

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


def others_can_write(file: BinaryIO, path: Path) -> bool:
    """Whether users other than the owner can change the open `file`, or replace it in the folder of its `path`."""
    if os.name == "nt":
        return False
    folder = path.parent.stat().st_mode
    # In a folder with this bit, such as /tmp, others can't replace a file.
    modes = os.fstat(file.fileno()).st_mode | (0 if folder & stat.S_ISVTX else folder)
    return bool(modes & (stat.S_IWGRP | stat.S_IWOTH))
