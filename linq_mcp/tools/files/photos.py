"""Shrinks photos in a sandboxed subprocess (`photo_process`)."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from functools import cache

import anyio
from anyio.abc import ByteSendStream

from linq_mcp.errors import FileError, FileProblem
from linq_mcp.tools.files import photo_process
from linq_mcp.tools.files.file_types import Kind, file_type
from linq_mcp.tools.files.photo_process import MOST_PIXELS, Conversion, Unusable
from linq_mcp.tools.files.places import Places

# All that a Python needs to find itself and its libraries. The rest of the environment may hold secrets.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_CHUNK = 64 * 1024
# On Windows, a window would open otherwise.
_FLAGS = getattr(subprocess, "CREATE_NO_WINDOW", 0)
# The largest photo takes some 350 MB.
_PROCESSES = Places(each=2, in_all=8)
_PR_SET_DUMPABLE = 4


async def shown_photo(photo: bytes | bytearray, caller: str) -> tuple[Conversion, bytes]:
    """The outcome for `photo`, and a new one where the old one can't be shown. Raises `FileError`."""
    async with _PROCESSES.held_by(caller):
        _close_memory()
        try:
            output = await _output(photo)
        except OSError:
            raise _unreadable("The process that decodes photos could not be started.") from None
    line, _, shown = output.partition(b"\n")
    try:
        outcome = Conversion.from_json(line)
    except (ValueError, TypeError):
        outcome = None
    if outcome is None or (shown and file_type(shown, None).kind is not Kind.IMAGE):
        # An error in the photo, or too much time or memory, ended the process.
        raise _unreadable("It is damaged, or decoding it takes more than decoding a photo should.")
    match outcome.unusable:
        case Unusable.TOO_MANY_PIXELS:
            raise _unreadable(
                f"It is {outcome.width:,} by {outcome.height:,} pixels; photos of at most {MOST_PIXELS // 1_000_000} "
                "million pixels are decoded."
            )
        case Unusable.TOO_MANY_SCANS:
            raise _unreadable("Decoding it takes more than decoding a photo should.")
        case _:
            return outcome, shown


@cache
def _close_memory() -> None:
    """Close this process's memory and environment in /proc, which have the keys, to the processes that it starts."""
    if sys.platform == "linux":
        with suppress(ImportError, OSError):
            import ctypes  # noqa: PLC0415 - before the first photo, nobody needs it

            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


async def _output(photo: bytes | bytearray) -> bytes:
    process = await anyio.open_process(
        # By its path and without the current folder, so that it is this very file.
        [sys.executable, "-P", photo_process.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        creationflags=_FLAGS,
    )
    output = bytearray()
    # Leaving the block ends the process if this call is cancelled.
    async with process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("both were asked for")
        await _feed(process.stdin, photo)
        async for chunk in process.stdout:
            output += chunk
            if len(output) > photo_process.LARGEST + _CHUNK:
                process.kill()
                break
        await process.wait()
    return bytes(output)


async def _feed(stdin: ByteSendStream, photo: bytes | bytearray) -> None:
    # If the process ends early, what it wrote says why.
    with suppress(anyio.BrokenResourceError):
        for start in range(0, len(photo), _CHUNK):
            await stdin.send(bytes(photo[start : start + _CHUNK]))
        await stdin.aclose()


def _unreadable(message: str) -> FileError:
    return FileError(FileProblem.UNREADABLE, message)
