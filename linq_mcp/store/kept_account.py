"""What is kept of one account: its lists of chats, the entry that lists have of each chat, and the chats' messages.

All functions of `KeptAccount` run in the worker thread of the database; each is one transaction.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from secrets import randbelow
from typing import TYPE_CHECKING

from linq_mcp.store.blocks import packed_chat, packed_ids, unpacked_chat, unpacked_ids
from linq_mcp.store.kept_chats import KeptChats, select

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat
    from linq_mcp.store.database import Database

_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")
_MOST_NUMBERS = 2**31
# How exactly it is known when an account was last used.
_USED_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class KeptList:
    """A list of chats in Linq's order, by the ids of their entries, and when it was asked for.

    `cursor` is Linq's for the last page of a list that was not read to its end.
    """

    asked: float
    ids: list[str]
    cursor: str = ""


def chat_key(id_: str | None) -> str:
    """The name under which a chat is kept: its id, or a hash of an id that not every database can hold; "" without."""
    if not id_ or _KEY.fullmatch(id_):
        return id_ or ""
    return f"~{blake2b(id_.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"


class KeptAccount:
    """The account `number` of a database. `chats` are the messages that are kept of its chats."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.chats = KeptChats(number)

    @staticmethod
    def open(database: Database, account_hash: str, now: float) -> KeptAccount:
        """The account with that hash, made if there is none."""
        with database.transaction():
            found = database.rows("SELECT id FROM account WHERE hash = ?", (account_hash,))
            # Never the number of an account that was dropped: a process that still reads that one would write here.
            number = int(found[0][0]) if found else randbelow(_MOST_NUMBERS)
            if not found:
                database.run("INSERT INTO account VALUES (?, ?, ?, 0, '')", (number, account_hash, now))
            # Few writes: an account is dropped after days.
            database.run("UPDATE account SET used = ? WHERE id = ? AND used < ?", (now, number, now - _USED_SECONDS))
        return KeptAccount(number)

    def accepted(self, database: Database) -> float:
        """When Linq last took the key; 0 after it refused it."""
        found = database.rows("SELECT accepted FROM account WHERE id = ?", (self.number,))
        return float(found[0][0]) if found else 0.0

    def set_accepted(self, database: Database, when: float) -> None:
        database.run("UPDATE account SET accepted = ? WHERE id = ?", (when, self.number))

    def direction(self, database: Database) -> str:
        """The direction in which Linq lists this account's messages, `older` or `newer`; "" if no chat has shown it."""
        found = database.rows("SELECT direction FROM account WHERE id = ?", (self.number,))
        return str(found[0][0]) if found else ""

    def read_list(self, database: Database, line: str, *, finished: bool = True) -> KeptList | None:
        """The list by that `from`, "" for the whole one."""
        found = database.rows(
            "SELECT asked, cursor, ids FROM list WHERE account = ? AND line = ? AND finished = ?",
            (self.number, line, int(finished)),
        )
        return KeptList(found[0][0], unpacked_ids(found[0][2]), found[0][1]) if found else None

    def write_list(self, database: Database, line: str, kept: KeptList, *, finished: bool = True) -> None:
        """Keep a list in place of the one before; a finished one also ends the unfinished one.

        One that another process has asked for since stays.
        """
        key = (self.number, line)
        with database.transaction():
            if database.rows(
                "SELECT 1 FROM list WHERE account = ? AND line = ? AND finished = 1 AND asked > ?", (*key, kept.asked)
            ):
                return
            database.run(
                "DELETE FROM list WHERE account = ? AND line = ? AND (finished = ? OR ? = 1)",
                (*key, int(finished), int(finished)),
            )
            database.run(
                "INSERT INTO list VALUES (?, ?, ?, ?, ?, ?)",
                (*key, int(finished), kept.asked, kept.cursor, packed_ids(kept.ids)),
            )

    def forget_list(self, database: Database, line: str) -> None:
        database.run("DELETE FROM list WHERE account = ? AND line = ?", (self.number, line))

    def age_lists(self, database: Database) -> None:
        """Let every list be read again before it counts as fresh."""
        database.run("UPDATE list SET asked = 0 WHERE account = ?", (self.number,))

    def write_entries(self, database: Database, chats: Sequence[Chat]) -> set[str]:
        """Keep the entries of a page. Returns the keys of those that had another entry before."""
        entries = {chat_key(chat.id): packed_chat(chat) for chat in chats if chat.id}
        with database.transaction():
            before = {key: bytes(entry) for key, entry in select(database, self.number, "id, entry", sorted(entries))}
            changed = [key for key in sorted(before) if before[key] != entries[key]]
            database.run_many(
                "INSERT INTO chat VALUES (?, ?, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', ?)",
                [(self.number, key, entries[key], b"") for key in sorted(entries.keys() - before.keys())],
            )
            database.run_many(
                "UPDATE chat SET entry = ? WHERE account = ? AND id = ?",
                [(entries[key], self.number, key) for key in changed],
            )
        return set(changed)

    def entries(self, database: Database, keys: Sequence[str]) -> dict[str, Chat]:
        """The entries of those chats that are known."""
        return {key: unpacked_chat(entry) for key, entry in select(database, self.number, "id, entry", keys)}
