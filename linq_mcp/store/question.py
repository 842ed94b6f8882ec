"""A question about the messages of chats: what has to be read from Linq first, and what it is then answered from.

What is kept and fresh is used as it is. What is not kept, or not far enough back, is read. What is kept but not fresh
is read again for some seconds only: then the answer stands on what there is, and says as of when.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from linq_mcp.api.models import Chat
from linq_mcp.errors import CHAT_NOT_FOUND, ApiResponseError, ApiStatusError, LinqError, LinqMcpError, StoreError
from linq_mcp.rows.message import listed_at
from linq_mcp.store.access import OUR_LAST_WORD, SHORTEST_REQUEST, SPARE_SECONDS, Access, ChatFilter, Depth, Reader
from linq_mcp.store.blocks import Block
from linq_mcp.store.chat_reading import ChatReading
from linq_mcp.store.kept import ChatState, KeptAccount, chat_key
from linq_mcp.store.listing import Listing
from linq_mcp.store.reading_queue import ReadingQueue

if TYPE_CHECKING:
    from linq_mcp.api.models import Message
    from linq_mcp.store.database import Database

ReaderT = TypeVar("ReaderT", bound=Reader)

# What is kept but not fresh is read again for so many seconds.
REFRESH_SECONDS = 8.0
BACKGROUND_SECONDS = 600.0
_READERS = 8
# After so many failures one after another, Linq is not asked for more chats.
_MOST_FAILURES = 8
# These concern one chat, which is then left out.
_NOT_READABLE = frozenset({400, 403, 404, 409, 410, 422})
_LOADED_AT_ONCE = 50
_PLANNED_AT_ONCE = 500
_MOST_ATTEMPTS = 3
_BLOCKS_AT_ONCE = 2
_NO_BLOCK = Block(0, 0.0, 0.0, 0, b"")
# Fewer readings don't tell how long one takes.
_FEWEST_TIMED = 5


@dataclass(slots=True)
class Conversation(Generic[ReaderT]):
    """A chat, and what its reader made of its messages.

    They were asked for at `asked`, and the newest of them was listed at `newest`, in seconds since 1970.
    """

    chat: Chat
    reader: ReaderT
    asked: float
    newest: float


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A chat as it is kept, with its latest messages, newest first, unless all of them are older than what counts."""

    state: ChatState
    chat: Chat
    messages: list[Message]
    newest: float
    lowest: int | None
    is_older: bool


