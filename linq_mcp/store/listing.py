"""The lists of chats that a question is about, from what is kept and from Linq; and the question about them alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from linq_mcp.errors import ApiConnectionError, ApiStatusError, LinqError, StoreError
from linq_mcp.store.access import Access, ChatFilter, Facts
from linq_mcp.store.kept_account import chat_key
from linq_mcp.store.list_reading import ListReading

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat

# Nothing kept is shown unless Linq has taken the key within so many seconds.
ACCEPTED_SECONDS = 3600.0
_ENTRIES_AT_ONCE = 200
_UNAUTHORIZED = 401
# Linq's codes for what the key may not see: access denied, and not your phone number.
_HIDDEN = frozenset({2005, 2006})


@dataclass(slots=True)
class _List:
    """A list of chats by their keys. `is_finished`: it was read to its end once; `is_fresh`: not long ago."""

    keys: dict[str, None]
    asked: float
    is_finished: bool
    is_fresh: bool


class Listing:
    """The lists of `chats`, in the order of their lines. What was asked for after `fresh_after` is fresh."""

    def __init__(self, access: Access, chats: ChatFilter, *, is_repeat: bool, fresh_after: float | None) -> None:
        self.access, self.chats, self.is_repeat = access, chats, is_repeat
        self.began = access.now()
        self.fresh_after = self.began - access.max_age if fresh_after is None else fresh_after
        self.facts = Facts()
        self.lists: dict[str, _List] = {}
        # Linq has to take the key first.
        self.must_ask = False
        # The direction in which Linq lists messages, as far as it is known.
        self.direction = ""
        self._was_answered = False

    async def open(self) -> None:
        """Find what is kept. Raises `StoreError`, and `LineNotOpenError` for a line that is not open."""
        self.run, self.kept, self.facts.store_error = await self.access.account.open()
        self.must_ask = self.began - await self.run(self.kept.accepted) > ACCEPTED_SECONDS
        self.direction = await self.run(self.kept.direction)
        self.lists.clear()
        if self.chats.only is not None:
            return
        for line in self.access.scope.lists(self.chats.line):
            kept = None if self.chats.person else await self.run(self.kept.read_list, line)
            is_fresh = kept is not None and (self.is_repeat or kept.asked > self.fresh_after)
            keys = dict.fromkeys(kept.ids) if kept else {}
            asked = kept.asked if kept else self.began
            self.lists[line] = _List(keys, asked, kept is not None, is_fresh and not self.must_ask)

    def failed(self, error: StoreError) -> None:
        """Go on in memory, as the database failed."""
        self.access.account.failed(error)
        self.facts.store_error = error

    @property
    def unread(self) -> list[str]:
        """The lists that have to be read."""
        return [line for line, known in self.lists.items() if not known.is_fresh]

    @property
    def keys(self) -> list[str]:
        """All chats that are known, in Linq's order, each once."""
        return list(dict.fromkeys(key for known in self.lists.values() for key in known.keys))

    @property
    def is_whole(self) -> bool:
        """Whether every list was read to its end once."""
        return all(known.is_finished for known in self.lists.values())

    async def read(self, until: Callable[[str], float], visit: Callable[[list[Chat]], Awaitable[None]]) -> None:
        """Read the lists that are not fresh, each `until` that time; `visit` is awaited with each page."""
        for line in self.unread:
            with anyio.move_on_at(until(line)):
                await self._read(line, visit)

    async def _read(self, line: str, visit: Callable[[list[Chat]], Awaitable[None]]) -> None:
        known = self.lists[line]
        reading = ListReading(self.run, self.kept, self.access, line, self.chats.person)
        # Others who want the same list wait, and find it fresh.
        async with self.access.account.listing.setdefault(line, anyio.Lock()):
            kept = None if self.chats.person or self.must_ask else await self.run(self.kept.read_list, line)
            if kept and kept.asked > self.fresh_after:
                self.lists[line] = _List(dict.fromkeys(kept.ids), kept.asked, is_finished=True, is_fresh=True)
                return
            try:
                async with aclosing(reading.__aiter__()) as pages:  # type: ignore[type-var]
                    async for page in pages:
                        self.answered()
                        await visit(page)
                        known.keys.update(dict.fromkeys(map(chat_key, (chat.id for chat in page))))
            except LinqError as error:
                await self.refused(error)
                if isinstance(error, ApiStatusError) and error.code in _HIDDEN and line:
                    await self.run(self.kept.forget_list, line)
                    raise
                self.facts.error = self.facts.error or error
            finally:
                self.facts.unreadable += reading.unreadable
        if reading.is_finished:
            self.lists[line] = _List(reading.keys, reading.asked, is_finished=True, is_fresh=True)
        elif not self.facts.error and not known.is_finished:
            self.facts.is_endless = True

    def answered(self) -> None:
        """Linq has taken the key."""
        self._was_answered = True
        # What others have read meanwhile can be used.
        self.must_ask = False

    async def refused(self, error: LinqError) -> None:
        """Raise `error` if Linq did not take the key: then nothing is shown until it does."""
        if isinstance(error, ApiStatusError) and error.status == _UNAUTHORIZED:
            await self.run(self.kept.set_accepted, 0.0)
            raise error

    async def settle(self) -> None:
        """Note that Linq took the key. Raises the error that kept everything from being read."""
        if self._was_answered:
            await self.run(self.kept.set_accepted, self.access.now())
        elif self.must_ask or not (self.is_whole or self.keys):
            raise self.facts.error or ApiConnectionError("Time ran out before Linq answered.", timed_out=True)


