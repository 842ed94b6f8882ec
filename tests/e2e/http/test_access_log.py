"""One log line for each request: who called which tool, and how it ended; nothing that anybody wrote."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from typing import Any

import httpx
import pytest
from helpers.linq import KEY, Silent, account_over
from helpers.logged import access_lines, json_log
from helpers.recording_api import RecordingApi, demo_chat
from helpers.streamable_http import call, demo, eras, hang_up, posted, serving
from pydantic import SecretStr

from linq_mcp.demo import in_process
from linq_mcp.demo.api import DEMO_BASE_URL, DEMO_KEY
from linq_mcp.demo.lines import CLINIC_LINE
from linq_mcp.errors import LinqMcpError
from linq_mcp.server.call_record import CallRecord, Outcome, outcome_of
from linq_mcp.server.callers.caller import ClientProvider, SettingsClientProvider
from linq_mcp.server.callers.many import HeaderClientProvider
from linq_mcp.settings import KEY_HEADER, Settings, load_settings
from linq_mcp.transports.http.access_log import HttpRecord, log_request
from linq_mcp.transports.http.app import build_app
from linq_mcp.transports.http.config import HttpConfig

ALWAYS = {"time", "level", "logger", "request_id", "message", "method", "path", "status", "ms"}
SENDING = {"chat_id": demo_chat(line=CLINIC_LINE)["id"], "text": "Hello"}


def linq(response: httpx.Response | Exception) -> ClientProvider:
    """An account over a Linq that always answers so."""

    def handle(_: httpx.Request) -> httpx.Response:
        if isinstance(response, Exception):
            raise response
        return response

    return account_over(handle)


async def logged(
    asked: dict[str, Any],
    provider: ClientProvider,
    *,
    config: HttpConfig | None = None,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The line about one request."""
    asked["headers"] = {**asked["headers"], KEY_HEADER: KEY, **(headers or {})}
    with json_log() as lines:
        async with serving(build_app(provider, config or HttpConfig())) as client:
            await client.post("/mcp", **asked)
    (line,) = access_lines(lines)
    return line


ENDS: dict[Outcome, tuple[ClientProvider, dict[str, Any]]] = {
    Outcome.OK: (demo(), {}),
    Outcome.SETTINGS: (SettingsClientProvider(lambda: load_settings({})), {}),
    Outcome.ARGUMENTS: (demo(), {"limit": 1000}),
    Outcome.LINQ_CONNECTION: (linq(httpx.UnsupportedProtocol(KEY)), {}),
    Outcome.LINQ_STATUS: (linq(httpx.Response(404, json={"error": {"message": KEY}})), {}),
    Outcome.LINQ_RESPONSE: (linq(httpx.Response(200, content=KEY)), {}),
}


@pytest.mark.parametrize("outcome", ENDS)
async def test_a_line_says_how_a_call_ended(outcome: Outcome) -> None:
    provider, arguments = ENDS[outcome]
    line = await logged(call("modern", "list_chats", arguments), provider)
    assert (line["method"], line["path"], line["status"]) == ("POST", "/mcp", 200)
    assert (line["mcp_method"], line["tool"], line["outcome"]) == ("tools/call", "list_chats", outcome)
    assert KEY not in json.dumps(line)


async def test_a_bug_is_an_internal_error_and_its_traceback_has_the_id() -> None:
    with json_log() as lines:
        async with serving(build_app(linq(RuntimeError("a bug")), HttpConfig())) as client:
            response = await client.post("/mcp", **call("modern", "list_chats"))
    (line,) = access_lines(lines)
    (traceback,) = (one for one in lines if "exception" in one)
    assert line["outcome"] == "internal_error"
    assert line["request_id"] == traceback["request_id"] == response.headers["x-request-id"]


