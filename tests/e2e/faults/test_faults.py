"""What a model reads when Linq, or something on the way to it, misbehaves.

Every row of `fault_table` is a call over a real socket. Whatever happens there, the answer comes in time and under the
right headline, the next call is answered, and the key is in no answer and in no log. The server runs in this process,
but for one run of a few rows that goes through the process as clients start it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from time import monotonic
from typing import Any

import anyio
import httpx
import jsonschema
import pytest
from helpers.fault_server import FaultServer, Request, answer, in_turn, stall
from helpers.fault_table import BODY, FAULTS, HEALTHY, KEY, SEEN, Fault, chats
from helpers.logged import json_log
from helpers.mcp_client import BlockingClient, text_of
from helpers.piped import Piped
from mcp import Client, types

from linq_mcp.api.retry import RetryPolicy
from linq_mcp.server.app import build_server
from linq_mcp.server.callers.caller import SettingsClientProvider
from linq_mcp.settings import load_settings
from linq_mcp.tools import TOOLS
from linq_mcp.tools.base.tool import Tool
from linq_mcp.wording.errors import HEADLINES

_TOOLS = {tool.name: tool for tool in TOOLS}
_PATIENT = RetryPolicy(backoff=0)
_HASTY = RetryPolicy(backoff=0, shortest_attempt=0.1, connect_timeout=1, read_timeout=1)
# Between the end of a budget and the answer, on a machine that has other things to do.
_GRACE = 3.0
# By when the answer is there where timeouts are cut short: three attempts of a second, or two seconds of a trickle.
_HASTE = 8.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a fault.

    `resumed` is the result of going on with the answer's cursor. `after` is that of a call to the API in good health,
    and `asked_after` its request; both are None where there is no good health to come back to.
    """

    result: types.CallToolResult
    seconds: float
    asked: int
    resumed: types.CallToolResult | None
    after: types.CallToolResult | None
    asked_after: Request | None


@cache
def _hasty_tools(budget: float) -> list[Tool[Any]]:
    return [replace(tool, seconds=budget) for tool in TOOLS]


def _client(url: str, *, hasty: float = 0, real: bool = False) -> Client:
    """A client of a server for the API at `url`. With `hasty`, timeouts are cut short, and budgets to that."""
    settings = load_settings({"LINQ_API_V3_API_KEY": KEY, "LINQ_API_V3_BASE_URL": url})
    retry = _HASTY if hasty else None if real else _PATIENT
    provider = SettingsClientProvider(lambda: settings, retry=retry)
    return Client(build_server(provider, _hasty_tools(hasty) if hasty else TOOLS), read_timeout_seconds=60)


async def _play(fault: Fault, api: FaultServer, client: Client) -> Outcome:
    api.play(fault.script)
    began = monotonic()
    result = await client.call_tool(fault.tool, dict(fault.arguments))
    seconds = monotonic() - began
    asked = len(api.requests)
    resumed = after = asked_after = None
    if fault.resumed:
        api.play(fault.resumed[0])
        cursor = (result.structured_content or {}).get("next_cursor")
        resumed = await client.call_tool(fault.tool, {**fault.arguments, "cursor": cursor})
    if not fault.listening:
        api.listen()
    if fault.scheme == "http":
        api.play(in_turn(HEALTHY))
        after = await client.call_tool("list_chats", {})
        asked_after = api.requests[0]
    return Outcome(result, seconds, asked, resumed, after, asked_after)


@contextmanager
def _keeping_secrets() -> Iterator[None]:
    """Neither the key nor a raw body is logged meanwhile, even at the lowest level, and nothing fails."""
    with json_log(logging.DEBUG) as lines:
        yield
    logged = json.dumps(lines)
    assert KEY not in logged
    assert BODY not in logged
    assert "Traceback" not in logged


