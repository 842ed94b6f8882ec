"""The tools that send: what they refuse before anybody is asked, and what they post."""

from __future__ import annotations

import json
import logging
from typing import Any

import httpx
import pytest
from helpers.linq import Body, call_over
from helpers.recording_api import RecordingApi, demo_chat
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from mcp import Client

from linq_mcp.api.client import LinqApi
from linq_mcp.api.scoped_client import ScopedApi
from linq_mcp.contacts.directory import Directory
from linq_mcp.demo.account import DemoAccount, demo_account
from linq_mcp.demo.lines import CLINIC_LINE, SHOP_LINE
from linq_mcp.demo.outbox import BLOCKED, LIMITED_LINE
from linq_mcp.demo.people import person
from linq_mcp.errors import ApiStatusError, ArgumentsError, LineNotOpenError, LinqError, NotSent, NotSentError
from linq_mcp.sanitize import quoted
from linq_mcp.server.app import build_server
from linq_mcp.settings.sending import SendSettings
from linq_mcp.tools import SEND_TOOLS, TOOLS
from linq_mcp.tools.base.question import Ask, Consent, ConsentNeeded, Question
from linq_mcp.tools.react_to_message import REACT_TO_MESSAGE
from linq_mcp.tools.send_message import SEND_MESSAGE

ANYONE = SendSettings(anyone=True)
STRANGER = "+12055559999"


async def send(
    api: RecordingApi,
    given_arguments: dict[str, Any],
    *,
    rules: SendSettings | None = None,
    ask: Ask | None = None,
    tool: Any = SEND_MESSAGE,
    directory: Directory | None = None,
) -> Any:
    """Call the tool; without `ask` nobody has agreed yet, so a question ends it with `ConsentNeeded`."""
    rules = rules or SendSettings()
    options: dict[str, Any] = {"directory": directory} if directory else {}
    async with call_over(api, sending=rules, consent=ask, **options) as call:
        return await tool.run(tool.parse(given_arguments), call)


def agree(text: str | None = None) -> Ask:
    return lambda question: Consent(nonce="nonce", text=text or question.text, confirmed_by="person")


def never(question: Question) -> Consent:
    raise AssertionError(question)


def handle_of(chat: Any) -> str:
    return str(next(one["handle"] for one in chat["handles"] if not one["is_me"]))


def first_message(chat: Any) -> Any:
    return demo_account().messages[chat["id"]][0]


def silent_chat() -> str:
    """A chat in which only we have written."""
    account = demo_account()
    return next(
        str(chat["id"])
        for chat in account.chats
        if account.messages[chat["id"]] and all(message["is_from_me"] for message in account.messages[chat["id"]])
    )


