"""`linq-mcp store`: filling the file, what is said of it, and clearing it."""

from __future__ import annotations

import io
import re
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex

import anyio
import pytest
from helpers.generated_account import generated_account
from helpers.linq import AT_ONCE, KEY
from helpers.living_linq import LivingLinq
from helpers.postgres import PASSWORD, PostgresServer
from helpers.running_api import running
from pydantic import SecretStr

from linq_mcp.cli import main
from linq_mcp.cli.store import describe_store, interrupted
from linq_mcp.cli.store_fill import Progress, fill
from linq_mcp.demo.api import demo_api
from linq_mcp.errors import StoreError, StoreProblem
from linq_mcp.server.callers.caller import SettingsClientProvider
from linq_mcp.settings import Settings
from linq_mcp.settings.problems import KeySource
from linq_mcp.settings.store import STORE_DAYS_VARIABLE, STORE_VARIABLE, StoreSettings
from linq_mcp.store.housekeeping import summaries
from linq_mcp.store.sqlite import SqliteDatabase
from linq_mcp.store.stores import open_database

CHATS = 12
Store = Callable[..., tuple[object, str, str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "linq.db"


@pytest.fixture
def linq() -> LivingLinq:
    """Twelve chats, each with a message of ten days ago, one of five days ago, and one of now."""
    linq = LivingLinq()
    linq.now = datetime.now(UTC) - timedelta(days=10)
    chats = [linq.open_chat() for _ in range(CHATS)]
    for days in (0, 5, 5):
        linq.wait(timedelta(days=days))
        for chat in chats:
            linq.say(chat, own=days == 0)
    return linq


class Filling:
    """`linq-mcp store fill` over that Linq."""

    def __init__(self, linq: LivingLinq, place: StoreSettings) -> None:
        self._linq = linq
        self.settings = Settings(api_key=SecretStr(KEY), key_source=KeySource.ENVIRONMENT, store=place)

    async def __call__(self, days: int = 30) -> int:
        provider = SettingsClientProvider(lambda: self.settings, transport=lambda: self._linq, retry=AT_ONCE)
        return await fill(provider, self.settings, days)

    def kept(self) -> tuple[int, int]:
        """How many chats and messages are kept."""
        with closing(open_database(self.settings.store)) as database:
            (summary,) = summaries(database)
        return summary.chats, summary.messages


@pytest.fixture
def filling(linq: LivingLinq, place: StoreSettings) -> Filling:
    return Filling(linq, place)


@pytest.fixture(scope="module")
def api_url() -> Iterator[str]:
    """An API on a loopback port with a small account."""
    with running(demo_api(generated_account(CHATS, messages_in_first=30), key=KEY)) as url:
        yield url


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], live: dict[str, str]) -> Store:
    """Runs a command of the store in this process: its exit code, stdout, and stderr."""
    for name, value in live.items():
        monkeypatch.setenv(name, value)

    def run(*argv: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["store", *argv])
        return ended.value.code, *capsys.readouterr()

    return run


def test_fill_status_and_clear(store: Store, path: Path) -> None:
    """Nothing that is printed has the key, or the whole hash under which the account is kept."""
    code, out, err = store("fill", "--store", str(path), "--days", "3650")
    assert (code, err) == (0, "")
    assert f"They are kept in {path}." in out
    code, shown, _ = store("status", "--store", str(path))
    assert code == 0
    assert "(of this key):" in shown
    database = SqliteDatabase(path)
    (summary,) = summaries(database)
    assert f"  {CHATS} of {CHATS} chats read, {summary.messages:,} messages\n" in shown
    assert summary.chats == CHATS
    assert f"{summary.chats:,} chats were read" in out
    database.close()
    assert summary.hash not in shown
    assert KEY not in out + shown
    assert store("clear", "--store", str(path))[0] == 0
    assert ", 0 accounts." in store("status", "--store", str(path))[1]
    assert store("clear", "--all", "--store", str(path)) == (0, f"{path} is deleted.\n", "")
    assert list(path.parent.iterdir()) == []


