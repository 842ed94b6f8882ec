"""The accounts of a server's callers, and how they end with it."""

from __future__ import annotations

import time
from typing import Any, cast

import anyio
import pytest
from helpers.linq import KEY
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from pydantic import SecretStr
from starlette.requests import Request

from linq_mcp.server.callers.accounts import Accounts
from linq_mcp.server.callers.caller import Caller
from linq_mcp.settings import Settings
from linq_mcp.settings.problems import KeySource


@pytest.mark.parametrize(("left", "may_go_on"), [(60, True), (-1, False)])
def test_what_goes_on_after_a_call_ends_with_its_token(left: int, may_go_on: bool) -> None:
    settings = Settings(api_key=SecretStr(KEY), key_source=KeySource.ACCESS_FILE)
    caller = Caller("", settings)
    token = AccessToken(token="", client_id="", scopes=[], expires_at=int(time.time()) + left)
    request = Request({"type": "http", "user": AuthenticatedUser(token)})
    provider = type("Provider", (), {"caller": lambda *_: caller})()
    context = cast("Any", type("Context", (), {"lifespan_context": provider, "request": request}))
    nobody = cast("Any", None)
    opened = Accounts(settings).open(context, caller, nobody, deadline=0, progress=nobody, pause=nobody)
    asked = opened._access.may_go_on
    assert asked
    assert asked() is may_go_on


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
                written.append(await run(kept.direction))

    async with accounts.running():
        context = cast("Any", type("Context", (), {"lifespan_context": None, "request": None}))
        opened = accounts.open(
            context, Caller("", settings), cast("Any", None), deadline=0, progress=nothing, pause=nothing
        )
        account, is_reading = opened._access.account, anyio.Event()
        account.go_on(read)
        await is_reading.wait()
    assert written == [""]
