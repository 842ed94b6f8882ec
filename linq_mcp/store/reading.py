"""Reads from Linq what a question needs: what is not kept, or not far enough back, and for some seconds what is old."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import TYPE_CHECKING

import anyio

from linq_mcp.errors import CHAT_NOT_FOUND, ApiResponseError, ApiStatusError, LinqError, LinqMcpError, StoreError
from linq_mcp.rows.message import SPARE_SECONDS
from linq_mcp.store.access import SHORTEST_REQUEST, Access, ChatFilter, Depth, Reader
from linq_mcp.store.chat_reading import ChatReading
from linq_mcp.store.kept_account import chat_key
from linq_mcp.store.kept_chats import KeptState
from linq_mcp.store.listing import Listing
from linq_mcp.store.reading_queue import ReadingQueue
from linq_mcp.store.slots import MOST, MOST_IN_BACKGROUND

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat, Message

# What is kept but not fresh is read again for so many seconds.
REFRESH_SECONDS = 8.0
# After so many failures one after another, Linq is not asked for more chats.
_MOST_FAILURES = 8
# These concern one chat, which is then left out.
_NOT_READABLE = frozenset({400, 403, 404, 409, 410, 422})
_PLANNED_AT_ONCE = 500
_MOST_ATTEMPTS = 3
# Fewer readings don't tell how long one takes.
_FEWEST_TIMED = 5


class QuestionReading:
    """The reading for a question about the messages of `chats`, whose lists are in `listing`.

    `depth` and the readers of `make_reader` say how far back it goes; what was listed after `again_from` is read even
    if it is kept. `let_pass` is given the messages of a chat for which there is no room. `count` is how many
    chats were read.
    """

    def __init__(
        self,
        access: Access,
        chats: ChatFilter,
        listing: Listing,
        make_reader: Callable[[], Reader],
        let_pass: Callable[[Chat, KeptState, Sequence[Message]], object],
        *,
        depth: Depth,
        again_from: float = inf,
    ) -> None:
        self._access, self._account, self._chats, self._listing = access, access.account, chats, listing
        self._make_reader, self._let_pass, self._depth, self._again_from = make_reader, let_pass, depth, again_from
        # A list by a person, and one chat, are short: everything that is not fresh is read again.
        reads_all = bool(chats.person or chats.only) or access.max_age <= 0 or access.in_background
        refreshed = anyio.current_time() + REFRESH_SECONDS
        self._refresh_until = access.latest if reads_all else min(access.latest, refreshed)
        self._queue = ReadingQueue()
        self._planned = set[str]()
        self._forced = frozenset[str]()
        self.count = self._failures = 0
        self._fatal: Exception | None = None

    async def read(self) -> None:
        """Read everything that is needed. Raises `LinqError` if nothing could be read."""
        try:
            await self._read_once()
        except StoreError as error:
            self._listing.failed(error)
            self._queue = ReadingQueue()
            self._planned.clear()
            await self._read_once()

    async def read_again(self, keys: Sequence[str]) -> None:
        """Read these chats, whatever is kept of them. Raises `LinqMcpError`."""
        self._forced = frozenset(keys)
        self._queue.add_missing(keys)
        await self._work(lists=False)

    @property
    def keys(self) -> list[str]:
        """The chats in question, as far as they are known."""
        return self._listing.keys if self._chats.only is None else [chat_key(self._chats.only)]

    async def _read_once(self) -> None:
        await self._listing.open()
        self._queue.is_scattered = self._listing.run.database.is_shared
        if self._chats.only is not None:
            await self._open_only(self._chats.only)
        await self._plan(self.keys)
        await self._work(lists=True)
        await self._listing.settle()

    async def _open_only(self, chat_id: str) -> None:
        """Make sure that the chat is open, and has an entry. Raises `ApiStatusError` if not."""
        listing, key = self._listing, chat_key(chat_id)
        known = await listing.run(listing.kept.entries, [key])
        if key not in known or not self._access.scope.see(known[key]):
            entry = await self._access.scope.entry_of(self._access.api, chat_id, self._access.deadline)
            await listing.run(listing.kept.write_entries, [entry])

    async def _plan(self, keys: Sequence[str]) -> None:
        """Queue those of the chats that have to be read."""
        for start in range(0, len(keys), _PLANNED_AT_ONCE):
            some = [key for key in keys[start : start + _PLANNED_AT_ONCE] if key not in self._planned]
            fresh_after = inf if self._listing.must_ask else self._listing.fresh_after
            states = await self._listing.run(self._listing.kept.chats.states_to_check, some, fresh_after)
            wanted = await self._wanted(list(states))
            # The others are looked at again with the entry that the list has of them now.
            self._planned.update(wanted)
            for key in wanted:
                state = states[key]
                if state.unreadable and self._chats.only is None:
                    if state.unreadable <= self._listing.fresh_after and not self._listing.is_repeat:
                        self._queue.add_stale(key, state.unreadable, is_unsettled=False)
                elif not self._covers(state):
                    self._queue.add_missing([key])
                elif not self._is_fresh(state) and (
                    not self._listing.is_repeat or (self._chats.only and self._listing.must_ask)
                ):
                    self._queue.add_stale(key, state.asked, is_unsettled=state.is_unsettled)

    async def _wanted(self, keys: Sequence[str]) -> Sequence[str]:
        """Those of the chats that are in question, as far as their entries tell."""
        if not (self._chats.wanted or self._access.scope.lines):
            return keys
        entries = await self._listing.run(self._listing.kept.entries, keys)
        return [key for key in keys if key in entries and self.sees(entries[key])]

    def sees(self, entry: Chat) -> Chat | None:
        """The chat as the caller may see it, if it is in question."""
        chat = self._access.scope.see(entry)
        return chat if chat and (self._chats.wanted is None or self._chats.wanted(chat)) else None

    def _covers(self, state: KeptState) -> bool:
        """Whether what is kept goes back far enough, as far as its state tells."""
        bound = self._depth.bound(state.our_word) - SPARE_SECONDS
        return self.is_ordered(state) and (state.is_whole or 0 < state.reaches < bound)

    def is_ordered(self, state: KeptState) -> bool:
        """Whether what is kept can be used, and is newest first, as the lists of other chats show."""
        return state.is_usable and (state.is_directed or self._listing.direction != "newer")

    def _is_fresh(self, state: KeptState) -> bool:
        return state.asked > self._listing.fresh_after and not self._listing.must_ask

    async def _work(self, *, lists: bool) -> None:
        """Read the lists that are not fresh, and the chats in the queue, several at once."""
        began, before = anyio.current_time(), self.count

        async def guarded(work: Callable[[], Awaitable[None]]) -> None:
            try:
                await work()
            except LinqMcpError as error:
                # Raised after the group, which would wrap it.
                self._fatal = error
                tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            if lists and self._listing.unread:
                self._queue.is_growing = True
                tasks.start_soon(guarded, self._read_lists)
            readers = MOST
            if self._access.in_background:
                # One of the requests at once is for the list.
                readers = MOST_IN_BACKGROUND - int(self._queue.is_growing)
            for _ in range(readers):
                tasks.start_soon(guarded, self._read_chats)
        if self._fatal:
            error, self._fatal = self._fatal, None
            raise error
        self._listing.direction = await self._listing.run(self._listing.kept.direction)
        if (count := self.count - before) >= _FEWEST_TIMED:
            self._account.rate = count / max(anyio.current_time() - began, 0.001)

    async def _read_lists(self) -> None:
        def until(line: str) -> float:
            is_kept = self._listing.lists[line].is_finished and not self._listing.must_ask
            return self._refresh_until if is_kept else self._access.latest

        async def plan(page: list[Chat]) -> None:
            keys = [chat_key(chat.id) for chat in page if chat.id]
            changed = await self._listing.run(self._listing.kept.write_entries, page)
            await self._plan(keys)
            self._queue.prefer(changed)

        try:
            await self._listing.read(until, plan)
        finally:
            self._queue.finish()

    async def _read_chats(self) -> None:
        may_go_on = self._access.may_go_on
        while self._failures < _MOST_FAILURES:
            if self._access.in_background:
                await self._account.no_call()
            taken = await self._queue.take(self._access.latest, self._refresh_until)
            if taken is None or (self._access.in_background and may_go_on and not may_go_on()):
                return
            key, is_missing = taken
            await self._read_chat(key, self._access.deadline if is_missing else self._refresh_until + SHORTEST_REQUEST)
            self.count += 1
            if self.count % MOST == 0:
                total = len(self.keys) if self._listing.is_whole else None
                await self._access.progress(min(self.count, total or self.count), total)

    async def _read_chat(self, key: str, deadline: float) -> None:
        """Read one chat, unless somebody else does or has just done it."""
        for _ in range(_MOST_ATTEMPTS):
            if being_read := self._account.reading.get(key):
                with anyio.move_on_at(deadline):
                    await being_read.wait()
                continue
            done = self._account.reading[key] = anyio.Event()
            try:
                if await self._is_read(key, min(deadline, self._access.deadline)):
                    return
            finally:
                del self._account.reading[key]
                done.set()

    async def _is_read(self, key: str, deadline: float) -> bool:
        """Whether the chat was read, or need not be; not if somebody else wrote it meanwhile."""
        listing = self._listing
        kept = (await listing.run(listing.kept.chats.load, [key], blocks=False)).get(key)
        if kept is None:
            return True
        state, entry = kept.state, kept.entry
        if key not in self._forced and self._is_fresh(state) and self._covers(state):
            return True
        reading = ChatReading(
            run=listing.run,
            kept=listing.kept,
            state=state,
            fetch=self._access.message_pages(entry.id or "", deadline),
            make_reader=self._make_reader,
            asked=self._access.now(),
            pause=self._access.pause,
            direction=listing.direction or None,
            again_from=self._again_from,
        )
        try:
            result = await reading.read()
        except LinqError as error:
            await self._failed(state, error)
            return True
        self._failures = 0
        listing.answered()
        listing.direction = listing.direction or reading.seen_direction or ""
        if result is None:
            return False
        has_room = await self._account.keep_room()
        if not has_room:
            listing.facts.is_full = True
            await listing.run(listing.kept.chats.drop_messages, result[0])
        if not has_room or key in self._forced:
            # Otherwise each of these could take the room of the one before.
            self._let_pass(entry, *result)
        return True

    async def _failed(self, state: KeptState, error: LinqError) -> None:
        """A chat could not be read: it is left out, or Linq failed."""
        listing = self._listing
        await listing.refused(error)
        is_about_chat = isinstance(error, ApiResponseError) or (
            isinstance(error, ApiStatusError) and error.status in _NOT_READABLE
        )
        if not is_about_chat:
            if self._access.has_time():
                self._failures += 1
                listing.facts.error = listing.facts.error or error
            return
        listing.answered()
        if self._chats.only is not None:
            raise error
        if isinstance(error, ApiStatusError) and (error.status, error.code) == (404, CHAT_NOT_FOUND):
            await listing.run(listing.kept.chats.delete, state.id)
        else:
            await listing.run(listing.kept.chats.set_unreadable, state, self._access.now())
