"""Reading one chat from Linq again: from its newest message back, down to where it meets what is kept.

What was read replaces what was kept, down to where the two meet; where they don't meet, it is all there is. So what is
kept has no gap, and what Linq no longer lists there is gone.
"""

from __future__ import annotations

from collections.abc import Callable, KeysView, Sequence
from dataclasses import dataclass, field, replace
from itertools import dropwhile
from math import inf
from typing import TYPE_CHECKING

from linq_mcp.errors import LinqError
from linq_mcp.rows.message import direction, is_answer, listed_at, timestamp
from linq_mcp.store.access import Pause, Reader
from linq_mcp.store.kept_account import KeptAccount
from linq_mcp.store.kept_chats import KeptState
from linq_mcp.store.pages import Fetch, Pages

if TYPE_CHECKING:
    from linq_mcp.api.models import Message
    from linq_mcp.store.database import InThread

# After so long, the status of a message counts as final.
SETTLED_SECONDS = 2 * 86_400.0
_FINAL = frozenset({"delivered", "read", "failed", "received"})
_BLOCKS_AT_ONCE = 4
# Messages that are deleted while pages are read move the pages; then the reading begins again.
_MOST_ATTEMPTS = 3


class _Feed:
    """Gives messages to a reader and remembers whether it has enough."""

    def __init__(self, reader: Reader, pause: Pause) -> None:
        self._reader, self._pause = reader, pause
        self.is_enough = False

    async def __call__(self, messages: Sequence[Message]) -> None:
        for message in messages:
            await self._pause()
            self.is_enough = self._reader.visit(message) or self.is_enough


class _KeptMessages:
    """The kept messages of a chat, loaded from the newest block down, as far as they are needed."""

    def __init__(self, run: InThread, kept: KeptAccount, state: KeptState, pause: Pause) -> None:
        self._run, self._kept, self._pause = run, kept, pause
        self.state = state
        self._blocks: list[tuple[int, list[Message]]] = []
        self._found: dict[str, tuple[int, int]] = {}
        self._loaded_to = inf
        self._is_all = state.asked == 0

    async def reach_below(self, time: float) -> bool:
        """Whether any kept message may have been listed at or before that time."""
        await self._load(time)
        return not self._is_all or self._loaded_to <= time

    async def last_of(self, page: Sequence[Message]) -> tuple[int, int] | None:
        """Where the last message of `page` that is kept stands: in which loaded block, and where in it."""
        await self._load(_oldest(page))
        return next((self._found[m.id] for m in reversed(page) if m.id in self._found), None)

    @property
    def ids(self) -> KeysView[str]:
        """The ids of the messages that were loaded."""
        return self._found.keys()

    def number(self, block: int) -> int:
        return self._blocks[block][0]

    def rest(self, block: int, index: int) -> list[Message]:
        """The messages of a loaded block after the one at `index`."""
        return self._blocks[block][1][index + 1 :]

    async def below(self, block: int) -> list[Message] | None:
        """The messages of the next block below; None if there is none."""
        while len(self._blocks) <= block + 1 and not self._is_all:
            await self._load_more()
        return self._blocks[block + 1][1] if len(self._blocks) > block + 1 else None

    async def _load(self, down_to: float) -> None:
        while not self._is_all and self._loaded_to > down_to:
            await self._load_more()

    async def _load_more(self) -> None:
        above = self._blocks[-1][0] if self._blocks else None
        loaded = await self._run(self._kept.chats.blocks_below, self.state, above, _BLOCKS_AT_ONCE)
        self._is_all = len(loaded) < _BLOCKS_AT_ONCE
        for block in loaded:
            messages: list[Message] = []
            for message in block.messages():
                await self._pause()
                if message.id:
                    self._found[message.id] = len(self._blocks), len(messages)
                messages.append(message)
            self._blocks.append((block.number, messages))
            self._loaded_to = min(self._loaded_to, block.oldest)


