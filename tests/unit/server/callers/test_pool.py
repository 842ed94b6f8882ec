"""When the connections of a caller are opened, kept and closed."""

from __future__ import annotations

from dataclasses import replace

import anyio
import httpx
from helpers.linq import Canned
from helpers.scripted_api import EMPTY, Reply, Server
from pydantic import SecretStr

from linq_mcp.api.client import LinqApi
from linq_mcp.server.callers.pool import ClientPool
from linq_mcp.settings import Settings
from linq_mcp.settings.sending import STRICTEST


def linq() -> Canned:
    return Canned(lambda _: httpx.Response(200, content=EMPTY))


async def client(pool: ClientPool, name: str) -> LinqApi:
    """The client of the caller of that name, who has a key of their own."""
    return await pool.client(name, Settings(api_key=SecretStr(f"key of {name}")))


async def ask(api: LinqApi) -> None:
    await api.get("chats", deadline=anyio.current_time() + 5)


def is_open(api: LinqApi) -> bool:
    return not api._http.is_closed


async def test_callers_share_no_connection_even_if_they_share_a_key() -> None:
    pool = ClientPool(transport=linq())
    settings = Settings(api_key=SecretStr("shared"))
    first, second = await pool.client("ann", settings), await pool.client("bo", settings)
    assert first._http is not second._http
    assert await pool.client("ann", replace(settings)) is first


async def test_a_caller_whose_settings_changed_gets_a_new_client() -> None:
    pool = ClientPool(transport=linq())
    before = Settings(api_key=SecretStr("shared"))
    first = await pool.client("ann", before)
    second = await pool.client("ann", replace(before, sending=STRICTEST))
    third = await pool.client("ann", Settings(api_key=SecretStr("another")))
    assert len({first, second, third}) == 3
    assert [is_open(api) for api in (first, second, third)] == [False, False, True]


async def test_the_certificates_are_read_once() -> None:
    pool = ClientPool()
    clients = [await client(pool, f"caller {number}") for number in range(3)]
    assert clients[0].tls is not None
    assert len({id(api.tls) for api in clients}) == 1
    await pool.aclose()


async def test_the_callers_with_connections_are_bounded() -> None:
    pool = ClientPool(transport=linq(), max_callers=5)
    clients = [await client(pool, f"caller {number}") for number in range(5)]
    assert await client(pool, "caller 0") is clients[0]
    await client(pool, "one more")
    assert [number for number, api in enumerate(clients) if not is_open(api)] == [1]
    assert await client(pool, "caller 1") is not clients[1]
    assert not is_open(clients[2])
    assert is_open(clients[0])


async def test_a_call_keeps_its_client_whoever_comes_meanwhile() -> None:
    server = Server(Reply(stall=0.05), Reply())
    pool = ClientPool(transport=server, max_callers=2)
    api = await client(pool, "ann")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, api)
        while not server.requests:
            await anyio.lowlevel.checkpoint()
        for number in range(2):
            await client(pool, f"caller {number}")
        assert is_open(api)
    assert not is_open(api)
    await ask(api)
    assert not is_open(api)
    assert len(server.requests) == 2


async def test_connections_that_nobody_uses_are_closed() -> None:
    pool = ClientPool(transport=linq(), idle_seconds=-1)
    unused, used = await client(pool, "ann"), await client(pool, "bo")
    assert await client(pool, "bo") is used
    assert (is_open(unused), is_open(used)) == (False, True)


async def test_closing_closes_all() -> None:
    pool = ClientPool(transport=linq())
    clients = [await client(pool, f"caller {number}") for number in range(3)]
    await ask(clients[0])
    await pool.aclose()
    assert not any(map(is_open, clients))
