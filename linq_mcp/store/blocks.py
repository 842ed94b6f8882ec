"""Messages and chats as they are kept: the wire models without nulls, as JSON in ASCII; messages are compressed.

A database notices little of the damage that a disk does to it. What can't be read back is a `StoreError`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from math import inf
from typing import NamedTuple

from pydantic import TypeAdapter

from linq_mcp.api.models import Chat, Message
from linq_mcp.errors import StoreError, StoreProblem
from linq_mcp.rows.message import listed_at

# Most questions need no more of a chat than its latest messages.
NEWEST = 25
LARGEST = 200
_LEVEL = 1
# Bytes that are decompressed first: two or three messages.
_FIRST_STEP = 1024
_IDS = TypeAdapter(list[str])


class Block(NamedTuple):
    """Messages of one chat that follow one another, newest first. A newer block has a higher `number`.

    `newest` and `oldest` bound when Linq listed them, in seconds since 1970. One with a message of unknown time may
    hold any time.
    """

    number: int
    newest: float
    oldest: float
    size: int
    content: bytes

    def messages(self) -> Iterator[Message]:
        """They are decompressed and decoded as they are taken, as most readers need only the first of them."""
        stream, compressed, rest, step = zlib.decompressobj(), self.content, b"", _FIRST_STEP
        while compressed:
            try:
                piece = stream.decompress(compressed, step)
            except zlib.error:
                raise StoreError(StoreProblem.DAMAGED) from None
            *lines, rest = (rest + piece).split(b"\n")
            # Long messages are put together of few pieces.
            compressed, step = stream.unconsumed_tail, 2 * step
            yield from map(_decoded, lines)
        yield _decoded(rest)


def blocks_of(messages: Sequence[Message], lowest: int) -> Iterator[Block]:
    """The blocks of `messages`, newest first, with numbers from `lowest` on; the newest block is a small one."""
    starts = range(NEWEST, len(messages), LARGEST)
    chunks = [messages[:NEWEST], *(messages[start : start + LARGEST] for start in starts)]
    for number, chunk in zip(range(lowest + len(chunks) - 1, lowest - 1, -1), chunks, strict=True):
        if chunk:
            times = [listed_at(message) for message in chunk]
            newest, oldest = (max(times), min(times)) if all(times) else (inf, 0.0)
            yield Block(number, newest, oldest, len(chunk), _packed(b"\n".join(map(_json, chunk))))


def packed_message(message: Message) -> bytes:
    return _packed(_json(message))


def unpacked_message(content: bytes) -> Message:
    try:
        return _decoded(zlib.decompress(content))
    except zlib.error:
        raise StoreError(StoreProblem.DAMAGED) from None


def packed_chat(chat: Chat) -> bytes:
    return _json(chat)


def unpacked_chat(content: bytes) -> Chat:
    try:
        return Chat.model_validate_json(content)
    except ValueError:
        raise StoreError(StoreProblem.DAMAGED) from None


def packed_ids(ids: Sequence[str]) -> bytes:
    return _packed(_IDS.dump_json(list(ids), ensure_ascii=True))


def unpacked_ids(content: bytes) -> list[str]:
    try:
        return _IDS.validate_json(zlib.decompress(content))
    except (zlib.error, ValueError):
        raise StoreError(StoreProblem.DAMAGED) from None


def _json(model: Message | Chat) -> bytes:
    """`model` on one line."""
    return model.model_dump_json(exclude_none=True, by_alias=True, ensure_ascii=True).encode()


def _decoded(line: bytes) -> Message:
    try:
        return Message.model_validate_json(line)
    except ValueError:
        raise StoreError(StoreProblem.DAMAGED) from None


def _packed(content: bytes) -> bytes:
    return zlib.compress(content, _LEVEL)
