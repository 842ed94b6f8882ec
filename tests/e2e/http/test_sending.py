"""Sending over HTTP: question and answer are two requests, which any replica with the same state key may get."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from helpers.piped import COMMAND, MEASURED, SECONDS, text_of
from helpers.recording_api import RecordingApi, demo_chat
from helpers.streamable_http import call, eras, listening, posted, result_of, serving
from mcp import Client, types
from mcp.client.context import ClientRequestContext
from pydantic import SecretStr
from starlette.applications import Starlette

from linq_mcp.demo.api import DEMO_BASE_URL, DEMO_KEY
from linq_mcp.demo.lines import CLINIC_LINE
from linq_mcp.server.callers.many import HeaderClientProvider
from linq_mcp.settings import KEY_HEADER, Settings
from linq_mcp.settings.sending import Confirm, SendSettings
from linq_mcp.tools import TOOLS
from linq_mcp.transports.http.app import build_app
from linq_mcp.transports.http.config import HttpConfig, HttpLimits
from linq_mcp.wording.errors import HEADLINES

ARGUMENTS = {"chat_id": demo_chat(line=CLINIC_LINE)["id"], "text": "Hello"}
ANSWER = {"consent": {"action": "accept", "content": {"choice": "Send"}}}
KEYED = SendSettings(state_keys=(SecretStr("k" * 32),))


def app_over(api: RecordingApi, rules: SendSettings = KEYED, *, own_key: bool = True) -> Starlette:
    if own_key:
        return build_app(api.account(rules), HttpConfig())
    settings = Settings(base_url=DEMO_BASE_URL, sending=rules)
    return build_app(HeaderClientProvider(settings, transport=api), HttpConfig())


def asking(*, answer: dict[str, Any] | None = None, state: str | None = None, streamed: bool = False) -> dict[str, Any]:
    """A request of the modern era by a client that can put forms to a person."""
    asked = call("modern", "send_message", ARGUMENTS)
    params = asked["json"]["params"]
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = {"elicitation": {"form": {}}}
    if streamed:
        params["_meta"]["progressToken"] = "p"
    if answer:
        params |= {"inputResponses": answer, "requestState": state}
    return asked


async def question(client: httpx.AsyncClient, **headers: str) -> str:
    """The sealed state of a question."""
    asked = asking()
    asked["headers"] |= headers
    result = result_of(await client.post("/mcp", **asked))
    assert result["resultType"] == "input_required"
    assert "Hello" in result["inputRequests"]["consent"]["params"]["message"]
    return str(result["requestState"])


async def test_a_clients_person_is_asked_over_http() -> None:
    """The SDK's own client puts the question and comes back with the answer by itself."""

    async def person(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        del context
        assert "Hello" in params.message
        return types.ElicitResult(action="accept", content={"choice": "Send", "text": "Good morning"})

    api = RecordingApi()
    with listening(api.account(KEYED), HttpLimits()) as (_, port):
        url = f"http://127.0.0.1:{port}/mcp"
        async with Client(url, elicitation_callback=person, read_timeout_seconds=SECONDS) as client:
            sent = await client.call_tool("send_message", ARGUMENTS)
    assert sent.structured_content
    assert sent.structured_content["confirmed_by"] == "person"
    assert api.texts == ["Good morning"]


async def test_another_replica_takes_the_answer() -> None:
    """Asked by one, answered to the other, sent once; a replay at the first is the same message."""
    api = RecordingApi()
    async with serving(app_over(api)) as one, serving(app_over(api)) as other:
        state = await question(one)
        sent = [result_of(await each.post("/mcp", **asking(answer=ANSWER, state=state))) for each in (other, one)]
    assert sent[0]["structuredContent"]["sent"] is True
    assert sent[0]["structuredContent"]["message_id"] == sent[1]["structuredContent"]["message_id"]
    assert len({body["message"]["idempotency_key"] for _, body in api.posts}) == 1


async def test_a_replica_with_another_key_does_not() -> None:
    api = RecordingApi()
    other_key = SendSettings(state_keys=(SecretStr("o" * 32),))
    async with serving(app_over(api)) as one, serving(app_over(api, other_key)) as other:
        response = await other.post("/mcp", **asking(answer=ANSWER, state=await question(one)))
    assert response.json()["error"]["code"] == -32602
    assert api.posts == []


@contextmanager
def replica(linq: str, *state_keys: str) -> Iterator[httpx.Client]:
    """A client of `linq-mcp http`, a process of its own, with these state keys."""
    env = {
        **MEASURED,
        "LINQ_API_V3_BASE_URL": linq,
        "LINQ_MCP_SEND": "1",
        "LINQ_MCP_STATE_KEY": ",".join(key * 32 for key in state_keys),
    }
    with subprocess.Popen([*COMMAND, "http", "--port", "0"], env=env, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            _, listens = server.stderr.readline(), server.stderr.readline()
            port = listens.rsplit(":", 1)[1].split("/")[0]
            headers = {KEY_HEADER: DEMO_KEY}
            url = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=url, headers=headers, timeout=SECONDS, trust_env=False) as client:
                yield client
        finally:
            server.kill()


async def test_an_answer_is_good_once_however_it_is_answered() -> None:
    """Answers in JSON and in events come from two servers in one process, which share what has been used."""
    api = RecordingApi()
    async with serving(app_over(api)) as client:
        state = await question(client)
        await client.post("/mcp", **asking(answer=ANSWER, state=state, streamed=True))
        again = result_of(await client.post("/mcp", **asking(answer=ANSWER, state=state)))
    assert text_of(again).startswith(HEADLINES["perhaps_sent"])
    assert len(api.posts) == 1


async def test_another_caller_can_not_answer() -> None:
    """A state is bound to the key of whoever was asked."""
    api = RecordingApi()
    async with serving(app_over(api, own_key=False)) as client:
        state = await question(client, **{KEY_HEADER: DEMO_KEY})
        asked = asking(answer=ANSWER, state=state)
        asked["headers"] |= {KEY_HEADER: "another-key"}
        response = await client.post("/mcp", **asked)
    assert response.json()["error"]["code"] == -32602
    assert api.posts == []


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "events"])
async def test_a_client_that_can_not_ask_lacks_a_capability(*, streamed: bool) -> None:
    """As MCP has it: an error with the status 400 that names the capability, and nothing is sent."""
    api = RecordingApi()
    asked = asking(streamed=streamed)
    asked["json"]["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = {"elicitation": {"url": {}}}
    async with serving(app_over(api)) as client:
        response = await client.post("/mcp", **asked)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, -32021)
    assert error["data"] == {"requiredCapabilities": {"elicitation": {"form": {}}}}
    assert error["message"].startswith(HEADLINES["cannot_ask"])
    assert api.posts == []


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_older_era_is_told_that_it_can_not_be_asked(streamed: bool) -> None:
    """Stateless as it is, there is nothing on which the question could go out."""
    api = RecordingApi()
    asked = call("legacy", "send_message", ARGUMENTS)
    if streamed:
        asked["json"]["params"]["_meta"] = {"progressToken": "p"}
    async with serving(app_over(api)) as client:
        response = await client.post("/mcp", **asked)
    line = next(line for line in response.text.splitlines() if '"result"' in line)
    text = text_of(json.loads(line.removeprefix("data: "))["result"])
    assert text.startswith(HEADLINES["cannot_ask"])
    assert "2026-07-28" in text
    assert api.posts == []


async def test_the_older_era_may_call_twice_where_the_operator_chose_that() -> None:
    api = RecordingApi()
    rules = SendSettings(state_keys=KEYED.state_keys, confirm=Confirm.SECOND_CALL)
    async with serving(app_over(api, rules)) as one, serving(app_over(api, rules)) as other:
        preview = result_of(await one.post("/mcp", **call("legacy", "send_message", ARGUMENTS)))["structuredContent"]
        arguments = {**ARGUMENTS, "confirm_token": preview["confirm_token"]}
        sent = result_of(await other.post("/mcp", **call("legacy", "send_message", arguments)))["structuredContent"]
    assert sent["confirmed_by"] == "second call"
    assert api.texts == ["Hello"]


@eras
async def test_the_list_of_tools_says_which_mode_runs(era: str) -> None:
    """With sending on it is private to the caller, and short-lived."""
    async with serving(app_over(RecordingApi())) as client:
        listed = result_of(await client.post("/mcp", **posted(era, "tools/list")))
    assert len(listed["tools"]) == len(TOOLS) + 2
    if era == "modern":
        assert (listed["ttlMs"], listed["cacheScope"]) == (60_000, "private")