@dataclass(slots=True, kw_only=True)
class ChatReading:
    """A reading of one chat, as far back as the readers of `make_reader` need, and as statuses may still change.

    `fetch` reads a page of its messages, in whichever order Linq lists them: `direction` is that of the account's
    other lists, for a chat that does not show it. `asked` is when the reading begins, in seconds since 1970. What is
    kept of messages that were listed after `again_from` is read again, too. `pause` is awaited between any two
    messages.
    """

    run: InThread
    kept: KeptAccount
    state: KeptState
    fetch: Fetch[Message]
    make_reader: Callable[[], Reader]
    asked: float
    pause: Pause
    direction: str | None = None
    again_from: float = inf
    seen_direction: str | None = field(default=None, init=False)

    async def read(self) -> tuple[KeptState, list[Message]] | None:
        """The new state, and the messages back to where the readers have enough, newest first.

        None if somebody else wrote the chat meanwhile. Raises `LinqError` and `StoreError`.
        """
        for _ in range(_MOST_ATTEMPTS):
            attempt = _Attempt(self)
            if await attempt.read_newest():
                break
        self.seen_direction = attempt.seen_direction
        return await attempt.write()


class _Attempt:
    """One attempt at a reading, from the newest message."""

    def __init__(self, reading: ChatReading) -> None:
        self._reading = reading
        self._kept = _KeptMessages(reading.run, reading.kept, reading.state, reading.pause)
        self._feed = _Feed(reading.make_reader(), reading.pause)
        self._pages = Pages(reading.fetch)
        self._messages: list[Message] = []
        self.seen_direction: str | None = None
        # The loaded block in which what was read meets what is kept, and where in it.
        self._met: tuple[int, int] | None = None
        self._error: LinqError | None = None

    @property
    def _direction(self) -> str | None:
        return self.seen_direction or self._reading.direction

    async def read_newest(self) -> bool:
        """Read back from the newest message; False if messages were deleted meanwhile, so that some may be missing."""
        first: list[Message] = []
        cursors: list[str] = []
        order: list[str] = []
        try:
            async for page in self._pages:
                cursors.append(self._pages.cursor)
                order += [message.id for message in page if message.id]
                if first and self._direction == "older":
                    page = self._without_later(page, first)  # noqa: PLW2901
                first = first or page
                self._messages += page
                self.seen_direction = self.seen_direction or direction(self._messages)
                await self._feed(page)
                if self._direction == "older" and page and await self._is_deep_enough(page):
                    break
        except LinqError as error:
            if not (self._messages and self._direction == "older" and not self._reading.state.asked):
                raise
            # The latest messages are worth keeping; the next reading goes on below them.
            self._error = error
        # Nothing was read after the last page, so it does not matter if that one has changed.
        return self._error is not None or await self._is_steady(cursors[:-1], order)

    def _without_later(self, page: list[Message], first: Sequence[Message]) -> list[Message]:
        """A further page without messages that came since the `first` one, and have moved the others down to it."""
        newest = max(map(listed_at, first))
        moved = self._pages.before_known
        return [
            message
            for index, message in enumerate(page)
            if not (listed_at(message) > newest or (index < moved and listed_at(message) == newest))
        ]

    def _without_kept(self, messages: Sequence[Message]) -> list[Message]:
        """`messages` without those after the last known one that have no id: these are among the kept ones."""
        last = max(index for index, message in enumerate(messages) if message.id in self._kept.ids)
        return [message for index, message in enumerate(messages) if index <= last or message.id]

    async def _is_deep_enough(self, page: Sequence[Message]) -> bool:
        oldest = _oldest(page)
        settled = min(self._reading.asked - SETTLED_SECONDS, self._reading.again_from)
        if (met := await self._kept.last_of(page)) and 0 < oldest < settled:
            self._met = met
            return True
        return self._feed.is_enough and not await self._kept.reach_below(oldest)

    async def _is_steady(self, cursors: Sequence[str], order: Sequence[str]) -> bool:
        """Whether the pages at `cursors` still go on in the `order` in which all were read, after new messages."""
        positions = {id_: index for index, id_ in enumerate(order)}
        for cursor in cursors:
            page = [message.id for message in (await self._reading.fetch(cursor or None)).items if message.id]
            known = list(dropwhile(lambda id_: id_ not in positions, page))
            if known and known != order[positions[known[0]] :][: len(known)]:
                return False
        return True

    async def write(self) -> tuple[KeptState, list[Message]] | None:
        """Keep what was read; then read on below what is kept, where that is not deep enough."""
        reading, before, messages = self._reading, self._reading.state, self._messages
        if self._direction == "newer":
            messages = messages[::-1]
        state = _described(messages, reading.asked)._replace(
            id=before.id,
            version=before.version,
            asked=reading.asked,
            is_whole=self._pages.has_ended and not self._pages.unreadable,
            is_directed=self._direction is not None,
            cursor=self._pages.cursor,
        )
        above = None
        if self._met:
            block, index = self._met
            rest = self._kept.rest(block, index)
            above = self._kept.number(block) - 1
            messages = [*self._without_kept(messages), *rest]
            state = state._replace(
                reaches=min(filter(None, (state.reaches, before.reaches)), default=0.0),
                our_word=state.our_word or before.our_word,
                is_whole=before.is_whole,
                cursor=before.cursor,
            )
            await self._feed(rest)
        new_direction = None if self.seen_direction == reading.direction else self.seen_direction
        if not await reading.run(reading.kept.chats.write, state, messages, above, new_direction):
            return None
        state = state._replace(version=state.version + 1)
        if self._error:
            raise self._error
        if self._met:
            # The blocks below are still those that were loaded, or would have been.
            self._kept.state = state
            return await self._read_further(state, messages)
        return state, messages

    async def _read_further(self, state: KeptState, messages: list[Message]) -> tuple[KeptState, list[Message]] | None:
        reading, (block, _) = self._reading, self._met or (0, 0)
        while not self._feed.is_enough and (below := await self._kept.below(block)) is not None:
            await self._feed(below)
            messages += below
            block += 1
        if self._feed.is_enough or state.is_whole:
            return state, messages
        pages = Pages(reading.fetch, state.cursor)
        older: list[Message] = []
        has_met, failure = await self._read_below(pages, older)
        if not has_met:
            # The pages have moved too far. What is kept is dropped, and the chat read anew.
            return await replace(reading, state=state._replace(asked=0.0)).read()
        more = _described(older, reading.asked)
        state = state._replace(
            reaches=min(filter(None, (state.reaches, more.reaches)), default=0.0),
            our_word=state.our_word or more.our_word,
            is_whole=pages.has_ended and not pages.unreadable,
            cursor=pages.cursor,
        )
        if not await reading.run(reading.kept.chats.append, state, older):
            return None
        if failure:
            raise failure
        return state._replace(version=state.version + 1), [*messages, *older]

    async def _read_below(self, pages: Pages[Message], older: list[Message]) -> tuple[bool, LinqError | None]:
        """Read what follows the kept messages into `older`.

        Returns whether any of these was on the first page, and what failed after that.
        """
        known = {*self._kept.ids, *(message.id for message in self._messages if message.id)}
        has_met = False
        try:
            async for page in pages:
                fresh = page
                if not has_met:
                    last = next((index for index in reversed(range(len(page))) if page[index].id in known), None)
                    if last is None:
                        return False, None
                    fresh, has_met = page[last + 1 :], True
                # Newer messages may have moved the end of what is kept to a later page.
                fresh = [message for message in fresh if message.id not in known]
                older += fresh
                await self._feed(fresh)
                if self._feed.is_enough:
                    break
        except LinqError as error:
            return True, error
        return has_met, None


def _described(messages: Sequence[Message], asked: float) -> KeptState:
    """What a state says of messages that were asked for then."""
    times = [at for at in map(listed_at, messages) if at]
    return KeptState(
        reaches=min(times, default=0.0),
        our_word=max((timestamp(message) for message in messages if is_answer(message)), default=0.0),
        is_unsettled=any(
            message.is_from_me
            and (message.delivery_status or "").casefold() not in _FINAL
            and listed_at(message) > asked - SETTLED_SECONDS
            for message in messages
        ),
    )


def _oldest(messages: Sequence[Message]) -> float:
    return min((at for at in map(listed_at, messages) if at), default=0.0)