class ListQuestion:
    """A question about the entries of `chats` alone. `async for` gives each with its position in Linq's order.

    After that, `facts` are known. Raises `LinqError` if nothing could be read.
    """

    def __init__(self, access: Access, chats: ChatFilter, *, is_repeat: bool = False) -> None:
        self._listing = Listing(access, chats, is_repeat=is_repeat, fresh_after=None)
        self._access = access
        self._keys: list[str] | None = None
        self.facts = self._listing.facts

    async def position_of(self, chat_id: str) -> int | None:
        """The position of a chat, if it is among them."""
        keys = await self._read()
        key = chat_key(chat_id)
        return keys.index(key) if key in keys else None

    async def __aiter__(self) -> AsyncIterator[tuple[int, Chat]]:
        keys = await self._read()
        listing, facts = self._listing, self.facts
        unmet = 0
        for start in range(0, len(keys), _ENTRIES_AT_ONCE):
            some = keys[start : start + _ENTRIES_AT_ONCE]
            try:
                entries = await listing.run(listing.kept.entries, some)
            except StoreError as error:
                listing.failed(error)
                unmet += len(some)
                continue
            for position, key in enumerate(some, start):
                await self._access.pause()
                if chat := self._access.scope.see(entries[key]) if key in entries else None:
                    facts.scanned += 1
                    yield position, chat
        for known in listing.lists.values():
            facts.use(known.asked, listing.fresh_after, len(known.keys))
        facts.total = facts.scanned + unmet if listing.is_whole else None
        facts.is_complete = listing.is_whole and not (facts.unreadable or unmet)

    async def _read(self) -> list[str]:
        if self._keys is None:
            try:
                await self._read_once()
            except StoreError as error:
                self._listing.failed(error)
                await self._read_once()
            self._keys = self._listing.keys
        return self._keys

    async def _read_once(self) -> None:
        listing = self._listing
        await listing.open()
        count = 0

        async def keep(page: list[Chat]) -> None:
            nonlocal count
            count += len(page)
            await listing.run(listing.kept.write_entries, page)
            await self._access.progress(count, None)

        await listing.read(lambda _: self._access.latest, keep)
        await listing.settle()
