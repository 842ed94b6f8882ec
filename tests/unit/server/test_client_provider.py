"""Whose account a call reads, and when connections are opened, kept and closed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from helpers.linq import KEY, Canned
from helpers.scripted_api import EMPTY, SETTINGS, Reply, Server
from pydantic import SecretStr

from linq_mcp.api.client import LinqApi
from linq_mcp.errors import SettingsError
from linq_mcp.rows.directory import NOBODY
from linq_mcp.server.client_provider import KEY_HEADER, HeaderClientProvider, SettingsClientProvider
from linq_mcp.settings import Settings, load_settings
from linq_mcp.settings.problems import KeyFlaw, KeySource, NoKey, UnusableBaseUrl, UnusableKey, UnusableLines, UrlFlaw


def linq() -> Canned:
    return Canned(lambda _: httpx.Response(200, content=EMPTY))


def caller(key: str) -> dict[str, str]:
    return {KEY_HEADER: key}


async def ask(api: LinqApi) -> None:
    await api.get("chats", deadline=anyio.current_time() + 5)


def is_open(api: LinqApi) -> bool:
    return not api._http.is_closed


# One account


async def test_settings_are_read_until_they_are_complete() -> None:
    """A `linq login` takes effect without a restart, and nothing is read once it has."""
    read: list[Settings] = [Settings(problem=NoKey()), Settings(problem=NoKey()), SETTINGS]
    left = read.copy()
    provider = SettingsClientProvider(lambda: left.pop(0), transport=linq)
    assert provider.settings().problem == NoKey()
    with pytest.raises(SettingsError) as refused:
        await provider.client()
    assert refused.value.problem == NoKey()
    api = await provider.client()
    assert await provider.client() is api
    assert provider.settings() is SETTINGS
    assert provider.key() == KEY
    assert left == []
    await provider.aclose()
    assert not is_open(api)


def test_without_a_key_there_is_none_to_keep_secret() -> None:
    """And nothing is raised."""
    assert SettingsClientProvider(lambda: Settings(problem=NoKey())).key() == ""
    assert HeaderClientProvider(Settings()).key(None) == HeaderClientProvider(Settings()).key({}) == ""


async def test_the_contacts_file_of_the_settings_names_people(tmp_path: Path) -> None:
    """Without one, nobody has a name; names that are given stand in for it."""
    file = anyio.Path(tmp_path / "contacts.csv")
    await file.write_text("+12052532136,Ann Adler", "utf-8")
    settings = replace(SETTINGS, contacts=tmp_path / "contacts.csv")
    assert (await SettingsClientProvider(lambda: settings).directory()).name_of("+12052532136") == "Ann Adler"
    assert await SettingsClientProvider(lambda: SETTINGS).directory() == NOBODY
    given = SettingsClientProvider(lambda: settings, names=lambda: {"+12052532136": "Bo"})
    assert (await given.directory()).name_of("+12052532136") == "Bo"
    # A caller with a key of their own is not the one whose contacts these are.
    assert await HeaderClientProvider(settings).directory() == NOBODY


# A key for each request


async def test_the_settings_for_callers_with_their_own_keys_have_none() -> None:
    """The process's own key, if there is one, is for nobody; a problem with the base URL is everybody's."""
    bad_url = UnusableBaseUrl(UrlFlaw.NOT_A_URL)
    provider = HeaderClientProvider(Settings(api_key=SecretStr(KEY), base_url_problem=bad_url))
    assert provider.settings().api_key is None
    assert provider.settings().key_source is KeySource.HEADER
    with pytest.raises(SettingsError) as refused:
        await provider.client(caller("key-a"))
    assert refused.value.problem == bad_url


async def test_a_wrong_scope_is_everybodys_problem() -> None:
    """A list that can't be used opens nothing to anybody."""
    settings = load_settings({"LINQ_API_V3_API_KEY": KEY, "LINQ_MCP_LINES": "garbage"})
    for provider in (HeaderClientProvider(settings), SettingsClientProvider(lambda: settings)):
        with pytest.raises(SettingsError) as refused:
            await provider.client(caller("key-a"))
        assert refused.value.problem == UnusableLines()


