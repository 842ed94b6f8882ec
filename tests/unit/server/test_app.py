"""The MCP side over an in-memory client, in both protocol eras."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import anyio
import httpx
import pytest
from helpers.linq import KEY, Handler, Silent, account_over, page
from helpers.mcp_client import eras, text_of
from mcp import Client, MCPError, types
from mcp.client.client import ConnectMode
from pydantic import SecretStr

from linq_mcp import __version__
from linq_mcp.demo import in_process
from linq_mcp.server.app import build_server
from linq_mcp.server.callers.caller import SettingsClientProvider
from linq_mcp.server.consent.service import ConsentService
from linq_mcp.server.view import EXTENSION
from linq_mcp.settings import Settings, load_settings
from linq_mcp.settings.sending import STRICTEST
from linq_mcp.tools import TOOLS
from linq_mcp.tools.base.tool import Tool
from linq_mcp.tools.list_chats import LIST_CHATS
from linq_mcp.wording.errors import HEADLINES

DOCS_PAGE = (
    b'{"chats":[{"id":"550e8400-e29b-41d4-a716-446655440000","created_at":"2024-01-15T10:30:00Z",'
    b'"display_name":"+14155551234, +14155559876","handles":[{"id":"550e8400-e29b-41d4-a716-446655440010",'
    b'"handle":"+14155551234","joined_at":"2025-05-21T15:30:00.000Z","service":"iMessage","is_me":true,"left_at":null,'
    b'"status":"active"},{"id":"550e8400-e29b-41d4-a716-446655440011","handle":"+14155559876",'
    b'"joined_at":"2025-05-21T15:30:00.000Z","service":"iMessage","is_me":false,"left_at":null,"status":"active"}],'
    b'"health_status":{"doc_url":"https://docs.linqapp.com/guides/chats/chat-health#at-risk","status":"AT_RISK",'
    b'"updated_at":"2026-05-01T18:28:25Z"},"is_archived":false,"is_group":false,"updated_at":"2024-01-15T10:30:00Z",'
    b'"service":"iMessage"}],"next_cursor":"20"}'
)


async def call(
    account: SettingsClientProvider,
    arguments: Mapping[str, Any] | None = None,
    *,
    era: ConnectMode = "auto",
    tools: Sequence[Tool[Any]] = TOOLS,
) -> types.CallToolResult:
    async with Client(build_server(account, tools), mode=era, read_timeout_seconds=20) as client:
        return await client.call_tool("list_chats", dict(arguments or {}))


def always(response: httpx.Response) -> Handler:
    return lambda _: response


@eras
async def test_says_who_it_is_and_how_to_page(era: ConnectMode) -> None:
    """Name, version, title, instructions and capabilities come with the connection, and no list ever changes."""
    async with Client(build_server(account_over(always(httpx.Response(500)))), mode=era) as client:
        info = client.server_info
        assert info is not None
        assert (info.name, info.version, info.title) == ("linq-mcp", __version__, "Linq conversations")
        assert client.instructions
        assert client.instructions.startswith(
            "Reads a Linq account's iMessage, SMS and RCS conversations; it cannot send"
        )
        assert "an operator can allow sending" in client.instructions
        assert client.server_capabilities.model_dump(exclude_none=True) == {
            "tools": {"list_changed": False},
            "resources": {"list_changed": False, "subscribe": False},
            # The handshake has no room for extensions: hosts find the page by the tools' `_meta`.
            **({} if era == "legacy" else {"extensions": {EXTENSION: {}}}),
            "prompts": {"list_changed": False},
            "completions": {},
        }


@eras
async def test_times_are_the_operators_in_answers_arguments_errors_prompts_and_instructions(era: ConnectMode) -> None:
    settings = load_settings({"LINQ_API_V3_API_KEY": KEY, "LINQ_MCP_TIME_ZONE": "Pacific/Kiritimati"})
    whole = DOCS_PAGE.replace(b'"next_cursor":"20"', b'"next_cursor":null')
    account = account_over(always(httpx.Response(200, content=whole)), settings=settings)
    async with Client(build_server(account), mode=era) as client:
        assert client.instructions is not None
        assert "time zone Pacific/Kiritimati," in client.instructions
        found = await client.call_tool("find_chats", {"updated_before": "2024-01-16"})
        assert found.structured_content is not None
        assert found.structured_content["chats"] == []
        found = await client.call_tool(
            "find_chats", {"updated_after": "2024-01-16T00:30", "updated_before": "2024-01-16T00:31"}
        )
        assert found.structured_content is not None
        assert [row["updated_at"] for row in found.structured_content["chats"]] == ["2024-01-16T00:30:00+14:00"]
        wrong = text_of(await client.call_tool("find_chats", {"updated_after": "soon"}))
        assert "such as 2026-11-21T07:45:00+14:00" in wrong
        assert re.search(r"it is \w+, \S+\+14:00 now", wrong)
        prompt = await client.get_prompt("weekly_review")
        assert isinstance(prompt.messages[0].content, types.TextContent)
        week_ago = datetime.now(ZoneInfo("Pacific/Kiritimati")) - timedelta(days=7)
        assert f'{{"after": "{week_ago:%Y-%m-%d}"}}' in prompt.messages[0].content.text


async def test_the_first_answer_that_names_nobody_says_what_the_contacts_file_lacks(tmp_path: Path) -> None:
    """A file whose numbers have no country code names nobody, and nothing else would say why."""
    file = tmp_path / "contacts.csv"
    file.write_text("Name,Phone\nAnn Adler,(415) 555-9876\n", encoding="utf-8")
    environ = {"LINQ_API_V3_API_KEY": KEY, "LINQ_MCP_CONTACTS": str(file)}
    account = account_over(always(httpx.Response(200, content=DOCS_PAGE)), settings=load_settings(environ))
    async with Client(build_server(account)) as client:
        answers = [(await client.call_tool("list_chats")).structured_content for _ in range(2)]
    notes = [answer.get("note") for answer in answers if answer]
    assert notes == [
        "The contacts file is a CSV file. 1 number without a country code: set LINQ_MCP_COUNTRY, for example to US.",
        None,
    ]
    account = account_over(
        always(httpx.Response(200, content=DOCS_PAGE)), settings=load_settings({**environ, "LINQ_MCP_COUNTRY": "US"})
    )
    named = (await call(account)).structured_content
    assert named is not None
    assert "note" not in named
    assert named["chats"][0]["display_name"] == "Ann Adler"


async def test_national_numbers_in_arguments_are_of_the_country_that_is_set() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, content=DOCS_PAGE)

    settings = load_settings({"LINQ_API_V3_API_KEY": KEY, "LINQ_MCP_COUNTRY": "us"})
    await call(account_over(answer, settings=settings), {"to": "(415) 555-9876", "from": "415.555.1234"})
    assert dict(asked[0].url.params)["to"] == "+14155559876"
    assert dict(asked[0].url.params)["from"] == "+14155551234"
    refused = await call(account_over(answer), {"to": "(415) 555-9876"})
    assert "with + and the country code" in text_of(refused)


NAMED = ("list_inbox", "find_messages", "send_message", "react_to_message")


@pytest.mark.parametrize(
    ("tools", "named", "counts"),
    [
        (("list_chats",), [], ""),
        (("list_inbox", "summarize_activity"), ["list_inbox"], "summarize_activity"),
        (("find_messages", "summarize_activity", "summarize_chat_health"), ["find_messages"], "summarize_*"),
        (tuple(tool.name for tool in TOOLS if tool.name not in NAMED), [], "summarize_*"),
        (tuple(tool.name for tool in TOOLS if tool.name != "list_phone_numbers"), list(NAMED[:2]), "summarize_*"),
        (("list_chats", "react_to_message"), ["react_to_message"], ""),
        ((), list(NAMED), "summarize_*"),
    ],
)
async def test_instructions_name_the_tools_that_are_open(tools: tuple[str, ...], named: list[str], counts: str) -> None:
    account = account_over(always(httpx.Response(500)), settings=Settings(tools=tools, sending=STRICTEST))
    async with Client(build_server(account, consent=ConsentService(STRICTEST))) as client:
        said = client.instructions or ""
    assert [name for name in NAMED if name in said] == named
    assert re.findall(r"summarize_[a-z_*]+", said) == ([counts] if counts else [])
    assert ("cannot send" in said) is not any(name in said for name in NAMED[2:])
    assert "next_cursor" in said


@eras
async def test_a_tool_that_is_not_open_to_the_caller_does_not_exist(era: ConnectMode) -> None:
    settings = Settings(tools=("get_chat", "list_chats", "send_message"))
    account = account_over(always(httpx.Response(500)), settings=settings)
    async with Client(build_server(account, consent=ConsentService(STRICTEST)), mode=era) as client:
        listed = (await client.list_tools()).tools
        assert [tool.name for tool in listed] == ["list_chats", "get_chat"]
        assert client.instructions is not None
        assert "cannot send" in client.instructions
        for name in ("list_inbox", "send_message"):
            with pytest.raises(MCPError, match=r"Unknown tool: \w+\. The tools are: list_chats, get_chat\."):
                await client.call_tool(name, {})


async def test_what_the_settings_narrow_is_not_cached_for_others() -> None:
    """The whole list is the same for everybody for an hour; any other is the caller's own for a minute."""
    hints = []
    for settings in (Settings(), Settings(tools=("list_chats",)), Settings(sending=STRICTEST)):
        async with Client(build_server(account_over(always(httpx.Response(500)), settings=settings))) as client:
            listed = await client.list_tools()
        hints.append((listed.cache_scope, listed.ttl_ms))
    assert hints == [("public", 3_600_000), ("private", 60_000), ("private", 60_000)]


