"""A PostgreSQL server of the tests' own, on a socket in a temporary folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
from pydantic import SecretStr

from linq_mcp.settings.store import StoreSettings

# If any output contains this, the password has leaked.
PASSWORD = "db-9c4e1a"
_NOBODY = 65534
# The server refuses to be run by the administrator.
_AS_NOBODY: dict[str, Any] = {}
if os.name == "posix" and os.geteuid() == 0:
    _AS_NOBODY = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
_SETTINGS = (
    "listen_addresses=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "log_min_messages=panic",
)


def find_programs() -> Path | None:
    """The folder with `initdb` and `postgres` of the newest version that is installed."""
    on_path = shutil.which("initdb")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda found: int(found.parent.name))
    return Path(on_path).resolve().parent if on_path else installed[-1] if installed else None


class PostgresServer:
    """A running server, whose administrator is `owner`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def url(self, user: str = "owner", password: str = PASSWORD) -> str:
        return f"postgresql://{user}:{password}@/postgres?{urlencode({'host': self.folder})}"

    def store(self, user: str = "owner", **given: Any) -> StoreSettings:
        return StoreSettings(url=SecretStr(self.url(user)), **given)

    def run(self, *statements: str) -> None:
        """Run statements as the administrator."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def empty(self) -> None:
        """Drop what servers have made."""
        self.run("DROP SCHEMA IF EXISTS linq_mcp CASCADE")


@contextmanager
def postgres_server(programs: Path) -> Iterator[PostgresServer]:
    """A new server, for as long as this is entered."""
    with tempfile.TemporaryDirectory(prefix="linq-mcp-pg-") as name:
        folder = Path(name)
        (folder / "password").write_text(PASSWORD, encoding="ascii")
        if _AS_NOBODY:
            for path in (folder, folder / "password"):
                os.chown(path, _NOBODY, _NOBODY)
        data, words = str(folder / "data"), ("--pwfile", str(folder / "password"), "-E", "UTF8", "--no-locale")
        made = [str(programs / "initdb"), "-D", data, "--no-sync", "-U", "owner", "-A", "scram-sha-256", *words]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL, cwd=folder, **_AS_NOBODY)
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        command = [str(programs / "postgres"), "-D", data, "-k", str(folder), *settings]
        with subprocess.Popen(command, cwd=folder, **_AS_NOBODY) as process:
            try:
                server = PostgresServer(folder)
                _wait_for(server, process)
                yield server
            finally:
                process.send_signal(signal.SIGINT)


def _wait_for(server: PostgresServer, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        try:
            server.run("SELECT 1")
        except psycopg.OperationalError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("PostgreSQL does not start")