REFUSED: dict[str, tuple[dict[str, Any], SendSettings, Any, str]] = {
    "opted out": ({"chat_id": demo_chat("OPTED_OUT")["id"]}, ANYONE, NotSent.OPTED_OUT, "opted out"),
    "opted out on another line": (
        {"to": handle_of(demo_chat("OPTED_OUT", line=LIMITED_LINE)), "from": SHOP_LINE},
        ANYONE,
        NotSent.OPTED_OUT,
        "opted out",
    ),
    "critical": ({"chat_id": demo_chat("CRITICAL")["id"]}, SendSettings(), NotSent.CRITICAL, "CRITICAL"),
    "not on the list": (
        {"chat_id": demo_chat()["id"]},
        SendSettings(recipients=frozenset({STRANGER})),
        NotSent.NOT_PERMITTED,
        "LINQ_MCP_SEND_TO",
    ),
    "a stranger": (
        {"to": STRANGER, "from": CLINIC_LINE},
        SendSettings(),
        NotSent.NOT_PERMITTED,
        f"no message from {STRANGER}",
    ),
    "a stranger, no line": ({"to": STRANGER}, ANYONE, ArgumentsError, "`from`"),
    "a stranger, a foreign line": ({"to": STRANGER, "from": STRANGER}, ANYONE, ApiStatusError, "does not belong"),
    "a link to a stranger": (
        {"to": STRANGER, "from": CLINIC_LINE, "text": "See https://example.com"},
        ANYONE,
        ArgumentsError,
        "link",
    ),
    "a file to a stranger": (
        {"to": STRANGER, "from": CLINIC_LINE, "attachments": ["https://example.com/a.jpg"]},
        ANYONE,
        ArgumentsError,
        "`attachments`",
    ),
    "no recipient": ({}, ANYONE, ArgumentsError, "exactly one of `chat_id` and `to`"),
    "two recipients": (
        {"chat_id": demo_chat()["id"], "to": STRANGER},
        ANYONE,
        ArgumentsError,
        "exactly one of `chat_id` and `to`",
    ),
    "another line than the chat's": (
        {"chat_id": demo_chat(line=CLINIC_LINE)["id"], "from": LIMITED_LINE},
        ANYONE,
        ArgumentsError,
        "a line of yours in the chat",
    ),
    "a person with several chats": ({"to": person(4).phone}, ANYONE, ArgumentsError, "several chats"),
    "an unknown chat": ({"chat_id": "550e8400-e29b-41d4-a716-446655440000"}, ANYONE, ApiStatusError, ""),
    "an answer to another chat's message": (
        {"chat_id": demo_chat()["id"], "reply_to": first_message(demo_chat(skip=1))["id"]},
        ANYONE,
        ArgumentsError,
        "another chat",
    ),
    "an effect by SMS": (
        {"chat_id": demo_chat()["id"], "effect": "confetti", "service": "SMS"},
        ANYONE,
        ArgumentsError,
        "iMessage only",
    ),
    "an empty text": ({"chat_id": demo_chat()["id"], "text": " "}, ANYONE, ArgumentsError, "`text`"),
    "too long a text": ({"chat_id": demo_chat()["id"], "text": "x" * 10_001}, ANYONE, ArgumentsError, "10,000"),
    "a file that is no https url": (
        {"chat_id": demo_chat()["id"], "attachments": ["http://example.com"]},
        ANYONE,
        ArgumentsError,
        "https urls",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_refused_before_any_question(name: str) -> None:
    """Nobody is asked about what may not be sent anyway, and nothing but GET leaves."""
    arguments, rules, reason, says = REFUSED[name]
    api = RecordingApi()
    with pytest.raises((NotSentError, ArgumentsError, ApiStatusError)) as refused:
        await send(api, {"text": "Hello", **arguments}, rules=rules, ask=never)
    assert says in str(refused.value)
    if isinstance(reason, NotSent):
        assert isinstance(refused.value, NotSentError)
        assert refused.value.reason is reason
    elif reason:
        assert isinstance(refused.value, reason)
    assert api.posts == []


class NothingForStrangers(RecordingApi):
    """As Linq may be: a line that is not the account's own has no chats, instead of being refused."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET" and request.url.params.get("from") == STRANGER:
            return httpx.Response(200, stream=Body([b'{"chats": [], "next_cursor": null}']))
        return await super().handle_async_request(request)


async def test_a_foreign_line_is_refused_however_linq_lists_it() -> None:
    """Nobody is asked whether a message may be sent from a number that is not theirs."""
    api = NothingForStrangers()
    with pytest.raises(LineNotOpenError):
        await send(api, {"to": person(4).phone, "from": STRANGER, "text": "Hello"}, rules=ANYONE, ask=never)
    assert api.posts == []


async def test_an_answer_is_not_sent_to_those_who_never_wrote() -> None:
    """`known` means that they have written in this chat."""
    api = RecordingApi()
    with pytest.raises(NotSentError) as refused:
        await send(api, {"chat_id": silent_chat(), "text": "Hello"}, rules=SendSettings(allow_critical=True), ask=never)
    assert refused.value.reason is NotSent.NOT_PERMITTED
    assert api.posts == []


async def test_the_question_names_people() -> None:
    chat = demo_chat("AT_RISK")
    directory = Directory({handle_of(chat): "Ana Adler"})
    with pytest.raises(ConsentNeeded) as needed:
        await send(RecordingApi(), {"chat_id": chat["id"], "text": "Hello"}, directory=directory)
    message = needed.value.question.message
    assert f"Ana Adler ({handle_of(chat)})" in message
    assert "AT_RISK" in message
    assert "slow down" in message
    assert message.startswith("Send this message?\n> Hello\n")


async def test_the_question_quotes_what_is_answered() -> None:
    chat = demo_chat()
    directory = Directory({handle_of(chat): "Ana Adler"})
    for is_ours, author in ((True, "you"), (False, f"Ana Adler ({handle_of(chat)})")):
        answered = next(one for one in demo_account().messages[chat["id"]] if one["is_from_me"] is is_ours)
        arguments = {"chat_id": chat["id"], "text": "Hello", "reply_to": answered["id"]}
        with pytest.raises(ConsentNeeded) as needed:
            await send(RecordingApi(), arguments, directory=directory)
        message = needed.value.question.message
        assert f"In reply to: {quoted(answered['parts'][0]['value'])}, by {author}" in message
        assert answered["id"] not in message


@pytest.mark.parametrize("reacts", [False, True])
async def test_the_question_says_how_the_line_stands(*, reacts: bool) -> None:
    """A line in trouble is reason to think twice, however healthy the chat."""
    line = next(row for row in demo_account().phone_numbers if row["reputation"]["status"] == "AT_RISK")
    chat = demo_chat(line=line["phone_number"])
    arguments = {"message_id": first_message(chat)["id"], "type": "like"} if reacts else {"chat_id": chat["id"]}
    with pytest.raises(ConsentNeeded) as needed:
        await send(
            RecordingApi(),
            arguments if reacts else {**arguments, "text": "Hello"},
            rules=SendSettings(allow_critical=True),
            tool=REACT_TO_MESSAGE if reacts else SEND_MESSAGE,
        )
    assert f"From your line: {line['phone_number']} (reputation: AT_RISK)" in needed.value.question.message


async def test_what_is_posted_is_what_was_agreed() -> None:
    chat = demo_chat(line=CLINIC_LINE)
    reply_to = demo_account().messages[chat["id"]][0]["id"]
    api = RecordingApi()
    result = await send(
        api,
        {
            "chat_id": chat["id"],
            "text": "Draft",
            "attachments": ["https://example.com/a.jpg"],
            "reply_to": reply_to,
            "service": "imessage",
            "effect": "slam",
        },
        ask=agree("Agreed"),
    )
    assert api.posts == [
        (
            f"chats/{chat['id']}/messages",
            {
                "message": {
                    "parts": [
                        {"type": "text", "value": "Agreed"},
                        {"type": "media", "url": "https://example.com/a.jpg"},
                    ],
                    "reply_to": {"message_id": reply_to},
                    "preferred_service": "iMessage",
                    "effect": {"type": "bubble", "name": "slam"},
                    "idempotency_key": "linq-mcp-nonce",
                }
            },
        )
    ]
    assert result["sent"] is True
    assert result["line"] == CLINIC_LINE
    assert result["delivery_status"] == "delivered"


async def test_to_finds_the_one_chat() -> None:
    chat = next(one for one in (demo_chat(line=CLINIC_LINE, skip=number) for number in range(9)) if is_only(one))
    api = RecordingApi()
    result = await send(api, {"to": handle_of(chat), "text": "Hello"}, ask=agree())
    assert result["chat_id"] == chat["id"]
    assert "created_new_chat" not in result


def is_only(chat: Any) -> bool:
    address = handle_of(chat)
    return sum(any(one["handle"] == address for one in other["handles"]) for other in demo_account().chats) == 1


async def test_a_first_message_opens_a_chat() -> None:
    """The chat is on the line that the person was asked about; Linq never picks one."""
    api = RecordingApi()
    arguments = {"to": STRANGER, "from": CLINIC_LINE, "text": "Hello"}
    result = await send(api, arguments, rules=ANYONE, ask=agree())
    ((path, body),) = api.posts
    assert path == "chats"
    assert (body["from"], body["to"]) == (CLINIC_LINE, [STRANGER])
    assert result["created_new_chat"] is True
    assert result["chat_id"]


async def test_a_text_that_the_person_changed_keeps_to_the_rules() -> None:
    """A link in a first message is refused after the question, too."""
    api = RecordingApi()
    arguments = {"to": STRANGER, "from": CLINIC_LINE, "text": "Hello"}
    with pytest.raises(ArgumentsError, match="link"):
        await send(api, arguments, rules=ANYONE, ask=agree("https://example.com"))
    assert api.posts == []


@pytest.mark.parametrize(
    ("chat", "code"),
    [
        (lambda: demo_chat(line=LIMITED_LINE)["id"], 2027),
        (
            lambda: next(
                chat["id"]
                for chat in demo_account().chats
                if not chat["is_group"]
                and chat["health_status"]["status"] == "HEALTHY"
                and any(one["handle"] == BLOCKED for one in chat["handles"])
                and not any(one["handle"] == LIMITED_LINE for one in chat["handles"])
            ),
            2026,
        ),
    ],
    ids=["a limited line", "a blocked recipient"],
)
async def test_linq_refuses(chat: Any, code: int) -> None:
    with pytest.raises(ApiStatusError) as refused:
        await send(RecordingApi(), {"chat_id": chat(), "text": "Hello"}, rules=ANYONE, ask=agree())
    assert refused.value.code == code
    assert not refused.value.may_have_sent


async def test_one_line_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The log has the chat, the line, the message, and who agreed, but no text and no handle of the other side."""
    chat = demo_chat(line=CLINIC_LINE)
    caplog.set_level(logging.INFO)
    result = await send(RecordingApi(), {"chat_id": chat["id"], "text": "A secret text"}, ask=agree())
    (line,) = [record.getMessage() for record in caplog.records if record.name == "linq_mcp.sent"]
    for fact in ("send_message", chat["id"], CLINIC_LINE, result["message_id"], "person"):
        assert fact in line
    assert "secret" not in caplog.text
    assert handle_of(chat) not in line
    assert line.endswith("person")


async def test_what_may_have_left_is_logged_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(LinqError):
        await send(RecordingApi(lose=9), {"chat_id": demo_chat()["id"], "text": "Hello"}, ask=agree())
    (line,) = [record.getMessage() for record in caplog.records if record.name == "linq_mcp.sent"]
    assert "message unknown" in line
    assert line.endswith("not known whether Linq took it")


async def test_what_linq_refused_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(ApiStatusError):
        await send(
            RecordingApi(), {"chat_id": demo_chat(line=LIMITED_LINE)["id"], "text": "Hello"}, rules=ANYONE, ask=agree()
        )
    assert not [record for record in caplog.records if record.name == "linq_mcp.sent"]


@pytest.mark.parametrize(
    ("kind", "posted"),
    [
        ("Love", {"type": "love"}),
        ("🎉", {"type": "custom", "custom_emoji": "🎉"}),
        ("👨‍👩‍👧", {"type": "custom", "custom_emoji": "👨‍👩‍👧"}),
        # Without what nobody would see.
        ("🎉\u202e\U000e0041\u2060", {"type": "custom", "custom_emoji": "🎉"}),
    ],
)
@pytest.mark.parametrize("remove", [False, True])
async def test_a_reaction(kind: str, posted: dict[str, str], *, remove: bool) -> None:
    chat = demo_chat(line=CLINIC_LINE)
    message = demo_account().messages[chat["id"]][0]
    arguments = {"message_id": message["id"], "type": kind, "remove": remove}
    api = RecordingApi()
    with pytest.raises(ConsentNeeded) as needed:
        await send(api, arguments, tool=REACT_TO_MESSAGE)
    assert needed.value.question.text is None
    result = await send(api, arguments, tool=REACT_TO_MESSAGE, ask=agree())
    operation = "remove" if remove else "add"
    assert api.posts == [(f"messages/{message['id']}/reactions", {"operation": operation, **posted})]
    assert result["sent"] is True


@pytest.mark.parametrize(
    ("status", "rules", "reason"),
    [
        ("OPTED_OUT", ANYONE, NotSent.OPTED_OUT),
        ("CRITICAL", ANYONE, NotSent.CRITICAL),
        ("HEALTHY", SendSettings(recipients=frozenset({STRANGER})), NotSent.NOT_PERMITTED),
    ],
)
async def test_a_reaction_is_refused_before_any_question(status: str, rules: SendSettings, reason: NotSent) -> None:
    """The rules for messages hold for it, as it reaches a person as well."""
    message = demo_account().messages[demo_chat(status)["id"]][0]
    api = RecordingApi()
    with pytest.raises(NotSentError) as refused:
        await send(api, {"message_id": message["id"], "type": "like"}, tool=REACT_TO_MESSAGE, rules=rules, ask=never)
    assert refused.value.reason is reason
    assert api.posts == []


@pytest.mark.parametrize("kind", ["nice", "like it", "", "a", "!", "🎉" * 21, "\u2060\u202e", 5])
async def test_what_is_no_reaction(kind: Any) -> None:
    arguments = {"message_id": demo_account().messages[demo_chat()["id"]][0]["id"], "type": kind}
    with pytest.raises(ArgumentsError, match="`type`"):
        await send(RecordingApi(), arguments, tool=REACT_TO_MESSAGE, ask=never)


async def test_a_chat_that_was_left_takes_no_message() -> None:
    """Nobody is asked about what can't be sent."""
    chat = next(
        chat
        for chat in demo_account().chats
        if any(one.get("is_me") and one.get("status") in ("left", "removed") for one in chat["handles"])
        and sum(bool(one.get("is_me")) for one in chat["handles"]) == 1
    )
    with pytest.raises(ArgumentsError, match="have left"):
        await send(RecordingApi(), {"chat_id": chat["id"], "text": "Hello"}, rules=ANYONE, ask=never)


async def test_a_reaction_is_not_repeated() -> None:
    chat = demo_chat(line=CLINIC_LINE)
    arguments = {"message_id": demo_account().messages[chat["id"]][0]["id"], "type": "like"}
    api = RecordingApi(lose=1)
    with pytest.raises(Exception, match="connection") as failed:
        await send(api, arguments, tool=REACT_TO_MESSAGE, ask=agree())
    assert getattr(failed.value, "may_have_sent", False)
    assert len(api.posts) == 1


IDS = st.sampled_from(
    [demo_chat()["id"], demo_account().messages[demo_chat()["id"]][0]["id"], "+12052535597", "x", "", None]
)
VALUES = IDS | st.booleans() | st.integers(-5, 200) | st.text(max_size=20) | st.lists(st.text(max_size=5), max_size=3)
PARAMETERS = sorted({name for tool in (*TOOLS, *SEND_TOOLS) for name in tool.input_schema["properties"]})


# In the place of the ids in a tool's example.
IN_THE_DEMO = {"chat_id": demo_chat()["id"], "message_id": first_message(demo_chat())["id"]}


def few_chats() -> RecordingApi:
    whole = demo_account()
    return RecordingApi(DemoAccount([demo_chat(), *whole.chats[:9]], whole.messages, whole.phone_numbers))


def valid(tool: Any) -> dict[str, Any]:
    return {name: IN_THE_DEMO.get(name, value) for name, value in json.loads(tool.example).items()}


@pytest.mark.parametrize("name", [tool.name for tool in TOOLS])
async def test_every_tool_reads_with_get_alone(name: str) -> None:
    tool = next(tool for tool in TOOLS if tool.name == name)
    api = few_chats()
    async with Client(build_server(api.account(None)), read_timeout_seconds=60) as client:
        await client.call_tool(name, valid(tool))
    assert {request.method for request in api.requests} == {"GET"}


@hypothesis_settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(arguments=st.dictionaries(st.sampled_from(PARAMETERS), VALUES, max_size=5))
async def test_without_the_switch_nothing_but_get_can_leave(arguments: dict[str, Any]) -> None:
    api = few_chats()
    async with Client(build_server(api.account(None)), read_timeout_seconds=60) as client:
        for tool in TOOLS:
            await client.call_tool(tool.name, arguments)
            own = {name: value for name, value in arguments.items() if name in tool.input_schema["properties"]}
            await client.call_tool(tool.name, {**valid(tool), **own})
        for tool in SEND_TOOLS:
            with pytest.raises(Exception, match="Unknown tool"):
                await client.call_tool(tool.name, arguments)
    assert {request.method for request in api.requests} <= {"GET"}


async def test_what_is_closed_takes_no_message() -> None:
    """With `--lines`, a chat of another line does not exist, nor can one be opened on it."""
    chat = demo_chat(line=CLINIC_LINE)
    message = demo_account().messages[chat["id"]][0]["id"]
    api = RecordingApi()
    async with call_over(api, sending=ANYONE) as call:
        assert isinstance(call.api, LinqApi)
        scoped, deadline = ScopedApi(call.api, [SHOP_LINE]), call.deadline
        with pytest.raises(ApiStatusError):
            await scoped.send_message(chat["id"], {}, idempotency_key="k", deadline=deadline)
        with pytest.raises(ApiStatusError):
            await scoped.react_to_message(message, operation="add", type_="like", custom_emoji=None, deadline=deadline)
        with pytest.raises(LineNotOpenError):
            await scoped.create_chat(from_=CLINIC_LINE, to=STRANGER, message={}, idempotency_key="k", deadline=deadline)
    assert api.posts == []


async def test_the_client_refuses_to_post_without_the_switch() -> None:
    """A server that may not send is read-only by construction."""
    api = RecordingApi()
    async with call_over(api) as call:
        assert isinstance(call.api, LinqApi)
        with pytest.raises(RuntimeError):
            await call.api.post("chats", {}, deadline=call.deadline, repeatable=False)
    assert api.requests == []
