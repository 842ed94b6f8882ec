"""Linq's API over an account in which people talk in every chat, in a process of its own: `account_api.py CHATS`.

With a second argument each answer takes that many seconds, and with a third one the latest messages of the chats are
of that many days. Chats and messages are made as they are asked for, so that an account may have any size. `/counts`
tells how many requests there were, and how many were under way at once; `/talk` lets something be said in 50 chats.
Prints its base URL and serves until it is terminated.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

NOW = datetime.now(UTC).replace(microsecond=0)
LINES = ("+12052535597", "+13343284472")
WORDS = ("Is it still on?", "I want a refund", "Thank you!", "A refund, please", "Running late", "ok")
TALKING = 50


def response(body: object) -> bytes:
    content = json.dumps(body, separators=(",", ":")).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def written(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def handle(number: str, *, is_me: bool) -> dict[str, Any]:
    return {"handle": number, "is_me": is_me, "status": "active", "service": "iMessage"}


def people(number: int) -> list[dict[str, Any]]:
    return [handle(LINES[number % 2], is_me=True), handle(f"+1415{number:07}", is_me=False)]


def id_of(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def chat(number: int) -> dict[str, Any]:
    return {
        "id": id_of(number),
        "created_at": written(NOW - timedelta(days=60)),
        "updated_at": written(NOW - timedelta(seconds=number)),
        "handles": people(number),
        "is_group": False,
        "service": "iMessage",
        "health_status": {"status": "HEALTHY"},
    }


def conversation(number: int, silent_days: float, said_now: int) -> list[dict[str, Any]]:
    """The messages of a chat, newest first: 20 of the 20 days before so many silent ones, and those of now."""
    random = Random(number)
    ended = NOW - timedelta(days=silent_days)
    ours, theirs = people(number)
    messages = []
    for index in range(20 + said_now):
        at = NOW if index >= 20 else ended - timedelta(days=20 - index, seconds=random.randrange(80_000))
        own = index < 20 and random.random() < 0.45
        messages.append(
            {
                "id": f"message-{number}-{index}",
                "chat_id": id_of(number),
                "created_at": written(at),
                "sent_at": written(at),
                "is_from_me": own,
                "from_handle": ours if own else theirs,
                "delivery_status": "delivered" if own else "received",
                "parts": [{"type": "text", "value": f"{random.choice(WORDS)} {random.random()}", "reactions": []}],
                "service": "iMessage",
            }
        )
    return messages[::-1]


class Api:
    """Answers from an account of that many chats, each request after `delay` seconds."""

    def __init__(self, chats: int, delay: float, days: float) -> None:
        self._silent_days = days / chats
        self._order = list(range(chats))
        self._said: dict[int, int] = {}
        self._delay = delay
        self._now = self._most = self._requests = 0

    def reply(self, target: str) -> bytes:
        url = urlsplit(target)
        query = parse_qs(url.query)
        start, size = int(query.get("cursor", ["0"])[0]), int(query.get("limit", ["50"])[0])
        *_, chat_id, last = url.path.split("/")
        if last == "counts":
            return response({"requests": self._requests, "most": self._most})
        if last == "talk":
            talking = Random(len(self._said)).sample(self._order, TALKING)
            self._said.update((number, self._said.get(number, 0) + 1) for number in talking)
            self._order = [*talking, *(number for number in self._order if number not in set(talking))]
            return response({})
        if last == "phone_numbers":
            return response({"phone_numbers": [{"id": line, "phone_number": line} for line in LINES]})
        if last == "chats":
            return self._page("chats", [chat(number) for number in self._order[start : start + size]], start, size)
        if chat_id == "chats":
            return response(chat(int(last[-12:])))
        number = int(chat_id[-12:])
        messages = conversation(number, number * self._silent_days, self._said.get(number, 0))
        more = start + size < len(messages)
        return response(
            {"messages": messages[start : start + size], "next_cursor": str(start + size) if more else None}
        )

    def _page(self, name: str, rows: list[dict[str, Any]], start: int, size: int) -> bytes:
        more = start + size < len(self._order)
        return response({name: rows, "next_cursor": str(start + size) if more else None})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                target = head.split(b" ", 2)[1].decode()
                if "/v3/" in target:
                    self._requests += 1
                    self._now += 1
                    self._most = max(self._most, self._now)
                    await asyncio.sleep(self._delay)
                    self._now -= 1
                writer.write(self.reply(target))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def main(chats: int, delay: float = 0, days: float = 0) -> None:
    server = await asyncio.start_server(Api(chats, delay, days).serve, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/partner", flush=True)
    await server.serve_forever()


asyncio.run(main(int(sys.argv[1]), *map(float, sys.argv[2:])))
