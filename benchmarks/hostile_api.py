"""Linq's API as an attacker would have it answer: each path gets the worst body of one kind.

The kind is the first segment of the path, so that one process serves them all: `http://127.0.0.1:PORT/marks`.
Prints its base URL and serves until it is terminated.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Row = dict[str, Any]

# Just under the 10 MB that an answer may have.
SIZE = 9_000_000
PAGES = 3
CHAT_ID = "550e8400-e29b-41d4-a716-446655440000"
TIME = "2026-11-20T17:45:00Z"


def chat(number: int, text: str) -> Row:
    return {
        "id": f"{number:08x}{CHAT_ID[8:]}",
        "display_name": text,
        "handles": [{"handle": "+12052535597", "is_me": True}, {"handle": text, "service": text}],
        "health_status": {"status": "AT_RISK", "doc_url": "https://docs.linqapp.com/guides", "updated_at": TIME},
        "is_group": True,
        "service": "iMessage",
        "updated_at": TIME,
    }


def message(number: int, text: str) -> Row:
    return {
        "id": f"{number:08x}{CHAT_ID[8:]}",
        "chat_id": CHAT_ID,
        "created_at": TIME,
        "is_from_me": False,
        "from_handle": {"handle": "+12052532136"},
        "parts": [{"type": "text", "value": text, "reactions": [{"type": "love", "handle": {"handle": text[:200]}}]}],
        "service": "iMessage",
    }


def phone_number(number: int, text: str) -> Row:
    return {
        "id": f"{number:08x}{CHAT_ID[8:]}",
        "phone_number": text,
        "reputation": {"status": "AT_RISK", "doc_url": "https://docs.linqapp.com/guides"},
        "line_type": text[:200],
    }


TEXTS = {
    "marks": "\u0301\u0316",
    "ligatures": "\ufdfa",
    "joiners": "\U0001f468\u200d",
    "texts": "\u00e9 \u4e2d ",
    # With half an emoji in a member that nobody reads, which makes JSON take the slower way.
    "halves": "\u00e9 \u4e2d ",
}
# Its 9 MB are 40 kB on the wire.
GZIPPED = "gzipped members"
HALF = ',"unread":"\\ud83d"'
KINDS = [
    *("ordinary", *TEXTS, "rows", "empty rows", "empty members", GZIPPED, "spread members", "reactions"),
    *("unknown members", "most members", "number", "nesting"),
]
ROWS: dict[str, Callable[[int, str], Row]] = {"chats": chat, "messages": message, "phone_numbers": phone_number}


def rows_of(endpoint: str, count: int, unit: str) -> list[Row]:
    """`count` rows whose texts repeat `unit`, `SIZE` bytes in all."""
    # A row has up to 600 bytes of its own; a chat holds the text three times: as its name, a handle and a service.
    each = (SIZE // count - 600) // (3 if endpoint == "chats" else 1)
    text = unit * max(1, each // len(unit.encode()))
    return [ROWS[endpoint](number, text) for number in range(count)]


def with_list(row: Row, members: str) -> str:
    """`row` as JSON, with the JSON array `members` as its list of handles or parts."""
    name = "handles" if "handles" in row else "parts"
    return json.dumps({**row, name: "HERE"}).replace('"HERE"', members)


def empty_objects(size: int = SIZE) -> str:
    """A JSON array of as many empty objects as fit."""
    return f"[{','.join(['{}'] * (size // 3))}]"


REACTIONS = f'[{{"type":"text","reactions":{empty_objects()}}}]'


def with_unknown_members(row: Row) -> str:
    members = ",".join(f'"k{number}":0' for number in range(600_000))
    return f"{json.dumps(row)[:-1]},{members}}}"


def with_most_members(row: Row, count: int) -> str:
    """`row` with `count` empty objects and eight values for each: 48,000 in all are just within an answer's limits."""
    return f'{with_list(row, empty_objects(3 * count))[:-1]},"unread":[{",".join(["0"] * (8 * count))}]}}'


def page(kind: str, endpoint: str, cursor: str) -> str:
    """The body for a list."""
    row = ROWS[endpoint](1, "Hello")
    match kind:
        case "ordinary":
            rows = json.dumps([row] * 100)
        case "rows":
            rows = json.dumps(rows_of(endpoint, 10_000, "Hello"))
        case "empty rows":
            rows = empty_objects()
        case "empty members" | "gzipped members":
            rows = f"[{with_list(row, empty_objects())}]"
        case "spread members":
            rows = f"[{','.join([with_list(row, empty_objects(SIZE // 100))] * 100)}]"
        case "reactions":
            rows = f"[{with_list(row, REACTIONS)}]"
        case "unknown members":
            rows = f"[{with_unknown_members(row)}]"
        case "most members":
            rows = f"[{','.join([with_most_members(row, 480)] * 100)}]"
        case "number":
            rows, cursor = json.dumps([row]), "9" * SIZE
        case "nesting":
            rows = "[" * SIZE
        case _:
            rows = json.dumps(rows_of(endpoint, 100, TEXTS[kind]), ensure_ascii=False)
    return f'{{"{endpoint}":{rows},"next_cursor":{cursor}{HALF if kind == "halves" else ""}}}'


def one(kind: str, endpoint: str) -> str:
    """The body for one chat or message, with as much in it as the page has."""
    row = ROWS[endpoint](1, "Hello")
    match kind:
        case "ordinary":
            return json.dumps(row)
        case "rows":
            return with_list(row, json.dumps([{"type": "text", "value": "Hello", "handle": "+12052532136"}] * 20_000))
        case "empty rows" | "empty members" | "gzipped members" | "spread members":
            return with_list(row, empty_objects())
        case "reactions":
            return with_list(row, REACTIONS)
        case "unknown members":
            return with_unknown_members(row)
        case "most members":
            return with_most_members(row, 48_000)
        case "number":
            return f'{json.dumps(row)[:-1]},"size_bytes":{"9" * SIZE}}}'
        case "nesting":
            return f'{json.dumps(row)[:-1]},"unread":{"[" * SIZE}'
        case _:
            (row,) = rows_of(endpoint, 1, TEXTS[kind])
            return f"{json.dumps(row, ensure_ascii=False)[:-1]}{HALF if kind == 'halves' else ''}}}"


@lru_cache(maxsize=4)
def response(kind: str, endpoint: str, cursor: str, *, single: bool) -> bytes:
    """A whole response."""
    body = one(kind, endpoint) if single else page(kind, endpoint, cursor)
    packed = gzip.compress(body.encode(), 1) if kind == GZIPPED else body.encode()
    encoding = "gzip" if kind == GZIPPED else "identity"
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: {encoding}\r\n"
        f"Content-Length: {len(packed)}\r\n\r\n"
    )
    return head.encode() + packed


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while head := await reader.readuntil(b"\r\n\r\n"):
        url = urlsplit(head.split(b" ", 2)[1].decode())
        kind, *path = unquote(url.path).strip("/").split("/")
        endpoint = path[-1] if path[-1] in ROWS else path[-2]
        number = int(parse_qs(url.query).get("cursor", ["1"])[0])
        cursor = f'"{number + 1}"' if number < PAGES and endpoint != "phone_numbers" else "null"
        writer.write(response(kind, endpoint, cursor, single=path[-1] not in ROWS))
        await writer.drain()


async def until_gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await answer(reader, writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve() -> None:
    server = await asyncio.start_server(until_gone, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
