"""The file in which readings are kept: whatever is wrong with it, the answer is right, and nothing in it is lost."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from helpers.linq import call_over
from helpers.living_linq import LINE, OTHER_LINE, LivingLinq, Week
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linq_mcp.errors import ApiStatusError, LinqError
from linq_mcp.settings.store import StoreSettings
from linq_mcp.store.housekeeping import forget_some, summaries
from linq_mcp.store.sqlite import SqliteDatabase
from linq_mcp.store.stores import Stores
from linq_mcp.tools import TOOLS
from linq_mcp.tools.list_inbox import LIST_INBOX

Json = dict[str, Any]
ACCOUNT_WIDE = ("list_inbox", "find_messages", "find_chats", "summarize_activity", "summarize_chat_health")


def lived(seed: int = 0, chats: int = 6) -> LivingLinq:
    """An account after a while."""
    linq = LivingLinq()
    Week(linq, Random(seed), chats)
    return linq


def opened(linq: LivingLinq, path: Path | None, **given: Any) -> Stores:
    return Stores(StoreSettings(path=path, **given), now=lambda: linq.now.timestamp())  # noqa: PLW0108


async def inbox(linq: LivingLinq, stores: Stores, **given: Any) -> Json:
    async with call_over(linq, now=lambda: linq.now, stores=stores, **given) as call:
        return {**await LIST_INBOX.run(LIST_INBOX.parse({"limit": 100}), call)}


def files_in(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


def contents(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in files_in(folder)}


def make(path: Path, mode: int) -> None:
    path.touch()
    path.chmod(mode)


def lock(folder: Path) -> None:
    """Let everybody read a folder, and nobody write into it."""
    for parent in folder.parents[:2]:
        parent.chmod(0o755)
    folder.chmod(0o555)


def overwrite(path: Path) -> None:
    """Leave nothing of a database but its first page."""
    first = path.read_bytes()[:16_384]
    path.write_bytes(first + b"\x5a" * (path.stat().st_size - len(first)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "kept").mkdir()
    return tmp_path / "kept" / "linq.db"


def foreign(path: Path, _: pytest.MonkeyPatch) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE photos (id INTEGER)")
    database.close()


def of_another_user(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.touch()
    own = os.geteuid()
    monkeypatch.setattr("linq_mcp.store.sqlite.os.geteuid", lambda: own + 1)


def newer(path: Path, _: pytest.MonkeyPatch) -> None:
    database = SqliteDatabase(path)
    database.run("UPDATE linq_mcp_store SET version = version + 1")
    database.close()


def not_a_database(path: Path, _: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"a letter to somebody\n" * 1000)


def a_folder_in_the_way(path: Path, _: pytest.MonkeyPatch) -> None:
    path.mkdir()


def under_a_file(path: Path, _: pytest.MonkeyPatch) -> None:
    path.parent.rmdir()
    path.parent.touch()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (foreign, "holds something else: give it a file or database of its own."),
        (of_another_user, "belongs to another user: use a file of yours."),
        (newer, "The store was written by a newer release of linq-mcp: upgrade this one, or use another store."),
        (not_a_database, "The store is damaged: delete its file; everything in it can be read again."),
        (a_folder_in_the_way, "holds something else: give it a file or database of its own."),
        (under_a_file, "can't be opened: look at its path and its permissions."),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_file_that_cannot_be_used(
    spoil: Callable[[Path, pytest.MonkeyPatch], None], said: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is the one from memory, with a sentence in its note, and not a byte in the folder changes."""
    linq = lived()
    right = await inbox(linq, opened(linq, None))
    spoil(path, monkeypatch)
    before = contents(path.parent)
    stores = opened(linq, path)
    answer = await inbox(linq, stores)
    stores.close()
    assert said in answer["note"]
    assert answer["note"].count("store") <= 2
    assert (answer["chats"], answer["complete"]) == (right["chats"], True)
    assert contents(path.parent) == before


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="Windows has other permissions")
async def test_a_read_only_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The administrator can write everywhere, and is another user here."""
    folder = tmp_path_factory.mktemp("locked")
    lock(folder)
    linq = lived()
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        answer = await inbox(linq, opened(linq, folder / "linq.db"))
    finally:
        if is_root:
            os.seteuid(0)
    assert "can't be opened: look at its path and its permissions." in answer["note"]
    assert answer["complete"]
    assert files_in(folder) == []


@pytest.mark.parametrize("pages", [0, 1], ids=["at once", "in the middle"])
async def test_a_full_disk(pages: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer goes on in memory; what was kept before is still there when there is room again."""
    linq = lived(chats=30)
    for chat in linq.chats:
        linq.say(chat, text="".join(Random(chat).choices("abcdefghijklmnopqrstuvwxyz", k=3000)))
    right = await inbox(linq, opened(linq, None))
    set_up = SqliteDatabase._set_up

    def limited(database: SqliteDatabase) -> None:
        set_up(database)
        if database._path:
            ((count,),) = database.rows("PRAGMA page_count")
            database.rows(f"PRAGMA max_page_count={count + pages}")

    with monkeypatch.context() as patched:
        patched.setattr(SqliteDatabase, "_set_up", limited)
        stores = opened(linq, path)
        answer = await inbox(linq, stores)
        stores.close()
    assert "The store's disk is full: make room" in answer["note"]
    assert (answer["chats"], answer["complete"]) == (right["chats"], True)
    again = opened(linq, path)
    answer = await inbox(linq, again)
    assert (answer["chats"], "note" in answer) == (right["chats"], False)
    again.close()


