"""Linq's API over an account in which people talk in every chat, in a process of its own: `account_api.py CHATS`.

With a second argument each answer takes that many seconds. Every answer is made in advance, so that little is measured
but the client's side. `/most` tells how many requests were under way at once. Prints its base URL and serves until it
is terminated.
"""

from __future__ import annotations

import asyncio
import json
import sys
from urllib.parse import parse_qs, urlsplit

from helpers.talking_account import talking_account

PAGE = 100


def response(body: object) -> bytes:
    content = json.dumps(body, separators=(",", ":")).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def pages(name: str, rows: list[dict[str, object]], size: int) -> dict[int, bytes]:
    """A list in pages by offset, each a whole response."""
    return {
        start: response(
            {name: rows[start : start + size], "next_cursor": str(start + size) if start + size < len(rows) else None}
        )
        for start in range(0, max(1, len(rows)), size)
    }


class Api:
    """Answers from an account, each request after `delay` seconds."""

    def __init__(self, chats: int, delay: float) -> None:
        account = talking_account(chats)
        self._chats = pages("chats", account.chats, PAGE)
        # One page holds a whole conversation, but for the few that are longer than the page that is asked for first.
        self._messages = {chat["id"]: account.messages.get(chat["id"], []) for chat in account.chats}
        self._delay = delay
        self._now = self._most = 0

    def reply(self, target: str) -> bytes:
        url = urlsplit(target)
        query = parse_qs(url.query)
        offset, size = int(query.get("cursor", ["0"])[0]), int(query.get("limit", ["50"])[0])
        *_, chat_id, last = url.path.split("/")
        if last == "most":
            return response({"most": self._most})
        if last == "phone_numbers":
            return response({"phone_numbers": []})
        if last == "chats":
            return self._chats[offset]
        rows = self._messages[chat_id]
        end = offset + size
        return response({"messages": rows[offset:end], "next_cursor": str(end) if end < len(rows) else None})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self._now += 1
                self._most = max(self._most, self._now)
                await asyncio.sleep(self._delay)
                writer.write(self.reply(head.split(b" ", 2)[1].decode()))
                self._now -= 1
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def main(chats: int, delay: float) -> None:
    server = await asyncio.start_server(Api(chats, delay).serve, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/partner", flush=True)
    await server.serve_forever()


asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0))
