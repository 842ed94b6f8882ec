"""How a chat ends: its latest message, and who waits for an answer at its end. It is kept beside the chat's messages.

It follows from the messages alone, back to our last word, and is written with them. So most chats of an inbox are
answered from a few bytes, without decoding a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from linq_mcp.errors import StoreError, StoreProblem
from linq_mcp.rows.message import SPARE_SECONDS, listed_at
from linq_mcp.rows.turns import Turn, Wait, in_order, turn_of, waiting
from linq_mcp.store.blocks import packed_message, unpacked_message

if TYPE_CHECKING:
    from linq_mcp.api.models import Message

# `newest`, `at`, since when somebody waits, and with how many messages; then the latest message follows.
_HEAD = Struct("<dddq")
# With more messages than this since our last word, it is found anew for each question: to keep it takes too long.
_MOST = 500


class Ending(NamedTuple):
    """How a chat ends, as its messages say: the chat's entry may say that nobody can wait in it.

    `newest` is when Linq listed the newest message that was looked at, `at` when the latest message was written, in
    seconds since 1970; 0 if that is not known, or there is none.
    """

    newest: float = 0.0
    at: float = 0.0
    wait: Wait | None = None
    latest: Message | bytes | None = None

    @property
    def message(self) -> Message | None:
        """The latest message, if there is any. It is decoded where it is needed, as most chats are not shown."""
        return unpacked_message(self.latest) if isinstance(self.latest, bytes) else self.latest

    def packed(self) -> bytes:
        wait = self.wait or Wait(0.0, 0)
        latest = packed_message(self.message) if self.message else b""
        return _HEAD.pack(self.newest, self.at, wait.since, wait.messages) + latest

    @staticmethod
    def unpacked(content: bytes) -> Ending:
        if len(content) < _HEAD.size:
            raise StoreError(StoreProblem.DAMAGED)
        newest, at, since, messages = _HEAD.unpack_from(content)
        return Ending(newest, at, Wait(since, messages) if messages else None, content[_HEAD.size :] or None)


class EndReader:
    """Takes the messages of a chat back to our last word, and finds how the chat ends.

    `counts` says of a time at which Linq listed a message whether it counts. `is_new`: none of them does.
    """

    def __init__(self, counts: Callable[[float], bool] = lambda _: True) -> None:
        self._counts = counts
        self._our_word = -inf
        self._turns: list[Turn] = []
        self._ending = Ending()
        self.is_new = False

    def visit(self, message: Message) -> bool:
        listed = listed_at(message)
        if not self._counts(listed):
            self.is_new = not self._turns
            return False
        self.is_new = False
        turn = turn_of(message)
        before = self._ending
        # Of several messages of one second, the newest one comes first.
        if not self._turns or turn.at > before.at:
            before = before._replace(at=turn.at, latest=message)
        self._ending = before._replace(newest=max(listed, before.newest))
        self._turns.append(turn)
        if turn.answers:
            self._our_word = max(self._our_word, turn.at)
        # A message that was listed before our word was sent can't have been sent after it.
        return 0 < listed < self._our_word - SPARE_SECONDS

    def take(self, kept: Ending) -> bool:
        """Take what is kept in place of the messages; False if some of these don't count."""
        if self._counts(kept.newest):
            self._ending = kept
            return True
        return False

    @property
    def ending(self) -> Ending:
        if self._turns:
            return self._ending._replace(wait=waiting(in_order(self._turns, oldest_first=False)))
        return self._ending


def packed_ending(messages: Iterable[Message], *, is_whole: bool) -> bytes:
    """How a chat with these messages ends, newest first; nothing if they don't tell. `is_whole`: there are no more."""
    reader = EndReader()
    for number, message in enumerate(messages):
        if reader.visit(message):
            return reader.ending.packed()
        if number == _MOST:
            return b""
    return reader.ending.packed() if is_whole else b""
