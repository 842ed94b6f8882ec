"""A PostgreSQL server of the tests' own, on a socket in a temporary folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
from pydantic import SecretStr

from linq_mcp.settings.store import StoreSettings

# If any output contains this, the password has leaked.
PASSWORD = "db-9c4e1a"
_NOBODY = 65534
_POOLED = 6432
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
    """A server with the `programs` of PostgreSQL and its data in `folder`; its administrator is `owner`."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        (password := self._folder / "password").write_text(PASSWORD, encoding="ascii")
        if _AS_NOBODY:
            for path in (self._folder, password):
                os.chown(path, _NOBODY, _NOBODY)
        words = ("--no-sync", "--no-locale", "-E", "UTF8", "-A", "scram-sha-256", "-U", "owner", "--pwfile", password)
        command = [self._programs / "initdb", "-D", self._folder / "data", *words]
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, cwd=self._folder, **_AS_NOBODY)

    def start(self) -> None:
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        command = [self._programs / "postgres", "-D", self._folder / "data", "-k", self._folder, *settings]
        self._process = subprocess.Popen(list(map(str, command)), cwd=self._folder, **_AS_NOBODY)
        _wait_for(self.url())

    def stop(self) -> None:
        """End the connections and the server."""
        if self._process:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)

    def url(self, user: str = "owner", password: str = PASSWORD, port: int = 5432) -> str:
        return f"postgresql://{user}:{password}@/postgres?{urlencode({'host': self._folder, 'port': port})}"

    def store(self, user: str = "owner", **given: Any) -> StoreSettings:
        return StoreSettings(url=SecretStr(self.url(user)), **given)

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements as the administrator; the rows of the last one."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def pooled(self, program: str) -> Iterator[StoreSettings]:
        """The store behind pgbouncer, which gives each transaction whichever of its three connections is free."""
        configured = self._folder / "pgbouncer.ini"
        configured.write_text(
            f"[databases]\npostgres = host={self._folder} user=owner password={PASSWORD}\n"
            f"[pgbouncer]\nunix_socket_dir = {self._folder}\nlisten_port = {_POOLED}\nauth_type = any\n"
            "pool_mode = transaction\ndefault_pool_size = 3\nserver_round_robin = 1\n",
            encoding="ascii",
        )
        command = [program, "--quiet", str(configured)]
        with subprocess.Popen(command, cwd=self._folder, stderr=subprocess.DEVNULL, **_AS_NOBODY) as process:
            store = StoreSettings(url=SecretStr(self.url(port=_POOLED)))
            try:
                _wait_for(self.url(port=_POOLED))
                yield store
            finally:
                process.kill()

    def empty(self) -> None:
        """Drop what servers have made."""
        self.run("DROP SCHEMA IF EXISTS linq_mcp CASCADE", "DROP ROLE IF EXISTS replica")

    def connections(self) -> list[int]:
        """The processes that serve the connections of ours."""
        return [pid for (pid,) in self.run("SELECT pid FROM pg_stat_activity WHERE application_name = 'linq-mcp'")]


def _wait_for(url: str) -> None:
    for _ in range(300):
        with suppress(psycopg.OperationalError):
            psycopg.connect(url).close()
            return
        time.sleep(0.1)
    raise RuntimeError("PostgreSQL does not start")


@contextmanager
def postgres_server(programs: Path) -> Iterator[PostgresServer]:
    """A new server, for as long as this is entered."""
    with tempfile.TemporaryDirectory(prefix="linq-mcp-pg-") as folder:
        server = PostgresServer(programs, Path(folder))
        server.prepare()
        try:
            server.start()
            yield server
        finally:
            server.stop()
