"""The accounts of a server's callers, and how they end with it."""

from __future__ import annotations

from typing import Any, cast

import anyio
from helpers.linq import KEY
from pydantic import SecretStr

from linq_mcp.server.callers.accounts import Accounts
from linq_mcp.server.callers.caller import Caller
from linq_mcp.settings import Settings
from linq_mcp.settings.problems import KeySource


async def test_a_reading_that_is_ended_finishes_its_last_write_before_the_database_is_closed() -> None:
    """Otherwise the server would warn of a store that can't be used whenever it ends during a reading."""
    settings = Settings(api_key=SecretStr(KEY), key_source=KeySource.ENVIRONMENT)
    accounts = Accounts(settings)
    written: list[str] = []

    async def nothing(*_: object) -> None:
        """Report nothing, and give way to nobody."""

    async def read() -> None:
        run, kept, _ = await account.open()
        is_reading.set()
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                written.append(await run(kept.way))

    async with accounts.running():
        context = cast("Any", type("Context", (), {"lifespan_context": None, "request": None}))
        opened = accounts.open(
            context, Caller("", settings), cast("Any", None), deadline=0, progress=nothing, pause=nothing
        )
        account, is_reading = opened._access.account, anyio.Event()
        account.go_on(read)
        await is_reading.wait()
    assert written == [""]
