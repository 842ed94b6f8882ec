"""What leaves towards Linq, whatever a host does with a question, in both eras: nothing, unless it says yes."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from helpers.hosts import (
    ARGUMENTS,
    CHAT,
    DRAFT,
    YES,
    Answer,
    Host,
    answer_with,
    answers,
    client,
    client_declaring,
    host,
    question_of,
)
from helpers.mcp_client import eras, text_of
from helpers.recording_api import RULES, RecordingApi, demo_chat
from mcp import Client, MCPError, types
from mcp.client.client import ConnectMode
from mcp.client.context import ClientRequestContext
from mcp.server.session import ServerSession
from pydantic import SecretStr

from linq_mcp.demo.account import demo_account
from linq_mcp.demo.api import DEMO_KEY
from linq_mcp.demo.lines import CLINIC_LINE
from linq_mcp.demo.outbox import LIMITED_LINE
from linq_mcp.server.callers.caller import caller_id
from linq_mcp.server.consent import service
from linq_mcp.server.consent.limits import QUESTIONS_AN_HOUR, SendLimits
from linq_mcp.server.consent.service import ConsentService, Pending
from linq_mcp.settings.problems import UnusableRecipients
from linq_mcp.settings.sending import Confirm, SendSettings
from linq_mcp.tools.base.question import Question
from linq_mcp.wording.errors import HEADLINES

SECOND_CALL = SendSettings(confirm=Confirm.SECOND_CALL)
KEY_A, KEY_B = SecretStr("a" * 32), SecretStr("b" * 32)


async def failing(_: ClientRequestContext, __: types.ElicitRequestParams) -> Answer:
    return types.ErrorData(code=types.INTERNAL_ERROR, message="no screen")


async def ask(api: RecordingApi, era: ConnectMode, answer: Host | None, **options: Any) -> types.CallToolResult:
    async with client(api, era, answer, **options) as connected:
        return await connected.call_tool("send_message", ARGUMENTS)


def with_questions_left(left: int) -> ConsentService:
    """A service that has asked the caller all but `left` of the questions of an hour."""
    limits = SendLimits(30)
    for number in range(QUESTIONS_AN_HOUR - left):
        limits.count_question(caller_id(SecretStr(DEMO_KEY)), Question(subject=f"chat {number}", message="Send?"))
    return ConsentService(RULES, limits=limits)


# What the host does, what it begins its answer with (None: it was sent), and the texts that reach Linq.
HOSTS: dict[str, tuple[Host | None, str | None, list[str]]] = {
    "accepts": (YES, None, [DRAFT]),
    "accepts another text": (host("accept", {"choice": "Send", "text": "No."}), None, ["No."]),
    "leaves out the text": (host("accept", {"choice": "Send"}), None, [DRAFT]),
    "chooses not to": (host("accept", {"choice": "Don't send", "text": DRAFT}), "declined", []),
    "declines": (host("decline"), "declined", []),
    "cancels": (host("cancel"), "declined", []),
    "declines, with a yes in it": (host("decline", {"choice": "Send", "text": DRAFT}), "declined", []),
    "accepts without content": (host("accept"), "invalid_consent", []),
    "accepts an empty form": (host("accept", {}), "invalid_consent", []),
    "accepts without the choice": (host("accept", {"text": DRAFT}), "invalid_consent", []),
    "accepts with true as choice": (host("accept", {"choice": True}), "invalid_consent", []),
    "accepts with an unknown choice": (host("accept", {"choice": "send"}), "invalid_consent", []),
    "accepts an empty text": (host("accept", {"choice": "Send", "text": " "}), "invalid_consent", []),
    "accepts a text of what nobody sees": (
        host("accept", {"choice": "Send", "text": "\u200b\u2060\n\u202e"}),
        "invalid_consent",
        [],
    ),
    "accepts a number as text": (host("accept", {"choice": "Send", "text": 5}), "invalid_consent", []),
    "accepts too long a text": (host("accept", {"choice": "Send", "text": "x" * 10_001}), "invalid_consent", []),
}


@eras
@pytest.mark.parametrize("name", HOSTS)
async def test_what_left_is_what_the_person_said(name: str, era: ConnectMode) -> None:
    answer, headline, texts = HOSTS[name]
    api = RecordingApi()
    result = await ask(api, era, answer)
    assert api.texts == texts
    assert result.is_error is (headline is not None)
    if headline is not None:
        assert text_of(result).startswith(HEADLINES[headline])
        assert text_of(result).endswith("Nothing was sent.")
        return
    # The model is told what was sent if that is not what it proposed.
    assert (result.structured_content or {}).get("text", DRAFT) == texts[0]


@eras
@pytest.mark.parametrize("web_pages", [False, True], ids=["nothing", "only to open web pages"])
async def test_a_client_that_can_not_ask_sends_nothing(era: ConnectMode, *, web_pages: bool) -> None:
    api = RecordingApi()
    web: dict[str, Any] = {"elicitation": {"url": {}}}
    asking = client_declaring(web, api, era, YES, consent=ConsentService(RULES)) if web_pages else client(api, era)
    async with asking as connected:
        if era == "auto":
            with pytest.raises(MCPError) as refused:
                await connected.call_tool("send_message", ARGUMENTS)
            assert refused.value.error.code == types.MISSING_REQUIRED_CLIENT_CAPABILITY
            assert refused.value.error.data == {"requiredCapabilities": {"elicitation": {"form": {}}}}
            text = refused.value.error.message
        else:
            text = text_of(await connected.call_tool("send_message", ARGUMENTS))
    assert text.startswith(HEADLINES["cannot_ask"])
    assert text.endswith("Nothing was sent.")
    assert api.posts == []


@eras
async def test_a_client_that_declares_no_mode_is_asked(era: ConnectMode) -> None:
    """Elicitation without a mode is the form's, which was the only one before there were two."""
    api = RecordingApi()
    async with client_declaring({"elicitation": {}}, api, era, YES, consent=ConsentService(RULES)) as connected:
        await connected.call_tool("send_message", ARGUMENTS)
    assert api.texts == [DRAFT]


