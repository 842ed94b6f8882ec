"""An API whose chats answer from a script, each in its own time: for what is read of many chats at once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import anyio
import httpx
from helpers.linq import Body

Wire: TypeAlias = dict[str, Any]
Reply: TypeAlias = Sequence[Wire] | Wire | int | bytes
"""A page of messages, a whole JSON body, an HTTP status or other bytes."""

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
LINE = "+12052535597"


def message(number: int, *, second: int | None = None, own: bool = False, **members: Any) -> Wire:
    """A message with `number` as id and text, sent `second` (or `number`) seconds after `START`."""
    at = (START + timedelta(seconds=number if second is None else second)).isoformat()
    return {
        "id": f"m{number}",
        "created_at": at,
        "sent_at": at,
        "is_from_me": own,
        "from_handle": {"handle": LINE if own else "+12052532136"},
        "delivery_status": "delivered" if own else "received",
        "parts": [{"type": "text", "value": f"text {number}"}],
        **members,
    }


class ScriptedChats(httpx.AsyncBaseTransport):
    """Lists `chats`, 100 a page; the n-th page of a chat's messages is the n-th reply of its script.

    `seconds` says how long a request for a page of a chat takes. `requests` has the chat and the number of the page of
    every request for messages, `started` when it came and how many were under way then. `most` is how many there were
    at once, `cancelled` how many were given up. With `any_cursor`, one it did not give out leads to the first page.
    """

    def __init__(
        self,
        chats: Mapping[str, Sequence[Reply]],
        *,
        seconds: Callable[[str], float] = lambda _: 0.0,
        any_cursor: bool = False,
    ) -> None:
        self.chats = dict(chats)
        self.requests: list[tuple[str, int]] = []
        self.started: list[tuple[float, int]] = []
        self.most = self.cancelled = self._now = 0
        self._seconds = seconds
        self._any_cursor = any_cursor

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        cursor = request.url.params.get("cursor", "0")
        number = 0 if self._any_cursor and not re.fullmatch("[01]", cursor) else int(cursor)
        *_, chat_id, last = request.url.path.split("/")
        if last != "messages":
            ids = list(self.chats)
            rows = [{"id": id_, "handles": [{"handle": LINE, "is_me": True}]} for id_ in ids[number : number + 100]]
            return _answer({"chats": rows, "next_cursor": str(number + 100) if number + 100 < len(ids) else None})
        self.requests.append((chat_id, number))
        self._now += 1
        self.started.append((anyio.current_time(), self._now))
        self.most = max(self.most, self._now)
        try:
            await anyio.sleep(self._seconds(chat_id))
        except anyio.get_cancelled_exc_class():
            self.cancelled += 1
            raise
        finally:
            self._now -= 1
        return self._reply(self.chats[chat_id], number)

    def _reply(self, script: Sequence[Reply], number: int) -> httpx.Response:
        reply = script[number]
        if isinstance(reply, int):
            return _answer({"error": {"code": 4000, "message": "out of order"}}, reply)
        if isinstance(reply, bytes):
            return httpx.Response(200, stream=Body(reply))
        if isinstance(reply, dict):
            return _answer(reply)
        return _answer({"messages": list(reply), "next_cursor": str(number + 1) if number + 1 < len(script) else None})


def _answer(body: Wire, status: int = 200) -> httpx.Response:
    return httpx.Response(status, stream=Body(json.dumps(body).encode()))
