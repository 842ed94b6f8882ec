"""What a model reads when Linq, or something on the way to it, misbehaves; the table stands at the end of the run.

Every row of `fault_table` is a call to the real process over real pipes and a real socket. Whatever happens there,
the answer comes in time and under the right headline, and the process lives and answers the next call. The rows run
in several processes at once, most of them with the client's timeouts and budgets cut short.
"""

from __future__ import annotations

import json
import queue
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType
from typing import Any, Self

import jsonschema
import pytest
from helpers.fault_server import FaultServer, Request, Script, answer, in_turn, stall
from helpers.fault_table import BODY, FAULTS, HEALTHY, KEY, SEEN, Fault, chats
from helpers.piped import COMMAND, Piped, request

from linq_mcp.tools import TOOLS
from linq_mcp.wording.errors import HEADLINES

# The first test of a row in real time waits for all of it. And all rows share their processes, so that they belong into
# one worker of pytest-xdist.
pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("faults")]

_PROCESSES = 4
_TOOLS = {tool.name: tool for tool in TOOLS}
_QUICK_BUDGET = 6.0
_QUICK_TIMEOUT = 1.0
# Between the end of a budget and the answer's last byte, on a machine that has other things to do.
_GRACE = 1.5
_PATIENCE = 60.0
_QUICK = f"""
import os
from dataclasses import replace
import anyio
from linq_mcp.api.retry import RetryPolicy
from linq_mcp.cli.stderr import log_to_stderr
from linq_mcp.server.app import build_server
from linq_mcp.server.callers.caller import SettingsClientProvider
from linq_mcp.settings import load_settings
from linq_mcp.tools import TOOLS
from linq_mcp.transports.stdio import serve_stdio

log_to_stderr("DEBUG")
tools = [replace(tool, seconds={_QUICK_BUDGET}) for tool in TOOLS]
retry = RetryPolicy(backoff=0, shortest_attempt=0.1, connect_timeout={_QUICK_TIMEOUT}, read_timeout={_QUICK_TIMEOUT})
account = SettingsClientProvider(lambda: load_settings(os.environ), retry=retry)
os._exit(anyio.run(serve_stdio, build_server(account, tools)))
"""


class _Process(Piped):
    """A running server that is noticed to have ended, and waited for as long as its longest call takes."""

    def _read_out(self) -> None:
        super()._read_out()
        self._incoming.put(b"")

    def receive(self) -> dict[str, Any]:
        line = self._incoming.get(timeout=_PATIENCE)
        if not line:
            raise EOFError("the process has ended")
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        return dict(message)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a fault.

    `resumed` is the result of going on with the answer's cursor. `after` is that of a call to the API in good health,
    and `asked_after` its request; both are None where there is no good health to come back to.
    """

    result: Mapping[str, Any]
    seconds: float
    asked: int
    resumed: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    asked_after: Request | None
    lines: Sequence[bytes]


class Stage:
    """A server process and the API it is pointed at, on which faults are played one by one."""

    def __init__(self, elsewhere: str, *, real: bool = False, scheme: str = "http", listening: bool = True) -> None:
        self.api = FaultServer(elsewhere=elsewhere, listening=listening)
        address = self.api.url.replace("http", scheme)
        environ = {"LINQ_API_V3_API_KEY": KEY, "LINQ_API_V3_BASE_URL": address, "LINQ_MCP_LOG_LEVEL": "DEBUG"}
        self.process = _Process(env=environ, command=COMMAND if real else (sys.executable, "-c", _QUICK))
        self._heals = scheme == "http"
        self._closing = ExitStack()
        self._id = 0

    def __enter__(self) -> Self:
        with self._closing:
            self._closing.enter_context(self.api)
            self._closing.enter_context(self.process)
            self.process.initialize()
            self._closing = self._closing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def call(self, script: Script, tool: str = "list_chats", arguments: Mapping[str, Any] | None = None) -> Any:
        """The result of a call to the API under `script`."""
        self.api.play(script)
        self._id += 1
        return self.process.call(tool, dict(arguments or {}), id_=self._id)

    def play(self, fault: Fault) -> Outcome:
        before = len(self.process.lines)
        began = monotonic()
        result = self.call(fault.script, fault.tool, fault.arguments)
        seconds = monotonic() - began
        asked = len(self.api.requests)
        resumed = after = asked_after = None
        if fault.resumed:
            cursor = result.get("structuredContent", {}).get("next_cursor")
            resumed = self.call(fault.resumed[0], fault.tool, {**fault.arguments, "cursor": cursor})
        if not fault.listening:
            self.api.listen()
        if self._heals:
            after = self.call(in_turn(HEALTHY))
            asked_after = next(iter(self.api.requests), None)
        self.process.ask("ping", id_=0)
        return Outcome(result, seconds, asked, resumed, after, asked_after, self.process.lines[before:])


@dataclass(slots=True, eq=False)
class Run:
    """All faults: what came of each, how the processes ended and what they had said on stderr, and who came astray."""

    outcomes: dict[str, Future[Outcome]]
    elsewhere: FaultServer
    workers: list[Future[None]] = field(default_factory=list)
    ends: list[tuple[int | None, bytes]] = field(default_factory=list)

    def work(self, faults: queue.SimpleQueue[Fault], **stage: Any) -> None:
        """Play faults until none is left; one that ends the process costs only itself."""
        while not faults.empty():
            with Stage(self.elsewhere.url, **stage) as at:
                alive = True
                while alive and (fault := _next(faults)):
                    alive = _settle(self.outcomes[fault.name], at, fault)
                code = at.process.end_of_input() if alive else None
            self.ends.append((code, at.process.stderr))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The table: each fault, the seconds it took, how often the API was asked, and what the model read."""
        terminalreporter.section("faults: seconds, requests, and what the model reads")
        for name, future in self.outcomes.items():
            outcome = future.result() if future.done() and not future.exception() else None
            told = f"{outcome.seconds:4.1f} {outcome.asked:4} {_text(outcome.result)[:200]}" if outcome else "no answer"
            terminalreporter.write_line(f"{name:<56.56} {told}")


