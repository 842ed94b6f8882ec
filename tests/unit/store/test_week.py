"""A made-up week with questions in between: each answer is true of a moment while it was made, and lacks nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from random import Random
from secrets import token_hex
from typing import Any

import anyio
import pytest
from helpers.linq import call_over
from helpers.lived import IN_MEMORY, opened
from helpers.living_linq import LivingLinq, Week
from helpers.plain_inbox import last, sent, waits
from helpers.postgres import PostgresServer
from helpers.reading_accounts import at
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from linq_mcp.settings.store import StoreSettings
from linq_mcp.tools.base.tool import Call
from linq_mcp.tools.find_messages import FIND_MESSAGES
from linq_mcp.tools.list_inbox import LIST_INBOX

Json = dict[str, Any]
Snapshot = tuple[dict[str, Json], dict[str, list[Json]]]
THOROUGH = settings().max_examples > 100
# A week takes seconds, so that there are fewer examples of it than of other properties.
WEEKS, STEPS = (6, 40) if THOROUGH else (1, 16)
pytestmark = pytest.mark.timeout(60 + 20 * WEEKS)


def plain_row(chat: Json, messages: list[Json]) -> object:
    """When the latest message of a chat was sent, and who waits since when, from its data."""
    ordered = sorted(messages, key=lambda message: message["created_at"])
    latest = last(ordered)
    return latest and sent(latest), waits(chat, ordered)


def shown_row(row: Json) -> object:
    """The same, as an answer says it."""
    latest, wait = row.get("last_message"), row.get("waiting")
    return latest and at(latest["at"]), (at(wait["since"]), wait["messages"]) if wait else None


class Watched:
    """The account's states since a call began: one before it, and one after each thing that happened meanwhile."""

    def __init__(self, linq: LivingLinq, happen: Callable[[], None], random: Random) -> None:
        self._linq = linq
        self.states: list[Snapshot] = []
        linq.before_request = lambda: self._happen(happen) if random.random() < 0.1 else None

    def begin(self) -> None:
        self.states = [self._linq.snapshot()]

    def _happen(self, happen: Callable[[], None]) -> None:
        happen()
        self.states.append(self._linq.snapshot())


def check_inbox(rows: list[Json], states: list[Snapshot]) -> None:
    """Each chat as it was in some state; those of every state are there, those of none are not."""
    shown = {row["id"]: row for row in rows}
    always = set.intersection(*(set(chats) for chats, _ in states))
    ever = set.union(*(set(chats) for chats, _ in states))
    assert always <= shown.keys() <= ever
    for id_, row in shown.items():
        assert shown_row(row) in [plain_row(chats[id_], all_[id_]) for chats, all_ in states if id_ in chats], id_


def check_found(found: list[Json], states: list[Snapshot], since: datetime) -> None:
    """Every message of every state is there, once, and none that is in no state."""

    def ids(state: Snapshot) -> set[str]:
        return {message["id"] for messages in state[1].values() for message in messages if sent(message) >= since}

    shown = {message["id"] for message in found}
    assert len(shown) == len(found)
    assert set.intersection(*map(ids, states)) <= shown <= set.union(*map(ids, states))


async def pages_of(call: Call, arguments: Json) -> list[Json]:
    """All messages that `arguments` find, page by page."""
    answer = await FIND_MESSAGES.run(FIND_MESSAGES.parse(arguments), call)
    assert answer["complete"]
    messages = [*answer["messages"]]
    for _ in range(100):
        if "next_cursor" not in answer:
            return messages
        answer = await FIND_MESSAGES.run(FIND_MESSAGES.parse({**arguments, "cursor": answer["next_cursor"]}), call)
        messages += answer["messages"]
    raise AssertionError("there is always a further page")


async def live(seed: int, place: StoreSettings, *, oldest_first: bool) -> None:
    """One week, of an account that nobody has read before."""
    random = Random(seed)
    linq = LivingLinq(oldest_first=oldest_first)
    week = Week(linq, random, chats=random.choice([3, 12]))
    watched = Watched(linq, week.step, random)

    def asking() -> AbstractAsyncContextManager[Call]:
        return call_over(linq, now=lambda: linq.now, stores=stores, key=key)

    key = token_hex(8)
    stores = opened(linq, place, max_age=0)
    for step in range(STEPS):
        week.step()
        if random.random() < 0.6:
            continue
        if place.lasts and step % 5 == 4:
            # A process ends in the middle of a reading, and another one goes on with its file.
            with anyio.move_on_after(0.005):
                async with asking() as call:
                    await LIST_INBOX.run(LIST_INBOX.parse({}), call)
            stores = opened(linq, place, max_age=0)
        watched.begin()
        async with asking() as call:
            if random.random() < 0.6:
                answer = await LIST_INBOX.run(LIST_INBOX.parse({"limit": 100}), call)
                assert answer["complete"]
                check_inbox(answer["chats"], watched.states)
            else:
                since = linq.now - timedelta(days=random.choice([1, 7, 30]))
                found = await pages_of(call, {"after": since.isoformat(), "limit": 100})
                check_found(found, watched.states, since)
    stores.close()


@settings(max_examples=WEEKS, phases=[Phase.explicit, *([Phase.generate] if THOROUGH else [])])
@given(seed=st.integers(0, 10**6), oldest_first=st.booleans())
@example(seed=100, oldest_first=False)
# These have failed before.
@example(seed=0, oldest_first=False)
@example(seed=0, oldest_first=True)
@example(seed=380, oldest_first=True)
async def test_every_answer_of_a_week_is_true(seed: int, oldest_first: bool) -> None:
    await live(seed, IN_MEMORY, oldest_first=oldest_first)


@settings(max_examples=WEEKS)
@given(seed=st.integers(0, 10**6))
async def test_a_week_with_a_file_and_processes_that_end(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What another process read, and how far it came, is gone on with."""
    await live(seed, StoreSettings(path=tmp_path_factory.mktemp("store") / "linq.db"), oldest_first=False)


@pytest.mark.slow
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
async def test_a_week_with_postgres_and_processes_that_end(seed: int, postgres: PostgresServer) -> None:
    await live(seed, postgres.store(), oldest_first=False)
