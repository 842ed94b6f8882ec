"""What a question about an account may read, and what its answer says about the reading it stands on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Protocol, TypeAlias

import anyio

from linq_mcp.store.pages import PAGE_SIZE, Fetch

if TYPE_CHECKING:
    from linq_mcp.api.client import LinqApi
    from linq_mcp.api.models import Chat, Message
    from linq_mcp.api.responses import Page
    from linq_mcp.api.scoped_client import Scope
    from linq_mcp.errors import LinqError, StoreError
    from linq_mcp.store.stores import Account

# Seconds that must remain for another request.
SHORTEST_REQUEST = 2.0
# Most conversations are shorter; for a long one the latest messages are usually enough.
FIRST_PAGE_SIZE = 50


Pause: TypeAlias = Callable[[], Awaitable[None]]


class Reader(Protocol):
    """Takes the messages of one chat."""

    def visit(self, message: Message) -> bool:
        """Take a message, the newest first; True if no older one matters any more."""
        ...


@dataclass(frozen=True, kw_only=True)
class Depth:
    """How far back messages are needed: to what Linq listed at `since` (seconds since 1970), our last word, or both."""

    since: float = inf
    to_our_word: bool = False

    def bound(self, our_word: float) -> float:
        """The earliest time that is needed of a chat in which our last word was then."""
        return min(self.since, our_word) if self.to_our_word else self.since


OUR_LAST_WORD = Depth(to_our_word=True)


@dataclass(frozen=True, kw_only=True)
class ChatFilter:
    """Which chats are in question: those on `line`, with `person`, and `wanted`; or the one with the id `only`."""

    line: str | None = None
    person: str | None = None
    wanted: Callable[[Chat], bool] | None = None
    only: str | None = None


@dataclass(frozen=True, kw_only=True)
class Access:
    """What a call may read of an account, and by when: `deadline` is on the clock of `anyio.current_time()`.

    `now` is the time in seconds since 1970. What was asked for less than `max_age` seconds ago is fresh. `progress` is
    told how many chats of how many have been read, `pause` is awaited between the items of long work. `may_go_on` says
    whether the caller may still read, for what goes on in the background; without it nothing does.
    """

    account: Account
    api: LinqApi
    scope: Scope
    deadline: float
    now: Callable[[], float]
    max_age: float
    progress: Callable[[int, int | None], Awaitable[None]]
    pause: Pause
    may_go_on: Callable[[], bool] | None = None
    in_background: bool = False

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Hold a slot for one request with the key."""
        slots = self.account.slots
        async with slots.one():
            limit, before = slots.limit, self.api.throttled
            try:
                yield
            finally:
                if self.api.throttled > before:
                    slots.slow_down(limit)

    def list_pages(self, line: str, person: str | None) -> Fetch[Chat]:
        """Reads the pages of the list of chats by that `from`, "" for the whole one, and with that person."""

        async def fetch(cursor: str | None) -> Page[Chat]:
            async with self.request():
                return await self.api.list_chats(
                    from_=line or None, to=person, limit=PAGE_SIZE, cursor=cursor, deadline=self.deadline
                )

        return fetch

    def message_pages(self, chat_id: str, deadline: float) -> Fetch[Message]:
        """Reads the pages of a chat's messages."""

        async def fetch(cursor: str | None) -> Page[Message]:
            limit = PAGE_SIZE if cursor else FIRST_PAGE_SIZE
            async with self.request():
                return await self.api.list_messages(chat_id, limit=limit, cursor=cursor, deadline=deadline)

        return fetch

    @property
    def latest(self) -> float:
        """Until when another request can be begun."""
        return self.deadline - SHORTEST_REQUEST

    def has_time(self) -> bool:
        """Whether another request can be begun."""
        return anyio.current_time() < self.latest


@dataclass(slots=True)
class Facts:
    """What an answer says about the reading it stands on. Times are in seconds since 1970.

    `scanned` of `total` chats are covered; `total` is None while a list has not been read to its end. `as_of` is when
    the oldest reading used was asked for. `stale` counts the chats that were asked for too long ago, the last of them
    at `stale_to`. `seconds` is how long the same call would take for what is left, or what is stale. `left_out` has the
    ids of the chats that Linq does not let be read, `unreadable` counts entries of lists that are no chats.
    `is_endless`: Linq's cursors lead nowhere. `is_full`: not everything that was read could be kept. `is_too_much`:
    going through what is kept takes longer than a call.
    """

    scanned: int = 0
    total: int | None = None
    is_complete: bool = True
    as_of: float = inf
    stale: int = 0
    stale_to: float = 0.0
    seconds: float = 0.0
    left_out: list[str] = field(default_factory=list)
    unreadable: int = 0
    is_endless: bool = False
    is_full: bool = False
    is_too_much: bool = False
    error: LinqError | None = None
    store_error: StoreError | None = None

    def use(self, asked: float, fresh_after: float, chats: int = 1) -> None:
        """Count the reading of so many chats that was asked for then."""
        self.as_of = min(self.as_of, asked)
        if asked <= fresh_after:
            self.stale += chats
            self.stale_to = max(self.stale_to, asked)