@eras
async def test_a_host_that_fails_to_ask_sends_nothing(era: ConnectMode) -> None:
    api = RecordingApi()
    async with client(api, era, failing) as connected:
        if era == "auto":
            with pytest.raises(MCPError, match="no screen"):
                await connected.call_tool("send_message", ARGUMENTS)
        else:
            result = await connected.call_tool("send_message", ARGUMENTS)
            assert text_of(result).startswith(HEADLINES["cannot_ask"])
    assert api.posts == []


async def test_an_answer_that_is_none_of_mcps_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the older era it is the result of a request, which the SDK reads."""

    async def read(*_: object) -> types.ElicitResult:
        return types.ElicitResult.model_validate({"action": "perhaps"})

    monkeypatch.setattr(ServerSession, "elicit_form", read)
    api = RecordingApi()
    result = await ask(api, "legacy", YES)
    assert text_of(result).startswith(HEADLINES["cannot_ask"])
    assert api.posts == []


async def test_a_client_that_can_no_longer_ask_is_told_so() -> None:
    """It brings back the state of a question without an answer."""
    api, consent = RecordingApi(), ConsentService(RULES)
    async with client(api, answer=YES, consent=consent) as asked, client(api, consent=consent) as mute:
        state = await question_of(asked)
        with pytest.raises(MCPError) as refused:
            await answer_with(mute, state, None)
    assert refused.value.error.code == types.MISSING_REQUIRED_CLIENT_CAPABILITY
    assert api.posts == []


@eras
async def test_the_question_says_everything(era: ConnectMode) -> None:
    """To whom, from which line, its health with Linq's advice, the text whole; the choice is required."""
    asked: list[types.ElicitRequestFormParams] = []

    async def answer(_: ClientRequestContext, params: types.ElicitRequestParams) -> Answer:
        assert isinstance(params, types.ElicitRequestFormParams)
        asked.append(params)
        return types.ElicitResult(action="decline")

    await ask(RecordingApi(), era, answer)
    (question,) = asked
    person = next(one["handle"] for one in demo_chat(line=CLINIC_LINE)["handles"] if not one["is_me"])
    for fact in (person, CLINIC_LINE, "HEALTHY", "send normally", DRAFT):
        assert fact in question.message
    assert question.requested_schema["required"] == ["choice"]
    assert question.requested_schema["properties"]["text"]["default"] == DRAFT


