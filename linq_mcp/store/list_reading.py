"""Reading a list of chats to its end, and again from its beginning for the chats that moved meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

import anyio

from linq_mcp.errors import CHAT_NOT_FOUND, ApiStatusError, LinqError
from linq_mcp.store.kept_account import KeptAccount, KeptList, chat_key
from linq_mcp.store.pages import Pages

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat
    from linq_mcp.store.access import Access
    from linq_mcp.store.database import InThread

# With more chats missing than this, the list is read once more before each of them is asked for.
_MOST_MISSING = 20
# An unfinished list that was begun longer ago is read anew.
_RESUMED_SECONDS = 3600.0


class ListReading:
    """A reading of the list of chats by the `from` of `line` ("" for the whole list), or of those with `person`.

    A list that was begun and not finished goes on at its last page. `keys` are those of its chats in Linq's order;
    `asked` is when the reading began, in seconds since 1970. `unreadable` counts entries that are no chats.
    """

    def __init__(self, run: InThread, kept: KeptAccount, access: Access, line: str, person: str | None) -> None:
        self._run, self._kept, self._access = run, kept, access
        self._line, self._person = line, person
        self._fetch = access.list_pages(line, person)
        self.asked = access.now()
        self.keys: dict[str, None] = {}
        self.is_finished = False
        self.unreadable = 0
        self._cursor = ""
        self._has_ended = False

    async def __aiter__(self) -> AsyncIterator[list[Chat]]:
        """The chats, page by page; the first page comes as soon as it is there. Raises `LinqError` and `StoreError`."""
        before = await self._run(self._kept.read_list, self._line) if self._person is None else None
        try:
            begun = await self._begun()
            if begun and (page := await self._resumed(begun)) is not None:
                yield page
            async for page in self._read(self._cursor):
                yield page
            if not self._has_ended:
                return
            # A chat that gets a message moves to the front, where this reading has been already.
            async for page in self._read_moved():
                yield page
            missing = [key for key in before.ids if key not in self.keys] if before else []
            if len(missing) > _MOST_MISSING:
                async for page in self._read(""):
                    yield page
                missing = [key for key in missing if key not in self.keys]
            found = await self._found(missing)
            self.is_finished = True
            yield found
        finally:
            if self._person is None and (self.keys or self.is_finished):
                with anyio.CancelScope(shield=True):
                    kept = KeptList(self.asked, list(self.keys), "" if self.is_finished else self._cursor)
                    await self._run(self._kept.write_list, self._line, kept, finished=self.is_finished)

    async def _begun(self) -> KeptList | None:
        if self._person is not None:
            return None
        begun = await self._run(self._kept.read_list, self._line, finished=False)
        return begun if begun and begun.cursor and begun.asked > self.asked - _RESUMED_SECONDS else None

    async def _resumed(self, begun: KeptList) -> list[Chat] | None:
        """The rest of the page at which an unfinished list stopped; None if nothing on it is known any more."""
        known = set(begun.ids)
        try:
            page = await self._fetch(begun.cursor)
        except LinqError:
            return None
        if not any(chat_key(chat.id) in known for chat in page.items):
            return None
        self.keys = dict.fromkeys(begun.ids)
        self.asked, self._cursor = begun.asked, begun.cursor
        return self._new(page.items)

    async def _read(self, cursor: str) -> AsyncIterator[list[Chat]]:
        pages = Pages(self._fetch, cursor)
        async for page in pages:
            self._cursor = pages.cursor
            yield self._new(page)
        self.unreadable += pages.unreadable
        self._has_ended = pages.has_ended

    async def _read_moved(self) -> AsyncIterator[list[Chat]]:
        """From the first page on, until a page has nothing unseen."""
        async for page in Pages(self._fetch):
            if not (new := self._new(page)):
                return
            yield new

    async def _found(self, missing: Sequence[str]) -> list[Chat]:
        """Those of the `missing` chats that Linq still has: they were moving. The others are forgotten."""
        found: list[Chat] = []
        entries = await self._run(self._kept.entries, missing)
        for key in missing:
            if (entry := entries.get(key)) is None:
                continue
            try:
                async with self._access.request():
                    chat = await self._access.api.get_chat(entry.id or "", deadline=self._access.deadline)
            except ApiStatusError as error:
                if (error.status, error.code) == (404, CHAT_NOT_FOUND):
                    await self._run(self._kept.chats.delete, key)
                    continue
                if error.status < 500:
                    continue
                raise
            if not self._line or any(handle.is_me and handle.handle == self._line for handle in chat.handles or ()):
                found.append(chat)
        return self._new(found)

    def _new(self, chats: Sequence[Chat]) -> list[Chat]:
        """The chats that were not in the list so far; they are now."""
        self.unreadable += sum(not chat.id for chat in chats)
        new = [chat for chat in chats if chat.id and chat_key(chat.id) not in self.keys]
        self.keys.update((chat_key(chat.id), None) for chat in new)
        return new
