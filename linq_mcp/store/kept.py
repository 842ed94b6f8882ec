"""What is kept of one account: its lists of chats, each chat's entry, and of each chat the latest messages.

The messages of a chat are one range without a gap, which ends at its newest. All functions of `KeptAccount` run in the
worker thread of the database; each is one transaction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from secrets import randbelow
from typing import TYPE_CHECKING

from linq_mcp.store.blocks import Block, blocks_of, packed_chat, packed_ids, unpacked_chat, unpacked_ids

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat, Message
    from linq_mcp.store.database import Database, Row

_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")
# SQLite takes at most 32,766 values in a statement; old ones take 999.
_AT_ONCE = 500
_HIGHEST = 2**62
_MOST_NUMBERS = 2**31
_STATE = "id, version, asked, reaches, our_word, is_whole, is_unsettled, is_marked, is_directed, unreadable, place"


@dataclass(frozen=True, slots=True)
class ChatState:
    """What is known of a chat's kept messages, without reading them. Times are in seconds since 1970.

    `version` changes whenever anybody writes or marks the chat. `asked` is when the messages were asked for, 0 if there
    are none. They go back to what Linq listed at `reaches`, or to the beginning if `is_whole`; `our_word` is when our
    latest message among them that did not fail was sent. `is_unsettled`: some of ours have no final status.
    `is_marked`: it changed from here, and what is kept must not be used. `is_directed`: they are newest first;
    otherwise that could not be seen, and they are in Linq's order. At `unreadable` Linq did not let it be read.
    `place` is Linq's cursor for the page with the oldest of them.
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
    place: str = ""

    @property
    def is_usable(self) -> bool:
        return self.asked > 0 and not self.is_marked

    @staticmethod
    def of(row: Row) -> ChatState:
        id_, version, asked, reaches, our_word, whole, unsettled, marked, directed, unreadable, place = row
        flags = (bool(whole), bool(unsettled), bool(marked), bool(directed))
        return ChatState(id_, version, asked, reaches, our_word, *flags, unreadable, place)


@dataclass(frozen=True, slots=True)
class KeptList:
    """A list of chats in Linq's order, by the ids of their entries, and when it was asked for.

    `place` is Linq's cursor for the last page of a list that was not read to its end.
    """

    asked: float
    ids: list[str]
    place: str = ""


def chat_key(id_: str | None) -> str:
    """The name under which a chat is kept: its id, or a hash of an id that not every database can hold; "" without."""
    if not id_ or _KEY.fullmatch(id_):
        return id_ or ""
    return f"~{blake2b(id_.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"