@eras
async def test_silence_means_no(era: ConnectMode) -> None:
    async def answer(_: ClientRequestContext, __: types.ElicitRequestParams) -> Answer:
        await anyio.sleep(0.3)
        return types.ElicitResult(action="accept", content={"choice": "Send"})

    api = RecordingApi()
    result = await ask(api, era, answer, consent=ConsentService(RULES, seconds=0.2))
    assert text_of(result).startswith(HEADLINES["declined"])
    assert "in time" in text_of(result)
    assert api.posts == []


async def test_a_waiting_client_hears_that_the_question_is_open() -> None:
    heard = anyio.Event()

    async def answer(_: ClientRequestContext, __: types.ElicitRequestParams) -> Answer:
        with anyio.fail_after(5):
            await heard.wait()
        return types.ElicitResult(action="accept", content={"choice": "Send"})

    async def note(progress: float, total: float | None, message: str | None) -> None:
        assert progress
        assert total is None
        assert message == "Waiting for the person's answer"
        heard.set()

    api = RecordingApi()
    consent = ConsentService(RULES, progress_seconds=0.01)
    async with client(api, "legacy", answer, consent=consent) as connected:
        await connected.call_tool("send_message", ARGUMENTS, progress_callback=note)
    assert api.texts == [DRAFT]


async def test_a_cancelled_call_takes_its_question_back() -> None:
    begun, withdrawn = anyio.Event(), anyio.Event()

    async def answer(_: ClientRequestContext, __: types.ElicitRequestParams) -> Answer:
        begun.set()
        try:
            await anyio.sleep(10)
        finally:
            withdrawn.set()
        raise AssertionError

    api = RecordingApi()
    async with client(api, "legacy", answer) as connected:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connected.call_tool, "send_message", ARGUMENTS)
            with anyio.fail_after(5):
                await begun.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(5):
            await withdrawn.wait()
    assert api.posts == []


async def test_a_host_that_dies_sends_nothing() -> None:
    begun = anyio.Event()

    async def answer(_: ClientRequestContext, __: types.ElicitRequestParams) -> Answer:
        begun.set()
        await anyio.sleep(10)
        raise AssertionError

    api = RecordingApi()
    with anyio.CancelScope() as scope:
        async with client(api, "legacy", answer) as connected, anyio.create_task_group() as tasks:
            tasks.start_soon(connected.call_tool, "send_message", ARGUMENTS)
            with anyio.fail_after(5):
                await begun.wait()
            scope.cancel()
    assert api.posts == []


def says_that_it_probably_left(result: types.CallToolResult) -> bool:
    """Whether the reader is led to look before anything is sent again."""
    text = text_of(result)
    return (
        text.startswith(HEADLINES["perhaps_sent"])
        and "probably left. Look with list_messages" in text
        and "Nothing was sent" not in text
        and "all again" not in text
    )


async def test_an_answer_is_good_once() -> None:
    """A client that repeats a lost call sends nothing twice, and its model is not told that nothing was sent."""
    api = RecordingApi()
    async with client(api, answer=YES) as connected:
        for first in (answers(), answers({}, "decline")):
            state = await question_of(connected)
            await answer_with(connected, state, first)
            assert says_that_it_probably_left(await answer_with(connected, state, answers()))
            assert says_that_it_probably_left(await answer_with(connected, state, None))
    assert api.texts == [DRAFT]


