"""The file in which readings are kept: whatever is wrong with it, the answer is right, and nothing in it is lost."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from helpers.linq import call_over
from helpers.lived import inbox, lived, opened

from linq_mcp.settings.store import StoreSettings
from linq_mcp.store.sqlite import SqliteDatabase
from linq_mcp.tools import TOOLS

Json = dict[str, Any]
ACCOUNT_WIDE = ("list_inbox", "find_messages", "find_chats", "summarize_activity", "summarize_chat_health")


def files_in(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


FOREIGN = "can't be used, because it does not look like one that linq-mcp made: choose another file or database."


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


def a_note(path: Path, _: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"hello\n")


def somebody_elses_damaged(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign(path, monkeypatch)
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\x5a" * 1000)


def a_folder_in_the_way(path: Path, _: pytest.MonkeyPatch) -> None:
    path.mkdir()


def under_a_file(path: Path, _: pytest.MonkeyPatch) -> None:
    path.parent.rmdir()
    path.parent.touch()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (foreign, FOREIGN),
        (of_another_user, "is a file of another user: use one of yours."),
        (newer, "was written by a newer release of linq-mcp: upgrade this one, or use another store."),
        (not_a_database, FOREIGN),
        (a_note, FOREIGN),
        (somebody_elses_damaged, FOREIGN),
        (a_folder_in_the_way, FOREIGN),
        (under_a_file, "can't be opened: look at its path and its permissions."),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_file_that_cannot_be_used(
    spoil: Callable[[Path, pytest.MonkeyPatch], None], said: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is the one from memory, with a sentence in its note, and not a byte in the folder changes."""
    linq = lived(chats=2)
    right = await inbox(linq, opened(linq))
    spoil(path, monkeypatch)
    before = contents(path.parent)
    stores = opened(linq, StoreSettings(path=path))
    answer = await inbox(linq, stores)
    stores.close()
    assert said in answer["note"]
    assert "delete" not in answer["note"]
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
        answer = await inbox(linq, opened(linq, StoreSettings(path=folder / "linq.db")))
    finally:
        if is_root:
            os.seteuid(0)
    assert "can't be opened: look at its path and its permissions." in answer["note"]
    assert answer["complete"]
    assert files_in(folder) == []


@pytest.mark.parametrize("pages", [0, 1], ids=["at once", "in the middle"])
async def test_a_full_disk(pages: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer goes on in memory; what was kept before is still there when there is room again."""
    linq = lived(chats=12)
    for chat in linq.chats:
        linq.say(chat, text="".join(Random(chat).choices("abcdefghijklmnopqrstuvwxyz", k=3000)))
    right = await inbox(linq, opened(linq))
    set_up = SqliteDatabase._set_up

    def limited(database: SqliteDatabase) -> None:
        set_up(database)
        if database._path:
            ((count,),) = database.rows("PRAGMA page_count")
            database.rows(f"PRAGMA max_page_count={count + pages}")

    with monkeypatch.context() as patched:
        patched.setattr(SqliteDatabase, "_set_up", limited)
        stores = opened(linq, StoreSettings(path=path))
        answer = await inbox(linq, stores)
        stores.close()
    assert "The store's disk is full: make room" in answer["note"]
    assert (answer["chats"], answer["complete"]) == (right["chats"], True)
    again = opened(linq, StoreSettings(path=path))
    answer = await inbox(linq, again)
    assert (answer["chats"], "note" in answer) == (right["chats"], False)
    again.close()


async def test_a_file_that_is_damaged_while_it_is_used(path: Path) -> None:
    linq = lived(chats=12)
    stores = opened(linq, StoreSettings(path=path))
    right = await inbox(linq, stores)
    stores.close()
    overwrite(path)
    stores = opened(linq, StoreSettings(path=path))
    answer = await inbox(linq, stores)
    stores.close()
    assert "is damaged: delete its file" in answer["note"]
    assert (answer["chats"], answer["complete"]) == (right["chats"], True)


@pytest.mark.parametrize("content", [b"", b"\x00\x11", zlib.compress(b'{"id":'), zlib.compress(b'["1"]')[:-9]])
@pytest.mark.parametrize(("table", "column"), [("block", "content"), ("chat", "entry"), ("list", "ids")])
async def test_a_row_that_is_damaged(table: str, column: str, content: bytes, path: Path) -> None:
    """SQLite does not notice that. The answer says it, and what the next one stands on is in memory."""
    linq = lived(chats=12)
    stores = opened(linq, StoreSettings(path=path))
    right = await inbox(linq, stores)
    stores.close()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"UPDATE {table} SET {column} = ?", (content,))
        database.execute("UPDATE chat SET ending = X''")
    for tool in (tool for tool in TOOLS if tool.name in ACCOUNT_WIDE):
        stores = opened(linq, StoreSettings(path=path))
        async with call_over(linq, now=lambda: linq.now, stores=stores) as call:
            arguments = tool.parse({"is_group": False} if tool.name == "find_chats" else {})
            first, second = [await tool.run(arguments, call) for _ in range(2)]
        stores.close()
        is_read = table != "block" or tool.name in ("list_inbox", "find_messages", "summarize_activity")
        assert ("is damaged: delete its file" in first.get("note", "")) is is_read
        assert second["complete"]
        if tool.name == "list_inbox":
            assert second["chats"] == right["chats"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("before", [None, 0o644], ids=["new", "open to others before"])
async def test_nobody_else_can_read_it(before: int | None, path: Path) -> None:
    if before:
        make(path, before)
    linq = lived()
    mask = os.umask(0)
    try:
        stores = opened(linq, StoreSettings(path=path))
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
    stores = opened(linq)
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
from helpers.lived import inbox, lived, opened
from linq_mcp.settings.store import StoreSettings

linq = lived(chats=12)
stores = opened(linq, StoreSettings(path=Path(sys.argv[1])), max_age=0)
linq.before_request = lambda: len(linq.requests) == 20 and print("reading", flush=True)

async def main():
    for _ in range(2000):
        await inbox(linq, stores)

anyio.run(main)
"""


def start(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.PIPE)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
async def test_another_process_that_is_killed_in_the_middle_of_a_reading(path: Path) -> None:
    """Both have the file open. What the other one had not finished is read again."""
    linq = lived(chats=12)
    right = await inbox(linq, opened(linq))
    stores = opened(linq, StoreSettings(path=path), max_age=0)
    script = READ_FOR_EVER.replace("json_paths", json.dumps(sys.path))
    command = [sys.executable, "-c", script, str(path)]
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
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
