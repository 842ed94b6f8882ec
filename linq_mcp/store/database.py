"""A database as the store uses it: one connection, used from one thread at a time, and the tables in it.

Every statement is written in the common part of SQLite and PostgreSQL. All failures of the database arrive as
`StoreError`, so that a call can go on without it.
"""

from __future__ import annotations

import contextlib
import time
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from secrets import randbelow
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import anyio
import anyio.to_thread

from linq_mcp.errors import StoreError, StoreProblem

T = TypeVar("T")
P = ParamSpec("P")
Row = tuple[Any, ...]

# Increased whenever a table, or the model of what is in it, changes. Everything can be read again, so the tables of an
# older one are emptied.
VERSION = 5
# Seconds after which a statement is ended; the call then goes on in memory.
STATEMENT_SECONDS = 5.0
# How often work is done that another process was in the way of.
_ATTEMPTS = 4
# The longest pause before that, in milliseconds.
_MOST_PAUSE = 20

# `{id}` is TEXT that is ordered by its bytes.
TABLES = {
    "account": """
        id BIGINT NOT NULL PRIMARY KEY, hash {id} NOT NULL UNIQUE, used DOUBLE PRECISION NOT NULL,
        accepted DOUBLE PRECISION NOT NULL, direction TEXT NOT NULL
    """,
    "list": """
        account BIGINT NOT NULL, line {id} NOT NULL, finished SMALLINT NOT NULL, asked DOUBLE PRECISION NOT NULL,
        cursor TEXT NOT NULL, ids BYTEA NOT NULL, PRIMARY KEY (account, line, finished)
    """,
    "chat": """
        account BIGINT NOT NULL, id {id} NOT NULL, entry BYTEA NOT NULL, version BIGINT NOT NULL,
        asked DOUBLE PRECISION NOT NULL, reaches DOUBLE PRECISION NOT NULL, our_word DOUBLE PRECISION NOT NULL,
        is_whole SMALLINT NOT NULL, is_unsettled SMALLINT NOT NULL, is_marked SMALLINT NOT NULL,
        is_directed SMALLINT NOT NULL, unreadable DOUBLE PRECISION NOT NULL, cursor TEXT NOT NULL,
        ending BYTEA NOT NULL, PRIMARY KEY (account, id)
    """,
    "block": """
        account BIGINT NOT NULL, chat {id} NOT NULL, number BIGINT NOT NULL, newest DOUBLE PRECISION NOT NULL,
        oldest DOUBLE PRECISION NOT NULL, messages BIGINT NOT NULL, content BYTEA NOT NULL,
        PRIMARY KEY (account, chat, number)
    """,
}
VERSION_TABLE = "linq_mcp_store"


class Database(Protocol):
    """A connection and its tables. Every method raises `StoreError`."""

    is_shared: bool
    """Whether other processes on other computers use it, too."""

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """What a SELECT finds."""
        ...

    def run(self, statement: str, values: Sequence[object] = ()) -> None: ...

    def change(self, statement: str, values: Sequence[object] = ()) -> int:
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

    def shrink(self) -> None:
        """Leave nothing of what was dropped."""
        ...

    def close(self) -> None: ...


class InThread:
    """Runs functions over a database in a worker thread, one at a time, so that the event loop is never blocked."""

    def __init__(self, database: Database) -> None:
        self.database = database
        # Calls in progress may still use it when it is no longer needed for new ones.
        weakref.finalize(self, database.close)
        self._one_at_a_time = anyio.Semaphore(1)

    async def __call__(self, work: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`work(database, …)`, which may be done again; it should take less than 50 ms. Raises `StoreError`."""
        async with self._one_at_a_time:
            return await anyio.to_thread.run_sync(retried, partial(work, self.database, *args, **kwargs))


def retried(work: Callable[[], T]) -> T:
    """`work()`, done again after an error that is transient. Raises `StoreError`."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return work()
        except StoreError as error:
            if not error.is_transient:
                raise
        # Not in step with the other process.
        time.sleep(randbelow(_MOST_PAUSE) / 1000)
    return work()


def check_ours(tables: Sequence[str]) -> None:
    """Raises `StoreError` if the `tables` of a database belong to something else."""
    if tables and VERSION_TABLE not in tables:
        raise StoreError(StoreProblem.FOREIGN)


def check_version(database: Database) -> bool:
    """Whether the tables are those of this release. Raises `StoreError` if a newer one has made them."""
    found = [int(version) for (version,) in database.rows(f"SELECT version FROM {VERSION_TABLE}")]  # noqa: S608
    if any(version > VERSION for version in found):
        raise StoreError(StoreProblem.NEWER)
    return found == [VERSION]


def create_tables(database: Database, *, id_type: str = "TEXT") -> None:
    """Create the tables that are missing, in a transaction. Raises `StoreError` if a newer release has made them."""
    database.run(f"CREATE TABLE IF NOT EXISTS {VERSION_TABLE} (version BIGINT NOT NULL)")
    is_current = check_version(database)
    if not is_current:
        for name in TABLES:
            database.run(f"DROP TABLE IF EXISTS {name}")
        database.run(f"DELETE FROM {VERSION_TABLE}")  # noqa: S608
    for name, columns in TABLES.items():
        database.run(f"CREATE TABLE IF NOT EXISTS {name} ({columns.format(id=id_type)})")
    if not is_current:
        database.run(f"INSERT INTO {VERSION_TABLE} VALUES (?)", (VERSION,))  # noqa: S608
