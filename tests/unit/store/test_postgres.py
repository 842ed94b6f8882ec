"""PostgreSQL: answers say what is wrong with it, without a secret, and replicas that share it don't collide."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any

import anyio
import pytest
from helpers.linq import call_over
from helpers.lived import inbox, lived, opened
from helpers.living_linq import LivingLinq
from helpers.postgres import PASSWORD, PostgresServer
from pydantic import SecretStr

from linq_mcp.errors import StoreError, StoreProblem
from linq_mcp.settings.store import StoreSettings
from linq_mcp.store.database import InThread, Row, retried
from linq_mcp.store.kept_account import KeptAccount
from linq_mcp.store.stores import open_database

GRANTS = (
    "GRANT USAGE ON SCHEMA linq_mcp TO replica",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA linq_mcp TO replica",
)
DOWN = "can't be opened: look whether it runs, and at the address, user, password, and database in LINQ_MCP_STORE."


@pytest.fixture
def replica(postgres: PostgresServer) -> Iterator[StoreSettings]:
    """The store with a user of its own, who may do nothing at first."""
    postgres.run(f"CREATE ROLE replica LOGIN PASSWORD '{PASSWORD}'")
    yield postgres.store("replica")
    postgres.run("DROP OWNED BY replica")


async def check_goes_on(store: StoreSettings, said: str, caplog: pytest.LogCaptureFixture) -> None:
    """The answer is the one from memory, with the sentence in its note, and the password is nowhere."""
    linq = lived(chats=2)
    right = await inbox(linq, opened(linq))
    stores = opened(linq, store)
    answer = await inbox(linq, stores)
    stores.close()
    assert said in answer["note"]
    assert (answer["chats"], answer["complete"]) == (right["chats"], True)
    assert "the store can't be used" in caplog.text
    assert PASSWORD not in caplog.text + answer["note"]


def newer(postgres: PostgresServer, store: StoreSettings) -> StoreSettings:
    open_database(store).close()
    postgres.run("UPDATE linq_mcp.linq_mcp_store SET version = version + 1")
    return store


def older(postgres: PostgresServer, _: StoreSettings) -> StoreSettings:
    """Only their owner can make its tables anew."""
    open_database(postgres.store()).close()
    postgres.run("UPDATE linq_mcp.linq_mcp_store SET version = 1", *GRANTS)
    return postgres.store("replica")


def foreign(postgres: PostgresServer, store: StoreSettings) -> StoreSettings:
    postgres.run("CREATE SCHEMA linq_mcp", "CREATE TABLE linq_mcp.photos (id BIGINT)")
    return store


def closed(postgres: PostgresServer, _: StoreSettings) -> StoreSettings:
    """The tables of somebody else."""
    open_database(postgres.store()).close()
    return postgres.store("replica")


def without_tables(postgres: PostgresServer, _: StoreSettings) -> StoreSettings:
    return postgres.store("replica")


def wrong_password(postgres: PostgresServer, _: StoreSettings) -> StoreSettings:
    return StoreSettings(url=SecretStr(postgres.url(password=f"{PASSWORD}-wrong")))


def no_such_database(postgres: PostgresServer, _: StoreSettings) -> StoreSettings:
    return StoreSettings(url=SecretStr(postgres.url().replace("/postgres?", "/none?")))


def nobody_there(*_: object) -> StoreSettings:
    return StoreSettings(url=SecretStr(f"postgresql://owner:{PASSWORD}@127.0.0.1:1/postgres"))


def no_address(*_: object) -> StoreSettings:
    return StoreSettings(url=SecretStr(f"postgresql://owner:{PASSWORD}@[/postgres?nonsense={PASSWORD}"))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (newer, "written by a newer release of linq-mcp: upgrade this one, or use another store."),
        (older, "missing or of an older release: run `linq-mcp store prepare`"),
        (foreign, "does not look like one that linq-mcp made: choose another file or database."),
        (closed, "does not let its user read and write the tables: look at the user's rights."),
        (without_tables, "The store's tables are missing or of an older release: run `linq-mcp store prepare`"),
        (wrong_password, DOWN),
        (no_such_database, DOWN),
        (nobody_there, DOWN),
        (no_address, DOWN),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_database_that_cannot_be_used(
    spoil: Callable[[PostgresServer, StoreSettings], StoreSettings],
    said: str,
    postgres: PostgresServer,
    replica: StoreSettings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Calls go on in memory and say so."""
    await check_goes_on(spoil(postgres, postgres.store()), said, caplog)