@pytest.mark.slow
def test_prepare_fill_status_and_clear_of_postgres(
    store: Store, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking makes no tables, and nothing that is printed says where the database is."""
    monkeypatch.setenv(STORE_VARIABLE, postgres.url())
    code, out, err = store("status")
    assert (code, out) == (1, "")
    assert "run `linq-mcp store prepare`" in err
    assert store("prepare") == (0, "The tables are ready.\n", "")
    assert re.fullmatch(r"PostgreSQL: [0-9.]+ kB, 0 accounts\.\n", store("status")[1])
    filled = store("fill", "--days", "3650")
    assert "They are kept in PostgreSQL." in filled[1]
    shown = store("status")
    assert ", 1 account.\nAccount " in shown[1]
    cleared = [store("clear"), store("clear", "--all")]
    assert cleared == [
        (0, "What was kept of this account is dropped from PostgreSQL.\n", ""),
        (0, "Everything that was kept is dropped from PostgreSQL.\n", ""),
    ]
    assert ", 0 accounts." in store("status")[1]
    assert PASSWORD not in str([code, out, err, filled, shown, cleared])


def test_an_address_is_no_argument(store: Store) -> None:
    """Others on the machine see arguments; the error repeats nothing of it."""
    code, out, err = store("status", "--store", f"postgresql://owner:{PASSWORD}@127.0.0.1:1/postgres")
    assert (code, out) == (2, "")
    assert f"put it into {STORE_VARIABLE}" in err
    assert PASSWORD not in err


def test_only_a_database_is_prepared(store: Store, path: Path) -> None:
    assert store("prepare", "--store", str(path))[0] == 2
    assert not path.exists()


@pytest.mark.parametrize(("action", "code"), [("fill", 2), ("status", 0), ("clear", 0)])
def test_without_a_path_nothing_is_on_disk(action: str, code: int, store: Store) -> None:
    done = store(action)
    assert done[0] == code
    assert "Nothing is on disk" in done[1] + done[2]
    assert f"--store PATH or {STORE_VARIABLE}" in done[1] + done[2]


@pytest.mark.parametrize("action", ["fill", "status", "clear"])
@pytest.mark.parametrize(
    ("name", "given"),
    [(STORE_VARIABLE, "~nosuchuser/linq.db"), (STORE_VARIABLE, "$STORE"), (STORE_DAYS_VARIABLE, "abc")],
)
def test_a_store_that_is_not_used_is_not_called_nothing_on_disk(
    name: str, given: str, action: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, given)
    code, out, err = store(action)
    assert (code, out) == (1, "")
    assert "The store is not used, and nothing in it changes, until its settings are corrected." in err


def test_looking_makes_no_file(store: Store, path: Path) -> None:
    assert store("status", "--store", str(path)) == (0, f"Nothing is kept yet: there is no file {path}.\n", "")
    assert store("clear", "--all", "--store", str(path)) == (0, f"Nothing is kept: there is no file {path}.\n", "")
    assert not path.exists()


def photos(path: Path) -> None:
    with closing(sqlite3.connect(path)) as foreign:
        foreign.execute("CREATE TABLE photos (id INTEGER)")


def note(path: Path) -> None:
    path.write_text("hello\n")


@pytest.mark.parametrize("make", [photos, note])
@pytest.mark.parametrize("argv", [["fill"], ["status"], ["clear"], ["clear", "--all"]], ids=" ".join)
def test_the_file_of_something_else_is_left_as_it_is(
    argv: list[str], make: Callable[[Path], None], store: Store, path: Path
) -> None:
    """One sentence names it, nobody is told to delete it, and not a byte of it changes."""
    make(path)
    before = path.read_bytes()
    code, out, err = store(*argv, "--store", str(path))
    assert (code, out) == (1, "")
    assert err.startswith(
        f"linq-mcp store: The store {path} (--store) can't be used, because it does not look like one"
    )
    assert "delete" not in err
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_clear_says_whose_account_it_did_not_clear(store: Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key, or with that of another account, nothing is dropped, and nobody believes that something was."""
    store("fill", "--store", str(path))
    monkeypatch.setenv("LINQ_API_V3_API_KEY", f"{KEY}-of-another")
    said = f"Nothing is kept of this account in {path}. 1 other account is kept there.\n"
    assert store("clear", "--store", str(path)) == (0, said, "")
    monkeypatch.delenv("LINQ_API_V3_API_KEY")
    monkeypatch.setenv("HOME", str(path.parent))
    code, out, err = store("clear", "--store", str(path))
    assert (code, out) == (1, "")
    assert "so there is no account to clear" in err
    assert "`--all` drops everything." in err
    assert ", 1 account.\n" in store("status", "--store", str(path))[1]
    assert store("clear", "--all", "--store", str(path)) == (0, f"{path} is deleted.\n", "")


def test_a_file_in_use_is_emptied_rather_than_deleted(store: Store, path: Path) -> None:
    """A server that goes on writes into the file that is there, and not into one that nobody sees."""
    store("fill", "--store", str(path))
    other = SqliteDatabase(path)
    code, out, _ = store("clear", "--all", "--store", str(path))
    assert (code, out) == (0, f"{path} is emptied. It is not deleted, as another process uses it.\n")
    assert summaries(other) == []
    other.close()


async def test_fill_reads_as_deep_as_it_says(filling: Filling, linq: LivingLinq) -> None:
    """Linq's deletions within these days take effect; older messages stay as they were kept."""
    chat = next(iter(linq.chats))
    for days in (10, 5):
        linq.now = datetime.now(UTC) - timedelta(days=days)
        for _ in range(60):
            linq.say(chat)
    linq.messages[chat].sort(key=lambda message: message["created_at"])
    await filling()
    everything = filling.kept()[1]
    # Of ten days ago, beyond the first page.
    del linq.messages[chat][5:15]
    await filling(3)
    assert filling.kept()[1] == everything
    await filling(12)
    assert filling.kept()[1] == everything - 10


async def test_fill_reads_everything_again(linq: LivingLinq, filling: Filling) -> None:
    await filling()
    before = len(linq.requests)
    await filling()
    assert len([path for path in linq.requests[before:] if path.endswith("/messages")]) >= CHATS


def test_a_fill_that_is_interrupted_keeps_what_it_has(linq: LivingLinq, filling: Filling) -> None:
    """Ctrl-C in the middle ends it, and leaves a file that is whole, alone, and good for the next fill."""
    # A shell starts what runs in the background with this signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    linq.before_request = lambda: signal.raise_signal(signal.SIGINT) if len(linq.requests) == 13 else None
    try:
        with pytest.raises(KeyboardInterrupt):
            anyio.run(filling)
    finally:
        signal.signal(signal.SIGINT, before)
    if path := filling.settings.store.path:
        assert list(path.parent.iterdir()) == [path]
    chats, messages = filling.kept()
    assert chats == CHATS
    assert 0 < messages < 3 * CHATS
    # Each was read whole, or not at all.
    read = messages // 3
    assert interrupted(filling.settings) == f"{read} chats are kept so far; the same command reads on."
    assert f"{read} of {CHATS} chats read, {messages} messages" in describe_store(filling.settings)[1]
    assert anyio.run(filling) == 0
    assert filling.kept() == (CHATS, 3 * CHATS)


def test_a_fill_that_is_interrupted_says_what_is_kept(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its only word is on stderr, so that a pipe gets nothing else."""

    async def interrupt(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)
        await anyio.sleep_forever()

    monkeypatch.setattr(Progress, "__call__", interrupt)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code, out, err = store("fill", "--store", str(path))
    finally:
        signal.signal(signal.SIGINT, before)
    assert (code, out) == (130, "")
    assert re.fullmatch(r"[0-9]+ chats? (is|are) kept so far; the same command reads on\.\n", err)


async def test_a_fill_without_some_chats_fails(
    linq: LivingLinq, filling: Filling, capsys: pytest.CaptureFixture[str]
) -> None:
    linq.broken = {next(iter(linq.chats))}
    assert await filling() == 1
    out, err = capsys.readouterr()
    assert out.startswith(f"{CHATS - 1} chats were read")
    assert err.startswith("Not all chats could be read: 1 of them are missing or old. Linq had a server error.")
    linq.broken = set()
    assert await filling() == 0


async def test_a_full_disk_ends_a_fill(linq: LivingLinq, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for chat in linq.chats:
        linq.say(chat, text=token_hex(10_000))
    set_up = SqliteDatabase._set_up

    def limited(database: SqliteDatabase) -> None:
        set_up(database)
        if database._path:
            database.rows("PRAGMA max_page_count=20")

    monkeypatch.setattr(SqliteDatabase, "_set_up", limited)
    with pytest.raises(StoreError) as failed:
        await Filling(linq, StoreSettings(path=path))()
    assert failed.value.problem is StoreProblem.FULL


def test_fill_needs_a_key(path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINQ_API_V3_API_KEY")
    monkeypatch.setenv("HOME", str(path.parent))
    code, _, err = store("fill", "--store", str(path))
    assert code == 1
    assert err.startswith("linq-mcp store: No Linq API key is set.")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def test_progress_is_a_bar_in_a_terminal_and_lines_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pipe, a line comes every ten seconds at most."""
    now = 1000.0
    monkeypatch.setattr("linq_mcp.cli.store_fill.time.monotonic", lambda: now)
    terminal, pipe = Terminal(), io.StringIO()
    shown = [Progress(terminal), Progress(pipe)]
    for seconds, count in ((1, 100), (9, 1000), (1, 1100)):
        now += seconds
        for progress in shown:
            await progress(count, 5000)
    for progress in shown:
        progress.clear()
    assert terminal.getvalue().split("\r\x1b[K")[1:] == [
        "[....................] 100 of 5,000 chats read, about 49 s left",
        "[####................] 1,000 of 5,000 chats read, about 40 s left",
        "[####................] 1,100 of 5,000 chats read, about 39 s left",
        "",
    ]
    assert pipe.getvalue() == "1,000 of 5,000 chats read, about 40 s left\n"
