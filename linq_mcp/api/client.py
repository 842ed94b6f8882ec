"""Linq's API: one method per endpoint, which reads the answer into wire models. `http_client` sends the requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import quote

from linq_mcp.api.files import File, Needed
from linq_mcp.api.http_client import HttpClient
from linq_mcp.api.models import (
    Chat,
    ChatDetail,
    Chats,
    CreatedChat,
    Message,
    Messages,
    PhoneNumber,
    PhoneNumbers,
    Poll,
    SentMessage,
)
from linq_mcp.api.responses import Page, PageRequest, as_one, as_page, as_poll, as_sent, check_accepted
from linq_mcp.errors import ApiResponseError

IsPerson: TypeAlias = Callable[[str], bool]

PAGE_SIZE = 100
_MOST_PAGES = 100
# In lower case, as they are compared.
OPTED_OUT, CRITICAL = "opted_out", "critical"


class LinqApi(HttpClient):
    """The endpoints that this package uses.

    Every method takes a `deadline` on the clock of `anyio.current_time()` and raises only `LinqError`, or
    `FileError` for a file.
    """

    async def list_chats(
        self, *, from_: str | None, to: str | None, limit: int, cursor: str | None, deadline: float
    ) -> Page[Chat]:
        """`GET /v3/chats`, one page of at most `limit` (1-100) chats. Linq docs: List all chats."""
        asked = PageRequest(limit, cursor)
        params = {"from": from_, "to": to, "limit": str(limit), "cursor": asked.place[1]}
        return as_page(await self.get("chats", params, deadline=deadline), Chats, asked)

    async def health_with(self, person: str, *, is_person: IsPerson, deadline: float) -> frozenset[str]:
        """In which health the chats with `person` are, on every line: the statuses that forbid to write to them.

        An opt-out counts wherever it is, "critical" only in a chat between two. `is_person` tells their handle from
        others, as what Linq makes of a filter is not documented in full.
        """

        def list_page(cursor: str | None) -> Awaitable[Page[Chat]]:
            return self.list_chats(from_=None, to=person, limit=PAGE_SIZE, cursor=cursor, deadline=deadline)

        found = set[str]()
        async for chat in every_chat(list_page):
            others = [handle.handle for handle in chat.handles or () if not handle.is_me]
            status = ((chat.health_status and chat.health_status.status) or "").casefold()
            # A participant who can't be read may be anybody.
            is_with_them = not others or any(other is None or is_person(other) for other in others)
            if is_with_them and (status == OPTED_OUT or (status == CRITICAL and len(others) <= 1)):
                found.add(status)
        return frozenset(found)

    async def get_chat(self, chat_id: str, *, deadline: float) -> ChatDetail:
        """`GET /v3/chats/{chatId}`. Linq docs: Get a chat by ID."""
        answer = await self.get(f"chats/{_segment(chat_id)}", deadline=deadline)
        return as_one(answer, ChatDetail)

    async def list_messages(self, chat_id: str, *, limit: int, cursor: str | None, deadline: float) -> Page[Message]:
        """`GET /v3/chats/{chatId}/messages`; Linq documents no order. Linq docs: List messages in a chat."""
        asked = PageRequest(limit, cursor)
        params = {"limit": str(limit), "cursor": asked.place[1]}
        answer = await self.get(f"chats/{_segment(chat_id)}/messages", params, deadline=deadline)
        return as_page(answer, Messages, asked)

    async def get_message(self, message_id: str, *, deadline: float) -> Message:
        """`GET /v3/messages/{messageId}`. Linq docs: Get a message by ID."""
        answer = await self.get(f"messages/{_segment(message_id)}", deadline=deadline)
        return as_one(answer, Message)

    async def get_poll(self, message_id: str, *, deadline: float) -> Poll:
        """`GET /v3/messages/{messageId}/poll`: what the poll holds that a message without parts may be."""
        return as_poll(await self.get(f"messages/{_segment(message_id)}/poll", deadline=deadline))

    async def list_phone_numbers(self, *, deadline: float) -> Page[PhoneNumber]:
        """`GET /v3/phone_numbers`, which is always a single page. Linq docs: List phone numbers."""
        return as_page(await self.get("phone_numbers", deadline=deadline), PhoneNumbers)

    async def fetch_file(self, url: str, *, needed: Needed, deadline: float) -> File:
        """The file of a message, from its own `url`, which is not sent the key. Raises `FileError`."""
        return await self._files.fetch(url, needed=needed, deadline=deadline)

    async def send_message(
        self, chat_id: str, message: Mapping[str, Any], *, idempotency_key: str, deadline: float
    ) -> SentMessage:
        """`POST /v3/chats/{chatId}/messages`. Linq docs: Send a message to a chat."""
        body = {"message": {**message, "idempotency_key": idempotency_key}}
        answer = await self.post(f"chats/{_segment(chat_id)}/messages", body, deadline=deadline, repeatable=True)
        return as_sent(answer, SentMessage)

    async def create_chat(
        self, *, from_: str, to: str, message: Mapping[str, Any], idempotency_key: str, deadline: float
    ) -> CreatedChat:
        """`POST /v3/chats`: open a chat with one person by its first message. Linq docs: Create a chat."""
        body = {"from": from_, "to": [to], "message": {**message, "idempotency_key": idempotency_key}}
        return as_sent(await self.post("chats", body, deadline=deadline, repeatable=True), CreatedChat)

    async def react_to_message(
        self, message_id: str, *, operation: str, type_: str, custom_emoji: str | None, deadline: float
    ) -> None:
        """`POST /v3/messages/{messageId}/reactions`, which has no key. Linq docs: React to a message."""
        body = {"operation": operation, "type": type_, **({"custom_emoji": custom_emoji} if custom_emoji else {})}
        path = f"messages/{_segment(message_id)}/reactions"
        check_accepted(await self.post(path, body, deadline=deadline, repeatable=False))


async def every_chat(list_page: Callable[[str | None], Awaitable[Page[Chat]]]) -> AsyncIterator[Chat]:
    """The chats of all pages. Raises `ApiResponseError` where they don't come to an end, or an entry can't be read."""
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        page = await list_page(cursor)
        for chat in page.items:
            yield chat
        if page.unreadable or page.unusable_cursor or (page.next_cursor and page.next_cursor == cursor):
            break
        if page.next_cursor is None:
            return
        cursor = page.next_cursor
    raise ApiResponseError("Not all chats with this person could be looked at.")


def _segment(value: str) -> str:
    """`value` encoded as one path segment, so that it can't reach any other path."""
    return "%2E" * len(value) if value in (".", "..") else quote(value, safe="", errors="replace")