async def test_a_file_that_is_damaged_while_it_is_used(path: Path) -> None:
    linq = lived(chats=12)
    stores = opened(linq, path)
    right = await inbox(linq, stores)
    stores.close()
    overwrite(path)
    stores = opened(linq, path)
    answer = await inbox(linq, stores)
    stores.close()
    assert "The store is damaged: delete its file" in answer["note"]
    assert (answer["chats"], answer["complete"]) == (right["chats"], True)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("before", [None, 0o644], ids=["new", "open to others before"])
async def test_nobody_else_can_read_it(before: int | None, path: Path) -> None:
    """Nor the files that SQLite puts beside it, whatever the umask."""
    if before:
        make(path, before)
    linq = lived()
    mask = os.umask(0)
    try:
        stores = opened(linq, path)
        await inbox(linq, stores)
    finally:
        os.umask(mask)
    files = files_in(path.parent)
    assert len(files) == 3
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    stores.close()
    assert files_in(path.parent) == [path]


async def test_without_a_path_no_file_is_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every database is in memory, with its temporary tables, and no file is opened for writing."""
    monkeypatch.chdir(tmp_path)
    opened_files: list[object] = []
    watching = True

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event == "sqlite3.connect" and arguments[0] != ":memory:":
            opened_files.append(arguments)
        if watching and event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
            opened_files.append(arguments)

    sys.addaudithook(watch)
    linq = lived()
    stores = opened(linq, None)
    await inbox(linq, stores)
    stores.close()
    watching = False
    assert opened_files == []
    assert files_in(tmp_path) == []


READ_FOR_EVER = """
import sys
sys.path[:0] = json_paths
import anyio
from pathlib import Path
from test_files import inbox, lived, opened

linq = lived(chats=12)
stores = opened(linq, Path(sys.argv[1]), max_age=0)
linq.before_request = lambda: len(linq.requests) == 20 and print("reading", flush=True)

async def main():
    for _ in range(2000):
        await inbox(linq, stores)

