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
from linq_mcp.rows.message import SPARE_SECONDS, listed_at
from linq_mcp.store.access import OUR_LAST_WORD, Access, ChatFilter, Depth, Reader
from linq_mcp.store.ending import EndReader
from linq_mcp.store.kept_chats import KeptChat, KeptState
from linq_mcp.store.listing import Listing
from linq_mcp.store.reading import QuestionReading

if TYPE_CHECKING:
    from linq_mcp.api.models import Message

ReaderT = TypeVar("ReaderT", bound=Reader)

BACKGROUND_SECONDS = 600.0
# After a call's deadline, it goes on with what is kept for so many seconds: that is fast, but others may be doing it.
_ANSWERING_SECONDS = 10.0
_LOADED_AT_ONCE = 100
_BLOCKS_AT_ONCE = 2


@dataclass(slots=True)
class Conversation(Generic[ReaderT]):
    """A chat, and what its reader made of its messages.

    They were asked for at `asked`, and the newest of them was listed at `newest`, in seconds since 1970.
    """

    chat: Chat
    reader: ReaderT
    asked: float
    newest: float


class MessageQuestion(Generic[ReaderT]):
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
        self._by_ending = isinstance(make_reader(), EndReader)
        # What was read and may not be kept, as its readers saw it.
        self._unkept: dict[str, Conversation[ReaderT]] = {}

    async def __aiter__(self) -> AsyncIterator[Conversation[ReaderT]]:
        with self._account.call():
            await self._reading.read()
            unmet: list[str] = []
            async for conversation in self._among(self._reading.keys, unmet):
                yield conversation
            if unmet and self._access.has_time() and not self.facts.error:
                # What is kept of these was not enough for their readers, or somebody dropped it meanwhile.
                again, unmet = unmet, []
                try:
                    await self._reading.read_again(again)
                except StoreError as error:
                    self._listing.failed(error)
                async for conversation in self._among(again, unmet):
                    yield conversation
        self._finish(len(unmet))

    async def _among(self, keys: Sequence[str], unmet: list[str]) -> AsyncIterator[Conversation[ReaderT]]:
        """Those of the chats of which enough is kept; the keys of the others are added to `unmet`."""
        ends_at = self._access.deadline + _ANSWERING_SECONDS
        for start in range(0, len(keys), _LOADED_AT_ONCE):
            some = keys[start : start + _LOADED_AT_ONCE]
            if anyio.current_time() > ends_at:
                # After a reading, the next call has more time.
                self.facts.is_too_much = not self._reading.count
                unmet += some
                continue
            try:
                loaded = await self._load(some, blocks=not self._by_ending)
            except StoreError as error:
                self._listing.failed(error)
                unmet += some
                continue
            for key in some:
                await self._access.pause()
                found = loaded.get(key)
                chat = self._reading.sees(found.entry) if found else None
                if found is None or chat is None:
                    continue
                if found.state.unreadable:
                    self.facts.left_out.append(chat.id or "")
                    continue
                try:
                    conversation = await self._conversation(key, chat, found)
                except StoreError as error:
                    self._listing.failed(error)
                    conversation = None
                if conversation:
                    self.facts.scanned += 1
                    self.facts.use(conversation.asked, self._listing.fresh_after)
                    yield conversation
                else:
                    unmet.append(key)

    async def _load(self, keys: Sequence[str], *, blocks: bool) -> dict[str, KeptChat]:
        return await self._listing.run(self._listing.kept.chats.load, keys, blocks=blocks)

    async def read(self) -> None:
        """Read what is in question, and answer nothing."""
        with suppress(LinqMcpError):
            await self._reading.read()

    def _let_pass(self, entry: Chat, state: KeptState, messages: Sequence[Message]) -> None:
        """Give the messages to a reader now, as they may not be kept for long."""
        reader = self._make_reader()
        any(map(reader.visit, messages))
        self._unkept[state.id] = Conversation(entry, reader, state.asked, max(map(listed_at, messages), default=0.0))

    async def _conversation(self, key: str, chat: Chat, found: KeptChat) -> Conversation[ReaderT] | None:
        """The chat with a reader that has seen as much as it needs; None if not enough of it is kept."""
        if passed := self._unkept.get(found.state.id):
            return replace(passed, chat=chat)
        reader = self._make_reader()
        if isinstance(reader, EndReader):
            if self._reading.is_ordered(found.state) and found.ending and reader.take(found.ending):
                return Conversation(chat, reader, found.state.asked, found.ending.newest)
            loaded = await self._load([key], blocks=True)
            if key not in loaded:
                # Somebody has dropped it meanwhile.
                return None
            found = loaded[key]
        if not self._reading.is_ordered(found.state):
            return None
        conversation = Conversation(chat, reader, found.state.asked, found.listed_at)
        if not self._depth.to_our_word and found.listed_at < self._depth.since - SPARE_SECONDS:
            return conversation
        blocks = [found.newest] if found.newest else []
        while True:
            for block in blocks:
                for message in block.messages():
                    # Strangers write them, and a long one takes milliseconds.
                    await self._access.pause()
                    if reader.visit(message):
                        return conversation
            if not blocks or blocks[-1].number == found.lowest:
                return conversation if found.state.is_whole else None
            await self._access.pause()
            below = self._listing.kept.chats.blocks_below
            if not (blocks := await self._listing.run(below, found.state, blocks[-1].number, _BLOCKS_AT_ONCE)):
                # Somebody has written it meanwhile.
                return None

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
            again = MessageQuestion(
                in_background,
                self._chats,
                self._make_reader,
                depth=self._depth,
                fresh_after=listing.began,
            )
            self._account.go_on(again.read)


async def _quietly(_: int, __: int | None) -> None:
    """Report no progress."""
