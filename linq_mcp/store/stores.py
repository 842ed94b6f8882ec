"""Where the accounts of this process are kept: each in a database in memory, or all in one that lasts."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from hashlib import sha256
from time import time
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from linq_mcp.errors import StoreError
from linq_mcp.settings.store import StoreSettings
from linq_mcp.store.database import Database, InThread, SqliteDatabase
from linq_mcp.store.kept import KeptAccount
from linq_mcp.store.slots import RequestSlots

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from linq_mcp.settings import Settings

MEMORY_BYTES = 256 * 1024 * 1024
_REQUESTS_IN_PROCESS = 32
# After a lasting database failed, it is tried again after so many seconds.
_RETRY_SECONDS = 30.0
_DAY = 86_400.0
_UNUSED_DAYS = 30


@dataclass(slots=True)
class _Open:
    """An account in a database."""

    run: InThread
    kept: KeptAccount


class Account:
    """One Linq account in this process: where it is kept, and who reads it at the moment.

    `reading` has an event for each chat that is being read, and `listing` a lock for each list. `rate` is how many
    chats were read in a second lately.
    """

    def __init__(self, stores: Stores, account_hash: str) -> None:
        self._stores = stores
        self.hash = account_hash
        self.slots = stores.new_slots()
        self.reading: dict[str, anyio.Event] = {}
        self.listing: dict[str, anyio.Lock] = {}
        self.rate = 0.0
        self._in_background: anyio.CancelScope | None = None

    async def open(self) -> tuple[InThread, KeptAccount, StoreError | None]:
        """The database and the account in it, and why it is not the one of the settings, if it isn't."""
        return await self._stores.open(self.hash)

    def failed(self, error: StoreError) -> None:
        """Go on in memory for a while."""
        self._stores.failed(error)

    async def keep_room(self) -> bool:
        """Whether what was written last could be kept: in memory, older messages may have to go for it."""
        return await self._stores.keep_room(self.hash)

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
    background; without it, none does.
    """

    def __init__(
        self,
        settings: StoreSettings,
        *,
        share: float = 1.0,
        tasks: TaskGroup | None = None,
        now: Callable[[], float] = time,
    ) -> None:
        self.settings = settings
        self.now = now
        self._tasks = tasks
        self._share = share
        self._accounts: dict[str, Account] = {}
        self._in_memory: OrderedDict[str, _Open] = OrderedDict()
        self._sizes: dict[str, int] = {}
        self._lasting: InThread | None = None
        self._numbers: dict[str, KeptAccount] = {}
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
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        account_hash = sha256(f"{settings.base_url}\n{key}".encode("utf-8", "surrogatepass")).hexdigest()
        if account_hash not in self._accounts:
            self._accounts[account_hash] = Account(self, account_hash)
        return self._accounts[account_hash]

    def close(self) -> None:
        """Close all databases."""
        for database in [*(opened.run for opened in self._in_memory.values()), self._lasting]:
            if database:
                with contextlib.suppress(StoreError):
                    database.database.close()
        self._in_memory.clear()
        self._numbers.clear()
        self._lasting = None

    async def open(self, account_hash: str) -> tuple[InThread, KeptAccount, StoreError | None]:
        async with self._opening:
            if self.settings.path and anyio.current_time() >= self._retry_at:
                try:
                    opened = await self._open_lasting(account_hash)
                except StoreError as error:
                    self.failed(error)
                else:
                    self._error = None
                    return opened.run, opened.kept, None
            if account_hash not in self._in_memory:
                self._in_memory[account_hash] = await self._open_in_memory(account_hash)
            self._in_memory.move_to_end(account_hash)
            opened = self._in_memory[account_hash]
            return opened.run, opened.kept, self._error

    def failed(self, error: StoreError) -> None:
        """Use memory until the database is tried again."""
        self._error = error
        self._retry_at = anyio.current_time() + _RETRY_SECONDS
        if self._lasting:
            with contextlib.suppress(StoreError):
                self._lasting.database.close()
            self._lasting = None
            self._numbers.clear()

    async def keep_room(self, account_hash: str) -> bool:
        opened = self._in_memory.get(account_hash)
        if opened is None:
            return True
        most = int(MEMORY_BYTES * self._share)
        size = await opened.run(_make_room, opened.kept, most)
        self._sizes[account_hash] = size
        total = sum(self._sizes.get(other, 0) for other in self._in_memory)
        for other in list(self._in_memory):
            if total <= MEMORY_BYTES or other == account_hash:
                break
            total -= self._sizes.pop(other, 0)
            self._in_memory.pop(other).run.database.close()
        return size <= most

    async def _open_in_memory(self, account_hash: str) -> _Open:
        run = InThread(await anyio.to_thread.run_sync(SqliteDatabase))
        return _Open(run, await run(KeptAccount.open, account_hash, self.now()))

    async def _open_lasting(self, account_hash: str) -> _Open:
        if self._lasting is None:
            self._lasting = InThread(await anyio.to_thread.run_sync(SqliteDatabase, self.settings.path))
            await self._lasting(_clean_up, self.now(), self.settings.days)
        if account_hash not in self._numbers:
            self._numbers[account_hash] = await self._lasting(KeptAccount.open, account_hash, self.now())
        return _Open(self._lasting, self._numbers[account_hash])


def _make_room(database: Database, kept: KeptAccount, most: int) -> int:
    """Drop the oldest messages of an account that takes more than `most` bytes; returns what it takes then."""
    size = database.size()
    while size > most and kept.drop_oldest(database, size - most * 19 // 20):
        size = database.size()
    return size


def _clean_up(database: Database, now: float, days: int | None) -> None:
    """Forget accounts that nobody used for a month, and chats that were not read again for `days` days."""
    unused = [
        number for (number,) in database.rows("SELECT id FROM account WHERE used < ?", (now - _UNUSED_DAYS * _DAY,))
    ]
    with database.transaction():
        for (number,) in unused:
            for table in ("block", "chat", "list"):
                database.run(f"DELETE FROM {table} WHERE account = ?", (number,))  # noqa: S608 - a name of ours
            database.run("DELETE FROM account WHERE id = ?", (number,))
        if days is not None:
            old = (now - days * _DAY,)
            database.run(
                "DELETE FROM block WHERE EXISTS (SELECT 1 FROM chat WHERE chat.account = block.account "
                "AND chat.id = block.chat AND chat.asked < ?)",
                old,
            )
            database.run(
                "UPDATE chat SET asked = 0, is_whole = 0, version = version + 1 WHERE asked < ? AND asked > 0", old
            )
