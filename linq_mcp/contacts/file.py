"""The operator's contacts file: read at the first call, and again when it has changed. It never keeps a call waiting.

Its formats are `formats`. Names and numbers from it are never logged.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import anyio
from anyio import to_thread

from linq_mcp.contacts.directory import NOBODY, Directory
from linq_mcp.contacts.formats import read_contacts
from linq_mcp.regular_file import open_regular

logger = logging.getLogger(__name__)

MAX_BYTES = 20_000_000
# A large file takes longer the first time and is there for a later call; so is one on a drive that woke up.
_WAIT_SECONDS = 5.0


class _State(NamedTuple):
    """The directory as it was last read, of which version of the file, and why the file can't be read now."""

    version: tuple[int, ...] | None = None
    directory: Directory = NOBODY
    failure: str = ""


class ContactsFile:
    """The directory in the file at `path`. A file that can't be read leaves the last names in force.

    National numbers in it are of `country`.
    """

    def __init__(self, path: Path, country: str | None = None) -> None:
        self._path = path
        self._country = country
        self._state = _State()
        self._reading = Lock()

    async def directory(self) -> Directory:
        """The directory as the file has it now. Never raises; what is wrong is in `Directory.problems`."""
        with anyio.move_on_after(_WAIT_SECONDS):
            await to_thread.run_sync(self._refresh, abandon_on_cancel=True)
        last = self._state.directory
        if self._state.failure:
            failure = f"The contacts file can't be read: {self._state.failure}."
            return Directory(last.names, (failure,), missing=failure)
        # A new one for each call, as it keeps which names were found.
        return Directory(last.names, last.problems, last.source, last.missing)

    def _refresh(self) -> None:
        """Read the file if it has changed. Runs in a thread of its own, which may outlast the call."""
        if not self._reading.acquire(timeout=_WAIT_SECONDS):
            return
        last = self._state
        try:
            self._state = self._read(last)
        except (OSError, ValueError) as error:
            failure = (isinstance(error, OSError) and error.strerror) or str(error)
            if failure != last.failure:
                logger.warning("the contacts file can't be read: %s", failure)
            # Without a version, so that it is read as soon as it can be.
            self._state = _State(None, last.directory, failure)
        finally:
            self._reading.release()

    def _read(self, last: _State) -> _State:
        with open_regular(self._path) as file:
            found = os.fstat(file.fileno())
            version = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
            if version == last.version:
                return last
            if found.st_size > MAX_BYTES:
                raise OSError(f"it is larger than {MAX_BYTES // 1_000_000} MB")
            content = file.read(MAX_BYTES)
        directory = read_contacts(content, self._country)
        logger.info("%d names read from the contacts file, %d problems", len(directory.names), len(directory.problems))
        return _State(version, directory)
