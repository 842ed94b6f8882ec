"""Where the accounts of this process are kept: each in a database in memory, or all in one that lasts."""

from __future__ import annotations

import contextlib
import logging
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from hashlib import sha256
from time import time
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread

from linq_mcp.errors import StoreError, StoreProblem
from linq_mcp.settings.store import StoreSettings
from linq_mcp.store.database import Database, InThread, check_version
from linq_mcp.store.housekeeping import clean_some
from linq_mcp.store.kept_account import KeptAccount
from linq_mcp.store.slots import RequestSlots
from linq_mcp.store.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from linq_mcp.settings import Settings

logger = logging.getLogger(__name__)

MEMORY_BYTES = 256 * 1024 * 1024
_REQUESTS_IN_PROCESS = 32
# Anybody can call with made-up keys, and the smallest database takes 100 kB.
_MOST_IN_MEMORY = 256
# After a lasting database failed, it is tried again after so many seconds.
_RETRY_SECONDS = 30.0
# How often a lasting database is cleaned up, and for how long a call waits for that.
_CLEANED_EVERY_SECONDS = 3600.0
_CLEANING_SECONDS = 2.0


@dataclass(slots=True)
class _Open:
    """An account in a database."""

    run: InThread
    kept: KeptAccount
    # Of one in memory, as far as it is known.
    size: int = 0