class Question(Generic[ReaderT]):
    """A question about the messages of `chats`, which are given to readers of `make_reader`, the newest first.

    Messages are needed as far back as `depth` says; a reader that is not content with that gets more. A question that
    goes on where an answer ended (`is_repeat`) reads nothing again. What was asked for after `fresh_after` is fresh; if
    omitted, within the access's `max_age`. One that is `deep` reads everything since the depth's time again.

    `async for` gives the conversations in any order; then `facts` are known. Raises `LinqError` if nothing could be
    read, or not the one chat in question.
    """

    def __init__(
        self,
        access: Access,
        chats: ChatFilter,
        make_reader: Callable[[], ReaderT],
        *,
        depth: Depth = OUR_LAST_WORD,
        is_repeat: bool = False,
        fresh_after: float | None = None,
        deep: bool = False,
    ) -> None:
        self._access, self._account, self._chats = access, access.account, chats
        self._make_reader, self._depth, self._is_repeat = make_reader, depth, is_repeat
        self._again_from = depth.since if deep else inf
        self._listing = Listing(access, chats, is_repeat=is_repeat, fresh_after=fresh_after)
        self.facts = self._listing.facts
        # A list by a person, and one chat, are short: everything that is not fresh is read again.
        reads_all = bool(chats.person or chats.only) or access.max_age <= 0 or access.in_background
        refreshed = anyio.current_time() + REFRESH_SECONDS
        self._refresh_until = access.latest if reads_all else min(access.latest, refreshed)
        self._queue = ReadingQueue()
        self._planned = set[str]()
        # What was read and could not be kept, as its readers saw it.
        self._unkept: dict[str, Conversation[ReaderT]] = {}
        self._forced = frozenset[str]()
        self._read = self._failures = 0
        self._fatal: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[Conversation[ReaderT]]:
        await self._read_all()
        left = self._keys
        while True:
            unmet: list[str] = []
            for start in range(0, len(left), _LOADED_AT_ONCE):
                async for key, conversation in self._answers(left[start : start + _LOADED_AT_ONCE]):
                    await self._access.pause()
                    if conversation is None:
                        unmet.append(key)
                        continue
                    self.facts.scanned += 1
                    self.facts.use(conversation.asked, self._listing.fresh_after)
                    yield conversation
            if not unmet or self._forced or not self._access.has_time() or self.facts.error:
                break
            # What is kept of these was not enough for their readers, or somebody dropped it meanwhile.
            left, self._forced = unmet, frozenset(unmet)
            self._queue.add_missing(unmet)
            try:
                await self._work(lists=False)
            except StoreError as error:
                self._listing.failed(error)
                break
        self._finish(len(unmet))

    async def read(self) -> None:
        """Read what is in question, and answer nothing."""
        with suppress(LinqMcpError):
            await self._read_all()

    @property
    def _keys(self) -> list[str]:
        return self._listing.keys if self._chats.only is None else [chat_key(self._chats.only)]

    # Reading

    async def _read_all(self) -> None:
        try:
            await self._read_once()
        except StoreError as error:
            self._listing.failed(error)
            self._queue = ReadingQueue()
            self._planned.clear()
            await self._read_once()

    async def _read_once(self) -> None:
        await self._listing.open()
        if self._chats.only is not None:
            await self._open_only(self._chats.only)
        await self._plan(self._keys)
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
            self._planned.update(some)
            states = await self._listing.run(self._listing.kept.states, some)
            for key in await self._wanted(some):
                state = states.get(key, ChatState(key))
                if state.unreadable:
                    if state.unreadable <= self._listing.fresh_after and not self._is_repeat:
                        self._queue.add_stale(key, state.unreadable, is_unsettled=False)
                elif not self._covers(state):
                    self._queue.add_missing([key])
                elif not self._is_fresh(state) and (
                    not self._is_repeat or (self._chats.only and self._listing.must_ask)
                ):
                    self._queue.add_stale(key, state.asked, is_unsettled=state.is_unsettled)

    async def _wanted(self, keys: Sequence[str]) -> Sequence[str]:
        """Those of the chats that are in question, as far as their entries tell."""
        if not (self._chats.wanted or self._access.scope.lines):
            return keys
        entries = await self._listing.run(self._listing.kept.entries, keys)
        return [key for key in keys if key in entries and self._seen(entries[key])]

    def _seen(self, entry: Chat) -> Chat | None:
        """The chat as the caller may see it, if it is in question."""
        chat = self._access.scope.see(entry)
        return chat if chat and (self._chats.wanted is None or self._chats.wanted(chat)) else None

    def _covers(self, state: ChatState) -> bool:
        """Whether what is kept goes back far enough, as far as its state tells."""
        bound = self._depth.bound(state.our_word) - SPARE_SECONDS
        return self._is_ordered(state) and (state.is_whole or 0 < state.reaches < bound)

    def _is_ordered(self, state: ChatState) -> bool:
        """Whether what is kept can be used, and is newest first, as the lists of other chats show."""
        return state.is_usable and (state.is_directed or self._listing.way != "newer")

    @property
    def _may_stay_stale(self) -> bool:
        """Whether what is kept is used however old it is. To show one chat, Linq may have to take the key first."""
        return self._is_repeat and not (self._chats.only and self._listing.must_ask)

    def _is_fresh(self, state: ChatState) -> bool:
        return state.asked > self._listing.fresh_after and not self._listing.must_ask

    async def _work(self, *, lists: bool) -> None:
        """Read the lists that are not fresh, and the chats in the queue, several at once."""
        began, before = anyio.current_time(), self._read

        async def guarded(work: Callable[[], object]) -> None:
            try:
                await work()  # type: ignore[misc]
            except LinqMcpError as error:
                # Raised after the group, which would wrap it.
                self._fatal = error
                tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            if lists and self._listing.unread:
                self._queue.is_growing = True
                tasks.start_soon(guarded, self._read_lists)
            for _ in range(_READERS):
                tasks.start_soon(guarded, self._read_chats)
        if self._fatal:
            error, self._fatal = self._fatal, None
            raise error
        self._listing.way = await self._listing.run(self._listing.kept.way)
        if (count := self._read - before) >= _FEWEST_TIMED:
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
        while self._failures < _MOST_FAILURES:
            taken = await self._queue.take(self._access.latest, self._refresh_until)
            may_go_on = self._access.may_go_on
            if taken is None or (self._access.in_background and may_go_on and not may_go_on()):
                return
            key, is_missing = taken
            await self._read_chat(key, self._access.deadline if is_missing else self._refresh_until + SHORTEST_REQUEST)
            self._read += 1
            if self._read % _READERS == 0:
                total = len(self._keys) if self._listing.is_whole else None
                await self._access.progress(min(self._read, total or self._read), total)

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
        states, entries = await listing.run(_states_and_entries, listing.kept, [key])
        state, entry = states.get(key), entries.get(key)
        if state is None or entry is None:
            return True
        if key not in self._forced and self._is_fresh(state) and self._covers(state):
            return True
        reading = ChatReading(
            listing.run,
            listing.kept,
            state,
            self._access.message_pages(entry.id or "", deadline),
            self._make_reader,
            self._access.now(),
            listing.way or None,
            self._again_from,
        )
        try:
            result = await reading.read()
        except LinqError as error:
            await self._failed(state, error)
            return True
        self._failures = 0
        listing.answered()
        listing.way = listing.way or reading.seen_way or ""
        if result is None:
            return False
        if not await self._account.keep_room():
            await self._let_pass(entry, *result)
        return True

    async def _let_pass(self, entry: Chat, state: ChatState, messages: Sequence[Message]) -> None:
        """Give the messages to a reader now, as there is no room to keep them."""
        self.facts.is_full = True
        reader = self._make_reader()
        for message in messages:
            reader.visit(message)
        self._unkept[state.id] = Conversation(entry, reader, state.asked, max(map(listed_at, messages), default=0.0))
        await self._listing.run(self._listing.kept.drop_messages, state)

    async def _failed(self, state: ChatState, error: LinqError) -> None:
        """A chat could not be read: it is left out, or Linq failed."""
        listing = self._listing
        await listing.refused(error)
        is_about_chat = isinstance(error, ApiResponseError) or (
            isinstance(error, ApiStatusError) and error.status in _NOT_READABLE
        )
        if not is_about_chat:
            if self._access.has_time():
                self._failures += 1
                self.facts.error = self.facts.error or error
            return
        listing.answered()
        if self._chats.only is not None:
            raise error
        if isinstance(error, ApiStatusError) and (error.status, error.code) == (404, CHAT_NOT_FOUND):
            await listing.run(listing.kept.delete_chat, state.id)
        else:
            await listing.run(listing.kept.set_unreadable, state, self._access.now())

    # Answering

    async def _answers(self, keys: Sequence[str]) -> AsyncIterator[tuple[str, Conversation[ReaderT] | None]]:
        """The conversations of those of the chats that are in question; None where what is kept is not enough."""
        listing = self._listing
        try:
            loaded = await listing.run(_load, listing.kept, keys, self._depth)
        except StoreError as error:
            listing.failed(error)
            for key in keys:
                yield key, None
            return
        for key, found in loaded.items():
            chat = self._seen(found.chat)
            if chat is None:
                continue
            if passed := self._unkept.get(key):
                yield key, replace(passed, chat=chat)
            elif found.state.unreadable:
                self.facts.left_out.append(found.chat.id or "")
            elif self._is_ordered(found.state) and (reader := await self._read_by(found)):
                yield key, Conversation(chat, reader, found.state.asked, found.newest)
            else:
                yield key, None

    async def _read_by(self, found: _Loaded) -> ReaderT | None:
        """A reader that has seen the messages as far back as it needs; None if they don't go back far enough."""
        reader = self._make_reader()
        if found.is_older:
            return reader
        messages, lowest = found.messages, found.lowest
        is_enough = False
        while messages:
            is_enough = any(map(reader.visit, messages))
            if is_enough or lowest is None:
                break
            await self._access.pause()
            below = await self._listing.run(self._listing.kept.messages_below, found.state.id, lowest, _BLOCKS_AT_ONCE)
            messages = [message for _, _, some in below for message in some]
            lowest = below[-1][0] if len(below) == _BLOCKS_AT_ONCE else None
        return reader if is_enough or found.state.is_whole else None

    def _finish(self, unmet: int) -> None:
        facts, listing = self.facts, self._listing
        for known in listing.lists.values():
            facts.as_of = min(facts.as_of, known.asked)
        facts.total = facts.scanned + unmet + len(facts.left_out) if listing.is_whole else None
        facts.is_complete = listing.is_whole and not unmet and not facts.unreadable
        if facts.error and unmet and not facts.scanned:
            raise facts.error
        left = unmet or facts.stale
        facts.seconds = left / self._account.rate if self._account.rate else 0.0
        access = self._access
        if access.may_go_on and (left or not listing.is_whole) and not self._is_repeat:
            in_background = replace(
                access, in_background=True, deadline=anyio.current_time() + BACKGROUND_SECONDS, progress=_quietly
            )
            again = Question(
                in_background,
                self._chats,
                self._make_reader,
                depth=self._depth,
                fresh_after=listing.began,
            )
            self._account.go_on(again.read)


async def _quietly(_: int, __: int | None) -> None:
    """Report no progress."""


def _states_and_entries(
    database: Database, kept: KeptAccount, keys: Sequence[str]
) -> tuple[dict[str, ChatState], dict[str, Chat]]:
    return kept.states(database, keys), kept.entries(database, keys)


def _load(database: Database, kept: KeptAccount, keys: Sequence[str], depth: Depth) -> dict[str, _Loaded]:
    """Those of the chats that are known, with the messages of their newest block."""
    states, entries = _states_and_entries(database, kept, keys)
    blocks = kept.newest_blocks(database, keys)
    loaded: dict[str, _Loaded] = {}
    for key in keys:
        if key in states and key in entries:
            block, has_older = blocks.get(key, (_NO_BLOCK, False))
            is_older = not depth.to_our_word and block.newest < depth.since - SPARE_SECONDS
            messages = [] if is_older or not block.count else block.unpacked()
            lowest = block.place if has_older else None
            loaded[key] = _Loaded(states[key], entries[key], messages, block.newest, lowest, is_older)
    return loaded
