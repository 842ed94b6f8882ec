"""`linq-mcp store`: fills the file or database in which readings are kept, says what is in it, and clears it."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile

import anyio

from linq_mcp.cli.account import open_account
from linq_mcp.cli.parser import USAGE_ERROR
from linq_mcp.cli.stderr import log_to_stderr, replace_unencodable, warn
from linq_mcp.cli.store_fill import fill, shown_store
from linq_mcp.errors import LinqMcpError, StoreError, StoreProblem
from linq_mcp.region import in_region, local_time_at
from linq_mcp.settings import Settings
from linq_mcp.settings.problems import LaunchedBy
from linq_mcp.settings.store import DATABASE_EXAMPLE, STORE_DAYS_VARIABLE, STORE_OPTION, STORE_VARIABLE
from linq_mcp.store.database import Database, retried
from linq_mcp.store.housekeeping import AccountSummary, forget_some, summaries
from linq_mcp.store.sqlite import SqliteDatabase
from linq_mcp.store.stores import account_hash, open_database
from linq_mcp.tools.base.paging import counted
from linq_mcp.wording.errors import format_error

_HASH_SHOWN = 8
_NOTHING_ON_DISK = (
    f"Nothing is on disk: what is read is kept in memory only. --store PATH or {STORE_VARIABLE} keeps it in a file."
)
_NOT_USED = "The store is not used, and nothing in it changes, until its settings are corrected."
_NO_ACCOUNT = (
    "No key is set that can be used, so there is no account to clear: `linq-mcp doctor` says why. `--all` drops "
    "everything."
)
_NO_DATABASE = f"Only a PostgreSQL database is prepared: set {STORE_VARIABLE} to its address, {DATABASE_EXAMPLE}."


def run(options: Namespace) -> int:
    """Do what `options.action` says. The exit code is 1 if the file, Linq, or a setting fails, or chats are missing."""
    log_to_stderr("WARNING")
    replace_unencodable(sys.stdout)
    account, settings = open_account(options, LaunchedBy.TERMINAL, read_only=True)
    warn(settings.warnings)
    if options.action == "prepare" and not settings.store.url:
        print(_NO_DATABASE, file=sys.stderr)
        return USAGE_ERROR
    if _is_misconfigured(settings):
        print(f"linq-mcp store: {_NOT_USED}", file=sys.stderr)
        return 1
    if not settings.store.lasts:
        must_have = options.action == "fill"
        print(_NOTHING_ON_DISK, file=sys.stderr if must_have else sys.stdout)
        return USAGE_ERROR if must_have else 0
    try:
        if options.action == "fill":
            try:
                return anyio.run(fill, account, settings, options.days)
            except KeyboardInterrupt:
                print(interrupted(settings), file=sys.stderr)
                raise
        if options.action == "prepare":
            open_database(settings.store).close()
            print("The tables are ready.")
        elif options.action == "clear":
            if not options.all and (settings.base_url_problem or not settings.api_key):
                print(f"linq-mcp store: {_NO_ACCOUNT}", file=sys.stderr)
                return 1
            _clear(settings, everything=options.all)
        else:
            with in_region(settings.region):
                _show(settings)
    except LinqMcpError as error:
        print(f"linq-mcp store: {format_error(error, settings=settings, tool=None, arguments={})}", file=sys.stderr)
        return 1
    return 0


def interrupted(settings: Settings) -> str:
    """What there is to say of a fill that was ended by Ctrl-C. Raises `StoreError`."""
    with _opened(settings) as database:
        summary = _own_summary(database, settings) if database else AccountSummary(account_hash(settings))
    # How many there are in all may not be known yet.
    return f"{counted(summary.read, 'chat is', 'chats are')} kept so far; the same command reads on."


@contextmanager
def _opened(settings: Settings) -> Iterator[Database | None]:
    """What is kept, without making anything; None if there is no file yet. Raises `StoreError`."""
    with _unreachable():
        is_missing = settings.store.path is not None and not settings.store.path.exists()
    if is_missing:
        yield None
        return
    database = open_database(settings.store, make=False)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def _unreachable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(StoreProblem.UNREACHABLE, error.strerror or "") from None


def _check_folder(path: Path) -> None:
    """Raises `StoreError` if the file at `path` can't be made. Nothing is left of trying."""
    with _unreachable():
        # Those that are missing in between are made with the file.
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        # Permissions alone don't tell that of /proc, or of a disk that is mounted to be read only.
        TemporaryFile(dir=folder).close()


