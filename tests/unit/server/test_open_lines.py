"""With `--lines`, or a rule for whoever has signed in, no tool and no prompt shows anything of another line.

Answers are those of an account without it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from helpers.demo_lines import LINES
from helpers.linq import AT_ONCE, Recorded
from helpers.marked_account import CLOSED_WORD, MarkedAccount, marked_account
from helpers.mcp_client import BlockingClient, text_of
from helpers.signed_in import ENVIRON, access_to, signed_in
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client, types
from pydantic import SecretStr
from starlette.requests import Request

from linq_mcp.demo import in_process
from linq_mcp.demo.account import DemoAccount
from linq_mcp.demo.api import demo_api
from linq_mcp.server.app import build_server
from linq_mcp.server.callers.caller import Caller, ClientProvider, SettingsClientProvider
from linq_mcp.server.callers.many import SignInClientProvider
from linq_mcp.settings.store import StoreSettings
from linq_mcp.store.housekeeping import summaries
from linq_mcp.store.sqlite import SqliteDatabase
from linq_mcp.tools import TOOLS
from linq_mcp.tools.base.tool import Tool
from linq_mcp.wording.errors import HEADLINES

Json = dict[str, Any]
NO_SUCH_ID = "00000000-0000-4000-8000-000000000000"
LONG_AGO = "2026-10-01"
LINE_ARGUMENTS = [
    (tool, name) for tool in TOOLS for name in ("from", "line") if name in tool.input_schema["properties"]
]
ID_ARGUMENTS = [
    (tool, name) for tool in TOOLS for name in ("chat_id", "message_id") if name in tool.input_schema["properties"]
]


def name_of(value: Any) -> str:
    return str(getattr(value, "name", value))


class AlwaysSignedIn(SignInClientProvider):
    """Takes every call for that of the same person, as no request comes with it here."""

    def caller(self, _: Request | None, /) -> Caller:
        return super().caller(signed_in(org="acme"))


class Assistant:
    """The tools over an account of which `lines` are open, all of it without any, and the requests that Linq got.

    With `access`, the lines are not the server's setting, but those of the caller's rule in that file. What is read
    is kept in the file `store`, or else in memory.
    """

    def __init__(
        self,
        account: DemoAccount,
        lines: tuple[str, ...],
        access: Path | None = None,
        *,
        key: str = ENVIRON["ACME_KEY"],
        store: Path | None = None,
    ) -> None:
        self._linq = Recorded(httpx.ASGITransport(demo_api(account, key=key)))
        self.requests = self._linq.requests
        self._settings = replace(in_process.settings(), api_key=SecretStr(key), store=StoreSettings(path=store))
        self._lines = lines
        self._access = access
        self._client: BlockingClient

    def open(self) -> Iterator[Assistant]:
        provider: ClientProvider
        if self._access:
            rule = f'[[rule]]\nclaim = "org"\nvalue = "acme"\nkey_env = "ACME_KEY"\nlines = {list(self._lines)}\n'
            self._access.write_text(rule, "utf-8")
            access = access_to(self._access, self._settings)
            provider = AlwaysSignedIn(self._settings, access, transport=self._linq)
        else:
            scoped = replace(self._settings, lines=self._lines)
            provider = SettingsClientProvider(lambda: scoped, transport=lambda: self._linq, retry=AT_ONCE)
        with BlockingClient.of(Client(build_server(provider), read_timeout_seconds=60)) as self._client:
            yield self

    def call(self, tool: str, arguments: Json) -> types.CallToolResult:
        self.requests.clear()
        return self._client.call(tool, arguments)

    def complete(self, typed: str) -> list[str]:
        """What is offered as the chat of a prompt when this is typed."""

        async def completed() -> list[str]:
            ref = types.PromptReference(name="catch_up")
            completion = await self._client.client.complete(ref, {"name": "chat", "value": typed})
            return completion.completion.values

        return self._client.portal.call(completed)

    def answer(self, tool: str, arguments: Json) -> Json:
        self.requests.clear()
        return self._client.answer(tool, arguments)


@pytest.fixture(scope="module", params=[1, 2], ids=["one line, by a rule", "two lines, by the setting"])
def account(request: pytest.FixtureRequest) -> MarkedAccount:
    return marked_account(30, lines=request.param)


@pytest.fixture(scope="module")
def scoped(account: MarkedAccount, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """An assistant that may see the open lines of the account.

    The closed ones, which another one with the same key has read, are in the same file, and so is the account of
    another key.
    """
    folder = tmp_path_factory.mktemp("scoped")
    store = folder / "linq.sqlite"
    for whole in (
        Assistant(account.whole, (), store=store),
        Assistant(account.closed, (), key=ENVIRON["OPS_KEY"], store=store),
    ):
        for assistant in whole.open():
            assistant.answer("find_messages", {"after": LONG_AGO})
    access = folder / "access.toml" if len(account.lines) == 1 else None
    yield from Assistant(account.whole, account.lines, access, store=store).open()
    kept = SqliteDatabase(store)
    assert [summary.messages > 0 for summary in summaries(kept)] == [True, True]
    kept.close()


@pytest.fixture(scope="module")
def oracle(account: MarkedAccount) -> Iterator[Assistant]:
    """An assistant of an account that has nothing but the open lines.

    Of several lines, it reads one list after the other, too, as they come in that order.
    """
    yield from Assistant(account.opened, account.lines if len(account.lines) > 1 else ()).open()


# Whatever is asked


@pytest.fixture(scope="module")
def choices(account: MarkedAccount) -> dict[str, list[Any]]:
    """For each argument what could lead to a closed line, beside what leads to open ones."""
    parts = (account.closed, account.opened)
    people = [one["handle"] for part in parts for chat in part.chats[:4] for one in chat["handles"] if not one["is_me"]]
    messages = [[one["id"] for said in part.messages.values() for one in said] for part in parts]
    statuses = ["HEALTHY", "AT_RISK", "CRITICAL", "OPTED_OUT"]
    return {
        "chat_id": [part.chats[at]["id"] for part in parts for at in (0, 1)],
        "message_id": [messages[0][0], messages[0][-1], messages[1][0]],
        "from": list(LINES),
        "line": list(LINES),
        "to": people,
        "participant": people,
        "sender": [*people, "me", "them"],
        "text": [CLOSED_WORD, "refund", "205", account.closed_lines[0][2:], "example.com"],
        "after": [LONG_AGO],
        "limit": [1, 7, 100],
        "worst": [20],
        "count_only": [True, False],
        "waiting": [True, False],
        "is_group": [True, False],
        "order": ["newest", "oldest", "longest_waiting"],
        "health_status": [statuses, statuses[1:]],
    }


def questions() -> st.SearchStrategy[tuple[Tool[Any], dict[str, int], dict[str, int]]]:
    """A tool, which of the choices it is asked with, and other ones for its next page."""

    def picks(tool: Tool[Any], *, needed: bool) -> st.SearchStrategy[dict[str, int]]:
        # Of more arguments than these, some mostly contradict each other.
        names = [name for name in tool.input_schema["properties"] if name != "cursor"]
        some = st.dictionaries(st.sampled_from(names), st.integers(0, 59), max_size=3) if names else st.just({})
        required = tool.input_schema.get("required", []) if needed else []
        return st.tuples(st.fixed_dictionaries({name: st.integers(0, 59) for name in required}), some).map(
            lambda drawn: drawn[0] | drawn[1]
        )

    return st.sampled_from(TOOLS).flatmap(
        lambda tool: st.tuples(st.just(tool), picks(tool, needed=True), picks(tool, needed=False))
    )


@given(question=questions())
def test_nothing_of_a_closed_line_is_in_any_answer(
    account: MarkedAccount,
    scoped: Assistant,
    choices: dict[str, list[Any]],
    question: tuple[Tool[Any], dict[str, int], dict[str, int]],
) -> None:
    """No call by id, filter, search, count or cursor shows an id, handle, name or text that the caller did not type."""
    tool, *asked = question
    arguments: Json = {}
    # With and without the cursor that the answer before gave, perhaps to another question.
    for picks in (*asked, {}):
        arguments |= {name: choices[name][pick % len(choices[name])] for name, pick in picks.items() if name in choices}
        result = scoped.call(tool.name, arguments)
        text = text_of(result)
        for typed in sorted((value for value in arguments.values() if isinstance(value, str)), key=len, reverse=True):
            text = text.replace(typed, "")
        assert account.traces(text) == []
        if cursor := (result.structured_content or {}).get("next_cursor"):
            arguments["cursor"] = cursor


@given(pick=st.integers(0, 999), start=st.integers(0, 40), length=st.integers(0, 40))
def test_nothing_of_a_closed_line_is_in_any_completion(
    account: MarkedAccount, scoped: Assistant, choices: dict[str, list[Any]], pick: int, start: int, length: int
) -> None:
    known = [str(value) for values in choices.values() for value in values]
    values = scoped.complete(known[pick % len(known)][start : start + length])
    assert account.traces(" ".join(values)) == []


def test_the_closed_part_is_found_when_it_is_open(account: MarkedAccount, choices: dict[str, list[Any]]) -> None:
    for assistant in Assistant(account.whole, ()).open():
        chat, message = account.closed.chats[0]["id"], choices["message_id"][0]
        messages = [one for said in account.closed.messages.values() for one in said]
        with_file = next(one["id"] for one in messages for part in one["parts"] if part["type"] == "media")
        asked: list[tuple[str, Json]] = [
            ("list_chats", {"limit": 100}),
            ("list_inbox", {"limit": 100}),
            ("find_chats", {"text": CLOSED_WORD}),
            ("find_messages", {"text": CLOSED_WORD, "after": LONG_AGO}),
            ("list_messages", {"chat_id": chat}),
            ("get_chat", {"chat_id": chat}),
            ("get_message", {"message_id": message}),
            ("get_attachment", {"message_id": with_file, "attachment_id": NO_SUCH_ID}),
            ("summarize_activity", {"after": LONG_AGO}),
            ("summarize_chat_health", {}),
            ("list_phone_numbers", {}),
        ]
        assert {name for name, _ in asked} == {tool.name for tool in TOOLS}
        assert [name for name, arguments in asked if not account.traces(text_of(assistant.call(name, arguments)))] == []
        assert account.traces(" ".join(assistant.complete("")))


# What is closed does not exist


def test_completions_are_those_of_an_account_without_the_closed_lines(scoped: Assistant, oracle: Assistant) -> None:
    assert scoped.complete("") == oracle.complete("") != []


@pytest.mark.parametrize(("tool", "name"), ID_ARGUMENTS, ids=name_of)
def test_a_closed_id_is_answered_as_an_unknown_one(
    account: MarkedAccount, scoped: Assistant, choices: dict[str, list[Any]], tool: Any, name: str
) -> None:
    closed = account.closed.chats[0]["id"] if name == "chat_id" else choices["message_id"][0]
    texts = []
    for id_ in (closed, closed.upper(), NO_SUCH_ID):
        result = scoped.call(tool.name, {**json.loads(tool.example), name: id_})
        assert result.is_error
        assert [request for request in scoped.requests if request.url.path.endswith("/messages")] == []
        texts.append(text_of(result).replace(id_, "ID"))
    assert texts[0] == texts[1] == texts[2]
    assert texts[0].startswith(HEADLINES["no_such_chat" if name == "chat_id" else "no_such_message"])


@pytest.mark.parametrize(("tool", "name"), LINE_ARGUMENTS, ids=name_of)
def test_a_closed_line_is_not_one_of_yours(account: MarkedAccount, scoped: Assistant, tool: Any, name: str) -> None:
    texts = []
    for line in (account.closed_lines[0], "+12055550123"):
        result = scoped.call(tool.name, {**json.loads(tool.example), name: line})
        assert result.is_error
        assert [request for request in scoped.requests if request.url.path.endswith("/chats")] == []
        texts.append(text_of(result).replace(line, "LINE"))
    assert texts[0] == texts[1]
    assert texts[0].startswith(HEADLINES["not_your_line"])


# What is open is whole


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("find_chats", {"is_group": False, "limit": 100}),
        ("find_chats", {"count_only": True}),
        ("list_inbox", {"limit": 100}),
        ("list_inbox", {"limit": 100, "order": "longest_waiting"}),
        ("find_messages", {"text": "refund", "after": LONG_AGO, "limit": 100}),
        ("find_messages", {"count_only": True, "after": LONG_AGO}),
        ("summarize_activity", {"after": LONG_AGO}),
        ("summarize_chat_health", {"worst": 20}),
        ("list_phone_numbers", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_answers_are_those_of_an_account_without_the_closed_lines(
    scoped: Assistant, oracle: Assistant, tool: str, arguments: Json
) -> None:
    answer, shown = ({**one.answer(tool, arguments), "as_of": None} for one in (oracle, scoped))
    assert shown == answer
    assert answer.get("complete", True)


@pytest.mark.parametrize(
    ("tool", "rows", "asked"),
    [
        ("list_chats", "chats", {}),
        ("find_chats", "chats", {"health_status": ["HEALTHY", "AT_RISK", "CRITICAL", "OPTED_OUT"]}),
        ("list_inbox", "chats", {}),
        ("find_messages", "messages", {"after": LONG_AGO}),
    ],
    ids=["list_chats", "find_chats", "list_inbox", "find_messages"],
)
def test_paging_meets_everything_open_once(
    account: MarkedAccount, scoped: Assistant, tool: str, rows: str, asked: Json
) -> None:
    expected = [chat["id"] for chat in account.opened.chats]
    if rows == "messages":
        asked = {**asked, "participant": account.opened.chats[0]["handles"][1]["handle"]}
        expected = [
            message["id"]
            for chat in account.opened.chats
            if any(handle["handle"] == asked["participant"] for handle in chat["handles"])
            for message in account.opened.messages[chat["id"]]
        ]
    met: list[str] = []
    arguments = {**asked, "limit": 20 if rows == "messages" else 5}
    for _ in range(len(account.whole.chats) + len(expected)):
        answer = scoped.answer(tool, arguments)
        met += [row["id"] for row in answer[rows]]
        assert answer.get("has_more", "next_cursor" in answer) is ("next_cursor" in answer)
        if "next_cursor" not in answer:
            break
        arguments["cursor"] = answer["next_cursor"]
    assert sorted(met) == sorted(expected)
    assert tool != "list_chats" or met == expected