async def test_without_the_extra(
    postgres: PostgresServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence says how to install it."""
    monkeypatch.delitem(sys.modules, "linq_mcp.store.postgres")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    await check_goes_on(postgres.store(), "needs an extra: `pip install '.[postgres]'`", caplog)


async def test_a_user_who_may_read_and_write_rows_is_enough(postgres: PostgresServer, replica: StoreSettings) -> None:
    open_database(postgres.store()).close()
    postgres.run(*GRANTS)
    linq = lived()
    stores = opened(linq, replica, days=1)
    assert "note" not in await inbox(linq, stores)
    requests = len(linq.requests)
    stores.close()
    again = opened(linq, replica)
    assert "note" not in await inbox(linq, again)
    again.close()
    assert len(linq.requests) == requests


async def test_tables_that_a_newer_release_makes_while_this_one_runs(postgres: PostgresServer) -> None:
    """Nothing is written into them any more."""
    linq = lived()
    stores = opened(linq, postgres.store(), max_age=0)
    await inbox(linq, stores)
    newer(postgres, postgres.store())
    assert "written by a newer release" in (await inbox(linq, stores))["note"]
    stores.close()


async def test_a_connection_that_was_lost_is_opened_again(postgres: PostgresServer) -> None:
    """A firewall or a pooler may end one that is idle: no answer says a word about it."""
    linq = lived()
    stores = opened(linq, postgres.store())
    await inbox(linq, stores)
    requests = len(linq.requests)
    for pid in postgres.connections():
        postgres.run(f"SELECT pg_terminate_backend({pid})")
    assert "note" not in await inbox(linq, stores)
    assert len(linq.requests) == requests
    stores.close()


async def test_a_database_that_stops_in_the_middle(
    postgres: PostgresServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call goes on in memory and says so, and a later one uses what was kept before."""
    linq = lived(chats=20)
    right = await inbox(linq, opened(linq))
    stores = opened(linq, postgres.store())
    stops_at = len(linq.requests) + 15
    linq.before_request = lambda: postgres.stop() if len(linq.requests) == stops_at else None
    try:
        answer = await inbox(linq, stores)
        assert DOWN in answer["note"]
        assert (answer["chats"], answer["complete"]) == (right["chats"], True)
    finally:
        postgres.start()
    assert DOWN in (await inbox(linq, stores))["note"]
    monkeypatch.setattr(stores, "_retry_at", 0.0)
    before = len(linq.requests)
    answer = await inbox(linq, stores)
    assert (answer["chats"], "note" in answer) == (right["chats"], False)
    assert len(linq.requests) < before + len(linq.chats)
    stores.close()
    assert [record.message for record in caplog.records if record.name == "linq_mcp.store.stores"] == [
        "the store can't be used (down): what is read is kept in memory",
        "the store is in use again",
    ]


async def test_what_was_in_memory_meanwhile_is_not_used_the_next_time(postgres: PostgresServer) -> None:
    """It would know nothing of what was sent in between."""
    linq = LivingLinq()
    linq.say(linq.open_chat())
    (chat,) = linq.chats
    stores = opened(linq, postgres.store(), max_age=86_400)
    for is_waiting in (True, False):
        stores.failed(StoreError(StoreProblem.DOWN))
        (row,) = (await inbox(linq, stores))["chats"]
        assert ("waiting" in row) is is_waiting
        stores._retry_at = 0.0
        linq.say(chat, own=True)
        async with call_over(linq, now=lambda: linq.now, stores=stores) as call:
            await call.account.changed(chat)
    stores.close()


async def test_a_server_that_does_not_answer_any_more(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not waited for longer than for a slow statement."""
    linq = lived()
    stores = opened(linq, postgres.store(), max_age=0)
    await inbox(linq, stores)
    monkeypatch.setattr("linq_mcp.store.postgres.STATEMENT_SECONDS", 0.2)
    stopped = postgres.connections()
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        answer = await inbox(linq, stores)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    assert "The store did not answer in time." in answer["note"]
    assert answer["complete"]
    stores.close()


# Replicas


class Replicas:
    """Two processes with one database, over one account of Linq."""

    def __init__(self, linq: LivingLinq, store: StoreSettings, **given: Any) -> None:
        self.linq = linq
        self.stores = [opened(linq, store, **given) for _ in range(2)]

    async def ask_both(self) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = [{}, {}]

        async def ask(number: int) -> None:
            answers[number] = await inbox(self.linq, self.stores[number])

        async with anyio.create_task_group() as tasks:
            for number in range(2):
                tasks.start_soon(ask, number)
        return answers

    def close(self) -> None:
        for stores in self.stores:
            stores.close()


@pytest.mark.slow
async def test_two_that_are_asked_at_once_read_each_chat_about_once(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither when nothing was read before, nor when everything has to be read again, do they read the same ones."""
    # However busy the machine is.
    monkeypatch.setattr("linq_mcp.store.reading.REFRESH_SECONDS", 30)
    linq = LivingLinq()
    for _ in range(120):
        linq.say(linq.open_chat())
    answer = linq.handle_async_request

    async def handle(request: Any) -> Any:
        await anyio.sleep(0.01)
        return await answer(request)

    linq.handle_async_request = handle  # type: ignore[method-assign]
    replicas = Replicas(linq, postgres.store())
    for _ in range(2):
        before = len(linq.requests)
        answers = await replicas.ask_both()
        assert [(one["matched"], one["complete"]) for one in answers] == [(120, True)] * 2
        assert "store" not in answers[0]["note"] + answers[1]["note"]
        assert len(linq.chats) <= len(linq.requests) - before <= 1.3 * len(linq.chats)
        linq.wait(timedelta(minutes=2))
    replicas.close()


async def test_what_one_has_sent_is_not_waiting_at_the_other(postgres: PostgresServer) -> None:
    linq = LivingLinq()
    for _ in range(3):
        linq.say(linq.open_chat())
    answered = next(iter(linq.chats))
    replicas = Replicas(linq, postgres.store(), max_age=86_400)
    before = await replicas.ask_both()
    assert all(row.get("waiting") for one in before for row in one["chats"])
    linq.say(answered, own=True)
    async with call_over(linq, now=lambda: linq.now, stores=replicas.stores[0]) as call:
        await call.account.changed(answered)
    after = await inbox(linq, replicas.stores[1])
    replicas.close()
    assert [row["id"] for row in after["chats"] if "waiting" not in row] == [answered]


async def test_a_pooler_that_gives_each_transaction_another_connection(postgres: PostgresServer) -> None:
    """Nothing may be expected of a connection that was set or prepared before."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed")
    linq = lived()
    right = await inbox(linq, opened(linq))
    with postgres.pooled(program) as store:
        replicas = Replicas(linq, store, max_age=0)
        answers = [answer for _ in range(2) for answer in await replicas.ask_both()]
        replicas.close()
    assert [(one["chats"], "note" in one) for one in answers] == [(right["chats"], False)] * 4


def test_work_that_another_process_was_in_the_way_of_is_done_again(postgres: PostgresServer) -> None:
    """Two that open the same account at once: the later one finds that of the other."""
    with closing(open_database(postgres.store())) as one, closing(open_database(postgres.store())) as other:
        look, opened_by_other = one.rows, list[KeptAccount]()

        def look_late(statement: str, values: Sequence[object] = ()) -> list[Row]:
            found = look(statement, values)
            if "FROM account" in statement and not opened_by_other:
                opened_by_other.append(KeptAccount.open(other, "hash", 0.0))
            return found

        one.rows = look_late  # type: ignore[method-assign]
        account = retried(lambda: KeptAccount.open(one, "hash", 0.0))
        assert account.number == opened_by_other[0].number


async def test_two_that_get_in_each_others_way_lose_nothing(postgres: PostgresServer) -> None:
    """Of two transactions that wait for each other the server ends one, which is done again."""
    with closing(open_database(postgres.store())) as one, closing(open_database(postgres.store())) as other:
        one.run_many("INSERT INTO account VALUES (?, ?, 0, 0, '')", [(1, "one"), (2, "other")])
        one.run("SET deadlock_timeout TO 10")
        met = [anyio.Event(), anyio.Event()]
        attempts = 0

        def add(database: Any, first: int, second: int) -> None:
            nonlocal attempts
            attempts += 1
            with database.transaction():
                # Unlike `run`, it waits until the row is locked.
                database.change("UPDATE account SET used = used + 1 WHERE id = ?", (first,))
                anyio.from_thread.run_sync(met[first - 1].set)
                anyio.from_thread.run(met[second - 1].wait)
                database.run("UPDATE account SET used = used + 1 WHERE id = ?", (second,))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(InThread(one), add, 1, 2)
            tasks.start_soon(InThread(other), add, 2, 1)
        assert attempts == 3
        assert one.rows("SELECT used FROM account ORDER BY id") == [(2.0,), (2.0,)]