class KeptAccount:
    """The account `number` of a database."""

    def __init__(self, number: int) -> None:
        self.number = number

    # The account itself

    @staticmethod
    def open(database: Database, account_hash: str, now: float) -> KeptAccount:
        """The account with that hash, made if there is none."""
        with database.transaction():
            found = database.rows("SELECT id FROM account WHERE hash = ?", (account_hash,))
            # Never the number of an account that was dropped: a process that still reads that one would write here.
            number = int(found[0][0]) if found else randbelow(_MOST_NUMBERS)
            if not found:
                database.run("INSERT INTO account VALUES (?, ?, ?, 0, '')", (number, account_hash, now))
            database.run("UPDATE account SET used = ? WHERE id = ?", (now, number))
        return KeptAccount(number)

    def accepted(self, database: Database) -> float:
        """When Linq last took the key; 0 after it refused it."""
        found = database.rows("SELECT accepted FROM account WHERE id = ?", (self.number,))
        return float(found[0][0]) if found else 0.0

    def set_accepted(self, database: Database, when: float) -> None:
        database.run("UPDATE account SET accepted = ? WHERE id = ?", (when, self.number))

    def way(self, database: Database) -> str:
        """The direction in which Linq lists this account's messages, `older` or `newer`; "" if no chat has shown it."""
        found = database.rows("SELECT way FROM account WHERE id = ?", (self.number,))
        return str(found[0][0]) if found else ""

    # Lists of chats

    def read_list(self, database: Database, line: str, *, finished: bool = True) -> KeptList | None:
        """The list by that `from`, "" for the whole one."""
        found = database.rows(
            "SELECT asked, place, ids FROM list WHERE account = ? AND line = ? AND finished = ?",
            (self.number, line, int(finished)),
        )
        return KeptList(found[0][0], unpacked_ids(found[0][2]), found[0][1]) if found else None

    def write_list(self, database: Database, line: str, kept: KeptList, *, finished: bool = True) -> None:
        """Keep a list in place of the one before; a finished one also ends the unfinished one."""
        with database.transaction():
            key = (self.number, line)
            database.run(
                "DELETE FROM list WHERE account = ? AND line = ? AND (finished = ? OR ? = 1)",
                (*key, int(finished), int(finished)),
            )
            database.run(
                "INSERT INTO list VALUES (?, ?, ?, ?, ?, ?)",
                (*key, int(finished), kept.asked, kept.place, packed_ids(kept.ids)),
            )

    def forget_list(self, database: Database, line: str) -> None:
        database.run("DELETE FROM list WHERE account = ? AND line = ?", (self.number, line))

    def age_lists(self, database: Database) -> None:
        """Let every list be read again before it counts as fresh."""
        database.run("UPDATE list SET asked = 0 WHERE account = ?", (self.number,))

    def write_entries(self, database: Database, chats: Sequence[Chat]) -> set[str]:
        """Keep the entries of a page. Returns the keys of those that had another entry before."""
        entries = {chat_key(chat.id): packed_chat(chat) for chat in chats if chat.id}
        changed = set[str]()
        with database.transaction():
            before: dict[str, bytes] = dict(self._select(database, "id, entry", sorted(entries)))
            for key in sorted(entries):
                if key not in before:
                    database.run(
                        "INSERT INTO chat VALUES (?, ?, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, '')",
                        (self.number, key, entries[key]),
                    )
                elif bytes(before[key]) != entries[key]:
                    changed.add(key)
                    database.run(
                        "UPDATE chat SET entry = ? WHERE account = ? AND id = ?", (entries[key], self.number, key)
                    )
        return changed

    # Chats

    def states(self, database: Database, keys: Sequence[str]) -> dict[str, ChatState]:
        """The states of those chats that are known."""
        return {row[0]: ChatState.of(row) for row in self._select(database, _STATE, keys)}

    def entries(self, database: Database, keys: Sequence[str]) -> dict[str, Chat]:
        """The entries of those chats that are known."""
        return {key: unpacked_chat(entry) for key, entry in self._select(database, "id, entry", keys)}

    def newest_blocks(self, database: Database, keys: Sequence[str]) -> dict[str, tuple[Block, bool]]:
        """The newest block of each of those chats that has any, and whether there are older ones."""
        others = "FROM block AS other WHERE other.account = block.account AND other.chat = block.chat"
        columns = f"chat, (SELECT MIN(place) {others}), place, newest, oldest, messages, content"
        rows = self._select(
            database, columns, keys, table="block", key="chat", rest=(f"AND place = (SELECT MAX(place) {others})",)
        )
        return {chat: (Block(*block), block[0] > lowest) for chat, lowest, *block in rows}

    def messages_below(
        self, database: Database, key: str, place: int | None, count: int
    ) -> list[tuple[int, float, list[Message]]]:
        """At most `count` blocks of a chat below the one at `place`, newest first: places, oldest times, messages."""
        below = _HIGHEST if place is None else place
        rows = database.rows(
            "SELECT place, newest, oldest, messages, content FROM block WHERE account = ? AND chat = ? AND place < ? "
            "ORDER BY place DESC LIMIT ?",
            (self.number, key, below, count),
        )
        return [(block.place, block.oldest, block.unpacked()) for block in (Block(*row) for row in rows)]

    def write_chat(
        self,
        database: Database,
        state: ChatState,
        messages: Sequence[Message],
        above: int | None,
        way: str | None,
    ) -> bool:
        """Keep `messages`, newest first, in place of the blocks above the place `above`, or of all blocks if None.

        `way` is the direction in which Linq listed them, if that could be seen.

        `state.version` is the one that the reading began with: if anybody wrote or marked the chat since, nothing
        changes, and the answer is False.
        """
        key = (self.number, state.id)
        with database.transaction():
            changed = database.run(
                "UPDATE chat SET version = ?, asked = ?, reaches = ?, our_word = ?, is_whole = ?, is_unsettled = ?, "
                "is_marked = 0, is_directed = ?, unreadable = 0, place = ? "
                "WHERE account = ? AND id = ? AND version = ?",
                (
                    state.version + 1,
                    state.asked,
                    state.reaches,
                    state.our_word,
                    int(state.is_whole),
                    int(state.is_unsettled),
                    int(state.is_directed),
                    state.place,
                    *key,
                    state.version,
                ),
            )
            if not changed:
                return False
            if way:
                database.run("UPDATE account SET way = ? WHERE id = ? AND way <> ?", (way, self.number, way))
            if above is None:
                database.run("DELETE FROM block WHERE account = ? AND chat = ?", key)
            else:
                database.run("DELETE FROM block WHERE account = ? AND chat = ? AND place > ?", (*key, above))
            lowest = 0 if above is None else above + 1
            database.run_many(
                "INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (*key, block.place, block.newest, block.oldest, block.count, block.content)
                    for block in blocks_of(messages, lowest)
                ],
            )
        return True

    def append(self, database: Database, state: ChatState, messages: Sequence[Message]) -> bool:
        """Keep `messages`, newest first, below the oldest block of a chat; as `write_chat` otherwise."""
        key = (self.number, state.id)
        with database.transaction():
            changed = database.run(
                "UPDATE chat SET version = ?, reaches = ?, our_word = ?, is_whole = ?, place = ? "
                "WHERE account = ? AND id = ? AND version = ?",
                (
                    state.version + 1,
                    state.reaches,
                    state.our_word,
                    int(state.is_whole),
                    state.place,
                    *key,
                    state.version,
                ),
            )
            if not changed:
                return False
            (lowest,) = database.rows("SELECT COALESCE(MIN(place), 0) FROM block WHERE account = ? AND chat = ?", key)[
                0
            ]
            blocks = list(blocks_of(messages, 0))
            database.run_many(
                "INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (*key, lowest - len(blocks) + block.place, block.newest, block.oldest, block.count, block.content)
                    for block in blocks
                ],
            )
        return True

    def mark(self, database: Database, key: str) -> None:
        """Let nothing that is kept of a chat be used before it is read again."""
        database.run(
            "UPDATE chat SET is_marked = 1, version = version + 1 WHERE account = ? AND id = ?", (self.number, key)
        )

    def set_unreadable(self, database: Database, state: ChatState, when: float) -> None:
        """Note that Linq does not let a chat be read, and drop what is kept of it."""
        with database.transaction():
            if database.run(
                "UPDATE chat SET unreadable = ?, asked = 0, is_whole = 0, is_marked = 0, version = version + 1 "
                "WHERE account = ? AND id = ? AND version = ?",
                (when, self.number, state.id, state.version),
            ):
                database.run("DELETE FROM block WHERE account = ? AND chat = ?", (self.number, state.id))

    def drop_messages(self, database: Database, state: ChatState) -> None:
        """Forget the messages of a chat that were just written, as there is no room for them."""
        with database.transaction():
            if database.run(
                "UPDATE chat SET asked = 0, is_whole = 0, version = version + 1 "
                "WHERE account = ? AND id = ? AND version = ?",
                (self.number, state.id, state.version),
            ):
                database.run("DELETE FROM block WHERE account = ? AND chat = ?", (self.number, state.id))

    def delete_chat(self, database: Database, key: str) -> None:
        """Forget a chat that Linq does not know any more."""
        with database.transaction():
            for table, column in (("block", "chat"), ("chat", "id")):
                database.run(f"DELETE FROM {table} WHERE account = ? AND {column} = ?", (self.number, key))  # noqa: S608

    # Room

    def drop_oldest(self, database: Database, bytes_wanted: int) -> bool:
        """Drop the blocks that reach back furthest until about that many bytes are free; False if there are none.

        The newest block of a chat stays.
        """
        rows = database.rows(
            "SELECT chat, place, LENGTH(content) FROM block WHERE account = ? AND place < "
            "(SELECT MAX(place) FROM block AS other WHERE other.account = block.account AND other.chat = block.chat) "
            "ORDER BY newest, chat, place LIMIT 5000",
            (self.number,),
        )
        freed = 0
        tops: dict[str, int] = {}
        for chat, place, length in rows:
            if freed >= bytes_wanted:
                break
            tops[chat] = max(place, tops.get(chat, place))
            freed += length
        with database.transaction():
            for chat, place in sorted(tops.items()):
                database.run(
                    "DELETE FROM block WHERE account = ? AND chat = ? AND place <= ?", (self.number, chat, place)
                )
                database.run(
                    "UPDATE chat SET is_whole = 0, place = '', version = version + 1, reaches = "
                    "(SELECT COALESCE(MIN(oldest), 0) FROM block WHERE block.account = chat.account "
                    "AND block.chat = chat.id) WHERE account = ? AND id = ?",
                    (self.number, chat),
                )
        return bool(tops)

    def _select(
        self,
        database: Database,
        columns: str,
        keys: Iterable[str],
        *,
        table: str = "chat",
        key: str = "id",
        rest: tuple[object, ...] = ("",),
    ) -> list[Row]:
        """The rows for `keys`, a bounded number of them in each statement."""
        found: list[Row] = []
        more = iter(keys)
        while some := list(islice(more, _AT_ONCE)):
            marks = ", ".join("?" * len(some))
            found += database.rows(
                f"SELECT {columns} FROM {table} WHERE account = ? AND {key} IN ({marks}) {rest[0]}",  # noqa: S608
                (self.number, *some, *rest[1:]),
            )
        return found