@pytest.fixture(scope="module", autouse=True)
def certificates() -> Iterator[None]:
    """Those of the environment, read once for all servers, as they take longer than most calls."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx, "create_ssl_context", cache(httpx.create_ssl_context))
        yield


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[FaultServer]:
    """The host that redirects name. No request, and so no key, comes to it."""
    with FaultServer() as elsewhere:
        yield elsewhere
        assert elsewhere.requests == []


@pytest.fixture(scope="module")
def play(elsewhere: FaultServer) -> Iterator[Callable[[Fault], Outcome]]:
    """Plays a fault on a server that all share, so that none may spoil anything for the next."""
    with FaultServer(elsewhere=elsewhere.url) as api, BlockingClient.of(_client(api.url)) as client:
        yield lambda fault: client.portal.call(_play, fault, api, client.client)


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest, elsewhere: FaultServer) -> dict[str, Outcome]:
    """The outcomes of all faults with a server of their own whose tests were asked for; all waits run together."""
    outcomes: dict[str, Outcome] = {}

    async def play(fault: Fault, api: FaultServer, client: Client) -> None:
        outcomes[fault.name] = await _play(fault, api, client)

    async def play_all() -> None:
        stages = []
        async with AsyncExitStack() as stack:
            for fault in FAULTS:
                if _is_alone(fault) and f"test_a_fault[{fault.name}]" in asked_for:
                    api = stack.enter_context(FaultServer(elsewhere=elsewhere.url, listening=fault.listening))
                    url = api.url.replace("http", fault.scheme)
                    client = _client(url, hasty=fault.waits, real=fault.real)
                    stages.append((fault, api, await stack.enter_async_context(client)))
                    if fault.waits or fault.real:
                        # The first call lists the tools, during which no other call's time should run.
                        await client.call_tool("list_chats", {})
            async with anyio.create_task_group() as tasks:
                for stage in stages:
                    if stage[0].waits or stage[0].real:
                        tasks.start_soon(play, *stage)
            # The others compute, which would take the time of those that wait.
            for stage in stages:
                if stage[0].name not in outcomes:
                    await play(*stage)

    asked_for = {item.name for item in request.session.items}
    with _keeping_secrets():
        anyio.run(play_all)
    return outcomes


def _is_alone(fault: Fault) -> bool:
    """Whether it needs an address, timeouts, or a store of its own."""
    keeps = fault.tool.startswith(("find_", "summarize_"))
    return keeps or fault.waits > 0 or fault.real or fault.scheme != "http" or not fault.listening


def _marks(fault: Fault) -> list[pytest.MarkDecorator]:
    return [pytest.mark.slow, pytest.mark.timeout(180)] if fault.real else []


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name, marks=_marks(fault)) for fault in FAULTS])
def test_a_fault(fault: Fault, request: pytest.FixtureRequest) -> None:
    """A fault comes out as the table says, within the call's budget, and spoils nothing that comes after it."""
    if _is_alone(fault):
        outcome: Outcome = request.getfixturevalue("played")[fault.name]
    else:
        play = request.getfixturevalue("play")
        with _keeping_secrets():
            outcome = play(fault)
    fault.expect.check(_wire(outcome.result))
    assert outcome.asked in (fault.asked if isinstance(fault.asked, range) else (fault.asked,))
    longest = _HASTE if fault.waits else _TOOLS[fault.tool].seconds + _GRACE
    assert outcome.seconds < (fault.seconds or longest)
    if fault.resumed and outcome.resumed:
        fault.resumed[1].check(_wire(outcome.resumed))
        _check_form(outcome.resumed, fault.tool)
    _check_form(outcome.result, fault.tool)
    if outcome.after:
        SEEN.check(_wire(outcome.after))
    if outcome.asked_after:
        assert outcome.asked_after.header("Authorization") == [f"Bearer {KEY}"]
        assert outcome.asked_after.header("Cookie") == []


def _wire(result: types.CallToolResult) -> dict[str, Any]:
    """The result as a client gets it, in which the key never is."""
    wire = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert KEY not in json.dumps(wire)
    return wire


def _check_form(result: types.CallToolResult, tool: str) -> None:
    """An error is text alone, with nothing of a raw body; an answer is the same object twice, and as promised."""
    if result.is_error:
        assert result.structured_content is None
        assert BODY not in text_of(result)
        assert len(text_of(result)) < 1000
        return
    assert json.loads(text_of(result)) == result.structured_content
    jsonschema.validate(result.structured_content, dict(_TOOLS[tool].output_schema))


@pytest.mark.slow
def test_the_process_survives_a_series_of_faults_and_keeps_the_key() -> None:
    names = (
        *("30 MB", "HTML with 200", "302 to another host"),
        *("400, a hostile message", "the key in the status line", "the key in a body that is not JSON"),
    )
    rows = [fault for fault in FAULTS if fault.name in names]
    assert len(rows) == len(names)
    with FaultServer() as elsewhere, FaultServer(elsewhere=elsewhere.url) as api:
        environ = {"LINQ_API_V3_API_KEY": KEY, "LINQ_API_V3_BASE_URL": api.url, "LINQ_MCP_LOG_LEVEL": "DEBUG"}
        with Piped(env=environ) as process:
            process.initialize()
            for fault in rows:
                api.play(fault.script)
                fault.expect.check(process.call(fault.tool, dict(fault.arguments)))
                api.play(in_turn(HEALTHY))
                SEEN.check(process.call("list_chats"))
            code = process.end_of_input()
        assert elsewhere.requests == []
    assert code == 0
    for output in (process.stderr, *process.lines):
        assert KEY.encode() not in output
    assert BODY.encode() not in process.stderr
    assert b"Traceback" not in process.stderr


@pytest.mark.parametrize("cancelled", [pytest.param(False, marks=pytest.mark.slow), True], ids=["ended", "cancelled"])
async def test_more_stalled_calls_than_connections_leave_no_trace(*, cancelled: bool) -> None:
    results: list[types.CallToolResult] = []

    async def call() -> None:
        results.append(await client.call_tool("list_chats", {}))

    with FaultServer() as api:
        api.play(in_turn(stall()))
        async with _client(api.url, hasty=5) as client:
            async with anyio.create_task_group() as tasks:
                for _ in range(110):
                    tasks.start_soon(call)
                while len(api.requests) < 100:  # noqa: ASYNC110 - the server's threads have no events of this loop
                    await anyio.sleep(0.01)
                await client.list_tools()
                assert results == []
                if cancelled:
                    tasks.cancel_scope.cancel()
            assert len(results) == (0 if cancelled else 110)
            assert all(text_of(result).startswith(HEADLINES["timeout"]) for result in results)
            api.play(in_turn(HEALTHY))
            SEEN.check(_wire(await client.call_tool("list_chats", {})))


async def test_answers_not_read_to_their_end_leave_no_trace() -> None:
    with FaultServer() as api:
        async with _client(api.url) as client:
            api.play(in_turn(answer(chats(), headers={"Content-Encoding": "br"})))
            for _ in range(110):
                assert text_of(await client.call_tool("list_chats", {})).startswith(HEADLINES["unreadable"])
            api.play(in_turn(HEALTHY))
            SEEN.check(_wire(await client.call_tool("list_chats", {})))