@eras
async def test_the_docs_sample_as_a_model_reads_it(era: ConnectMode) -> None:
    result = await call(account_over(always(httpx.Response(200, content=DOCS_PAGE))), era=era)
    assert json.loads(text_of(result)) == result.structured_content
    assert result.structured_content == {
        "chats": [
            {
                "id": "550e8400-e29b-41d4-a716-446655440000",
                "line": "+14155551234",
                "participants": ["+14155559876"],
                "service": "iMessage",
                "health_status": "AT_RISK",
                "health_since": "2026-05-01T18:28:25Z",
                "updated_at": "2024-01-15T10:30:00Z",
            }
        ],
        "has_more": True,
        "next_cursor": "20",
        "health_guide": {"AT_RISK": "https://docs.linqapp.com/guides/chats/chat-health#at-risk"},
    }


async def test_the_answer_is_compact_and_real_utf8() -> None:
    """No spaces between tokens, no escapes of what UTF-8 can say."""
    body = DOCS_PAGE.replace(b"+14155551234, +14155559876", "Füße 👍".encode())
    text = text_of(await call(account_over(always(httpx.Response(200, content=body)))))
    assert '"display_name":"Füße 👍"' in text


@pytest.mark.parametrize(("data", "budget"), [("chats_page20.json", 4_400), ("chats_page100.json", 21_000)])
async def test_the_reference_pages_keep_their_budget(data: str, budget: int) -> None:
    text = text_of(await call(account_over(always(httpx.Response(200, content=page(data)))), {"limit": 100}))
    assert len(text.encode()) <= budget
    assert len(json.loads(text)["chats"]) == int(data.removeprefix("chats_page").removesuffix(".json"))