class Account:
    """One Linq account in this process: where it is kept, and who reads it at the moment.

    `reading` has an event for each chat that is being read, and `listing` a lock for each list. `rate` is how many
    chats were read in a second lately.
    """

    def __init__(self, stores: Stores, hash_: str) -> None:
        self._stores = stores
        self.hash = hash_
        self.slots = stores.new_slots()
        self.reading: dict[str, anyio.Event] = {}
        self.listing: dict[str, anyio.Lock] = {}
        self.rate = 0.0
        self._in_background: anyio.CancelScope | None = None
        self._calls = 0
        self._no_call = anyio.Event()

    async def open(self) -> tuple[InThread, KeptAccount, StoreError | None]:
        """The database and the account in it, and why it is not the one of the settings, if it isn't."""
        return await self._stores.open(self.hash)

    async def mark(self, key: str) -> tuple[InThread, KeptAccount]:
        """Let nothing that is kept of a chat be used before it is read again, nor later where the database is down."""
        return await self._stores.mark(self.hash, key)

    def failed(self, error: StoreError) -> None:
        """Go on in memory for a while."""
        self._stores.failed(error)

    async def keep_room(self) -> bool:
        """Whether what was written last could be kept: in memory, older messages may have to go for it."""
        return await self._stores.keep_room(self.hash)

    @contextlib.contextmanager
    def call(self) -> Iterator[None]:
        """While this is entered, nothing is begun in the background."""
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1
            if not self._calls:
                self._no_call.set()
                self._no_call = anyio.Event()

    async def no_call(self) -> None:
        """Wait until no call is in progress."""
        while self._calls:
            await self._no_call.wait()

    def go_on(self, read: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run the coroutine function `read` in the background, in place of the one before."""
        if self._in_background:
            self._in_background.cancel()
        scope = self._in_background = anyio.CancelScope()

        async def run() -> None:
            with scope:
                await read()

        self._stores.start_soon(run)


class Stores:
    """The accounts of a process.

    `share` is how much of the memory one of them may take, `now` the clock. In `tasks` readings go on in the
    background; without it, none does. Where the lasting database fails, memory is used, unless it `must_last`: then
    its `StoreError` is raised.
    """

    def __init__(
        self,
        settings: StoreSettings,
        *,
        share: float = 1.0,
        must_last: bool = False,
        tasks: TaskGroup | None = None,
        now: Callable[[], float] = time,
    ) -> None:
        self.settings = settings
        self.now = now
        self._tasks = tasks
        self._share = share
        self._must_last = must_last
        self._accounts: WeakValueDictionary[str, Account] = WeakValueDictionary()
        self._in_memory: OrderedDict[str, _Open] = OrderedDict()
        # By account, the chats that could not be marked in the lasting database.
        self._unmarked: defaultdict[str, set[str]] = defaultdict(set)
        self._lasting: InThread | None = None
        self._cleaned_at = 0.0
        self._opening = anyio.Lock()
        self._error: StoreError | None = None
        self._retry_at = 0.0
        self._process = anyio.CapacityLimiter(_REQUESTS_IN_PROCESS)

    def new_slots(self) -> RequestSlots:
        return RequestSlots(self._process)

    def start_soon(self, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run the coroutine function `run` in the background, if anything may."""
        if self._tasks:
            self._tasks.start_soon(run)

    def account(self, settings: Settings) -> Account:
        """The account of a key."""
        hash_ = account_hash(settings)
        account = self._accounts.get(hash_)
        if account is None:
            account = self._accounts[hash_] = Account(self, hash_)
        return account

    def close(self) -> None:
        """Close all databases."""
        for database in [*(opened.run for opened in self._in_memory.values()), self._lasting]:
            if database:
                with contextlib.suppress(StoreError):
                    database.database.close()
        self._in_memory.clear()
        self._lasting = None

    async def open(self, hash_: str) -> tuple[InThread, KeptAccount, StoreError | None]:
        async with self._opening:
            if self.settings.lasts and anyio.current_time() >= self._retry_at:
                unmarked = tuple(self._unmarked[hash_])
                try:
                    opened = await self._open_lasting(hash_)
                    for key in unmarked:
                        await opened.run(opened.kept.chats.mark, key)
                except StoreError as error:
                    self.failed(error)
                else:
                    if self._error:
                        logger.warning("the store is in use again")
                    self._error = None
                    # What happened meanwhile is not known there.
                    self._in_memory.pop(hash_, None)
                    self._unmarked[hash_].difference_update(unmarked)
                    return opened.run, opened.kept, None
            if hash_ not in self._in_memory:
                self._in_memory[hash_] = await self._open_in_memory(hash_)
            self._in_memory.move_to_end(hash_)
            if len(self._in_memory) > _MOST_IN_MEMORY:
                self._in_memory.popitem(last=False)
            opened = self._in_memory[hash_]
            return opened.run, opened.kept, self._error

    async def mark(self, hash_: str, key: str) -> tuple[InThread, KeptAccount]:
        run, kept, error = await self.open(hash_)
        try:
            await run(kept.chats.mark, key)
        except StoreError as now_failed:
            self.failed(now_failed)
            error = now_failed
        if error:
            self._unmarked[hash_].add(key)
        return run, kept

    def failed(self, error: StoreError) -> None:
        """Use memory until the database is tried again."""
        if self._must_last:
            raise error
        if self._error is None:
            logger.warning("the store can't be used (%s): what is read is kept in memory", error.problem.name.lower())
        self._error = error
        self._retry_at = anyio.current_time() + _RETRY_SECONDS
        self._lasting = None

    async def keep_room(self, hash_: str) -> bool:
        opened = self._in_memory.get(hash_)
        if opened is None:
            return True
        most = int(MEMORY_BYTES * self._share)
        opened.size = await opened.run(_make_room, opened.kept, most)
        total = sum(other.size for other in self._in_memory.values())
        for other in list(self._in_memory):
            if total <= MEMORY_BYTES or other == hash_:
                break
            total -= self._in_memory.pop(other).size
        return opened.size <= most

    async def _open_in_memory(self, hash_: str) -> _Open:
        run = InThread(await anyio.to_thread.run_sync(SqliteDatabase))
        return _Open(run, await run(KeptAccount.open, hash_, self.now()))

    async def _open_lasting(self, hash_: str) -> _Open:
        if self._lasting is None:
            self._lasting = InThread(await anyio.to_thread.run_sync(open_database, self.settings))
        # Another release may have made the tables anew.
        await self._lasting(check_version)
        await self._clean_up(self._lasting)
        # Somebody may have cleared the account since the last question.
        return _Open(self._lasting, await self._lasting(KeptAccount.open, hash_, self.now()))

    async def _clean_up(self, run: InThread) -> None:
        if self.now() < self._cleaned_at + _CLEANED_EVERY_SECONDS:
            return
        self._cleaned_at = self.now()
        ends_at = anyio.current_time() + _CLEANING_SECONDS
        while await run(clean_some, self.now(), self.settings.days) and anyio.current_time() < ends_at:
            pass


def open_database(settings: StoreSettings, *, make: bool = True) -> Database:
    """The database that lasts. One of a server may have to be `make`d. Raises `StoreError`."""
    if settings.url is None:
        return SqliteDatabase(settings.path)
    try:
        from linq_mcp.store.postgres import PostgresDatabase  # noqa: PLC0415 - an extra, which may be missing
    except ImportError:
        raise StoreError(StoreProblem.NO_DRIVER) from None
    return PostgresDatabase(settings.url, make=make)


def account_hash(settings: Settings) -> str:
    """The name under which the account of a key is kept."""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    return sha256(f"{settings.base_url}\n{key}".encode("utf-8", "surrogatepass")).hexdigest()


def _make_room(database: Database, kept: KeptAccount, most: int) -> int:
    """Drop the oldest messages of an account that takes more than `most` bytes; returns what it takes then."""
    size = database.size()
    while size > most and kept.chats.drop_oldest(database, size - most * 19 // 20):
        size = database.size()
    return size