async def test_an_answer_stays_used_after_others() -> None:
    api = RecordingApi()
    async with client(api, answer=YES) as connected:
        states = [await question_of(connected) for _ in range(2)]
        for state in states:
            await answer_with(connected, state, answers())
        assert says_that_it_probably_left(await answer_with(connected, states[0], answers()))
    assert api.texts == [DRAFT] * 2


async def test_a_token_stays_used_after_others() -> None:
    api = RecordingApi()
    async with client(api, rules=SECOND_CALL) as connected:
        previews = [(await connected.call_tool("send_message", ARGUMENTS)).structured_content or {} for _ in range(2)]
        first, second = [{**ARGUMENTS, "confirm_token": preview["confirm_token"]} for preview in previews]
        await connected.call_tool("send_message", first)
        await connected.call_tool("send_message", second)
        assert says_that_it_probably_left(await connected.call_tool("send_message", first))
    assert api.texts == [DRAFT] * 2


async def test_answers_are_forgotten_once_they_are_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    consent = ConsentService(RULES)
    consent._use("first", 10)
    monkeypatch.setattr(time, "monotonic", lambda: 1e9)
    consent._use("second", 10)
    assert list(consent._used) == ["second"]


async def test_an_answer_at_once_from_many_is_good_once() -> None:
    api = RecordingApi()
    async with client(api, answer=YES) as connected:
        state = await question_of(connected)
        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(answer_with, connected, state, answers())
    assert api.texts == [DRAFT]


async def test_an_answer_without_the_state_is_asked_about_as_if_for_the_first_time() -> None:
    """Nothing shows that anybody was asked, so nothing is sent, and the question has its place in the limits."""
    api = RecordingApi()
    async with client(api, answer=YES, consent=with_questions_left(1)) as connected:
        await asked_again(connected, None, answers())
        one_more = await answer_with(connected, None, answers())
    assert text_of(one_more).startswith(HEADLINES["send_limit"])
    assert api.posts == []


async def test_a_state_without_the_consent_is_asked_about_again() -> None:
    others: list[types.InputResponses | None] = [
        None,
        {},
        {"other": answers()["consent"]},
        {"consent": types.ListRootsResult(roots=[])},
    ]
    api = RecordingApi()
    async with client(api, answer=YES, consent=with_questions_left(1)) as connected:
        state = await question_of(connected)
        for responses in others:
            state = await asked_again(connected, state, responses)
        one_more = await connected.call_tool("send_message", ARGUMENTS)
        assert text_of(one_more).startswith(HEADLINES["send_limit"])
        assert api.posts == []
        await answer_with(connected, state, answers())
        again = await answer_with(connected, state, None)
    assert says_that_it_probably_left(again)
    assert api.texts == [DRAFT]


async def test_a_question_that_is_asked_again_runs_out_when_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(service, "time", SimpleNamespace(time=lambda: now, monotonic=time.monotonic))
    api = RecordingApi()
    async with client(api, answer=YES, consent=ConsentService(RULES, seconds=300)) as connected:
        state = await question_of(connected)
        for _ in range(2):
            now += 140
            state = await asked_again(connected, state, None)
        now += 30
        for responses in (None, answers()):
            result = await answer_with(connected, state, responses)
            assert "in time" in text_of(result)
    assert api.posts == []


async def asked_again(connected: Client, state: str | None, responses: types.InputResponses | None) -> str:
    """The state of the question that comes once more."""
    result = await connected.session.call_tool(
        "send_message", ARGUMENTS, request_state=state, input_responses=responses, allow_input_required=True
    )
    assert isinstance(result, types.InputRequiredResult)
    assert result.request_state
    return result.request_state


