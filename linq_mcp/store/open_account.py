"""An account as tools read it: questions about many chats, and what has to be read again after a message was sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import anyio

from linq_mcp.errors import StoreError
from linq_mcp.store.access import OUR_LAST_WORD, Access, ChatFilter, Depth, Reader
from linq_mcp.store.kept_account import KeptAccount, KeptList, chat_key
from linq_mcp.store.listing import ACCEPTED_SECONDS, ListQuestion
from linq_mcp.store.question import MessageQuestion

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat
    from linq_mcp.store.database import InThread

ReaderT = TypeVar("ReaderT", bound=Reader)


class OpenAccount:
    """What is open to a call of an account."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def entries(self, chats: ChatFilter, *, is_repeat: bool = False) -> ListQuestion:
        """The question about the entries of `chats`."""
        return ListQuestion(self._access, chats, is_repeat=is_repeat)

    def conversations(
        self,
        chats: ChatFilter,
        make_reader: Callable[[], ReaderT],
        *,
        depth: Depth = OUR_LAST_WORD,
        is_repeat: bool = False,
    ) -> MessageQuestion[ReaderT]:
        """The question about the messages of `chats`."""
        return MessageQuestion(self._access, chats, make_reader, depth=depth, is_repeat=is_repeat)

    async def direction(self) -> str | None:
        """The direction in which Linq lists this account's messages, `older` or `newer`; None if it is not known."""
        with suppress(StoreError):
            run, kept, _ = await self._access.account.open()
            return await run(kept.direction) or None
        return None

    async def changed(self, chat_id: str | None, *, is_new: bool = False) -> None:
        """Something was sent in a chat, which may have been opened by it: it is read again before it is used."""
        with suppress(StoreError), anyio.CancelScope(shield=True):
            run, kept = await self._access.account.mark(chat_key(chat_id))
            if is_new:
                await run(kept.age_lists)

    async def known_chats(self, most: int) -> tuple[Sequence[Chat], bool]:
        """The first chats that are kept, `most` at most, in Linq's order, and whether these are all chats.

        Where nothing is kept yet, it is the first page. Raises `LinqError` and `StoreError`.
        """
        access = self._access
        run, kept, _ = await access.account.open()
        found: list[Chat] = []
        is_all = True
        for line in access.scope.lists(None):
            async with access.account.listing.setdefault(line, anyio.Lock()):
                known, is_finished = await self._known_list(run, kept, line)
            keys = known.ids[: most - len(found)]
            is_all = is_all and is_finished and len(keys) == len(known.ids)
            entries = await run(kept.entries, keys)
            seen = (access.scope.see(entries[key]) for key in keys if key in entries)
            found += [chat for chat in seen if chat]
        return found, is_all

    async def _known_list(self, run: InThread, kept: KeptAccount, line: str) -> tuple[KeptList, bool]:
        """A list as far as it is kept, and whether that is all of it; its first page is read if nothing is."""
        access = self._access
        now = access.now()
        if now - await run(kept.accepted) < ACCEPTED_SECONDS:
            if finished := await run(kept.read_list, line):
                return finished, True
            begun = await run(kept.read_list, line, finished=False)
            if begun and (begun.cursor or begun.asked > now - access.max_age):
                return begun, False
        page = await access.list_pages(line, None)(None)
        await run(kept.write_entries, page.items)
        await run(kept.set_accepted, now)
        first = KeptList(now, [chat_key(chat.id) for chat in page.items if chat.id])
        if not await run(kept.read_list, line):
            await run(kept.write_list, line, first, finished=False)
        return first, page.next_cursor is None and not page.unusable_cursor
