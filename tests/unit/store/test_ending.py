"""How a chat ends, as it is kept beside its messages."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from random import Random

import pytest

from linq_mcp.api.models import Chat, Message
from linq_mcp.errors import StoreError
from linq_mcp.store.database import VERSION, Database
from linq_mcp.store.ending import Ending, EndReader, packed_ending
from linq_mcp.store.housekeeping import clean_some, summaries
from linq_mcp.store.kept_account import KeptAccount
from linq_mcp.store.kept_chats import KeptChats, KeptState
from linq_mcp.store.sqlite import SqliteDatabase

TEXTS = ("See you at 5", "Liked “See you at 5”", "STOP", "opt out", "👍", "")
# Of `conversations`, by the version of the tables.
KNOWN = {5: "0f855b2e07a2a044"}


def conversations() -> list[list[Message]]:
    """Some of every kind, the newest message first."""
    random = Random(7)

    def message(at: int) -> Message:
        sent = f"2026-11-{random.randint(1, 28):02}T12:00:00Z" if random.random() < 0.1 else None
        part = {
            "type": random.choice(["text", "media"]),
            "value": random.choice(TEXTS),
            "reactions": [{"is_me": random.random() < 0.5, "type": "like"}] * (random.random() < 0.2),
        }
        wire = {
            "id": str(at),
            "created_at": f"2026-11-{at // 3 + 1:02}T00:00:00Z" if random.random() < 0.95 else "0001-01-01T00:00:00Z",
            "sent_at": sent,
            "is_from_me": random.random() < 0.3,
            "delivery_status": random.choice(["failed", "read", "Delivered", None]),
            "parts": [part] * random.choice([0, 1, 1, 1, 2]),
        }
        return Message.model_validate(wire)

    return [[message(at) for at in reversed(range(random.randint(0, 60)))] for _ in range(300)]


def test_another_definition_of_how_chats_end_is_another_version() -> None:
    """What an earlier release has kept would be taken for what this one finds: raise `VERSION`, then record it here."""
    endings = [Ending.unpacked(packed_ending(messages, is_whole=True)) for messages in conversations()]
    found = repr([(ending.newest, ending.at, ending.wait, ending.message and ending.message.id) for ending in endings])
    assert {VERSION: sha256(found.encode()).hexdigest()[:16]} == KNOWN


def test_it_comes_back_as_it_was_kept() -> None:
    for messages in conversations():
        reader = EndReader()
        is_enough = any(map(reader.visit, messages))
        assert bool(packed_ending(messages, is_whole=False)) is is_enough
        kept = Ending.unpacked(packed_ending(messages, is_whole=True))
        assert kept._replace(latest=kept.message) == reader.ending


@pytest.mark.parametrize("content", [b"\x00", Ending(latest=Message(id="1")).packed()[:-3]])
def test_a_damaged_one_is_an_error_of_the_store(content: bytes) -> None:
    with pytest.raises(StoreError):
        assert Ending.unpacked(content).message


def refused(database: Database, chats: KeptChats, state: KeptState) -> None:
    chats.set_unreadable(database, state, 2.0)


def without_room(database: Database, chats: KeptChats, state: KeptState) -> None:
    chats.drop_messages(database, state)


def after_days(database: Database, _: KeptChats, __: KeptState) -> None:
    clean_some(database, now=86_400.0 * 3, days=2)


@pytest.mark.parametrize("drop", [refused, without_room, after_days])
def test_it_goes_with_the_messages(drop: Callable[[Database, KeptChats, KeptState], None]) -> None:
    with closing(SqliteDatabase()) as database:
        account = KeptAccount.open(database, "hash", 86_400.0 * 2)
        account.write_entries(database, [Chat(id="chat")])
        (empty,) = summaries(database)
        message = Message.model_validate({"id": "1", "created_at": "2026-11-01T00:00:00Z", "is_from_me": False})
        account.chats.write(database, KeptState(id="chat", asked=1.0, is_whole=True), [message], None, None)
        found = account.chats.load(database, ["chat"], blocks=True)["chat"]
        assert found.ending
        assert found.newest
        (full,) = summaries(database)
        assert full.size == empty.size + len(found.ending.packed()) + len(found.newest.content)
        drop(database, account.chats, found.state)
        (left,) = summaries(database)
        assert left.size == empty.size
        assert not account.chats.load(database, ["chat"], blocks=False)["chat"].ending