async def test_a_question_to_a_person_and_a_refusal_to_send() -> None:
    """A client that can ask a person gets the question; another one is told that nothing was sent."""
    asked = call("modern", "send_message", SENDING)
    refused = await logged(asked, RecordingApi().account())
    asked["json"]["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = {"elicitation": {"form": {}}}
    question = await logged(asked, RecordingApi().account())
    assert (refused["tool"], refused["outcome"]) == ("send_message", "not_sent")
    assert (question["tool"], question["outcome"]) == ("send_message", "asked")


@eras
async def test_an_unknown_tool_is_a_protocol_error_without_its_name(era: str) -> None:
    """The name is whatever the caller, or a message that a model read, made of it."""
    poisoned = "list_chats\n2026 INFO forged tool=x outcome=ok\x1b[2J"
    asked = call(era, poisoned)
    if era == "modern":
        asked["headers"]["Mcp-Name"] = f"=?base64?{b64encode(poisoned.encode()).decode()}?="
    line = await logged(asked, demo())
    assert (line["tool"], line["outcome"]) == ("_OTHER", "protocol_error")
    assert "forged" not in json.dumps(line)


async def test_an_unknown_method_is_a_protocol_error() -> None:
    """A request that calls no tool has a line without one."""
    line = await logged(posted("modern", "evil/forged"), demo())
    assert (line["mcp_method"], line["outcome"]) == ("_OTHER", "protocol_error")
    assert "tool" not in line
    assert "evil" not in json.dumps(line)


async def test_a_forged_state_is_a_protocol_error() -> None:
    asked = call("modern", "send_message", SENDING)
    asked["json"]["params"] |= {"inputResponses": {}, "requestState": "forged"}
    line = await logged(asked, RecordingApi().account())
    assert (line["mcp_method"], line["outcome"]) == ("tools/call", "protocol_error")


async def test_a_call_that_is_given_up_is_cancelled() -> None:
    silent = Silent()
    app = build_app(SettingsClientProvider(in_process.settings, transport=lambda: silent), HttpConfig())
    with json_log() as lines:
        await hang_up(app, call("modern", "list_chats"), silent.begun)
    (line,) = access_lines(lines)
    assert (line["tool"], line["outcome"]) == ("list_chats", "cancelled")


async def test_a_call_has_one_line_with_the_number_of_its_requests_to_linq() -> None:
    """A call that reads the whole account would fill the log, if each of its requests had a line of its own."""
    api = RecordingApi()
    with json_log() as lines:
        async with serving(build_app(api.account(), HttpConfig())) as client:
            await client.post("/mcp", **call("modern", "summarize_chat_health"))
            await client.post("/mcp", **call("modern", "get_chat"))
    assert len(api.requests) > 2
    assert [line["linq_requests"] for line in lines] == [len(api.requests), 0]
    assert lines[0]["message"].endswith(f" outcome=ok linq_requests={len(api.requests)}")


async def test_an_audit_says_which_chat_and_line() -> None:
    """Both are logged as the tool understood the arguments, and neither without the setting."""
    chat = demo_chat(line=CLINIC_LINE)["id"]
    for audit in (True, False):
        config = HttpConfig(own_key=True, audit=audit)
        one = await logged(call("modern", "get_chat", {"chat_id": chat}), demo(), config=config)
        line = await logged(call("modern", "list_chats", {"from": CLINIC_LINE}), demo(), config=config)
        assert (one.get("chat_id"), line.get("line")) == ((chat, CLINIC_LINE) if audit else (None, None))


def test_a_name_can_not_forge_a_member_of_an_audit(caplog: pytest.LogCaptureFixture) -> None:
    """The identity provider lets people choose theirs."""
    caplog.set_level("INFO", "linq_mcp")
    record = HttpRecord("POST", call=CallRecord(name='eve" outcome=ok', tool="send_message"))
    log_request(record, audit=True)
    assert caplog.messages[0].endswith(r' linq_requests=0 subject="eve\" outcome=ok"')


def test_every_error_has_an_outcome() -> None:
    def leaves(kind: type[LinqMcpError]) -> list[type[LinqMcpError]]:
        return [leaf for below in kind.__subclasses__() for leaf in leaves(below)] or [kind]

    assert [kind for kind in leaves(LinqMcpError) if outcome_of(kind.__new__(kind)) is Outcome.INTERNAL] == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Host": "evil.example"}, 421), ({"Origin": "https://evil.example"}, 403), ({"Authorization": "Bearer x"}, 401)],
)
async def test_a_refused_request_has_a_line_without_a_caller(headers: dict[str, str], status: int) -> None:
    config = HttpConfig(own_key=True, token=SecretStr("token"))
    line = await logged(call("modern", "list_chats"), demo(), config=config, headers=headers)
    assert (line["path"], line["status"]) == ("/mcp", status)
    assert line.keys() == ALWAYS