def envelope(status: int, code: int, message: str, trace_id: str) -> dict[str, Any]:
    """An error answer as Linq documents it."""
    doc_url = f"https://docs.linqapp.com/error/codes/{code // 1000}xxx/{code}/"
    error = {"status": status, "code": code, "message": message, "doc_url": doc_url}
    return {"success": False, "error": error, "trace_id": trace_id}


UNAUTHORIZED = envelope(401, 2004, "Unauthorized - missing or invalid authentication token", "7ace-1")
SERVER_ERROR = envelope(500, 3006, "Internal server error", "7ace-2")


@eras
@pytest.mark.parametrize(
    ("body", "headline", "facts"),
    [
        (UNAUTHORIZED, "key_rejected", ["HTTP 401", "Linq code 2004", "trace id 7ace-1", "LINQ_API_V3_API_KEY"]),
        (SERVER_ERROR, "server_error", ["HTTP 500", "Linq code 3006", "trace id 7ace-2", "3 times"]),
    ],
    ids=["401/2004", "500/3006"],
)
async def test_the_documented_errors_arrive_as_errors(
    era: ConnectMode, body: dict[str, Any], headline: str, facts: list[str]
) -> None:
    """An error is text alone: what happened, what to do, the code and the trace id; not the key."""
    result = await call(account_over(always(httpx.Response(body["error"]["status"], json=body))), era=era)
    assert result.is_error
    assert result.structured_content is None
    text = text_of(result)
    assert text.startswith(HEADLINES[headline])
    assert all(fact in text for fact in facts)
    assert KEY[:6] not in text


