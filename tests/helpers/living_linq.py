"""A Linq whose account lives while it is read: messages come and go, chats move to the front, statuses change."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import httpx
from helpers.linq import Body

Wire = dict[str, Any]
LINE = "+12052535597"
OTHER_LINE = "+13343284472"
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)


def rfc3339(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


class LivingLinq(httpx.AsyncBaseTransport):
    """Chats, the latest active first, and their messages, newest or oldest first; cursors are offsets.

    `before_request` is called before each request is answered. `requests` has their paths. The chats in `broken` can't
    be read; if it `refuses_key`, nothing can.
    """

    def __init__(self, *, oldest_first: bool = False) -> None:
        self.oldest_first = oldest_first
        self.now = BEGIN
        self.chats: dict[str, Wire] = {}
        self.messages: dict[str, list[Wire]] = {}
        self.activity: dict[str, int] = {}
        self.requests: list[str] = []
        self.broken: set[str] = set()
        self.refuses_key = False
        self.before_request: Callable[[], object] = lambda: None
        self._count = 0

    # What happens

    def open_chat(self, line: str = LINE) -> str:
        self._count += 1
        id_ = str(UUID(int=self._count))
        self.chats[id_] = {
            "id": id_,
            "created_at": rfc3339(self.now),
            "updated_at": rfc3339(self.now),
            "display_name": None,
            "handles": [
                {"handle": line, "is_me": True, "status": "active"},
                {"handle": f"+1205{self._count:07}", "is_me": False, "status": "active"},
            ],
            "is_group": False,
            "service": "iMessage",
            "health_status": {"status": "HEALTHY"},
        }
        self.messages[id_] = []
        self._touch(id_)
        return id_

    def say(
        self, chat: str, *, own: bool = False, sent: datetime | None = None, status: str = "delivered", text: str = "hi"
    ) -> Wire:
        """A new message; `sent` is earlier than now for one that was recovered late."""
        self._count += 1
        message = {
            "id": f"message-{self._count}",
            "chat_id": chat,
            "created_at": rfc3339(self.now),
            "sent_at": rfc3339(sent or self.now),
            "is_from_me": own,
            "from_handle": {"handle": self.chats[chat]["handles"][0 if own else 1]["handle"]},
            "delivery_status": status if own else "received",
            "parts": [{"type": "text", "value": text, "reactions": []}],
            "service": "iMessage",
        }
        self.messages[chat].append(message)
        self._touch(chat)
        return message

    def delete_chat(self, chat: str) -> None:
        del self.chats[chat], self.messages[chat], self.activity[chat]

    def wait(self, time: timedelta) -> None:
        self.now += time

    def _touch(self, chat: str) -> None:
        self._count += 1
        self.activity[chat] = self._count

    def snapshot(self) -> tuple[dict[str, Wire], dict[str, list[Wire]]]:
        """The account as it is now. Chats and messages are replaced, never changed, so that their lists are enough."""
        return dict(self.chats), {id_: list(messages) for id_, messages in self.messages.items()}

    # What Linq answers

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.before_request()
        self.requests.append(request.url.path)
        status, answer = self._answer(request.url.path.split("/v3/")[1].split("/"), dict(request.url.params))
        return httpx.Response(status, stream=Body(json.dumps(answer).encode()))

    def _answer(self, parts: list[str], query: dict[str, str]) -> tuple[int, Wire]:
        if self.refuses_key:
            return 401, {"success": False, "error": {"status": 401, "code": 2004, "message": "unauthorized"}}
        if parts == ["chats"]:
            ids = sorted(self.chats, key=lambda id_: -self.activity[id_])
            chats = [self.chats[id_] for id_ in ids if query.get("from") in (None, *self._own(id_))]
            return 200, self._page("chats", chats, query, 20)
        if parts == ["phone_numbers"]:
            return 200, {"phone_numbers": [{"id": line, "phone_number": line} for line in (LINE, OTHER_LINE)]}
        if parts[0] == "chats" and parts[1] in self.broken:
            return 503, {}
        if parts[0] == "chats" and parts[1] not in self.chats:
            return 404, {"success": False, "error": {"status": 404, "code": 2001, "message": "no such chat"}}
        if parts[0] == "chats" and len(parts) == 2:
            return 200, self.chats[parts[1]]
        if parts[0] == "chats":
            # Linq lists by the time at which it learnt of a message.
            messages = sorted(self.messages[parts[1]], key=lambda message: message["created_at"])
            return 200, self._page("messages", messages if self.oldest_first else messages[::-1], query, 50)
        return 404, {}

    def _own(self, chat: str) -> list[str]:
        return [handle["handle"] for handle in self.chats[chat]["handles"] if handle["is_me"]]

    def _page(self, name: str, rows: list[Wire], query: dict[str, str], default: int) -> Wire:
        start, limit = int(query.get("cursor", 0)), int(query.get("limit", default))
        more = start + limit < len(rows)
        return {name: rows[start : start + limit], "next_cursor": str(start + limit) if more else None}


class Week:
    """A made-up week: each `step` lets some time pass and something happen, as its random numbers say."""

    def __init__(self, linq: LivingLinq, random: Random, chats: int) -> None:
        self._linq, self._random = linq, random
        for _ in range(chats):
            chat = linq.open_chat(random.choice([LINE, OTHER_LINE]))
            for _ in range(random.choice([0, 1, 3, 60, 130])):
                linq.wait(timedelta(seconds=random.choice([0, 40, 3600])))
                linq.say(chat, own=random.random() < 0.4, status=random.choice(["delivered", "failed", "read"]))

    def step(self) -> None:
        linq, random = self._linq, self._random
        linq.wait(timedelta(seconds=random.choice([0, 1, 600, 7200])))
        chats = list(linq.chats)
        if not chats or random.random() < 0.08:
            chats.append(linq.open_chat())
        chat = random.choice(chats)
        messages = linq.messages[chat]
        lately = [m for m in messages if datetime.fromisoformat(m["created_at"]) > linq.now - timedelta(hours=40)]
        match random.randrange(9):
            case 0 | 1 | 2:
                for _ in range(random.choice([1, 1, 2, 70])):
                    linq.say(chat, own=random.random() < 0.4, status=random.choice(["pending", "delivered", "failed"]))
            case 3:
                linq.say(chat, sent=linq.now - timedelta(hours=random.randrange(1, 200)))
            case 4 if lately:
                message = random.choice(lately)
                if message["is_from_me"]:
                    status = random.choice(["sent", "delivered", "read", "failed"])
                    messages[messages.index(message)] = {**message, "delivery_status": status}
            case 5 if lately:
                message = random.choice(lately)
                reactions = [{"type": "love", "is_me": True}] if random.random() < 0.6 else []
                parts = [{**message["parts"][0], "reactions": reactions}]
                messages[messages.index(message)] = {**message, "parts": parts}
            case 6 if lately:
                messages.remove(random.choice(lately))
            case 7 if random.random() < 0.4:
                linq.delete_chat(chat)
            case _:
                linq.chats[chat] = {**linq.chats[chat], "updated_at": rfc3339(linq.now)}
