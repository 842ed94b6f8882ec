"""PostgreSQL as the store's database, for replicas that share one. Its tables are in a schema of their own.

Nothing is set for the session and no statement is prepared, so that a connection pooler may hand each transaction to
another connection. psycopg's texts are never passed on: they may name parts of the address.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Generator, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import errors

from linq_mcp.errors import StoreError, StoreProblem
from linq_mcp.store.database import (
    STATEMENT_SECONDS,
    TABLES,
    VERSION_TABLE,
    Row,
    check_ours,
    check_version,
    create_tables,
)

if TYPE_CHECKING:
    from pydantic import SecretStr

T = TypeVar("T")

SCHEMA = "linq_mcp"
_CONNECT_SECONDS = 5
_NAMES = "|".join((*TABLES, VERSION_TABLE))
_TABLE = re.compile(rf"\b((?:FROM|JOIN|INTO|UPDATE|TABLE(?: IF(?: NOT)? EXISTS)?) )(?=(?:{_NAMES})\b)")
# Any number that other programs are unlikely to lock.
_PREPARING = 0x6C696E71


class _Connection(psycopg.Connection[Row]):
    """Gives up waiting for a server that does not answer any more."""

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        return super().wait(_bounded(gen, time.monotonic() + STATEMENT_SECONDS), *args, **kwargs)


def _bounded(gen: Generator[Any, Any, T], ends_at: float) -> Generator[Any, Any, T]:
    """The steps of `gen`. psycopg takes one several times a second, whether anything has come or not."""
    ready = None
    while True:
        try:
            step = gen.send(ready)
        except StopIteration as done:
            result: T = done.value
            return result
        ready = yield step
        if time.monotonic() > ends_at:
            raise TimeoutError


class PostgresDatabase:
    """The tables in the database at `url`; unless they may be `make`d here, they must be there.

    A connection that was lost is opened again by the next statement.
    """

    is_shared = True

    def __init__(self, url: SecretStr, *, make: bool = True) -> None:
        self._url = url
        self._connection = self._connected()
        self._pipeline: psycopg.Pipeline | None = None
        try:
            self._set_up(make=make)
        except BaseException:
            self._connection.close()
            raise

    def _connected(self) -> _Connection:
        try:
            return _Connection.connect(
                self._url.get_secret_value(),
                autocommit=True,
                prepare_threshold=None,
                connect_timeout=_CONNECT_SECONDS,
                client_encoding="utf8",
                application_name="linq-mcp",
            )
        except (psycopg.Error, UnicodeError) as error:
            raise StoreError(_problem(error)) from None

    def _set_up(self, *, make: bool) -> None:
        tables = [str(name) for (name,) in self.rows("SELECT tablename FROM pg_tables WHERE schemaname = ?", (SCHEMA,))]
        check_ours(tables)
        if tables and check_version(self):
            return
        if not make:
            raise StoreError(StoreProblem.UNPREPARED)
        try:
            with self.transaction():
                # Several replicas may start at once.
                self.rows("SELECT pg_advisory_xact_lock(?)", (_PREPARING,))
                if not self.rows("SELECT 1 FROM pg_namespace WHERE nspname = ?", (SCHEMA,)):
                    self.run(f"CREATE SCHEMA {SCHEMA}")
                create_tables(self, id_type='TEXT COLLATE "C"')
        except StoreError as error:
            raise (StoreError(StoreProblem.UNPREPARED) if error.problem is StoreProblem.REFUSED else error) from None

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        with self._errors(), self._open().cursor() as cursor:
            return cursor.execute(_translated(statement), values or None).fetchall()

    def run(self, statement: str, values: Sequence[object] = ()) -> None:
        with self._errors():
            self._open().execute(_translated(statement), values or None)

    def change(self, statement: str, values: Sequence[object] = ()) -> int:
        with self._errors():
            cursor = self._open().execute(_translated(statement), values or None)
            if self._pipeline:
                self._pipeline.sync()
            return cursor.rowcount

    def run_many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        with self._errors(), self._open().cursor() as cursor:
            cursor.executemany(_translated(statement), rows)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        try:
            # What needs no answer is sent with what does: each answer is a way to the server and back.
            with self._errors(), self._open().pipeline() as self._pipeline:
                self.run("BEGIN")
                yield
                self.run("COMMIT")
        except BaseException:
            with contextlib.suppress(psycopg.Error, TimeoutError):
                self._connection.rollback()
            raise
        finally:
            self._pipeline = None

    def size(self) -> int:
        ((size,),) = self.rows(
            "SELECT COALESCE(SUM(pg_total_relation_size(oid)), 0) FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = ?)",
            (SCHEMA,),
        )
        return int(size)

    def shrink(self) -> None:
        """Leave it to the server's autovacuum."""

    def close(self) -> None:
        self._connection.close()

    def _open(self) -> _Connection:
        # In the middle of a transaction, the rest of it has to fail.
        if self._connection.closed and not self._pipeline:
            self._connection = self._connected()
        return self._connection

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            # The answer to this statement may still come.
            self._connection.close()
            raise StoreError(StoreProblem.BUSY) from None
        except (errors.SerializationFailure, errors.DeadlockDetected, errors.UniqueViolation):
            raise StoreError(StoreProblem.BUSY, is_transient=True) from None
        except (psycopg.Error, UnicodeError) as error:
            if self._connection.closed:
                raise StoreError(StoreProblem.DOWN, is_transient=True) from None
            raise StoreError(_problem(error)) from None


@lru_cache(maxsize=256)
def _translated(statement: str) -> str:
    """The statement with psycopg's placeholders, and with the schema before the name of each table."""
    return _TABLE.sub(rf"\1{SCHEMA}.", statement).replace("?", "%s")


def _problem(error: Exception) -> StoreProblem:
    """The first of these whose name an SQLSTATE begins with. Without one, the server was not reached."""
    state = getattr(error, "sqlstate", None) or ""
    if isinstance(error, psycopg.OperationalError | psycopg.ProgrammingError) and not state:
        return StoreProblem.DOWN
    return next((problem for start, problem in _PROBLEMS.items() if state.startswith(start)), StoreProblem.FAILED)


# https://www.postgresql.org/docs/current/errcodes-appendix.html
_PROBLEMS = {
    "08": StoreProblem.DOWN,
    "57P": StoreProblem.DOWN,  # it shuts down, or starts
    "53100": StoreProblem.FULL,
    "53300": StoreProblem.BUSY,  # too many connections
    "57014": StoreProblem.BUSY,  # the server's own limits
    "55P03": StoreProblem.BUSY,
    "25006": StoreProblem.READ_ONLY,
    "42501": StoreProblem.REFUSED,
    "42P01": StoreProblem.UNPREPARED,
    "3F000": StoreProblem.UNPREPARED,
}