async def test_without_a_key_the_call_says_how_to_get_one_and_notices_it() -> None:
    """The settings are read again as long as something is missing: no restart after `linq login`."""
    environ: dict[str, str] = {}
    account = account_over(always(httpx.Response(200, content=DOCS_PAGE)))
    account._load = lambda: load_settings(environ)
    async with Client(build_server(account)) as client:
        refused = await client.call_tool("list_chats", {})
        assert refused.is_error
        assert text_of(refused).startswith(HEADLINES["no_key"])
        environ["LINQ_API_V3_API_KEY"] = KEY
        assert not (await client.call_tool("list_chats", {})).is_error


async def test_the_contacts_file_names_people_in_answers_and_searches(tmp_path: Path) -> None:
    """The file is the one that stands there at the time of each call."""
    path = tmp_path / "contacts.csv"
    settings = replace(in_process.settings(), contacts=path)
    provider = SettingsClientProvider(lambda: settings, transport=in_process.transport)

    async def found(text: str) -> Any:
        answer = (await client.call_tool("find_chats", {"text": text, "limit": 1})).structured_content
        return [chat.get("display_name") for chat in (answer or {})["chats"]]

    async with Client(build_server(provider)) as client:
        (chat,) = ((await client.call_tool("find_chats", {"is_group": False, "limit": 1})).structured_content or {})[
            "chats"
        ]
        (handle,) = chat["participants"]
        assert await found(handle) == [None]
        path.write_text(f"handle,name\n{handle},Ann Adler\n", "utf-8")
        assert await found("ann ADLER") == ["Ann Adler"]


async def test_an_unknown_argument_is_refused_and_nothing_is_sent() -> None:
    sent: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, content=DOCS_PAGE)

    result = await call(account_over(handler), {"form": "+12052535597"})
    assert result.is_error
    assert "did you mean `from`?" in text_of(result)
    assert sent == []


async def test_an_unknown_tool_is_a_protocol_error() -> None:
    async with Client(build_server(account_over(always(httpx.Response(500))))) as client:
        with pytest.raises(MCPError, match="list_chats") as raised:
            await client.call_tool("send_message", {})
    assert raised.value.code == types.INVALID_PARAMS


@eras
async def test_whatever_a_tool_raises_becomes_an_answer(era: ConnectMode, caplog: pytest.LogCaptureFixture) -> None:
    """A defect is logged with its stack and told without it; the next call works."""
    raises = [True, False]

    async def broken_once(*given: Any) -> Mapping[str, Any]:
        if raises.pop(0):
            raise ZeroDivisionError("secret detail")
        return await LIST_CHATS.run(*given)

    account = account_over(always(httpx.Response(200, content=DOCS_PAGE)))
    async with Client(build_server(account, [replace(LIST_CHATS, run=broken_once)]), mode=era) as client:
        with caplog.at_level(logging.ERROR):
            result = await client.call_tool("list_chats", {})
        assert result.is_error
        assert text_of(result).startswith(HEADLINES["internal"])
        assert "secret detail" not in text_of(result)
        assert "ZeroDivisionError" in caplog.text
        assert not (await client.call_tool("list_chats", {})).is_error


