"""Who calls, what is open to them, and whose account their call reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import httpx
import pytest
from helpers.linq import KEY, Canned
from helpers.scripted_api import EMPTY, SETTINGS, Reply, Server
from helpers.streamable_http import with_key
from pydantic import SecretStr
from starlette.requests import Request

from linq_mcp.contacts.directory import NOBODY
from linq_mcp.errors import SettingsError
from linq_mcp.server.callers.caller import SettingsClientProvider
from linq_mcp.server.callers.many import HeaderClientProvider
from linq_mcp.settings import Settings, load_settings
from linq_mcp.settings.problems import KeyFlaw, KeySource, NoKey, UnusableBaseUrl, UnusableKey, UnusableLines, UrlFlaw


def linq() -> Canned:
    return Canned(lambda _: httpx.Response(200, content=EMPTY))


# One account


async def test_settings_are_read_until_they_are_complete() -> None:
    read: list[Settings] = [Settings(problem=NoKey()), Settings(problem=NoKey()), SETTINGS]
    left = read.copy()
    provider = SettingsClientProvider(lambda: left.pop(0), transport=linq)
    assert provider.caller().settings.problem == NoKey()
    with pytest.raises(SettingsError) as refused:
        await provider.client(provider.caller())
    assert refused.value.problem == NoKey()
    caller = provider.caller()
    api = await provider.client(caller)
    assert await provider.client(provider.caller()) is api
    assert caller.settings is SETTINGS
    assert caller.key == KEY
    assert left == []
    await provider.aclose()
    assert api._http.is_closed


def test_without_a_key_there_is_none_to_keep_secret() -> None:
    assert SettingsClientProvider(lambda: Settings(problem=NoKey())).caller().key == ""
    header = HeaderClientProvider(Settings())
    assert header.caller(None).key == header.caller(with_key(None)).key == ""


def test_the_same_key_is_the_same_caller() -> None:
    """Question and answer may go to two processes, and the key may come in two ways."""
    header = HeaderClientProvider(Settings())
    first, other = header.caller(with_key(KEY)), header.caller(with_key("another"))
    assert first.id == SettingsClientProvider(lambda: SETTINGS).caller().id != other.id
    assert KEY not in first.id


async def test_the_contacts_file_of_the_settings_names_people(tmp_path: Path) -> None:
    file = anyio.Path(tmp_path / "contacts.csv")
    await file.write_text("+12052532136,Ann Adler", "utf-8")
    settings = replace(SETTINGS, contacts=tmp_path / "contacts.csv")
    provider = SettingsClientProvider(lambda: settings)
    assert (await provider.directory(provider.caller())).name_of("+12052532136") == "Ann Adler"
    without = SettingsClientProvider(lambda: SETTINGS)
    assert await without.directory(without.caller()) == NOBODY
    given = SettingsClientProvider(lambda: settings, names=lambda: {"+12052532136": "Bo"})
    assert (await given.directory(given.caller())).name_of("+12052532136") == "Bo"
    # A caller with a key of their own is not the one whose contacts these are.
    header = HeaderClientProvider(settings)
    assert await header.directory(header.caller(with_key(KEY))) == NOBODY


# A key for each request


async def test_the_settings_for_callers_with_their_own_keys_have_none() -> None:
    """The process's own key, if there is one, is for nobody; a problem with the base URL is everybody's."""
    bad_url = UnusableBaseUrl(UrlFlaw.NOT_A_URL)
    provider = HeaderClientProvider(Settings(api_key=SecretStr(KEY), base_url_problem=bad_url))
    assert provider.caller(None).key == ""
    assert provider.caller(None).settings.key_source is KeySource.HEADER
    with pytest.raises(SettingsError) as refused:
        await provider.client(provider.caller(with_key("key-a")))
    assert refused.value.problem == bad_url


async def test_a_wrong_scope_is_everybodys_problem() -> None:
    settings = load_settings({"LINQ_API_V3_API_KEY": KEY, "LINQ_MCP_LINES": "garbage"})
    for provider in (HeaderClientProvider(settings), SettingsClientProvider(lambda: settings)):
        with pytest.raises(SettingsError) as refused:
            await provider.client(provider.caller(with_key("key-a")))
        assert refused.value.problem == UnusableLines()


@pytest.mark.parametrize(
    "given", [None, with_key(None), with_key(""), with_key("  ")], ids=["stdio", "none", "", "blank"]
)
async def test_a_request_without_a_key_is_refused(given: Request | None) -> None:
    provider = HeaderClientProvider(Settings())
    with pytest.raises(SettingsError) as refused:
        await provider.client(provider.caller(given))
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
    provider = HeaderClientProvider(Settings())
    with pytest.raises(SettingsError) as refused:
        await provider.client(provider.caller(with_key(key)))
    assert refused.value.problem == UnusableKey(KeySource.HEADER, flaw)
    assert KEY not in str(refused.value)


async def test_each_key_has_its_own_connections() -> None:
    server = Server(Reply())
    provider = HeaderClientProvider(Settings(), transport=server)
    first, second, again = [
        await provider.client(provider.caller(with_key(key))) for key in ("key-a", "key-b", " key-a ")
    ]
    assert again is first
    assert first._http is not second._http
    for api in (first, second):
        await api.get("chats", deadline=anyio.current_time() + 5)
    assert [sent.headers["Authorization"] for sent in server.requests] == ["Bearer key-a", "Bearer key-b"]
    await provider.aclose()
    assert first._http.is_closed
    assert second._http.is_closed