@pytest.mark.parametrize(
    "arguments",
    [{**ARGUMENTS, "text": "Send money."}, {**ARGUMENTS, "chat_id": demo_chat(skip=3)["id"]}],
    ids=["another text", "another chat"],
)
async def test_an_answer_is_good_for_its_arguments(arguments: dict[str, str]) -> None:
    api = RecordingApi()
    async with client(api, answer=YES) as connected:
        state = await question_of(connected)
        with pytest.raises(MCPError):
            await answer_with(connected, state, answers(), arguments)
    assert api.posts == []


async def test_a_state_is_of_no_use_to_another_caller() -> None:
    api, consent = RecordingApi(), ConsentService(RULES)
    async with (
        client(api, answer=YES, consent=consent) as one,
        client(api, answer=YES, consent=consent, key="other") as other,
    ):
        state = await question_of(one)
        with pytest.raises(MCPError):
            await answer_with(other, state, answers())
    assert api.posts == []


@pytest.mark.parametrize("state", ["", "v1.", "v1.AAAA", json.dumps({"nonce": "1", "fingerprint": "2", "asked_at": 0})])
async def test_a_state_can_not_be_made_up(state: str) -> None:
    api = RecordingApi()
    async with client(api, answer=YES) as connected:
        with pytest.raises(MCPError):
            await answer_with(connected, state, answers())
    assert api.posts == []


def keyed(*keys: SecretStr) -> ConsentService:
    return ConsentService(SendSettings(state_keys=keys))


async def test_replicas_with_one_key_take_each_others_states() -> None:
    api = RecordingApi()
    async with (
        client(api, answer=YES, consent=keyed(KEY_A)) as one,
        client(api, answer=YES, consent=keyed(KEY_B, KEY_A)) as other,
    ):
        state = await question_of(one)
        first = await answer_with(one, state, answers())
        second = await answer_with(other, state, answers())
    assert first.structured_content
    assert second.structured_content
    assert first.structured_content["message_id"] == second.structured_content["message_id"]
    assert len({body["message"]["idempotency_key"] for _, body in api.posts}) == 1


@pytest.mark.parametrize("other_key", [(KEY_B,), ()], ids=["another key", "a key of its own"])
async def test_replicas_with_different_keys_do_not(other_key: tuple[SecretStr, ...]) -> None:
    api = RecordingApi()
    async with (
        client(api, answer=YES, consent=keyed(KEY_A)) as one,
        client(api, answer=YES, consent=keyed(*other_key)) as other,
    ):
        state = await question_of(one)
        with pytest.raises(MCPError):
            await answer_with(other, state, answers())
    assert api.posts == []


async def test_a_state_of_another_release_is_refused_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """While replicas are replaced one by one, they share the key but perhaps not what they seal."""

    @dataclass(frozen=True)
    class NewerPending(Pending):
        language: str = "en"

        @staticmethod
        def of(question: Question) -> Pending:
            return NewerPending(**vars(Pending.of(question)))

    api = RecordingApi()
    async with client(api, answer=YES) as connected:
        with monkeypatch.context() as newer:
            newer.setattr(service, "Pending", NewerPending)
            state = await question_of(connected)
        result = await answer_with(connected, state, answers())
    assert text_of(result).startswith(HEADLINES["invalid_consent"])
    assert api.posts == []


@eras
async def test_a_lost_answer_of_linq_is_one_message(era: ConnectMode) -> None:
    """The connection breaks after Linq took it; the same key makes the second attempt the same message."""
    api = RecordingApi(lose=1)
    async with client(api, era, YES) as connected:
        result = await connected.call_tool("send_message", ARGUMENTS)
        read = await connected.call_tool("list_messages", {"chat_id": CHAT, "limit": 100})
    assert result.structured_content
    assert read.structured_content
    assert len(api.posts) == 2
    assert [row["id"] for row in read.structured_content["messages"] if row.get("text") == DRAFT] == [
        result.structured_content["message_id"]
    ]


