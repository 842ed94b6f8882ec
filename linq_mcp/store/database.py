"""A database as the store uses it: one connection, used from one thread at a time, and the tables in it.

Every statement is written in the common part of SQLite and PostgreSQL. All failures of the database arrive as
`StoreError`, so that a call can go on without it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import anyio
import anyio.to_thread

from linq_mcp.errors import StoreError, StoreProblem

T = TypeVar("T")
P = ParamSpec("P")
Row = tuple[Any, ...]

# Increased whenever a table, or the model of what is in it, changes. Everything can be read again, so the tables of an
# older one are emptied.
VERSION = 2
# Seconds after which a statement is ended; the call then goes on in memory.
STATEMENT_SECONDS = 5.0
_PAGE_BYTES = 16_384
# How many steps of SQLite's virtual machine pass between two looks at the clock: a millisecond or so.
_STEPS = 100_000

# `{id}` is TEXT that is ordered by its bytes.
TABLES = {
    "account": """
        id BIGINT NOT NULL PRIMARY KEY, hash {id} NOT NULL UNIQUE, used DOUBLE PRECISION NOT NULL,
        accepted DOUBLE PRECISION NOT NULL, way TEXT NOT NULL
    """,
    "list": """
        account BIGINT NOT NULL, line {id} NOT NULL, finished SMALLINT NOT NULL, asked DOUBLE PRECISION NOT NULL,
        place TEXT NOT NULL, ids BYTEA NOT NULL, PRIMARY KEY (account, line, finished)
    """,
    "chat": """
        account BIGINT NOT NULL, id {id} NOT NULL, entry BYTEA NOT NULL, version BIGINT NOT NULL,
        asked DOUBLE PRECISION NOT NULL, reaches DOUBLE PRECISION NOT NULL, our_word DOUBLE PRECISION NOT NULL,
        is_whole SMALLINT NOT NULL, is_unsettled SMALLINT NOT NULL, is_marked SMALLINT NOT NULL,
        is_directed SMALLINT NOT NULL, unreadable DOUBLE PRECISION NOT NULL, place TEXT NOT NULL,
        PRIMARY KEY (account, id)
    """,
    "block": """
        account BIGINT NOT NULL, chat {id} NOT NULL, place BIGINT NOT NULL, newest DOUBLE PRECISION NOT NULL,
        oldest DOUBLE PRECISION NOT NULL, messages BIGINT NOT NULL, content BYTEA NOT NULL,
        PRIMARY KEY (account, chat, place)
    """,
}
_VERSION_TABLE = "linq_mcp_store"


class Database(Protocol):
    """A connection and its tables. Every method raises `StoreError`."""

    is_shared: bool
    """Whether other processes on other computers use it, too."""

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """What a SELECT finds."""
        ...

    def run(self, statement: str, values: Sequence[object] = ()) -> int:
        """How many rows the statement changed."""
        ...

    def run_many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        """Run the statement once for each of `rows`."""
        ...

    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """Everything inside happens, or nothing of it."""
        ...

    def size(self) -> int:
        """Bytes in use."""
        ...

    def close(self) -> None: ...


class InThread:
    """Runs functions over a database in a worker thread, one at a time, so that the event loop is never blocked."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._one_at_a_time = anyio.Semaphore(1)

    async def __call__(self, work: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`work(database, …)`; it should take less than 50 ms. Raises `StoreError`."""
        async with self._one_at_a_time:
            return await anyio.to_thread.run_sync(partial(work, self.database, *args, **kwargs))


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
        prepare(self)
        if self._path:
            _make_private(self._path)

    def _is_late(self) -> bool:
        return time.monotonic() > self._ends_at

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        with _store_errors():
            self._ends_at = time.monotonic() + STATEMENT_SECONDS
            return self._connection.execute(statement, values).fetchall()

    def run(self, statement: str, values: Sequence[object] = ()) -> int:
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


def check_ours(tables: Sequence[str]) -> None:
    """Raises `StoreError` if the `tables` of a database belong to something else."""
    if tables and _VERSION_TABLE not in tables:
        raise StoreError(StoreProblem.FOREIGN)


def prepare(database: Database, *, id_type: str = "TEXT") -> None:
    """Create the tables that are missing. Raises `StoreError` if a newer release has made them."""
    with database.transaction():
        database.run(f"CREATE TABLE IF NOT EXISTS {_VERSION_TABLE} (version BIGINT NOT NULL)")
        found = [int(version) for (version,) in database.rows(f"SELECT version FROM {_VERSION_TABLE}")]  # noqa: S608
        if any(version > VERSION for version in found):
            raise StoreError(StoreProblem.NEWER)
        if any(version < VERSION for version in found):
            for name in TABLES:
                database.run(f"DROP TABLE IF EXISTS {name}")
            database.run(f"DELETE FROM {_VERSION_TABLE}")  # noqa: S608
            found = []
        for name, columns in TABLES.items():
            database.run(f"CREATE TABLE IF NOT EXISTS {name} ({columns.format(id=id_type)})")
        if not found:
            database.run(f"INSERT INTO {_VERSION_TABLE} VALUES (?)", (VERSION,))  # noqa: S608


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