def _next(faults: queue.SimpleQueue[Fault]) -> Fault | None:
    try:
        return faults.get_nowait()
    except queue.Empty:
        return None


def _settle(future: Future[Outcome], at: Stage, fault: Fault) -> bool:
    """Whether the process lives on."""
    try:
        future.set_result(at.play(fault))
    except Exception as error:  # noqa: BLE001 - it is raised where the outcome is asked for
        future.set_exception(error)
        return False
    return True


def _text(result: Mapping[str, Any]) -> str:
    (block,) = result["content"]
    return str(block["text"])


@pytest.fixture(scope="module")
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """All faults whose tests were asked for, under way."""
    asked_for = {item.name for item in request.session.items}
    faults = [fault for fault in FAULTS if f"test_a_fault[{fault.name}]" in asked_for]
    shared: queue.SimpleQueue[Fault] = queue.SimpleQueue()
    alone = [fault for fault in faults if fault.alone or fault.real or not fault.listening or fault.scheme != "http"]
    with FaultServer() as elsewhere, ThreadPoolExecutor(len(alone) + _PROCESSES, "stage") as threads:
        run = Run({fault.name: Future() for fault in faults}, elsewhere)
        request.config.pluginmanager.register(run, "faults")
        for fault in faults:
            if fault in alone:
                one: queue.SimpleQueue[Fault] = queue.SimpleQueue()
                one.put(fault)
                stage = {"real": fault.real, "listening": fault.listening, "scheme": fault.scheme}
                run.workers.append(threads.submit(run.work, one, **stage))
            else:
                shared.put(fault)
        run.workers += [threads.submit(run.work, shared) for _ in range(_PROCESSES)]
        yield run


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, id=fault.name, marks=[pytest.mark.slow] if fault.real or fault.slow else [])
        for fault in FAULTS
    ],
)
def test_a_fault(fault: Fault, run: Run) -> None:
    """It comes out as the table says, within the call's budget, and spoils nothing that comes after it."""
    outcome = run.outcomes[fault.name].result(150)
    fault.expect.check(outcome.result)
    if fault.asked is not None:
        assert outcome.asked == fault.asked
    budget = _TOOLS[fault.tool].seconds if fault.real else _QUICK_BUDGET
    assert outcome.seconds < (fault.seconds or budget + _GRACE)
    if fault.resumed and outcome.resumed:
        fault.resumed[1].check(outcome.resumed)
        _check_form(outcome.resumed, fault.tool)
    _check_form(outcome.result, fault.tool)
    if outcome.after:
        SEEN.check(outcome.after)
    if outcome.asked_after:
        assert outcome.asked_after.header("Authorization") == [f"Bearer {KEY}"]
        assert outcome.asked_after.header("Cookie") == []
    assert all(KEY.encode() not in line for line in outcome.lines)


def _check_form(result: Mapping[str, Any], tool: str) -> None:
    """An error is text alone, with nothing of a raw body; an answer is the same object twice, and as promised."""
    if result.get("isError"):
        assert "structuredContent" not in result
        assert BODY not in _text(result)
        assert len(_text(result)) < 1000
        return
    assert json.loads(_text(result)) == result["structuredContent"]
    jsonschema.validate(result["structuredContent"], dict(_TOOLS[tool].output_schema))


def test_the_processes_end_well_and_have_kept_the_key(run: Run) -> None:
    """Exit code 0 and no traceback at the end of it all; the key is not on stderr at the lowest log level."""
    for worker in run.workers:
        worker.result(150)
    for code, stderr in run.ends:
        assert code in (0, None)
        assert b"Traceback" not in stderr
        assert KEY.encode() not in stderr
        assert BODY.encode() not in stderr


def test_nobody_is_redirected(run: Run) -> None:
    """No request, and so no key, comes to the host that the redirects name."""
    for worker in run.workers:
        worker.result(150)
    assert run.elsewhere.requests == []


@pytest.mark.parametrize("cancelled", [False, True], ids=["given up by the server", "cancelled by the client"])
def test_more_stalled_calls_than_connections_leave_no_trace(cancelled: bool) -> None:
    """A ping is answered meanwhile, each call in its time, and the next one finds the pool free."""
    with Stage("") as stage:
        stage.api.play(in_turn(stall()))
        ids = range(100, 210)
        for id_ in ids:
            stage.process.send(request("tools/call", {"name": "list_chats", "arguments": {}}, id_=id_))
        assert stage.process.ask("ping", id_=99)["result"] == {}
        for id_ in ids if cancelled else ():
            told = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id_}}
            stage.process.send(told)
        if not cancelled:
            answers = [stage.process.receive() for _ in ids]
            assert {answer["id"] for answer in answers} == set(ids)
            assert all(_text(answer["result"]).startswith(HEADLINES["timeout"]) for answer in answers)
        SEEN.check(stage.call(in_turn(HEALTHY)))


def test_answers_not_read_to_their_end_leave_no_trace() -> None:
    """More of them than the pool has connections: what is given up on is closed."""
    unread = in_turn(answer(chats(), headers={"Content-Encoding": "br"}))
    with Stage("") as stage:
        for _ in range(110):
            assert _text(stage.call(unread)).startswith(HEADLINES["unreadable"])
        SEEN.check(stage.call(in_turn(HEALTHY)))