async def test_an_answer_lost_for_good_is_said() -> None:
    """Nobody is told that nothing was sent when it may have been."""
    result = await ask(RecordingApi(lose=9), "auto", YES)
    assert text_of(result).startswith(HEADLINES["perhaps_sent"])
    assert "Nothing was sent." not in text_of(result)


async def test_a_second_call_sends_where_the_operator_chose_that() -> None:
    """The preview sends nothing; its token sends once, with these arguments only."""
    api = RecordingApi()
    async with client(api, rules=SECOND_CALL) as connected:
        preview = (await connected.call_tool("send_message", ARGUMENTS)).structured_content
        assert preview
        assert preview["sent"] is False
        assert DRAFT in preview["preview"]
        assert "Show the preview to your user" in preview["note"]
        assert api.posts == []
        token = {"confirm_token": preview["confirm_token"]}
        for wrong in ({**ARGUMENTS, "text": "Other", **token}, {**ARGUMENTS, "confirm_token": "v1.AAAA"}):
            refused = await connected.call_tool("send_message", wrong)
            assert text_of(refused).startswith(HEADLINES["invalid_consent"])
        sent = (await connected.call_tool("send_message", {**ARGUMENTS, **token})).structured_content
        again = await connected.call_tool("send_message", {**ARGUMENTS, **token})
    assert sent
    assert sent["confirmed_by"] == "second call"
    assert says_that_it_probably_left(again)
    assert api.texts == [DRAFT]


ABSENT = pytest.mark.parametrize("absent", [None, "", "null", " None "])


@eras
@ABSENT
async def test_an_unused_token_is_absent(era: ConnectMode, absent: str | None) -> None:
    """Hosts in a strict mode send every property; a person is asked, or the preview comes, as without it."""
    arguments = {**ARGUMENTS, "confirm_token": absent, "effect": absent}
    for rules in (RULES, SECOND_CALL):
        api = RecordingApi()
        async with client(api, era, YES, rules=rules) as connected:
            await connected.call_tool("send_message", arguments)
        assert api.texts == [DRAFT]
    async with client(RecordingApi(), era, rules=SECOND_CALL) as connected:
        preview = (await connected.call_tool("send_message", arguments)).structured_content
    assert preview
    assert preview["confirm_token"]


@ABSENT
async def test_consent_is_to_the_arguments_as_they_were_read(absent: str | None) -> None:
    api = RecordingApi()
    same = {"chat_id": f" {CHAT} ", "text": f"{DRAFT} ", "effect": absent, "reply_to": absent, "attachments": absent}
    async with client(api, rules=SECOND_CALL) as connected:
        preview = (await connected.call_tool("send_message", ARGUMENTS)).structured_content
        assert preview
        await connected.call_tool("send_message", {**same, "confirm_token": preview["confirm_token"]})
    assert api.texts == [DRAFT]


async def test_a_default_is_the_same_argument_as_none() -> None:
    """A second call may write out what the first one left to the default."""
    api = RecordingApi()
    message = {"message_id": demo_account().messages[CHAT][0]["id"], "type": "like"}
    async with client(api, rules=SECOND_CALL) as connected:
        preview = (await connected.call_tool("react_to_message", message)).structured_content
        assert preview
        second = {**message, "remove": "false", "confirm_token": preview["confirm_token"]}
        sent = (await connected.call_tool("react_to_message", second)).structured_content
    assert sent
    assert sent["confirmed_by"] == "second call"


async def test_a_token_is_good_for_its_caller() -> None:
    """One process serves several callers; what one of them was shown, another one can't confirm."""
    api, consent = RecordingApi(), ConsentService(SECOND_CALL)
    async with (
        client(api, rules=SECOND_CALL, consent=consent) as one,
        client(api, rules=SECOND_CALL, consent=consent, key="other") as other,
    ):
        preview = (await one.call_tool("send_message", ARGUMENTS)).structured_content
        assert preview
        confirmed = {**ARGUMENTS, "confirm_token": preview["confirm_token"]}
        refused = await other.call_tool("send_message", confirmed)
        assert text_of(refused).startswith(HEADLINES["invalid_consent"])
        assert api.posts == []
        await one.call_tool("send_message", confirmed)
    assert api.texts == [DRAFT]