anyio.run(main)
"""


def start(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.PIPE)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
async def test_another_process_that_is_killed_in_the_middle_of_a_reading(path: Path) -> None:
    """Both have the file open. What the other one had not finished is read again."""
    linq = lived(chats=12)
    right = await inbox(linq, opened(linq, None))
    stores = opened(linq, path, max_age=0)
    script = READ_FOR_EVER.replace("json_paths", json.dumps([str(Path(__file__).parent), *sys.path]))
    command = [sys.executable, "-c", script, str(path)]
    for _ in range(2):
        with start(command) as other:
            try:
                assert other.stdout
                assert other.stdout.readline() == b"reading\n"
                together = await inbox(linq, stores)
            finally:
                other.send_signal(signal.SIGKILL)
        alone = await inbox(linq, stores)
        for answer in (together, alone):
            assert (answer["chats"], answer["complete"], "note" in answer) == (right["chats"], True, False)
    stores.close()
    assert files_in(path.parent) == [path]
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def asked(name: str) -> Json:
    """Arguments by which a tool finds everything."""
    if name == "find_chats":
        return {"is_group": False, "limit": 100}
    return {"after": "2026-01-01"} if name in ("find_messages", "summarize_activity") else {}


async def answered(linq: LivingLinq, stores: Stores, **given: Any) -> str:
    """Everything that the tools for the whole account answer, and the chats that complete a name."""
    texts: list[object] = []
    async with call_over(linq, now=lambda: linq.now, stores=stores, **given) as call:
        texts += [await tool.run(tool.parse(asked(tool.name)), call) for tool in TOOLS if tool.name in ACCOUNT_WIDE]
        texts += [chat.model_dump_json() for chat in (await call.account.known_chats(1000))[0]]
    return json.dumps(texts)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6), others_first=st.booleans())
async def test_another_account_and_closed_lines_are_never_seen(
    seed: int, others_first: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """All are in one file, in either order; whatever is asked, nothing of them is in the answer."""
    path = tmp_path_factory.mktemp("shared") / "linq.db"
    own, other = lived(seed), lived(seed + 1)
    for linq, word in ((own, "ownaccount"), (other, "otheraccount")):
        for chat, wire in linq.chats.items():
            line = next(handle["handle"] for handle in wire["handles"] if handle["is_me"])
            linq.say(chat, text=f"{word} on {line}")
            wire["display_name"] = f"{word} on {line}"
    stores = opened(own, path)
    readings = [(own, "own-key"), (other, "other-key")]
    for linq, key in readings[::-1] if others_first else readings:
        await answered(linq, stores, key=key)
    for line, closed in ((LINE, OTHER_LINE), (OTHER_LINE, LINE)):
        text = await answered(own, stores, key="own-key", lines=[line])
        assert "otheraccount" not in text
        assert closed not in text
    text = await answered(own, stores, key="own-key")
    assert "otheraccount" not in text
    assert "ownaccount" in text
    stores.close()


async def test_after_a_refused_key_nothing_is_shown_until_linq_takes_it_again(path: Path) -> None:
    """However fresh what is kept may be, and in another process, too."""
    linq = lived()
    stores = opened(linq, path, max_age=0)
    await inbox(linq, stores)
    linq.refuses_key = True
    with pytest.raises(ApiStatusError):
        await inbox(linq, stores)
    stores.close()
    fresh = opened(linq, path, max_age=86_400)
    for tool in (tool for tool in TOOLS if tool.name in ACCOUNT_WIDE):
        async with call_over(linq, now=lambda: linq.now, stores=fresh) as call:
            with pytest.raises(LinqError):
                await tool.run(tool.parse(asked(tool.name)), call)
            with pytest.raises(LinqError):
                await call.account.known_chats(100)
    linq.refuses_key = False
    assert (await inbox(linq, fresh))["complete"]
    fresh.close()


async def test_what_was_not_read_again_for_days_is_dropped(path: Path) -> None:
    """Messages go after `LINQ_MCP_STORE_DAYS`, and are read again when somebody asks."""
    linq = lived()
    stores = opened(linq, path)
    right = await inbox(linq, stores)
    stores.close()
    linq.wait(timedelta(days=6))
    for days, is_kept in ((7, True), (5, False)):
        stores = opened(linq, path, days=days)
        async with call_over(linq, now=lambda: linq.now, stores=stores) as call:
            await call.account.direction()
        stores.close()
        database = SqliteDatabase(path)
        assert bool(summaries(database)[0].messages) is is_kept
        database.close()
    stores = opened(linq, path)
    assert (await inbox(linq, stores))["chats"] == right["chats"]
    stores.close()


async def test_an_account_that_nobody_uses_goes_after_a_month(path: Path) -> None:
    linq = lived()
    stores = opened(linq, path)
    await inbox(linq, stores, key="own-key")
    linq.wait(timedelta(days=29))
    await inbox(linq, stores, key="other-key")
    assert len(summaries(SqliteDatabase(path))) == 2
    linq.wait(timedelta(days=2))
    await inbox(linq, stores, key="other-key")
    (left,) = summaries(SqliteDatabase(path))
    assert left.last_asked == linq.now.timestamp()
    stores.close()


async def test_an_account_that_is_cleared_while_a_server_runs(path: Path) -> None:
    """The server finds its account anew, and writes nothing into that of another key which came after it."""
    linq, other = lived(), lived(1)
    stores = opened(linq, path)
    right = await inbox(linq, stores, key="own-key")
    database = SqliteDatabase(path)
    ((number,),) = database.rows("SELECT id FROM account")
    while forget_some(database, number):
        pass
    later = opened(linq, path)
    shown = await inbox(other, later, key="other-key")
    answer = await inbox(linq, stores, key="own-key")
    assert (answer["chats"], answer["complete"], "note" in answer) == (right["chats"], True, False)
    assert (await inbox(other, later, key="other-key"))["chats"] == shown["chats"]
    assert len(summaries(database)) == 2
    for closing in (database, stores, later):
        closing.close()
