"""SQLite as the store's database: in memory, or in a file."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from linq_mcp.errors import StoreError, StoreProblem
from linq_mcp.store.database import STATEMENT_SECONDS, Row, check_ours, create_tables

_PAGE_BYTES = 16_384
# How many steps of SQLite's virtual machine pass between two looks at the clock: a millisecond or so.
_STEPS = 100_000


class SqliteDatabase:
    """SQLite, in memory or in the file at `path`, which several processes of one person may use."""

    is_shared = False

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._ends_at = 0.0
        with _store_errors():
            if path:
                _create_private(path)
            self._connection = sqlite3.connect(
                path or ":memory:", isolation_level=None, check_same_thread=False, timeout=STATEMENT_SECONDS
            )
            try:
                self._set_up()
            except BaseException:
                self._connection.close()
                raise

    def _set_up(self) -> None:
        with _foreign_if_damaged():
            for pragma in (f"page_size={_PAGE_BYTES}", "temp_store=MEMORY", "cache_size=-8000"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.set_progress_handler(self._is_late, _STEPS)
            tables = [str(name) for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        # Before anything is changed.
        check_ours(tables)
        if self._path:
            # WAL lets one process read while another writes; what is deleted is overwritten.
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "secure_delete=ON"):
                self._connection.execute(f"PRAGMA {pragma}").fetchall()
        with self.transaction():
            create_tables(self)
        if self._path:
            _make_private(self._path)

    def _is_late(self) -> bool:
        return time.monotonic() > self._ends_at

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        with _store_errors():
            self._ends_at = time.monotonic() + STATEMENT_SECONDS
            return self._connection.execute(statement, values).fetchall()

    def run(self, statement: str, values: Sequence[object] = ()) -> None:
        self.change(statement, values)

    def change(self, statement: str, values: Sequence[object] = ()) -> int:
        with _store_errors():
            self._ends_at = time.monotonic() + STATEMENT_SECONDS
            return self._connection.execute(statement, values).rowcount

    def run_many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        with _store_errors():
            self._ends_at = time.monotonic() + STATEMENT_SECONDS
            self._connection.executemany(statement, rows)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        # Of two writers one waits here, before either has read what the other changes.
        self.run("BEGIN IMMEDIATE")
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            # A full disk has ended the transaction already.
            if self._connection.in_transaction:
                self._connection.rollback()
            raise

    def size(self) -> int:
        (pages,), (free,) = self.rows("PRAGMA page_count")[0], self.rows("PRAGMA freelist_count")[0]
        return int(pages - free) * _PAGE_BYTES

    def close(self) -> None:
        with _store_errors():
            self._connection.close()

    def close_and_delete(self) -> bool:
        """Close the database and delete its files; False if another process uses it, and they stay."""
        try:
            # Only the last connection can leave the write-ahead log.
            is_alone = self.rows("PRAGMA journal_mode=DELETE") == [("delete",)]
        except StoreError:
            is_alone = False
        self.close()
        if is_alone and self._path:
            with _store_errors():
                self._path.unlink()
        return is_alone

    def shrink(self) -> None:
        """Empty the write-ahead log, which still holds what was dropped."""
        self.rows("PRAGMA wal_checkpoint(TRUNCATE)")


def _create_private(path: Path) -> None:
    """Make the file readable by nobody else before anything is in it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(StoreProblem.FOREIGN)
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        raise StoreError(StoreProblem.NOT_YOURS)


def _make_private(path: Path) -> None:
    """Keep others from a file that was there before, and from the two that SQLite puts beside it."""
    for name in files_of(path):
        with contextlib.suppress(FileNotFoundError):
            if name.stat().st_mode & 0o077:
                name.chmod(0o600)


def files_of(path: Path) -> list[Path]:
    """The file of a database, and those that SQLite puts beside it."""
    return [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]


@contextlib.contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(_PROBLEMS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, StoreProblem.FAILED)) from None
    except OSError as error:
        raise StoreError(StoreProblem.UNREACHABLE, error.strerror or "") from None


@contextlib.contextmanager
def _foreign_if_damaged() -> Iterator[None]:
    """For a file that may be somebody else's: people are told to delete a damaged store."""
    try:
        with _store_errors():
            yield
    except StoreError as error:
        raise StoreError(StoreProblem.FOREIGN) if error.problem is StoreProblem.DAMAGED else error from None


_PROBLEMS = {
    sqlite3.SQLITE_FULL: StoreProblem.FULL,
    sqlite3.SQLITE_READONLY: StoreProblem.READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: StoreProblem.UNREACHABLE,
    sqlite3.SQLITE_PERM: StoreProblem.UNREACHABLE,
    sqlite3.SQLITE_CORRUPT: StoreProblem.DAMAGED,
    sqlite3.SQLITE_NOTADB: StoreProblem.DAMAGED,
    sqlite3.SQLITE_BUSY: StoreProblem.BUSY,
    sqlite3.SQLITE_LOCKED: StoreProblem.BUSY,
    sqlite3.SQLITE_INTERRUPT: StoreProblem.BUSY,
    sqlite3.SQLITE_IOERR: StoreProblem.FAILED,
}