def _show(settings: Settings) -> None:
    with _opened(settings) as database:
        if database is None:
            print(f"Nothing is kept yet: there is no file {shown_store(settings)}.")
            return
        found = summaries(database)
        print(f"{shown_store(settings)}: {_bytes(database.size())}, {counted(len(found), 'account', 'accounts')}.")
        yours = account_hash(settings)
        for summary in found:
            print(f"Account {summary.hash[:_HASH_SHOWN]}…{' (of this key)' if summary.hash == yours else ''}:")
            for line in _described(summary):
                print(f"  {line}")


def _described(summary: AccountSummary) -> list[str]:
    lines = [_counts(summary)]
    if summary.oldest:
        lines.append(f"messages from {local_time_at(summary.oldest)} to {local_time_at(summary.newest)}")
    if summary.first_asked:
        first, last = local_time_at(summary.first_asked), local_time_at(summary.last_asked)
        lines.append(f"each chat was last read between {first} and {last}")
    lines.append(f"{_bytes(summary.size)}")
    return lines


def _own_summary(database: Database, settings: Settings) -> AccountSummary:
    yours = account_hash(settings)
    return next((summary for summary in summaries(database) if summary.hash == yours), AccountSummary(yours))


def _counts(summary: AccountSummary) -> str:
    """How many chats of those that are known have been read, and how many messages are kept."""
    messages = counted(summary.messages, "message", "messages")
    return f"{summary.read:,} of {counted(summary.chats, 'chat', 'chats')} read, {messages}"


def _clear(settings: Settings, *, everything: bool) -> None:
    """Drop what is kept of the account of this key, or everything, with the file."""
    shown, yours = shown_store(settings), account_hash(settings)
    with _opened(settings) as database:
        if database is None:
            print(f"Nothing is kept: there is no file {shown}.")
            return
        accounts = database.rows("SELECT id, hash FROM account")
        numbers = [int(number) for number, hash_ in accounts if everything or hash_ == yours]
        for number in numbers:
            while retried(partial(forget_some, database, number)):
                pass
        database.shrink()
        if not everything:
            found = "What was kept of this account is dropped from" if numbers else "Nothing is kept of this account in"
            others = len(accounts) - len(numbers)
            rest = f" {counted(others, 'other account is', 'other accounts are')} kept there." if others else ""
            print(f"{found} {shown}.{rest}")
        elif not isinstance(database, SqliteDatabase):
            print(f"Everything that was kept is dropped from {shown}.")
        elif database.close_and_delete():
            print(f"{shown} is deleted.")
        else:
            print(f"{shown} is emptied. It is not deleted, as another process uses it.")


def _is_misconfigured(settings: Settings) -> bool:
    names = (STORE_OPTION, STORE_VARIABLE, STORE_DAYS_VARIABLE)
    return any(warning.variable in names for warning in settings.warnings)


def describe_store(settings: Settings) -> tuple[bool, str]:
    """One line on where readings are kept, and whether that works."""
    if not settings.store.lasts:
        # Something may well be on disk if the settings are wrong.
        return True, _NOT_USED if _is_misconfigured(settings) else _NOTHING_ON_DISK
    try:
        with _opened(settings) as database:
            if database is None:
                if settings.store.path:
                    _check_folder(settings.store.path)
                return True, f"What is read is kept in {shown_store(settings)}, which is made at the first question."
            own = _own_summary(database, settings)
            size = _bytes(database.size())
    except LinqMcpError as error:
        return False, format_error(error, settings=settings, tool=None, arguments={})
    return True, f"What is read is kept in {shown_store(settings)} ({size}); of this account, {_counts(own)}."


def _bytes(size: float) -> str:
    if size < 1000:
        return f"{size:.0f} bytes"
    for unit in ("kB", "MB"):
        size /= 1000
        if size < 1000:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} GB"
