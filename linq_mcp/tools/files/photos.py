"""Shrinks photos in a subprocess (`photo_process`), one at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress

import anyio
from anyio.abc import ByteSendStream

from linq_mcp.errors import FileError, FileProblem
from linq_mcp.tools.files import photo_process
from linq_mcp.tools.files.photo_process import Outcome

# All that a Python needs to find itself and its libraries. The rest of the environment may hold secrets.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_CHUNK = 64 * 1024
# On Windows, a window would open otherwise.
_FLAGS = getattr(subprocess, "CREATE_NO_WINDOW", 0)
# The largest photo takes some 350 MB.
_ONE_AT_A_TIME = anyio.CapacityLimiter(1)


async def shown_photo(photo: bytes | bytearray) -> tuple[Outcome, bytes]:
    """What becomes of `photo`, and the new one if the old one won't do. Raises `FileError`."""
    async with _ONE_AT_A_TIME:
        try:
            output = await _output(photo)
        except OSError:
            raise _unreadable("The process that decodes photos could not be started.") from None
    line, _, shown = output.partition(b"\n")
    try:
        outcome = Outcome(**json.loads(line))
    except (ValueError, TypeError):
        # It was ended by an error in the photo, or because decoding took too much time or memory.
        raise _unreadable("It is damaged, or decoding it takes more than decoding a photo should.") from None
    if outcome.unusable == "too many pixels":
        raise _unreadable(
            f"It is {outcome.width:,} by {outcome.height:,} pixels; photos of at most "
            f"{photo_process.MOST_PIXELS // 1_000_000} million pixels are decoded."
        )
    return outcome, shown


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
