"""Completing a prompt's chat: from the caller's first page of chats, read once a minute and for nobody else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import anyio
import httpx
import pytest
from helpers.linq import AT_ONCE, KEY, Canned, Silent, account_over
from helpers.mcp_client import eras
from helpers.streamable_http import eras as http_eras
from helpers.streamable_http import posted, result_of, serving
from helpers.virtual_time import in_virtual_time
from mcp import Client, MCPError, types
from mcp.client.client import ConnectMode
from pydantic import SecretStr

from linq_mcp.contacts.directory import NOBODY, Directory
from linq_mcp.demo import in_process
from linq_mcp.demo.contacts import demo_contacts
from linq_mcp.rows.chat import NAME_LIMIT
from linq_mcp.server.app import build_server
from linq_mcp.server.callers.caller import Caller, ClientProvider, SettingsClientProvider
from linq_mcp.server.callers.many import HeaderClientProvider
from linq_mcp.server.completion import SECONDS
from linq_mcp.settings import KEY_HEADER, Settings
from linq_mcp.settings.problems import NoKey, NoMatchingRule
from linq_mcp.transports.http.app import build_app
from linq_mcp.transports.http.config import HttpConfig

LINE = "+12052535597"


def chat(name: str | None, *handles: str) -> dict[str, Any]:
    people = [{"handle": handle, "is_me": handle == LINE, "status": "active"} for handle in (LINE, *handles)]
    return {"id": f"chat of {name} {handles}", "display_name": name, "handles": people}


CHATS = [
    chat("Book club", "+12052532136", "mina@example.com"),
    chat(None, "+12052532136"),
    chat(f"{LINE}, +13345550119", "+13345550119"),
    chat(None, "+13345550119", "omar@example.com"),
    chat("omar\u2019s \u202ebirthday\n🎂", "OMAR@example.com"),
]
ONE_KEY = Settings(api_key=SecretStr(KEY))
NO_RULE = Settings(problem=NoMatchingRule())
NAMES = {"+12052532136": "Zoë Book", "mina@example.com": "Mina Ito"}


class Linq(httpx.AsyncBaseTransport):
    """Answers every request with these chats and two lines, and counts them; `fails` is how many get a 500 before."""

    def __init__(self, *chats: dict[str, Any], next_cursor: str | None = None, fails: int = 0) -> None:
        self.requests: list[httpx.Request] = []
        self._fails = fails
        lines = [{"phone_number": line} for line in (LINE, "+13343284472")]
        page = {"chats": chats, "next_cursor": next_cursor, "phone_numbers": lines}
        self._page = Canned(lambda _: httpx.Response(200, json=page))
        self._failure = Canned(lambda _: httpx.Response(500))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await anyio.sleep(0.1)
        failing = len(self.requests) <= self._fails
        return await (self._failure if failing else self._page).handle_async_request(request)


def provider(linq: httpx.AsyncBaseTransport, names: Mapping[str, str] = NAMES) -> SettingsClientProvider:
    settings = Settings(api_key=SecretStr(KEY))
    return SettingsClientProvider(lambda: settings, transport=lambda: linq, retry=AT_ONCE, names=lambda: names)


async def complete(client: Client, typed: str, *, prompt: str = "catch_up", argument: str = "chat") -> types.Completion:
    result = await client.complete(types.PromptReference(name=prompt), {"name": argument, "value": typed})
    return result.completion


def completed(accounts: ClientProvider, typed: str = "", era: ConnectMode = "auto") -> types.Completion:
    """One completion, in no time at all."""

    async def ask() -> types.Completion:
        async with Client(build_server(accounts), mode=era) as client:
            return await complete(client, typed)

    return in_virtual_time(ask)


# What is offered


@eras
@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ("", ["Book club", "Zoë Book", "+13345550119", "omar@example.com", "omar\u2019s birthday 🎂"]),
        # What begins with it comes first.
        ("OMAR", ["omar@example.com", "omar\u2019s birthday 🎂"]),
        ("book", ["Book club", "Zoë Book"]),
        ("zoe\u0308", ["Zoë Book", "Book club"]),
        # Without what can't be seen, however much of it there is.
        ("Zoë" + "\u3164" * 100_000, ["Zoë Book", "Book club"]),
        ("mina", ["Book club"]),
        ("omar's", ["omar\u2019s birthday 🎂"]),
        ("(205) 253", ["Book club", "Zoë Book"]),
        ("2535597", []),
        ("nobody", []),
    ],
    ids=lambda value: str(value)[:20],
)
def test_names_and_handles_complete_what_is_typed(typed: str, values: list[str], era: ConnectMode) -> None:
    """A chat by the name it was given, another by each of its people; found as find_chats finds it, each once."""
    assert completed(provider(Linq(*CHATS)), typed, era).values == values


async def test_a_completed_chat_is_one_that_the_prompt_finds() -> None:
    """On the demo account: what is completed is taken as it is, and finds the chat when it is searched for."""
    account = SettingsClientProvider(in_process.settings, transport=in_process.transport, names=demo_contacts)
    async with Client(build_server(account)) as client:
        values = (await complete(client, "ma", prompt="catch_up")).values
        assert values == (await complete(client, "ma", prompt="draft_reply")).values
        assert "Maple Street buyers" in values
        for value in values:
            for prompt in ("catch_up", "draft_reply"):
                got = await client.get_prompt(prompt, {"chat": value})
                assert isinstance(got.messages[0].content, types.TextContent)
                assert f'`find_chats` with {{"text": "{value}"}}' in got.messages[0].content.text
            found = await client.call_tool("find_chats", {"text": value, "limit": 1})
            assert found.structured_content is not None
            assert found.structured_content["chats"]


def test_a_long_name_is_cut_where_it_can_still_be_found() -> None:
    assert completed(provider(Linq(chat("long " * 100, "+12052532136")))).values == [
        ("long " * 100)[:NAME_LIMIT].strip()
    ]


def test_a_key_in_a_name_is_not_shown() -> None:
    assert completed(provider(Linq(chat(f"my {KEY}", "+12052532136")))).values == ["my [key]"]


@pytest.mark.parametrize(
    ("chats", "next_cursor", "counts"),
    [
        (0, None, (0, 0, False)),
        (100, None, (100, 100, False)),
        (100, "100", (100, None, True)),
        (3, "3", (3, None, True)),
    ],
)
def test_it_says_whether_there_may_be_more(
    chats: int, next_cursor: str | None, counts: tuple[int, int | None, bool]
) -> None:
    linq = Linq(*(chat(f"Chat {number}", "+12052532136") for number in range(chats)), next_cursor=next_cursor)
    found = completed(provider(linq))
    assert (len(found.values), found.total, found.has_more) == counts
    assert [request.url.params["limit"] for request in linq.requests] == ["100"]


def test_there_are_at_most_a_hundred_values() -> None:
    group = [f"person{number}@example.com" for number in range(130)]
    found = completed(provider(Linq(chat(None, *group), chat(None, *reversed(group)))))
    assert (len(found.values), found.total, found.has_more) == (100, 130, True)


# What is kept


def test_the_page_is_read_once() -> None:
    linq = Linq(*CHATS)

    async def type_on() -> list[int]:
        read = []
        async with Client(build_server(provider(linq))) as client:
            async with anyio.create_task_group() as tasks:
                for typed in ("b", "bo", "boo"):
                    tasks.start_soon(complete, client, typed)
            read.append(len(linq.requests))
            assert (await complete(client, "book")).values == ["Book club", "Zoë Book"]
            read.append(len(linq.requests))
        return read

    assert in_virtual_time(type_on) == [1, 1]


async def completed_over_http(client: httpx.AsyncClient, key: str, era: str = "modern") -> list[str]:
    asked = posted(
        era,
        "completion/complete",
        {"ref": {"type": "ref/prompt", "name": "catch_up"}, "argument": {"name": "chat", "value": ""}},
    )
    response = await client.post("/mcp", json=asked["json"], headers={**asked["headers"], KEY_HEADER: key})
    values = result_of(response)["completion"]["values"]
    assert isinstance(values, list)
    return values


@http_eras
async def test_a_page_is_kept_for_its_caller_alone(era: str) -> None:
    """Whoever has another key is shown their own chats, and nothing if Linq does not accept it."""
    keys: list[str] = []

    def linq(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Authorization"].removeprefix("Bearer "))
        if keys[-1] == "key-wrong":
            return httpx.Response(401)
        return httpx.Response(200, json={"chats": [chat(f"Chat of {keys[-1]}", "+12052532136")]})

    accounts = HeaderClientProvider(Settings(), transport=Canned(linq))
    async with serving(build_app(accounts, HttpConfig())) as client:
        for key in ("key-ann1", "key-bob2", "key-ann1", "key-wrong", "key-bob2", "key-wrong"):
            expected = [] if key == "key-wrong" else [f"Chat of {key}"]
            assert await completed_over_http(client, key, era) == [value.replace(key, "[key]") for value in expected]
        assert keys == ["key-ann1", "key-bob2", "key-wrong", "key-wrong"]


def test_a_page_is_not_kept_for_other_lines() -> None:
    linq = Linq(chat("Book club", "+12052532136"))

    class Narrowed(SettingsClientProvider):
        lines: tuple[str, ...] = ()

        def caller(self, _: Any = None) -> Caller:
            caller = super().caller()
            return replace(caller, settings=replace(caller.settings, lines=self.lines))

    async def type_on() -> list[list[str]]:
        account = Narrowed(lambda: Settings(api_key=SecretStr(KEY)), transport=lambda: linq, retry=AT_ONCE)
        async with Client(build_server(account)) as client:
            values = [(await complete(client, "book")).values]
            for account.lines in ((LINE,), ("+13343284472",)):
                values.append((await complete(client, "book")).values)
            return values

    assert in_virtual_time(type_on) == [["Book club"], ["Book club"], []]


def test_a_page_is_not_kept_when_the_key_of_its_caller_changes() -> None:
    linq = Linq(*CHATS)

    class OneCaller(HeaderClientProvider):
        given = Settings()

        def caller(self, _: Any = None) -> Caller:
            return Caller("ann", self.given)

    async def type_on() -> list[int]:
        account = OneCaller(Settings(), transport=linq)
        found = []
        async with Client(build_server(account)) as client:
            for given in (ONE_KEY, ONE_KEY, replace(ONE_KEY, api_key=SecretStr("lq-another")), NO_RULE, ONE_KEY):
                account.given = given
                found.append(len((await complete(client, "")).values))
        return found

    assert in_virtual_time(type_on) == [5, 5, 5, 0, 5]
    keys = [request.headers["Authorization"].removeprefix("Bearer ") for request in linq.requests]
    # What was read with the first key is there for that key again.
    assert keys == [KEY, "lq-another"]


# What can go wrong


@eras
@pytest.mark.parametrize(
    "accounts",
    [
        SettingsClientProvider(lambda: Settings(problem=NoKey())),
        account_over(lambda _: httpx.Response(500)),
        account_over(lambda _: httpx.Response(401)),
        account_over(lambda _: httpx.Response(429, headers={"Retry-After": "30"})),
        account_over(lambda _: httpx.Response(200, content=b"<html>")),
    ],
    ids=["no key", "500", "401", "429", "no JSON"],
)
def test_where_the_page_cannot_be_read_there_is_nothing_to_offer(accounts: ClientProvider, era: ConnectMode) -> None:
    assert completed(accounts, "", era) == types.Completion(values=[], total=0, has_more=False)


class SlowContacts(SettingsClientProvider):
    """An account whose contacts file is on a drive that has to wake up."""

    async def directory(self, _: Caller) -> Directory:
        await anyio.sleep(60)
        return NOBODY


@eras
@pytest.mark.parametrize(
    "accounts",
    [provider(Silent()), SlowContacts(lambda: Settings(api_key=SecretStr(KEY)), transport=lambda: Linq(*CHATS))],
    ids=["Linq", "contacts"],
)
def test_whatever_is_slow_is_not_waited_for(accounts: ClientProvider, era: ConnectMode) -> None:
    async def ask() -> float:
        async with Client(build_server(accounts), mode=era) as client:
            began = anyio.current_time()
            assert (await complete(client, "book")).values == []
            return anyio.current_time() - began

    assert in_virtual_time(ask) == pytest.approx(SECONDS)


def test_a_failure_is_not_kept() -> None:
    linq = Linq(*CHATS, fails=3)

    async def type_on() -> list[list[str]]:
        async with Client(build_server(provider(linq))) as client:
            return [(await complete(client, typed)).values for typed in ("bo", "boo")]

    assert in_virtual_time(type_on) == [[], ["Book club", "Zoë Book"]]


@eras
@pytest.mark.parametrize(
    ("prompt", "argument", "said"),
    [
        ("nope", "chat", "Unknown prompt: nope. The prompts are: who_is_waiting"),
        ("catch_up", "who", "Unknown argument: who. Valid: chat."),
        ("weekly_review", "chat", "Unknown argument: chat. Valid: none."),
    ],
)
async def test_what_has_no_such_argument_cannot_be_completed(
    prompt: str, argument: str, said: str, era: ConnectMode
) -> None:
    linq = Linq(*CHATS)
    async with Client(build_server(provider(linq)), mode=era) as client:
        with pytest.raises(MCPError, match=said) as raised:
            await complete(client, "", prompt=prompt, argument=argument)
        assert raised.value.code == types.INVALID_PARAMS
        with pytest.raises(MCPError, match="Only the arguments of prompts"):
            await client.complete(types.ResourceTemplateReference(uri="linq://{chat}"), {"name": "chat", "value": ""})
    assert linq.requests == []
