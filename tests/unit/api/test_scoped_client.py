"""What a narrowed API asks Linq for, and what of Linq's answers it lets through."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
from helpers.linq import AT_ONCE, Canned
from helpers.scripted_api import SETTINGS

from linq_mcp.api.client import LinqApi
from linq_mcp.api.models import Chat
from linq_mcp.api.responses import Page
from linq_mcp.api.scoped_client import ScopedApi, open_api
from linq_mcp.errors import ApiStatusError, FileError, LineNotOpenError, SettingsError
from linq_mcp.settings.problems import UnusableLines

Json = dict[str, Any]
OPEN, ALSO_OPEN, CLOSED = "+12055550101", "+12055550102", "+12055550103"
PERSON = "+13345550199"


def chat(id_: str, *own: str) -> Json:
    """A chat with one person on these lines."""
    handles = [{"handle": line, "is_me": True} for line in own]
    return {"id": id_, "handles": [*handles, {"handle": PERSON, "is_me": False}]}


def message(id_: str, chat_id: str | None) -> Json:
    return {"id": id_, "chat_id": chat_id, "parts": [{"type": "text", "value": "secret"}]}


def refused(status: int, code: int) -> httpx.Response:
    error = {"status": status, "code": code, "message": "Linq's words"} if code else {}
    return httpx.Response(status, headers={"X-Trace-ID": "0af7"}, json={"success": False, "error": error})


class Linq:
    """Linq with fixed answers by path below `/v3/`, and all that it was asked."""

    def __init__(self, **answers: Json | httpx.Response) -> None:
        self._answers = answers
        self.asked: list[str] = []
        self.queries: list[dict[str, str]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.partition("/v3/")[2]
        self.asked.append(path)
        self.queries.append(dict(request.url.params))
        found = self._answers.get(path.replace("/", "_"), refused(404, 2002 if "messages/" in path else 2001))
        return found if isinstance(found, httpx.Response) else httpx.Response(200, content=json.dumps(found))

    @asynccontextmanager
    async def open(self, *lines: str) -> AsyncIterator[ScopedApi]:
        async with LinqApi(SETTINGS, transport=Canned(self.answer), retry=AT_ONCE) as api:
            yield ScopedApi(api, lines)

    async def list_chats(self, *lines: str, **asked: Any) -> Page[Chat]:
        given = {"from_": None, "to": None, "limit": 20, "cursor": None, **asked}
        async with self.open(*lines) as api:
            return await api.list_chats(**given, deadline=anyio.current_time() + 5)


def ids(page: Page[Any]) -> list[str | None]:
    return [item.id for item in page.items]


async def failure(ask: Callable[[float], Any]) -> ApiStatusError:
    with pytest.raises(ApiStatusError) as failed:
        await ask(anyio.current_time() + 5)
    return failed.value


# Lists of chats


async def test_one_line_is_the_filter_that_linq_gets() -> None:
    linq = Linq(chats={"chats": [chat("a", OPEN)]})
    assert ids(await linq.list_chats(OPEN, to=PERSON)) == ["a"]
    assert linq.queries == [{"from": OPEN, "to": PERSON, "limit": "20"}]


@pytest.mark.parametrize("lines", [(OPEN,), (OPEN, ALSO_OPEN)], ids=["one line", "two lines"])
async def test_chats_of_other_lines_are_left_out(lines: tuple[str, ...]) -> None:
    rows = [chat("a", OPEN), chat("b", CLOSED), "no object", chat("c"), {"id": "d"}, {"id": "e", "handles": None}]
    page = await Linq(chats={"chats": rows, "next_cursor": "6"}).list_chats(*lines)
    assert (ids(page), page.unreadable, page.next_cursor) == (["a"], 1, "6")


async def test_a_page_may_come_up_empty_though_there_is_more() -> None:
    page = await Linq(chats={"chats": [chat("b", CLOSED)], "next_cursor": "1"}).list_chats(OPEN, ALSO_OPEN)
    assert (page.items, page.next_cursor) == ([], "1")


async def test_several_lines_are_chosen_from_here() -> None:
    linq = Linq(chats={"chats": []})
    await linq.list_chats(OPEN, ALSO_OPEN)
    await linq.list_chats(OPEN, ALSO_OPEN, from_=ALSO_OPEN)
    assert [query.get("from") for query in linq.queries] == [None, ALSO_OPEN]


@pytest.mark.parametrize("lines", [(OPEN,), (OPEN, ALSO_OPEN)], ids=["one line", "two lines"])
async def test_a_closed_line_is_refused_without_a_request(lines: tuple[str, ...]) -> None:
    linq = Linq()
    with pytest.raises(LineNotOpenError) as failed:
        await linq.list_chats(*lines, from_=CLOSED)
    assert (failed.value.line, linq.asked) == (CLOSED, [])


async def test_a_number_that_is_not_open_is_one_of_the_others() -> None:
    linq = Linq(chats={"chats": [chat("a", CLOSED, OPEN)]}, chats_a=chat("a", CLOSED, OPEN))
    (listed,) = (await linq.list_chats(OPEN)).items
    async with linq.open(OPEN) as api:
        whole = await api.get_chat("a", deadline=anyio.current_time() + 5)
    for one in (listed, whole):
        assert [(handle.handle, handle.is_me) for handle in one.handles or ()] == [
            (CLOSED, False),
            (OPEN, True),
            (PERSON, False),
        ]


async def test_another_persons_number_opens_nothing() -> None:
    """Two lines of one account may write to each other: the chat is on the line that Linq marks."""
    other = {"id": "a", "handles": [{"handle": CLOSED, "is_me": True}, {"handle": OPEN, "is_me": False}]}
    unmarked = {"id": "b", "handles": [{"handle": OPEN}]}
    assert ids(await Linq(chats={"chats": [other, unmarked]}).list_chats(OPEN)) == []


# One chat, its messages, one message


@pytest.mark.parametrize(
    "answer",
    [chat("a", CLOSED), refused(404, 2001), refused(403, 2005), refused(409, 2013), refused(410, 2001)],
    ids=["closed", "unknown", "not allowed", "left", "gone"],
)
async def test_a_chat_that_is_not_open_is_answered_as_an_unknown_one(answer: Json | httpx.Response) -> None:
    linq = Linq(chats_a=answer)
    async with linq.open(OPEN) as api:
        errors = [
            await failure(lambda deadline: api.get_chat("a", deadline=deadline)),
            await failure(lambda deadline: api.list_messages("a", limit=5, cursor=None, deadline=deadline)),
        ]
    for error in errors:
        assert (error.status, error.code, str(error), error.trace_id, error.attempts) == (404, 2001, "", None, 1)
    assert linq.asked == ["chats/a", "chats/a"]


@pytest.mark.parametrize(
    "answers",
    [
        {"messages_m": message("m", "a"), "chats_a": chat("a", CLOSED)},
        {"messages_m": message("m", "a")},
        {"messages_m": message("m", None), "chats_": chat("a", OPEN)},
        {"messages_m": refused(404, 2002)},
        {"messages_m": refused(403, 2005)},
        {"messages_m": message("m", "a"), "chats_a": refused(409, 2013)},
    ],
    ids=["closed", "unknown chat", "no chat", "unknown", "not allowed", "left"],
)
async def test_a_message_that_is_not_open_is_answered_as_an_unknown_one(answers: Json) -> None:
    async with Linq(**answers).open(OPEN) as api:
        error = await failure(lambda deadline: api.get_message("m", deadline=deadline))
    assert (error.status, error.code, str(error), error.trace_id, error.attempts) == (404, 2002, "", None, 1)


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, 2004), (404, 0), (404, 2007), (409, 2009), (429, 1007), (500, 3001), (503, 4004)],
)
async def test_what_says_nothing_of_the_id_stays_as_it_is(status: int, code: int) -> None:
    linq = Linq(chats_a=refused(status, code), messages_m=refused(status, code))
    async with linq.open(OPEN) as api:
        errors = [
            await failure(lambda deadline: api.get_chat("a", deadline=deadline)),
            await failure(lambda deadline: api.list_messages("a", limit=5, cursor=None, deadline=deadline)),
            await failure(lambda deadline: api.get_message("m", deadline=deadline)),
        ]
    assert [(error.status, error.code) for error in errors] == [(status, code)] * 3


async def test_an_open_chat_is_read_and_looked_up_once() -> None:
    linq = Linq(chats_a=chat("a", OPEN), chats_a_messages={"messages": [message("m", "a")]})
    async with linq.open(OPEN, ALSO_OPEN) as api:
        deadline = anyio.current_time() + 5
        for cursor in (None, "1"):
            page = await api.list_messages("a", limit=5, cursor=cursor, deadline=deadline)
            assert ids(page) == ["m"]
    assert linq.asked == ["chats/a", "chats/a/messages", "chats/a/messages"]
    assert linq.queries[1:] == [{"limit": "5"}, {"limit": "5", "cursor": "1"}]


async def test_a_chat_that_was_listed_is_not_looked_up() -> None:
    linq = Linq(
        chats={"chats": [chat("a", OPEN), chat("b", CLOSED)]},
        chats_a_messages={"messages": []},
        messages_m=message("m", "a"),
        chats_b=chat("b", CLOSED),
    )
    async with linq.open(OPEN) as api:
        deadline = anyio.current_time() + 5
        await api.list_chats(from_=None, to=None, limit=5, cursor=None, deadline=deadline)
        await api.list_messages("a", limit=5, cursor=None, deadline=deadline)
        assert (await api.get_message("m", deadline=deadline)).id == "m"
        await failure(lambda deadline: api.list_messages("b", limit=5, cursor=None, deadline=deadline))
    assert linq.asked == ["chats", "chats/a/messages", "messages/m", "chats/b"]


async def test_a_chat_that_was_looked_at_is_open_for_the_rest_of_the_call() -> None:
    linq = Linq(chats_a=chat("a", OPEN), messages_m=message("m", "a"), chats_a_messages={"messages": []})
    async with linq.open(OPEN) as api:
        deadline = anyio.current_time() + 5
        await api.get_message("m", deadline=deadline)
        await api.get_message("m", deadline=deadline)
        await api.list_messages("a", limit=5, cursor=None, deadline=deadline)
    assert linq.asked == ["messages/m", "chats/a", "messages/m", "chats/a/messages"]


# Files


async def test_only_the_files_of_open_messages_are_fetched() -> None:
    urls = {"m": "https://files.example.com/m", "n": "https://files.example.com/n"}
    part = {"type": "media", "id": "f"}
    linq = Linq(
        messages_m={**message("m", "a"), "parts": [{**part, "url": urls["m"]}]},
        messages_n={**message("n", "b"), "parts": [{**part, "url": urls["n"]}]},
        chats_a=chat("a", OPEN),
        chats_b=chat("b", CLOSED),
    )
    async with linq.open(OPEN) as api:
        await api.get_message("m", deadline=anyio.current_time() + 5)
        unknown = await failure(lambda deadline: api.get_message("n", deadline=deadline))
        asked = list(linq.asked)

        async def fetch(url: str, deadline: float) -> None:
            await api.fetch_file(url, needed=lambda _: 9, deadline=deadline)

        closed = await failure(lambda deadline: fetch(urls["n"], deadline))
        assert (closed.status, closed.code, str(closed)) == (unknown.status, unknown.code, str(unknown))
        assert linq.asked == asked
        with pytest.raises(FileError):
            await fetch(urls["m"], anyio.current_time() + 5)
        assert len(linq.asked) == len(asked) + 1


# Everything else


async def test_only_open_lines_are_listed() -> None:
    rows = [{"phone_number": OPEN}, {"phone_number": CLOSED, "forwarding_number": OPEN}, {"phone_number": None}]
    async with Linq(phone_numbers={"phone_numbers": rows}).open(OPEN) as api:
        page = await api.list_phone_numbers(deadline=anyio.current_time() + 5)
    assert [number.phone_number for number in page.items] == [OPEN]


async def test_the_requests_that_were_refused_for_their_number_are_counted() -> None:
    async with Linq(chats_a=refused(429, 1007)).open(OPEN) as api:
        await failure(lambda deadline: api.get_chat("a", deadline=deadline))
        assert api.throttled > 0


async def test_without_lines_nothing_is_narrowed() -> None:
    async with LinqApi(SETTINGS, transport=Canned(lambda _: refused(500, 0))) as api:
        assert await open_api(api, (), deadline=anyio.current_time() + 5) is api


@pytest.mark.parametrize("lines", [("+12055550199",), (OPEN, "+12055550199")], ids=["alone", "among others"])
async def test_a_line_that_is_not_the_accounts_opens_nothing(lines: tuple[str, ...]) -> None:
    linq = {"phone_numbers": [{"phone_number": OPEN}]}
    requests: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request.url.path)
        return httpx.Response(200, json=linq)

    async with LinqApi(SETTINGS, transport=Canned(answer)) as api:
        for _ in range(2):
            with pytest.raises(SettingsError) as error:
                await open_api(api, lines, deadline=anyio.current_time() + 5)
            assert error.value.problem == UnusableLines(("+12055550199",))
        linq["phone_numbers"].append({"phone_number": "+12055550199"})
        for _ in range(2):
            assert isinstance(await open_api(api, lines, deadline=anyio.current_time() + 5), ScopedApi)
    assert len(requests) == 3


def test_every_endpoint_has_its_narrowed_form() -> None:
    """With the same parameters. `get` and `post`, through which all can be reached, stay closed."""

    def endpoints(api: type) -> dict[str, inspect.Signature]:
        methods = {name: inspect.signature(found) for name, found in inspect.getmembers(api, inspect.isfunction)}
        return {
            name: signature.replace(return_annotation=None)
            for name, signature in methods.items()
            if "deadline" in signature.parameters and not name.startswith("_") and name not in ("get", "post")
        }

    assert endpoints(ScopedApi) == endpoints(LinqApi)
    assert not hasattr(ScopedApi, "get")
