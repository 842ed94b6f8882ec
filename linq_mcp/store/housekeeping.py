"""What a database holds of each account, and dropping it: an account's rows, and what nobody has used or read lately.

Rows are dropped some at a time, so that no statement takes long and other processes get their turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linq_mcp.store.database import Database

_DAY = 86_400.0
_UNUSED_DAYS = 30
_AT_ONCE = 50
# The newest time of a block with a message of unknown time is infinite.
_ANY_TIME = 1e15


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """What is kept of the account with that hash.

    Of its `chats`, as far as they are listed, `read` have been read. Its messages were listed from `oldest` to
    `newest`, and its chats asked for from `first_asked` to `last_asked`, in seconds since 1970; each is 0 if there is
    none. `size` is in bytes.
    """

    hash: str
    chats: int = 0
    read: int = 0
    messages: int = 0
    oldest: float = 0.0
    newest: float = 0.0
    first_asked: float = 0.0
    last_asked: float = 0.0
    size: int = 0


def summaries(database: Database) -> list[AccountSummary]:
    """The accounts in a database, the one that was used last first."""
    chats = {
        row[0]: row[1:]
        for row in database.rows(
            "SELECT account, COUNT(*), COUNT(CASE WHEN asked > 0 THEN 1 END), "
            "COALESCE(MIN(CASE WHEN asked > 0 THEN asked END), 0), MAX(asked), "
            "SUM(LENGTH(entry) + LENGTH(ending)) FROM chat GROUP BY account"
        )
    }
    blocks = {
        row[0]: row[1:]
        for row in database.rows(
            "SELECT account, SUM(messages), COALESCE(MIN(CASE WHEN oldest > 0 THEN oldest END), 0), "
            "COALESCE(MAX(CASE WHEN newest < ? THEN newest END), 0), SUM(LENGTH(content)) FROM block GROUP BY account",
            (_ANY_TIME,),
        )
    }
    found = []
    for number, hash_ in database.rows("SELECT id, hash FROM account ORDER BY used DESC, id"):
        count, read, first_asked, last_asked, entries = chats.get(number, (0, 0, 0.0, 0.0, 0))
        messages, oldest, newest, contents = blocks.get(number, (0, 0.0, 0.0, 0))
        times = (oldest, newest, first_asked, last_asked)
        found.append(AccountSummary(hash_, count, read, int(messages), *times, int(entries + contents)))
    return found


def forget_some(database: Database, number: int) -> bool:
    """Drop some chats of an account, and at last the account itself; whether there was anything left to drop."""
    with database.transaction():
        return _forget_some(database, number)


def clean_some(database: Database, now: float, days: int | None) -> bool:
    """Drop some of what nobody wants any more; whether there was anything left to drop.

    That is an account that was not used for a month, and what was not read again for `days` days.
    """
    unused = now - min(_UNUSED_DAYS, _UNUSED_DAYS if days is None else days) * _DAY
    with database.transaction():
        # A process that was reading while its account was dropped may have left some of it.
        if dropped := database.rows(
            "SELECT id FROM account WHERE used < ? "
            "UNION SELECT account FROM list WHERE account NOT IN (SELECT id FROM account) "
            "UNION SELECT account FROM chat WHERE account NOT IN (SELECT id FROM account)",
            (unused,),
        ):
            _forget_some(database, dropped[0][0])
            return True
        if days is None:
            return False
        old = now - days * _DAY
        database.run("DELETE FROM list WHERE asked > 0 AND asked < ?", (old,))
        found = database.rows(
            "SELECT account, id FROM chat WHERE asked > 0 AND asked < ? ORDER BY account, id LIMIT ?", (old, _AT_ONCE)
        )
        for key in found:
            database.run(
                "UPDATE chat SET asked = 0, is_whole = 0, version = version + 1, ending = ? "
                "WHERE account = ? AND id = ?",
                (b"", *key),
            )
            database.run("DELETE FROM block WHERE account = ? AND chat = ?", key)
        return bool(found)


def _forget_some(database: Database, number: int) -> bool:
    found = database.rows("SELECT id FROM chat WHERE account = ? ORDER BY id LIMIT ?", (number, _AT_ONCE))
    for (chat,) in found:
        database.run("DELETE FROM chat WHERE account = ? AND id = ?", (number, chat))
        database.run("DELETE FROM block WHERE account = ? AND chat = ?", (number, chat))
    if found:
        return True
    database.run("DELETE FROM list WHERE account = ?", (number,))
    return database.change("DELETE FROM account WHERE id = ?", (number,)) > 0
