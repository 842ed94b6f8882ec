"""What is kept of the messages of an account's chats: of each one range without a gap, which ends at its newest.

All functions of `KeptChats` run in the worker thread of the database; each is one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from linq_mcp.store.blocks import Block, blocks_of, unpacked_chat
from linq_mcp.store.ending import Ending, packed_ending

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat, Message
    from linq_mcp.store.database import Database, Row

# SQLite takes at most 32,766 values in a statement; old ones take 999.
_AT_ONCE = 500
_HIGHEST = 2**62
_STATE = (
    "chat.id, version, asked, reaches, our_word, is_whole, is_unsettled, is_marked, is_directed, unreadable, "
    "chat.cursor"
)
_BLOCKS = "FROM block AS other WHERE other.account = chat.account AND other.chat = chat.id"
_NEWEST = f"(SELECT MIN(number) {_BLOCKS}), block.number, newest, oldest, messages, content"
_NO_BLOCK = "0, NULL, NULL, NULL, NULL, NULL"
_WITH_NEWEST = (
    "LEFT JOIN block ON block.account = chat.account AND block.chat = chat.id AND block.number = "
    f"(SELECT MAX(number) {_BLOCKS})"
)


class KeptState(NamedTuple):
    """What is known of a chat's kept messages, without reading them. Times are in seconds since 1970.

    `version` changes whenever anybody writes or marks the chat. `asked` is when the messages were asked for, 0 if there
    are none. They go back to what Linq listed at `reaches`, or to the beginning if `is_whole`; `our_word` is when our
    latest message among them that did not fail was sent. `is_unsettled`: some of ours have no final status.
    `is_marked`: it changed from here, and what is kept must not be used. `is_directed`: they are newest first;
    otherwise that could not be seen, and they are in Linq's order. At `unreadable` Linq did not let it be read.
    `cursor` is Linq's for the page with the oldest of them.
    """

    id: str = ""
    version: int = 0
    asked: float = 0.0
    reaches: float = 0.0
    our_word: float = 0.0
    is_whole: bool = False
    is_unsettled: bool = False
    is_marked: bool = False
    is_directed: bool = False
    unreadable: float = 0.0
    cursor: str = ""

    @property
    def is_usable(self) -> bool:
        return self.asked > 0 and not self.is_marked

    @staticmethod
    def of(row: Sequence[Any]) -> KeptState:
        id_, version, asked, reaches, our_word, whole, unsettled, marked, directed, unreadable, cursor = row
        flags = (bool(whole), bool(unsettled), bool(marked), bool(directed))
        return KeptState(id_, version, asked, reaches, our_word, *flags, unreadable, cursor)


class KeptChat(NamedTuple):
    """A chat's state, its entry in lists, and how it ends, if its latest messages tell.

    Loaded with its blocks, it has the newest one, if there is any, and the number of the lowest one.
    """

    state: KeptState
    entry: Chat
    ending: Ending | None
    newest: Block | None
    lowest: int

    @property
    def listed_at(self) -> float:
        """When Linq listed the newest message, in seconds since 1970; 0 without any."""
        return self.newest.newest if self.newest else 0.0


class KeptChats:
    """The chats of the account `number`."""

    def __init__(self, number: int) -> None:
        self._number = number

    def states_to_check(self, database: Database, keys: Sequence[str], fresh_after: float) -> dict[str, KeptState]:
        """The states of those chats that are known, without those that are fresh and reach back to their beginning."""
        rest = "AND (asked <= ? OR is_whole = 0 OR is_directed = 0 OR is_marked = 1 OR unreadable > 0)"
        return {row[0]: KeptState.of(row) for row in select(database, self._number, _STATE, keys, rest, fresh_after)}

    def load(self, database: Database, keys: Sequence[str], *, blocks: bool) -> dict[str, KeptChat]:
        """Those of the chats that are known, with their newest `blocks` or without."""
        columns = f"{_STATE}, entry, ending, {_NEWEST if blocks else _NO_BLOCK}"
        rows = select(database, self._number, columns, keys, join=_WITH_NEWEST if blocks else "")
        found: dict[str, KeptChat] = {}
        for *state, entry, ending, lowest, number, newest, oldest, count, content in rows:
            block = None if number is None else Block(number, newest, oldest, count, content)
            end = Ending.unpacked(ending) if ending else None
            found[state[0]] = KeptChat(KeptState.of(state), unpacked_chat(entry), end, block, lowest or 0)
        return found

    def blocks_below(self, database: Database, state: KeptState, number: int | None, count: int) -> list[Block]:
        """At most `count` blocks of a chat below the one with that `number`, or its first ones if None, newest first.

        There are none if somebody has written the chat since it was in that state: other blocks may be there then.
        """
        below = _HIGHEST if number is None else number
        rows = database.rows(
            "SELECT block.number, newest, oldest, messages, content FROM block "
            "JOIN chat ON chat.account = block.account AND chat.id = block.chat "
            "WHERE block.account = ? AND block.chat = ? AND version = ? AND block.number < ? "
            "ORDER BY block.number DESC LIMIT ?",
            (self._number, state.id, state.version, below, count),
        )
        return [Block(*row) for row in rows]

    def write(
        self,
        database: Database,
        state: KeptState,
        messages: Sequence[Message],
        above: int | None,
        direction: str | None,
    ) -> bool:
        """Keep `messages`, newest first, in place of the blocks with numbers above `above`, or of all blocks if None.

        `direction` is the one in which Linq listed them, if that could be seen.

        `state.version` is the one that the reading began with: if anybody wrote or marked the chat since, nothing
        changes, and the answer is False.
        """
        key = (self._number, state.id)
        with database.transaction():
            changed = database.change(
                "UPDATE chat SET version = ?, asked = ?, reaches = ?, our_word = ?, is_whole = ?, is_unsettled = ?, "
                "is_marked = 0, is_directed = ?, unreadable = 0, cursor = ?, ending = ? "
                "WHERE account = ? AND id = ? AND version = ?",
                (
                    state.version + 1,
                    state.asked,
                    state.reaches,
                    state.our_word,
                    int(state.is_whole),
                    int(state.is_unsettled),
                    int(state.is_directed),
                    state.cursor,
                    packed_ending(chain(messages, self._below(database, state.id, above)), is_whole=state.is_whole),
                    *key,
                    state.version,
                ),
            )
            if not changed:
                return False
            if direction:
                database.run(
                    "UPDATE account SET direction = ? WHERE id = ? AND direction <> ?",
                    (direction, self._number, direction),
                )
            if above is None:
                database.run("DELETE FROM block WHERE account = ? AND chat = ?", key)
            else:
                database.run("DELETE FROM block WHERE account = ? AND chat = ? AND number > ?", (*key, above))
            lowest = 0 if above is None else above + 1
            database.run_many(
                "INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (*key, block.number, block.newest, block.oldest, block.size, block.content)
                    for block in blocks_of(messages, lowest)
                ],
            )
        return True

    def _below(self, database: Database, chat: str, above: int | None) -> Iterator[Message]:
        """The kept messages of the blocks with numbers up to `above`, newest first, as they are taken."""
        while above is not None:
            rows = database.rows(
                "SELECT number, newest, oldest, messages, content FROM block "
                "WHERE account = ? AND chat = ? AND number <= ? ORDER BY number DESC LIMIT 1",
                (self._number, chat, above),
            )
            for row in rows:
                yield from Block(*row).messages()
            above = rows[0][0] - 1 if rows else None

    def append(self, database: Database, state: KeptState, messages: Sequence[Message]) -> bool:
        """Keep `messages`, newest first, below the oldest block of a chat; as `write` otherwise."""
        key = (self._number, state.id)
        with database.transaction():
            changed = database.change(
                "UPDATE chat SET version = ?, reaches = ?, our_word = ?, is_whole = ?, cursor = ? "
                "WHERE account = ? AND id = ? AND version = ?",
                (
                    state.version + 1,
                    state.reaches,
                    state.our_word,
                    int(state.is_whole),
                    state.cursor,
                    *key,
                    state.version,
                ),
            )
            if not changed:
                return False
            (lowest,) = database.rows("SELECT COALESCE(MIN(number), 0) FROM block WHERE account = ? AND chat = ?", key)[
                0
            ]
            blocks = list(blocks_of(messages, 0))
            database.run_many(
                "INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (*key, lowest - len(blocks) + block.number, block.newest, block.oldest, block.size, block.content)
                    for block in blocks
                ],
            )
        return True

    def mark(self, database: Database, key: str) -> None:
        """Let nothing that is kept of a chat be used before it is read again."""
        database.run(
            "UPDATE chat SET is_marked = 1, version = version + 1 WHERE account = ? AND id = ?", (self._number, key)
        )

    def set_unreadable(self, database: Database, state: KeptState, when: float) -> None:
        """Note that Linq does not let a chat be read, and drop what is kept of it."""
        with database.transaction():
            if database.change(
                "UPDATE chat SET unreadable = ?, asked = 0, is_whole = 0, is_marked = 0, version = version + 1, "
                "ending = ? WHERE account = ? AND id = ? AND version = ?",
                (when, b"", self._number, state.id, state.version),
            ):
                database.run("DELETE FROM block WHERE account = ? AND chat = ?", (self._number, state.id))

    def drop_messages(self, database: Database, state: KeptState) -> None:
        """Forget the messages of a chat that were just written, as there is no room for them."""
        with database.transaction():
            if database.change(
                "UPDATE chat SET asked = 0, is_whole = 0, version = version + 1, ending = ? "
                "WHERE account = ? AND id = ? AND version = ?",
                (b"", self._number, state.id, state.version),
            ):
                database.run("DELETE FROM block WHERE account = ? AND chat = ?", (self._number, state.id))

    def delete(self, database: Database, key: str) -> None:
        """Forget a chat that Linq does not know any more."""
        with database.transaction():
            # A chat comes before its blocks, as in all that is written: otherwise two could wait for each other.
            for table, column in (("chat", "id"), ("block", "chat")):
                database.run(f"DELETE FROM {table} WHERE account = ? AND {column} = ?", (self._number, key))  # noqa: S608

    # Room

    def drop_oldest(self, database: Database, bytes_wanted: int) -> bool:
        """Drop the blocks that reach back furthest until about that many bytes are free; False if there are none.

        The newest block of a chat stays.
        """
        rows = database.rows(
            "SELECT chat, number, LENGTH(content) FROM block WHERE account = ? AND number < "
            "(SELECT MAX(number) FROM block AS other WHERE other.account = block.account AND other.chat = block.chat) "
            "ORDER BY newest, chat, number LIMIT 5000",
            (self._number,),
        )
        freed = 0
        tops: dict[str, int] = {}
        for chat, number, length in rows:
            if freed >= bytes_wanted:
                break
            tops[chat] = max(number, tops.get(chat, number))
            freed += length
        with database.transaction():
            for chat, number in sorted(tops.items()):
                database.run(
                    "DELETE FROM block WHERE account = ? AND chat = ? AND number <= ?", (self._number, chat, number)
                )
                database.run(
                    "UPDATE chat SET is_whole = 0, cursor = '', version = version + 1, reaches = "
                    "(SELECT COALESCE(MIN(oldest), 0) FROM block WHERE block.account = chat.account "
                    "AND block.chat = chat.id) WHERE account = ? AND id = ?",
                    (self._number, chat),
                )
        return bool(tops)


def select(
    database: Database, account: int, columns: str, keys: Iterable[str], rest: str = "", *values: object, join: str = ""
) -> list[Row]:
    """The rows of an account's chats with these `keys`, a bounded number of them in each statement."""
    found: list[Row] = []
    more = iter(keys)
    while some := list(islice(more, _AT_ONCE)):
        marks = ", ".join("?" * len(some))
        found += database.rows(
            f"SELECT {columns} FROM chat {join} WHERE chat.account = ? AND chat.id IN ({marks}) {rest}",  # noqa: S608
            (account, *some, *values),
        )
    return found