async def test_paths_are_named_only_if_they_are_the_servers_own() -> None:
    with json_log(logging.DEBUG) as lines:
        async with serving(build_app(demo(), HttpConfig())) as client:
            await client.get(f"/healthz?key={KEY}")
            await client.get("/+12055550101")
            await client.request("BREW", f"/{KEY}")
    assert [line["message"].rsplit(" ", 2)[0] for line in access_lines(lines)] == [
        "GET /healthz 200",
        "GET (another path) 404",
        "_OTHER (another path) 404",
    ]


async def test_probes_that_succeed_are_logged_for_debugging_only() -> None:
    with json_log() as lines:
        async with serving(build_app(demo(), HttpConfig())) as client:
            for path in ("/healthz", "/metrics"):
                await client.get(path)
    assert [line["message"].rsplit(" ", 2)[0] for line in access_lines(lines)] == ["GET /metrics 404"]


async def test_callers_are_told_apart_by_a_short_hash() -> None:
    callers = []
    for key in (DEMO_KEY, KEY, DEMO_KEY):
        provider = HeaderClientProvider(Settings(base_url=DEMO_BASE_URL), transport=in_process.transport())
        line = await logged(call("modern", "list_chats"), provider, headers={KEY_HEADER: key})
        callers.append(line["caller"])
    assert callers[0] == callers[2] != callers[1]
    assert all(len(caller) == 12 and int(caller, 16) for caller in callers)


async def test_a_call_without_a_key_has_no_caller() -> None:
    """A hash of nothing would show all who forgot their key as one caller, and as one who has a key."""
    provider = HeaderClientProvider(load_settings({}))
    line = await logged(call("modern", "list_chats"), provider, headers={KEY_HEADER: ""})
    assert line["outcome"] == Outcome.SETTINGS
    assert "caller" not in line


async def test_the_balancers_request_id_is_used() -> None:
    with json_log(logging.DEBUG) as lines:
        async with serving(build_app(demo(), HttpConfig())) as client:
            response = await client.post("/mcp", **call("modern", "list_chats"))
            named = await client.get("/healthz", headers={"X-Request-Id": "0af7651916cd43dd8448eb211c80319c"})
    first, second = access_lines(lines)
    assert named.headers["x-request-id"] == second["request_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert response.headers["x-request-id"] == first["request_id"]
    assert len(first["request_id"]) == 32


@pytest.mark.parametrize(
    "forged", ["", "a b", "x" * 65, "a\x1b[2J", "é", 'a","level":"ERROR', "+12055550101", "a\tINFO forged"]
)
async def test_a_forged_request_id_is_replaced(forged: str) -> None:
    with json_log(logging.DEBUG) as lines:
        async with serving(build_app(demo(), HttpConfig())) as client:
            response = await client.get("/healthz", headers=[(b"X-Request-Id", forged.encode())])
    (line,) = access_lines(lines)
    assert line["request_id"] == response.headers["x-request-id"] != forged
    assert len(line["request_id"]) == 32


async def test_a_repeated_request_id_is_replaced() -> None:
    async with serving(build_app(demo(), HttpConfig())) as client:
        response = await client.get("/healthz", headers=[("X-Request-Id", "one"), ("X-Request-Id", "two")])
    assert len(response.headers.get_list("x-request-id")) == 1
    assert response.headers["x-request-id"] not in ("one", "two")


async def test_an_answer_in_events_has_a_line_too() -> None:
    asked = call("modern", "summarize_chat_health")
    asked["json"]["params"]["_meta"]["progressToken"] = "p"
    line = await logged(asked, demo())
    assert (line["tool"], line["outcome"]) == ("summarize_chat_health", "ok")