async def test_an_unknown_status_is_judged_by_its_number() -> None:
    """What no one has seen yet is told with Linq's own words."""
    result = await call(account_over(always(httpx.Response(418, json={"error": {"message": "short and stout"}}))))
    assert text_of(result).startswith(HEADLINES["bad_request"])
    assert "short and stout" in text_of(result)


async def test_surrogates_are_replaced_in_every_string_of_an_answer() -> None:
    """Ids, statuses and cursors too: one lone surrogate would end the process in the SDK's writer."""
    body = DOCS_PAGE.replace(b'"550e8400-e29b-41d4-a716-446655440000"', b'"550e\\ud83d"').replace(
        b"AT_RISK", b"\\udc00X"
    )
    result = await call(account_over(always(httpx.Response(200, content=body))))
    text_of(result).encode()
    json.dumps(result.structured_content, ensure_ascii=False).encode()


async def test_cancelling_a_call_stops_the_request() -> None:
    """The HTTP request does not outlive the call that made it."""
    silent = Silent()
    account = account_over(always(httpx.Response(500)))
    account._transport = lambda: silent
    with anyio.fail_after(10):
        async with Client(build_server(account)) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "list_chats", {})
            await silent.begun.wait()
            tasks.cancel_scope.cancel()
    assert silent.stopped.is_set()


async def test_a_call_ends_within_its_budget() -> None:
    account = account_over(always(httpx.Response(500)))
    account._transport = Silent
    with anyio.fail_after(5):
        result = await call(account, tools=[replace(LIST_CHATS, seconds=0.2)])
    assert text_of(result).startswith(HEADLINES["timeout"])


async def test_the_pool_is_closed_with_the_server() -> None:
    closed = anyio.Event()

    class Watched(httpx.MockTransport):
        async def aclose(self) -> None:
            closed.set()

    account = account_over(always(httpx.Response(500)))
    account._transport = lambda: Watched(always(httpx.Response(404)))
    async with Client(build_server(account)) as client:
        await client.call_tool("list_chats", {})
        assert not closed.is_set()
    assert closed.is_set()


async def test_one_pool_serves_all_calls() -> None:
    loads = 0

    def load() -> Settings:
        nonlocal loads
        loads += 1
        return load_settings({"LINQ_API_V3_API_KEY": KEY})

    account = account_over(always(httpx.Response(200, content=DOCS_PAGE)))
    account._load = load
    async with Client(build_server(account)) as client:
        assert account._api is None
        for _ in range(3):
            await client.call_tool("list_chats", {})
    assert loads == 1


@pytest.mark.parametrize("key", [KEY, 'quoted"key\\9', "1234567890"], ids=["plain", "with quotes", "digits alone"])
async def test_an_answer_that_repeats_the_key_is_shown_without_it(key: str) -> None:
    body = json.dumps(
        {"chats": [{"id": "c1", "display_name": f"It is {key}!"}], "next_cursor": int("7" + "1234567890")}
    )
    settings = Settings(api_key=SecretStr(key))
    result = await call(account_over(always(httpx.Response(200, content=body.encode())), settings=settings))
    assert json.loads(text_of(result)) == result.structured_content
    assert result.structured_content is not None
    assert result.structured_content["chats"] == [{"id": "c1", "display_name": "It is [key]!"}]
    assert key not in text_of(result)


@eras
@pytest.mark.parametrize("argument", ["from", "to", "limit", "cursor", "unknown", KEY])
async def test_a_key_that_is_passed_as_an_argument_is_not_repeated(era: ConnectMode, argument: str) -> None:
    answers = always(httpx.Response(400, json={"error": {"code": 1005, "message": f"Bad value {KEY}"}}))
    result = await call(account_over(answers), {argument: f"{KEY} {KEY}" if argument == "cursor" else KEY}, era=era)
    assert result.is_error
    assert KEY[:6] not in text_of(result)


@eras
async def test_there_are_no_templates_of_resources(era: ConnectMode) -> None:
    """Several clients ask for templates wherever there is a resource, and show an error as one of the server's."""
    async with Client(build_server(account_over(always(httpx.Response(500)))), mode=era) as client:
        assert (await client.list_resource_templates()).resource_templates == []