@pytest.mark.parametrize("headers", [None, {}, {KEY_HEADER: ""}, {KEY_HEADER: "  "}], ids=str)
async def test_a_request_without_a_key_is_refused(headers: Any) -> None:
    """It is the header that lacks it."""
    with pytest.raises(SettingsError) as refused:
        await HeaderClientProvider(Settings()).client(headers)
    assert refused.value.problem == NoKey(in_header=True)


@pytest.mark.parametrize(
    ("key", "flaw"),
    [
        ("your key", KeyFlaw.EXAMPLE),
        ("${LINQ_KEY}", KeyFlaw.UNEXPANDED),
        (f'"{KEY}"', KeyFlaw.QUOTES),
        (f"Bearer {KEY}", KeyFlaw.CHARACTER),
    ],
)
async def test_a_request_with_something_else_than_a_key_is_refused(key: str, flaw: KeyFlaw) -> None:
    """Before anything is sent to Linq, with the reason."""
    with pytest.raises(SettingsError) as refused:
        await HeaderClientProvider(Settings()).client(caller(key))
    assert refused.value.problem == UnusableKey(KeySource.HEADER, flaw)
    assert KEY not in str(refused.value)


async def test_each_key_has_its_own_connections() -> None:
    """The same ones for each of its requests, and its own key on them."""
    server = Server(Reply())
    provider = HeaderClientProvider(Settings(), transport=server)
    first, second = await provider.client(caller("key-a")), await provider.client(caller("key-b"))
    assert first is not second
    assert first._http is not second._http
    assert await provider.client(caller(" key-a ")) is first
    await ask(first)
    await ask(second)
    assert [request.headers["Authorization"] for request in server.requests] == ["Bearer key-a", "Bearer key-b"]


async def test_the_certificates_are_read_once() -> None:
    """They cost more than all the rest of a client, and say nothing of a caller."""
    provider = HeaderClientProvider(Settings())
    clients = [await provider.client(caller(f"key-{number}")) for number in range(3)]
    assert clients[0].tls is not None
    assert len({id(api.tls) for api in clients}) == 1
    await provider.aclose()


async def test_the_keys_with_connections_are_bounded() -> None:
    """The one unused for longest loses them; if it comes back it gets new ones."""
    provider = HeaderClientProvider(Settings(), transport=linq(), max_keys=5)
    clients = [await provider.client(caller(f"key-{number}")) for number in range(5)]
    assert await provider.client(caller("key-0")) is clients[0]
    await provider.client(caller("one-more"))
    assert [number for number, api in enumerate(clients) if not is_open(api)] == [1]
    assert await provider.client(caller("key-1")) is not clients[1]
    assert not is_open(clients[2])
    assert is_open(clients[0])


async def test_a_call_keeps_its_client_whoever_comes_meanwhile() -> None:
    """It is not closed under a request, works for the next one of the same call, and keeps nothing open after it."""
    server = Server(Reply(stall=0.05), Reply())
    provider = HeaderClientProvider(Settings(), transport=server, max_keys=2)
    api = await provider.client(caller("key-a"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, api)
        while not server.requests:
            await anyio.lowlevel.checkpoint()
        for number in range(2):
            await provider.client(caller(f"key-{number}"))
        assert is_open(api)
    assert not is_open(api)
    await ask(api)
    assert not is_open(api)
    assert len(server.requests) == 2


async def test_connections_that_nobody_uses_are_closed() -> None:
    """At the next call of anybody; those that this call is for stay."""
    provider = HeaderClientProvider(Settings(), transport=linq(), idle_seconds=-1)
    unused, used = await provider.client(caller("key-a")), await provider.client(caller("key-b"))
    assert await provider.client(caller("key-b")) is used
    assert (is_open(unused), is_open(used)) == (False, True)


async def test_closing_closes_all() -> None:
    """Whether they were used or not."""
    provider = HeaderClientProvider(Settings(), transport=linq())
    clients = [await provider.client(caller(f"key-{number}")) for number in range(3)]
    await ask(clients[0])
    await provider.aclose()
    assert not any(map(is_open, clients))
