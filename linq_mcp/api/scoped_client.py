"""`ScopedApi`: the API, limited to the open lines.

Tools are given `ScopedApi` in place of `LinqApi`, so none of them can reach the rest. A chat or message of another line
looks exactly like one that does not exist. A method of `LinqApi` that `ScopedApi` lacks is closed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from linq_mcp.api.client import IsPerson, LinqApi
from linq_mcp.api.files import File, Needed
from linq_mcp.api.models import Chat, ChatDetail, CreatedChat, Message, PhoneNumber, Poll, SentMessage
from linq_mcp.api.responses import Page
from linq_mcp.errors import (
    CHAT_NOT_FOUND,
    MESSAGE_NOT_FOUND,
    ApiStatusError,
    LineNotOpenError,
    SettingsError,
)
from linq_mcp.settings.problems import UnusableLines

ChatT = TypeVar("ChatT", Chat, ChatDetail)

# A status with a code of Linq's is about this very chat or message.
_ABOUT_THE_ID = frozenset({403, 404, 409, 410})


class Scope:
    """What of an account is open: the chats on `lines`, or everything if there are none.

    A chat is open if one of its own numbers is; those of its numbers that are not open appear as other participants.
    """

    def __init__(self, lines: Collection[str]) -> None:
        self.lines = tuple(dict.fromkeys(lines))

    def lists(self, from_: str | None) -> list[str]:
        """The `from` of each list of chats that makes up what is open of `from_`; "" is the list of all chats.

        Raises `LineNotOpenError` if `from_` is not open.
        """
        if from_ is not None and self.lines and from_ not in self.lines:
            raise LineNotOpenError(from_)
        return [from_] if from_ else list(self.lines) or [""]

    def opens(self, chat: Chat) -> bool:
        """Whether the chat is open."""
        return not self.lines or any(handle.is_me and handle.handle in self.lines for handle in chat.handles or ())

    def see(self, chat: ChatT) -> ChatT | None:
        """The chat as the caller may see it; None if it is not open."""
        if not self.opens(chat):
            return None
        if not self.lines or not any(h.is_me and h.handle not in self.lines for h in chat.handles or ()):
            return chat
        handles = [
            handle if handle.handle in self.lines else handle.model_copy(update={"is_me": False})
            for handle in chat.handles or ()
        ]
        return chat.model_copy(update={"handles": handles})

    async def entry_of(self, api: LinqApi, chat_id: str, deadline: float) -> Chat:
        """The chat with that id, as it is. Raises `ApiStatusError` as for an unknown one if it is not open."""
        if not self.lines:
            return Chat(id=chat_id)
        try:
            chat = await api.get_chat(chat_id, deadline=deadline)
        except ApiStatusError as error:
            raise _hidden(error, CHAT_NOT_FOUND) from None
        if not self.opens(chat):
            raise _not_found(CHAT_NOT_FOUND)
        return chat


class ScopedApi:
    """`api` as far as `lines` open it, for one call. Methods are those of `LinqApi`.

    A chat is open if one of its own numbers is; those of its numbers that are not open appear as other participants.
    Chats and files that were found open are remembered for as long as this object lives.
    """

    def __init__(self, api: LinqApi, lines: Collection[str]) -> None:
        self._api = api
        self._lines = frozenset(lines)
        self._scope = Scope(lines)
        self._open_chats: set[str] = set()
        self._open_files: set[str] = set()

    @property
    def throttled(self) -> int:
        """How many requests were answered with 429."""
        return self._api.throttled

    @property
    def delivery_pause(self) -> float:
        """Seconds to wait before a sent message is first read back."""
        return self._api.delivery_pause

    async def list_chats(
        self, *, from_: str | None, to: str | None, limit: int, cursor: str | None, deadline: float
    ) -> Page[Chat]:
        """A page without the chats of other lines, so that it may be empty although there are more.

        Raises `LineNotOpenError` if `from_` is not open.
        """
        if from_ is not None and from_ not in self._lines:
            raise LineNotOpenError(from_)
        line = next(iter(self._lines)) if len(self._lines) == 1 else from_
        page = await self._api.list_chats(from_=line, to=to, limit=limit, cursor=cursor, deadline=deadline)
        # Checked here as well: what Linq makes of a filter is not documented in full.
        chats = [chat for chat in map(self._scope.see, page.items) if chat]
        self._open_chats.update(chat.id for chat in chats if chat.id)
        return replace(page, items=chats)

    async def health_with(self, person: str, *, is_person: IsPerson, deadline: float) -> frozenset[str]:
        """On every line, the closed ones as well: somebody who opted out on one of them must not be written to."""
        return await self._api.health_with(person, is_person=is_person, deadline=deadline)

    async def get_chat(self, chat_id: str, *, deadline: float) -> ChatDetail:
        """An open chat. Raises `ApiStatusError` as for an unknown one if it is not."""
        try:
            chat = await self._api.get_chat(chat_id, deadline=deadline)
        except ApiStatusError as error:
            raise _hidden(error, CHAT_NOT_FOUND) from None
        if (seen := self._scope.see(chat)) is None:
            raise _not_found(CHAT_NOT_FOUND)
        self._open_chats.add(chat_id)
        return seen

    async def list_messages(self, chat_id: str, *, limit: int, cursor: str | None, deadline: float) -> Page[Message]:
        """A page of an open chat's messages. Raises `ApiStatusError` as for an unknown chat if it is not open."""
        if chat_id not in self._open_chats:
            await self.get_chat(chat_id, deadline=deadline)
        return await self._api.list_messages(chat_id, limit=limit, cursor=cursor, deadline=deadline)

    async def get_message(self, message_id: str, *, deadline: float) -> Message:
        """A message of an open chat. Raises `ApiStatusError` as for an unknown one if it is not."""
        try:
            message = await self._api.get_message(message_id, deadline=deadline)
            if not message.chat_id:
                raise _not_found(MESSAGE_NOT_FOUND)
            if message.chat_id not in self._open_chats:
                await self.get_chat(message.chat_id, deadline=deadline)
        except ApiStatusError as error:
            raise _hidden(error, MESSAGE_NOT_FOUND) from None
        self._open_files.update(part.url for part in message.parts or () if part.url)
        return message

    async def get_poll(self, message_id: str, *, deadline: float) -> Poll:
        """The poll that a message of an open chat is. Raises `ApiStatusError` as for an unknown one if it is not."""
        await self.get_message(message_id, deadline=deadline)
        return await self._api.get_poll(message_id, deadline=deadline)

    async def fetch_file(self, url: str, *, needed: Needed, deadline: float) -> File:
        """A file of a message that `get_message` returned. Raises `ApiStatusError` as for an unknown message if not."""
        if url not in self._open_files:
            raise _not_found(MESSAGE_NOT_FOUND)
        return await self._api.fetch_file(url, needed=needed, deadline=deadline)

    async def send_message(
        self, chat_id: str, message: Mapping[str, Any], *, idempotency_key: str, deadline: float
    ) -> SentMessage:
        """Into an open chat. Raises `ApiStatusError` as for an unknown one if it is not."""
        if chat_id not in self._open_chats:
            await self.get_chat(chat_id, deadline=deadline)
        return await self._api.send_message(chat_id, message, idempotency_key=idempotency_key, deadline=deadline)

    async def create_chat(
        self, *, from_: str, to: str, message: Mapping[str, Any], idempotency_key: str, deadline: float
    ) -> CreatedChat:
        """On an open line. Raises `LineNotOpenError` if it is not."""
        if from_ not in self._lines:
            raise LineNotOpenError(from_)
        return await self._api.create_chat(
            from_=from_, to=to, message=message, idempotency_key=idempotency_key, deadline=deadline
        )

    async def react_to_message(
        self, message_id: str, *, operation: str, type_: str, custom_emoji: str | None, deadline: float
    ) -> None:
        """To a message of an open chat. Raises `ApiStatusError` as for an unknown one if it is not."""
        await self.get_message(message_id, deadline=deadline)
        await self._api.react_to_message(
            message_id, operation=operation, type_=type_, custom_emoji=custom_emoji, deadline=deadline
        )

    async def list_phone_numbers(self, *, deadline: float) -> Page[PhoneNumber]:
        """The open lines."""
        page = await self._api.list_phone_numbers(deadline=deadline)
        return replace(page, items=[number for number in page.items if number.phone_number in self._lines])


OpenApi: TypeAlias = LinqApi | ScopedApi
"""What tools read Linq with."""


async def open_api(api: LinqApi, lines: Collection[str], *, deadline: float) -> OpenApi:
    """`api` for one call, narrowed to `lines` if there are any.

    Raises `SettingsError` if one of them is not the account's: with several, nobody would miss its chats. The account's
    lines are read at the first call of a client, and again while one is missing.
    """
    if not lines:
        return api
    if not api.own_lines.issuperset(lines):
        page = await api.list_phone_numbers(deadline=deadline)
        api.own_lines = frozenset(number.phone_number for number in page.items if number.phone_number)
        if foreign := tuple(line for line in lines if line not in api.own_lines):
            raise SettingsError(UnusableLines(foreign))
    return ScopedApi(api, lines)


def _hidden(error: ApiStatusError, code: int) -> ApiStatusError:
    """`error`, or "not found" where `error` would reveal that the id exists."""
    return _not_found(code) if error.status in _ABOUT_THE_ID and error.code and not error.retryable else error


def _not_found(code: int) -> ApiStatusError:
    # Drop Linq's message and trace id: they would reveal which case it is.
    return ApiStatusError("", status=404, code=code)
