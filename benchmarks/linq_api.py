"""A stand-in for Linq's API on a loopback port: canned pages of 20 and 100 chats, or an account of any size.

It does next to nothing and runs in its own process, so that only the client's side is measured. A canned page names the
key that it was asked with. Prints its base URL and serves until it is terminated.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

DATA = Path(__file__).parent.parent / "tests" / "data"
# In the name of the first chat of a canned page; the last digits of the key take its place.
NOBODY = b"caller-00000000"

CALLER = re.compile(rb"(?i)authorization: bearer lq-team-(\d{8})\r\n")


def response(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def canned() -> dict[int, bytes]:
    """The reference pages by limit."""
    pages = {limit: (DATA / f"chats_page{limit}.json").read_bytes() for limit in (20, 100)}
    name = b'"display_name":"%s"' % NOBODY
    return {limit: response(re.sub(rb'"display_name":"[^"]*"', name, page, count=1)) for limit, page in pages.items()}


def account(chats: int) -> list[bytes]:
    """An account in pages of 100, each a whole response; a cursor is the number of a page."""
    from helpers.generated_account import generated_account  # noqa: PLC0415 - only this mode needs the package

    made = generated_account(chats).chats
    pages = []
    for start in range(0, chats, 100):
        cursor = str(start // 100 + 1) if start + 100 < chats else None
        pages.append(response(json.dumps({"chats": made[start : start + 100], "next_cursor": cursor}).encode()))
    return pages


async def serve(chats: int) -> None:
    pages = account(chats) if chats else []
    fixed = canned()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            url = urlsplit(head.split(b" ", 2)[1].decode())
            query = parse_qs(url.query)
            if url.path.endswith("/phone_numbers"):
                writer.write(response(b'{"phone_numbers":[]}'))
            elif pages:
                writer.write(pages[int(query.get("cursor", ["0"])[0])])
            else:
                page = fixed[int(query["limit"][0])]
                found = CALLER.search(head)
                writer.write(page.replace(NOBODY, b"caller-" + found[1]) if found else page)
            await writer.drain()

    async def until_gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await client(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(until_gone, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/partner", flush=True)
    await server.serve_forever()


asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