@eras
@pytest.mark.parametrize("rules", [RULES, SECOND_CALL], ids=["person", "second-call"])
async def test_the_token_is_shown_where_it_can_be_used(era: ConnectMode, rules: SendSettings) -> None:
    async with client(RecordingApi(), era, rules=rules) as connected:
        listed = {tool.name: tool for tool in (await connected.list_tools()).tools}
    for name in ("send_message", "react_to_message"):
        tool, by_second_call = listed[name], rules is SECOND_CALL
        assert ("confirm_token" in tool.input_schema["properties"]) is by_second_call
        assert ((tool.meta or {}).get("anthropic/requiresUserInteraction") is True) is by_second_call
    assert all("anthropic/requiresUserInteraction" not in (tool.meta or {}) for tool in list(listed.values())[:-2])


@eras
async def test_a_second_call_skips_no_question(era: ConnectMode) -> None:
    api, consent = RecordingApi(), ConsentService(SECOND_CALL)
    async with client(api, era, rules=SECOND_CALL, consent=consent) as connected:
        preview = (await connected.call_tool("send_message", ARGUMENTS)).structured_content
    assert preview
    async with client(api, era, host("decline"), rules=SECOND_CALL, consent=consent) as connected:
        plain = await connected.call_tool("send_message", ARGUMENTS)
        with_token = await connected.call_tool("send_message", {**ARGUMENTS, "confirm_token": preview["confirm_token"]})
    assert text_of(plain).startswith(HEADLINES["declined"])
    assert text_of(with_token).startswith(HEADLINES["invalid_consent"])
    assert api.posts == []


async def test_a_token_is_nothing_where_people_are_asked() -> None:
    api = RecordingApi()
    before = SendSettings(confirm=Confirm.SECOND_CALL, state_keys=(KEY_A,))
    async with client(api, rules=before) as connected:
        preview = (await connected.call_tool("send_message", ARGUMENTS)).structured_content
    assert preview
    async with client(api, rules=SendSettings(state_keys=(KEY_A,))) as connected:
        result = await connected.call_tool("send_message", {**ARGUMENTS, "confirm_token": preview["confirm_token"]})
    assert text_of(result).startswith(f"{HEADLINES['arguments']} `confirm_token` is not an argument.")
    assert text_of(result).count("Nothing was sent.") == 1
    assert api.posts == []


async def test_previews_are_limited() -> None:
    api, limits = RecordingApi(), SendLimits(1)
    async with client(api, rules=SECOND_CALL, consent=ConsentService(SECOND_CALL, limits=limits)) as connected:
        preview, other = [
            (await connected.call_tool("send_message", {**ARGUMENTS, "text": text})).structured_content
            for text in (DRAFT, "Another")
        ]
        assert preview
        assert other
        await connected.call_tool("send_message", {**ARGUMENTS, "confirm_token": preview["confirm_token"]})
        one_too_many = {**ARGUMENTS, "text": "Another", "confirm_token": other["confirm_token"]}
        refused = await connected.call_tool("send_message", one_too_many)
    assert text_of(refused).startswith(HEADLINES["send_limit"])
    assert api.texts == [DRAFT]


async def test_a_token_grows_old() -> None:
    api = RecordingApi()
    async with client(api, rules=SECOND_CALL, consent=ConsentService(SECOND_CALL, token_seconds=0)) as connected:
        preview = (await connected.call_tool("send_message", ARGUMENTS)).structured_content
        assert preview
        result = await connected.call_tool("send_message", {**ARGUMENTS, "confirm_token": preview["confirm_token"]})
    assert "too old" in text_of(result)
    assert api.posts == []


