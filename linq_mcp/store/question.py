"""A question about the messages of chats: it is answered from what is kept, after what it needs was read from Linq.

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
from linq_mcp.errors import LinqMcpError, StoreError
from linq_mcp.rows.message import listed_at
from linq_mcp.store.access import OUR_LAST_WORD, SPARE_SECONDS, Access, ChatFilter, Depth, Reader
from linq_mcp.store.blocks import Block
from linq_mcp.store.kept_account import KeptAccount
from linq_mcp.store.kept_chats import ChatState
from linq_mcp.store.listing import Listing
from linq_mcp.store.reading import QuestionReading

if TYPE_CHECKING:
    from linq_mcp.api.models import Message
    from linq_mcp.store.database import Database

ReaderT = TypeVar("ReaderT", bound=Reader)

BACKGROUND_SECONDS = 600.0
_LOADED_AT_ONCE = 50
_BLOCKS_AT_ONCE = 2
_NO_BLOCK = Block(0, 0.0, 0.0, 0, b"")


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
        self._listing = Listing(access, chats, is_repeat=is_repeat, fresh_after=fresh_after)
        self.facts = self._listing.facts
        again_from = depth.since if deep else inf
        self._reading = QuestionReading(
            access, chats, self._listing, make_reader, self._let_pass, depth=depth, again_from=again_from
        )
        # What was read and could not be kept, as its readers saw it.
        self._unkept: dict[str, Conversation[ReaderT]] = {}

    async def __aiter__(self) -> AsyncIterator[Conversation[ReaderT]]:
        await self._reading.read()
        left, was_read_again = self._reading.keys, False
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
            if not unmet or was_read_again or not self._access.has_time() or self.facts.error:
                break
            # What is kept of these was not enough for their readers, or somebody dropped it meanwhile.
            left, was_read_again = unmet, True
            try:
                await self._reading.read_again(unmet)
            except StoreError as error:
                self._listing.failed(error)
                break
        self._finish(len(unmet))

    async def read(self) -> None:
        """Read what is in question, and answer nothing."""
        with suppress(LinqMcpError):
            await self._reading.read()

    def _let_pass(self, entry: Chat, state: ChatState, messages: Sequence[Message]) -> None:
        """Give the messages to a reader now, as there is no room to keep them."""
        self.facts.is_full = True
        reader = self._make_reader()
        for message in messages:
            reader.visit(message)
        self._unkept[state.id] = Conversation(entry, reader, state.asked, max(map(listed_at, messages), default=0.0))

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
            chat = self._reading.sees(found.chat)
            if chat is None:
                continue
            if passed := self._unkept.get(key):
                yield key, replace(passed, chat=chat)
            elif found.state.unreadable:
                self.facts.left_out.append(found.chat.id or "")
            elif self._reading.is_ordered(found.state) and (reader := await self._read_by(found)):
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
            below = await self._listing.run(_load_below, self._listing.kept, found.state, lowest)
            if below is None:
                return None
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


def _load(database: Database, kept: KeptAccount, keys: Sequence[str], depth: Depth) -> dict[str, _Loaded]:
    """Those of the chats that are known, with the messages of their newest block."""
    with database.snapshot():
        states, entries = kept.chats.states(database, keys), kept.entries(database, keys)
        blocks = kept.chats.newest_blocks(database, keys)
    loaded: dict[str, _Loaded] = {}
    for key in keys:
        if key in states and key in entries:
            block, has_older = blocks.get(key, (_NO_BLOCK, False))
            is_older = not depth.to_our_word and block.newest < depth.since - SPARE_SECONDS
            messages = [] if is_older or not block.count else block.unpacked()
            lowest = block.place if has_older else None
            loaded[key] = _Loaded(states[key], entries[key], messages, block.newest, lowest, is_older)
    return loaded


def _load_below(
    database: Database, kept: KeptAccount, state: ChatState, place: int
) -> list[tuple[int, float, list[Message]]] | None:
    """The next blocks of a chat below `place`; None if somebody wrote it since, so that other blocks are there."""
    with database.snapshot():
        now = kept.chats.states(database, [state.id]).get(state.id)
        is_same = now is not None and now.version == state.version
        return kept.chats.messages_below(database, state.id, place, _BLOCKS_AT_ONCE) if is_same else None
