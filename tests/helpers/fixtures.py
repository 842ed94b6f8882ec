"""The fixtures of all tests, and how the process that runs them spares its time."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.linq import KEY
from helpers.odd_account import odd_account
from helpers.postgres import PostgresServer, find_programs, postgres_server
from helpers.running_api import running
from jsonschema import Draft202012Validator

from linq_mcp.demo.api import demo_api
from linq_mcp.settings.store import StoreSettings


def _check_each_schema_once() -> None:
    """Every client of the SDK checks the schema of each tool that it calls, which takes longer than most calls."""
    check = Draft202012Validator.check_schema
    checked: set[str] = set()

    def check_once(schema: Any, *arguments: Any, **options: Any) -> None:
        text = json.dumps(schema)
        if text not in checked:
            check(schema, *arguments, **options)
            checked.add(text)

    Draft202012Validator.check_schema = check_once


_check_each_schema_once()


# A model is validated and dropped thousands of times here, and each small collection costs as much as it frees.
gc.set_threshold(50_000)
# Nearly all that is made until the tests begin stays until the end.
gc.disable()


def pytest_collection_finish() -> None:
    """From here on, the collector looks at new objects alone."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def api_url() -> Iterator[str]:
    """The base URL of an API on a loopback port that serves the demo account and its odd chats; the key is `KEY`."""
    with running(demo_api(odd_account(), key=KEY)) as url:
        yield url


@pytest.fixture
def live(api_url: str) -> dict[str, str]:
    """An environment for a server that reads that API over a real socket."""
    return {"LINQ_API_V3_API_KEY": KEY, "LINQ_API_V3_BASE_URL": api_url}


@pytest.fixture(scope="session")
def postgres_process() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests of this process."""
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    with postgres_server(programs) as server:
        yield server


@pytest.fixture
def postgres(postgres_process: PostgresServer) -> PostgresServer:
    """That server, with nothing in it."""
    postgres_process.empty()
    return postgres_process


@pytest.fixture(params=["file", pytest.param("postgres", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> StoreSettings:
    """Where readings are kept: a test that asks for this is run with each kind of database, slowly with PostgreSQL.

    One set of statements serves both; what PostgreSQL alone may do wrong is in `test_postgres`.
    """
    if request.param == "file":
        return StoreSettings(path=tmp_path / "linq.db")
    store: StoreSettings = request.getfixturevalue("postgres").store()
    return store
