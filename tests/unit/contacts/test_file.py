"""When the contacts file is read, and what happens when it can't be."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from threading import Event

import anyio
import pytest

from linq_mcp.contacts import file as file_module
from linq_mcp.contacts.directory import NOBODY, Directory
from linq_mcp.contacts.file import ContactsFile

ANN, BO = b"handle,name\n+12052532136,Ann Adler\n", b"handle,name\n+12052532136,Bo Barros\n"
FAILED = "The contacts file can't be read: "


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A contacts file that names Ann."""
    file = tmp_path / "contacts.csv"
    file.write_bytes(ANN)
    return file


def write(path: Path, content: bytes) -> os.stat_result:
    path.write_bytes(content)
    return path.stat()


def remove(path: Path) -> None:
    path.unlink()


def replace(path: Path, content: bytes, seen: os.stat_result) -> None:
    """Put another file in the place of `path`, as editors and exports do; it looks like the one that was `seen`."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    os.utime(new, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    new.replace(path)
    assert path.stat().st_size == seen.st_size


async def name(file: ContactsFile) -> str:
    return (await file.directory()).name_of("+12052532136")


async def test_the_file_is_read_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []

    def counted(content: bytes, _: str | None) -> Directory:
        read.append(content)
        return Directory({"+12052532136": "Ann Adler"})

    monkeypatch.setattr(file_module, "read_contacts", counted)
    file = ContactsFile(path)
    assert read == []
    assert [await name(file) for _ in range(3)] == ["Ann Adler"] * 3
    assert read == [ANN]


async def test_a_changed_file_is_read_again(path: Path) -> None:
    file = ContactsFile(path)
    assert await name(file) == "Ann Adler"
    seen = write(path, BO + b"\n")
    assert await name(file) == "Bo Barros"
    replace(path, ANN + b"\n", seen)
    assert await name(file) == "Ann Adler"


async def test_a_file_that_goes_away_leaves_its_names(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is warned of once, not at each call; when it is back it is read."""
    file = ContactsFile(path)
    assert await name(file) == "Ann Adler"
    remove(path)
    for _ in range(3):
        assert await name(file) == "Ann Adler"
        assert (await file.directory()).problems == (f"{FAILED}No such file or directory.",)
    assert [record.getMessage() for record in caplog.records] == [
        "the contacts file can't be read: No such file or directory"
    ]
    write(path, ANN)
    assert (await file.directory()).names == {"+12052532136": "Ann Adler"}
    remove(path)
    await file.directory()
    assert len(caplog.records) == 2


def put_fifo(path: Path) -> None:
    os.mkfifo(path)


def put_folder(path: Path) -> None:
    path.mkdir()


def put_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def put_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


def put_large_file(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(file_module.MAX_BYTES + 1)


@pytest.mark.skipif(os.name == "nt", reason="Windows has none of these")
@pytest.mark.parametrize("put", [put_fifo, put_folder, put_device, put_socket, put_large_file])
async def test_what_is_no_ordinary_file_is_refused(put: object, tmp_path: Path) -> None:
    assert callable(put)
    put(tmp_path / "c")
    with anyio.fail_after(3):
        directory = await ContactsFile(tmp_path / "c").directory()
    assert directory.names == {}
    assert len(directory.problems) == 1
    assert directory.problems[0].startswith(FAILED)


async def test_a_path_that_cannot_be_one_is_refused() -> None:
    directory = await ContactsFile(Path("a\0b")).directory()
    assert directory.problems[0].startswith(FAILED)


async def test_reading_does_not_hold_the_loop(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other calls are served meanwhile, and two calls at once read the file once."""
    go_on, reads = Event(), 0

    def slow(_: bytes, __: str | None) -> Directory:
        nonlocal reads
        reads += 1
        assert go_on.wait(10)
        return Directory({"+12052532136": "Ann Adler"})

    monkeypatch.setattr(file_module, "read_contacts", slow)
    file, found = ContactsFile(path), list[str]()

    async def ask() -> None:
        found.append(await name(file))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        tasks.start_soon(ask)
        await anyio.lowlevel.checkpoint()
        go_on.set()
    assert found == ["Ann Adler", "Ann Adler"]
    assert reads == 1


async def test_a_drive_that_does_not_answer_keeps_no_call_waiting(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, done = Event(), Event()

    def stuck(_: bytes, __: str | None) -> Directory:
        assert go_on.wait(10)
        done.set()
        return Directory({"+12052532136": "Ann Adler"})

    monkeypatch.setattr(file_module, "read_contacts", stuck)
    # Long enough for a busy machine to start the thread; a call that is abandoned before that reads nothing.
    monkeypatch.setattr(file_module, "_WAIT_SECONDS", 0.5)
    file = ContactsFile(path)
    assert await file.directory() == NOBODY
    go_on.set()
    assert await anyio.to_thread.run_sync(done.wait, 10)
    monkeypatch.setattr(file_module, "_WAIT_SECONDS", 5)
    assert await name(file) == "Ann Adler"


async def test_the_log_has_counts_and_no_names(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "linq_mcp")
    write(path, ANN + b"205 253 2137,Bo\n")
    await ContactsFile(path).directory()
    assert "1 names read from the contacts file, 1 problems" in caplog.text
    assert "Ann" not in caplog.text
    assert "253" not in caplog.text