async def test_a_question_that_has_changed_is_asked_again() -> None:
    api = RecordingApi()
    async with client(api, answer=YES) as connected:
        state = await question_of(connected)
        api.health = "AT_RISK"
        result = await answer_with(connected, state, answers())
        assert "has changed" in text_of(result)
        state = await question_of(connected)
        api.health = "OPTED_OUT"
        result = await answer_with(connected, state, answers())
        assert text_of(result).startswith(HEADLINES["opted_out"])
    assert api.posts == []


@eras
async def test_the_list_is_private_where_sending_is_on(era: ConnectMode) -> None:
    api = RecordingApi()
    async with client(api, era) as connected:
        listed = await connected.list_tools()
        instructions = connected.instructions or ""
    assert [tool.name for tool in listed.tools][-2:] == ["send_message", "react_to_message"]
    assert "a person has agreed" in instructions
    assert "cannot send" not in instructions
    if era == "auto":
        assert (listed.ttl_ms, listed.cache_scope) == (60_000, "private")


def declining(asked: list[str]) -> Host:
    """A host whose person says no to every question; these are kept in `asked`."""

    async def answer(_: ClientRequestContext, params: types.ElicitRequestParams) -> Answer:
        asked.append(params.message)
        return types.ElicitResult(action="decline")

    return answer


@eras
async def test_questions_are_limited(era: ConnectMode) -> None:
    """A place is taken before the question, so that a person who says no is not asked for ever."""
    api, asked = RecordingApi(), list[str]()
    async with client(api, era, declining(asked), consent=with_questions_left(2)) as connected:
        results = [await connected.call_tool("send_message", ARGUMENTS) for _ in range(3)]
    assert len(asked) == 2
    assert text_of(results[-1]).startswith(HEADLINES["send_limit"])
    assert api.posts == []


@eras
async def test_messages_are_limited(era: ConnectMode) -> None:
    api = RecordingApi()
    rules = SendSettings(limit=6, anyone=True)
    limited = demo_chat(line=LIMITED_LINE)["id"]
    chats = [demo_chat(line=CLINIC_LINE, skip=number)["id"] for number in range(3)]
    async with client(api, era, YES, rules=rules) as connected:

        async def send(chat: str) -> str:
            return text_of(await connected.call_tool("send_message", {"chat_id": chat, "text": DRAFT}))

        for _ in range(7):
            assert (await send(limited)).startswith(HEADLINES["line_limited"])
        for _ in range(2):
            assert '"sent":true' in await send(chats[0])
        assert "2 messages an hour to one chat" in await send(chats[0])
        for chat in (*chats[1:], *chats[1:]):
            assert '"sent":true' in await send(chat)
        assert "6 messages an hour." in await send(demo_chat(line=CLINIC_LINE, skip=3)["id"])
    assert len(api.posts) == 13


async def test_a_message_that_may_have_left_counts() -> None:
    api, rules = RecordingApi(lose=9), SendSettings(limit=1)
    async with client(api, answer=YES, rules=rules) as connected:
        lost = await connected.call_tool("send_message", ARGUMENTS)
        refused = await connected.call_tool("send_message", ARGUMENTS)
    assert text_of(lost).startswith(HEADLINES["perhaps_sent"])
    assert text_of(refused).startswith(HEADLINES["send_limit"])


@eras
async def test_unusable_recipients_close_sending(era: ConnectMode) -> None:
    api, asked = RecordingApi(), list[str]()
    rules = SendSettings(recipients=frozenset(), problem=UnusableRecipients())
    async with client(api, era, declining(asked), rules=rules) as connected:
        refused = await connected.call_tool("send_message", ARGUMENTS)
        read = await connected.call_tool("list_chats", {"limit": 1})
    assert text_of(refused).startswith(HEADLINES["recipients"])
    assert text_of(refused).endswith("Nothing was sent.")
    assert not read.is_error
    assert asked == []
    assert api.requests[0].url.path.endswith("/chats")
