"""Reading the messages of many chats at once, in the order of the chats, whichever way Linq lists messages.

Eight chats are read at a time. A reader gets every message of a chat from the newest back to a bound, a page at a
time, and keeps only what it needs, so that one page for each chat is in memory. A chat that can't be read is left
out and counted; when time runs out or Linq fails, the scan of the chats stops exactly before the first chat without a
result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import anyio

from linq_mcp.errors import ApiResponseError, ApiStatusError, LinqError
from linq_mcp.rows.message import direction
from linq_mcp.tools.reading.scan import PAGE_SIZE, SHORTEST_PAGE, Scan, Stop

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat, Message
    from linq_mcp.api.responses import Page
    from linq_mcp.tools.base.tool import Call

READERS = 8
# Most conversations are shorter; for a long one the latest messages are usually enough.
FIRST_PAGE_SIZE = 50
# These concern one chat, which is then left out.
_NOT_READABLE = frozenset({400, 403, 404, 409, 410, 422})


class Reader(Protocol):
    """Takes the messages of one chat."""

    def visit(self, message: Message) -> bool:
        """Take a message, in Linq's order; True if no older message matters any more."""
        ...


ReaderT = TypeVar("ReaderT", bound=Reader)


@dataclass(slots=True)
class Conversation(Generic[ReaderT]):
    """A chat and what its reader made of its messages.

    `oldest_first` is the order in which they came; `partial` says that paging stopped before the bound was reached.
    """

    chat: Chat
    reader: ReaderT
    oldest_first: bool = True
    partial: bool = False


@dataclass(slots=True)
class Conversations(Generic[ReaderT]):
    """The chats of `scan` that are `wanted`, each with a reader of its own.

    `unreadable` has the ids of the chats of which not everything could be read.
    """

    scan: Scan[Chat]
    call: Call
    wanted: Callable[[Chat], bool]
    make_reader: Callable[[], ReaderT]
    unreadable: list[str | None] = field(default_factory=list)
    _limiter: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(READERS))
    _throttled: int = field(init=False)

    def __post_init__(self) -> None:
        self._throttled = self.call.api.throttled

    async def next_page(self) -> list[Conversation[ReaderT]] | None:
        """The conversations of the next page of chats; None when the scan has stopped.

        Raises `LinqError` if not even one chat could be read.
        """
        chats = await self.scan.next_page()
        if not chats:
            return None
        results: list[Conversation[ReaderT] | LinqError | Stop | None] = [None] * len(chats)
        stopped = anyio.Event()

        async def read(index: int) -> None:
            async with self._limiter:
                if stopped.is_set() and index > first_stop():
                    return
                results[index] = await self._read(chats[index])
                if isinstance(results[index], LinqError | Stop):
                    stopped.set()

        def first_stop() -> int:
            return next((i for i, result in enumerate(results) if isinstance(result, LinqError | Stop)), len(results))

        async with anyio.create_task_group() as tasks:
            for index, chat in enumerate(chats):
                if self.wanted(chat):
                    tasks.start_soon(read, index)
        end = first_stop()
        if end < len(results):
            error = results[end]
            if isinstance(error, LinqError):
                self.scan.stop_after(end, Stop.ERROR, error)
                if not self.scan.scanned:
                    raise error
            else:
                self.scan.stop_after(end, Stop.TIME)
        for chat, result in zip(chats[:end], results[:end], strict=True):
            if result is None and self.wanted(chat):
                self.unreadable.append(chat.id)
        conversations = [result for result in results[:end] if isinstance(result, Conversation)]
        self.unreadable += [conversation.chat.id for conversation in conversations if conversation.partial]
        return conversations

    async def _read(self, chat: Chat) -> Conversation[ReaderT] | LinqError | Stop | None:
        """The conversation, or why the reading stops here; None for a chat that can't be read."""
        try:
            return await self._read_back(chat)
        except (ApiStatusError, ApiResponseError) as error:
            if isinstance(error, ApiResponseError) or error.status in _NOT_READABLE:
                return None
            return error
        except LinqError as error:
            return error
        finally:
            self._slow_down()

    def _slow_down(self) -> None:
        """Halve the number of readers if Linq has asked for a pause since it was halved last."""
        if self.call.api.throttled > self._throttled:
            self._throttled = self.call.api.throttled
            self._limiter.total_tokens = max(1, self._limiter.total_tokens // 2)

    async def _read_back(self, chat: Chat) -> Conversation[ReaderT] | Stop:
        if anyio.current_time() > self.call.deadline - SHORTEST_PAGE:
            return Stop.TIME

        async def fetch(cursor: str | None) -> Page[Message]:
            limit = PAGE_SIZE if cursor else FIRST_PAGE_SIZE
            return await self.call.api.list_messages(
                chat.id or "", limit=limit, cursor=cursor, deadline=self.call.deadline
            )

        conversation = Conversation(chat, self.make_reader())
        # Progress is that of the chats.
        scan = Scan(fetch, replace(self.call, progress=_no_progress))
        way: str | None = None
        while messages := await scan.next_page():
            way = way or direction(messages)
            bound_met = False
            for message in messages:
                await self.call.yield_if_due()
                bound_met = conversation.reader.visit(message) or bound_met
            if bound_met and way == "older":
                scan.finish()
        if scan.error:
            raise scan.error
        if scan.stop is Stop.TIME:
            return Stop.TIME
        conversation.oldest_first = way != "older"
        conversation.partial = scan.stop is not Stop.END or bool(scan.unreadable)
        return conversation


async def _no_progress(_: int) -> None:
    """Report nothing."""
