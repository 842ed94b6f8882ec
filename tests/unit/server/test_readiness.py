"""Whether calls can be answered now, said with one request to Linq for all who ask within a few seconds."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import httpx
import pytest
from helpers.linq import KEY, Canned, Handler, Silent, account_over
from helpers.virtual_time import Clock
from pydantic import SecretStr

from linq_mcp.server.callers.caller import ClientProvider, HeaderClientProvider, SettingsClientProvider
from linq_mcp.server.readiness import STOPPING, Readiness
from linq_mcp.settings import Settings, load_settings


def always(response: httpx.Response) -> Handler:
    return lambda _: response


LINES = httpx.Response(200, json={"phone_numbers": []})
REJECTED = httpx.Response(401, json={"error": {"message": KEY}})
SECONDS = 5.0


def readiness(handler: Handler, *, own_key: bool = True, clock: Clock | None = None) -> Readiness:
    provider: ClientProvider = (
        account_over(handler) if own_key else HeaderClientProvider(Settings(), transport=Canned(handler))
    )
    return Readiness(provider, own_key=own_key, seconds=SECONDS, limit=0.9, clock=clock or Clock())


def unreachable(_: httpx.Request) -> httpx.Response:
    raise httpx.UnsupportedProtocol(KEY)


CASES: list[tuple[Handler, str, str]] = [
    (always(LINES), "", ""),
    (always(REJECTED), "Linq rejects the server's key", ""),
    (always(httpx.Response(429)), "", ""),
    (always(httpx.Response(404)), "Linq answers with 404", "Linq answers with 404"),
    (always(httpx.Response(503)), "Linq answers with 503", "Linq answers with 503"),
    (always(httpx.Response(200, text=KEY)), "something other than Linq answers", "something other than Linq answers"),
    (unreachable, "Linq can't be reached", "Linq can't be reached"),
]


@pytest.mark.parametrize(("handler", "with_own_key", "without_key"), CASES)
async def test_the_reason_is_said_in_plain_words(handler: Handler, with_own_key: str, without_key: str) -> None:
    """A rejected key is a reason only if it is the server's; nothing that Linq or the network says is repeated."""
    assert await readiness(handler).problem() == with_own_key
    assert await readiness(handler, own_key=False).problem() == without_key


async def test_no_key_is_sent_where_callers_bring_their_own() -> None:
    """The server has none, and makes none up."""
    sent: list[httpx.Request] = []

    def note(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return REJECTED

    await readiness(note, own_key=False).problem()
    await readiness(note).problem()
    assert [request.headers.get("authorization") for request in sent] == [None, f"Bearer {KEY}"]


@pytest.mark.parametrize(
    ("settings", "own_key"), [(load_settings({}), True), (load_settings({"LINQ_API_V3_BASE_URL": "x"}), False)]
)
async def test_a_wrong_setting_is_a_reason(settings: Settings, own_key: bool) -> None:
    """No key where the server needs one, or no usable URL where callers have theirs."""
    provider = account_over(always(LINES), settings=settings) if own_key else HeaderClientProvider(settings)
    assert "setting" in await Readiness(provider, own_key=own_key).problem()


async def test_a_key_that_is_missing_at_first_is_used_once_it_is_there() -> None:
    """After `linq login`, without a restart."""
    found = [load_settings({}), load_settings({}), Settings(api_key=SecretStr(KEY))]
    provider = SettingsClientProvider(lambda: found.pop(0), transport=lambda: Canned(always(LINES)))
    clock = Clock()
    asked = Readiness(provider, own_key=True, seconds=SECONDS, clock=clock)
    problems = []
    for _ in range(3):
        problems.append(bool(await asked.problem()))
        clock.now += SECONDS
    assert problems == [True, True, False]


async def test_linq_is_asked_once_for_all() -> None:
    """By a hundred probes at once, and by those of the next seconds; then anew."""
    count = 0

    class Counting(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal count
            count += 1
            # Time for the others to come in between.
            await anyio.lowlevel.checkpoint()
            return await Canned(always(LINES if count == 1 else REJECTED)).handle_async_request(request)

    clock = Clock()
    settings = Settings(api_key=SecretStr(KEY))
    provider = SettingsClientProvider(lambda: settings, transport=Counting)
    asked = Readiness(provider, own_key=True, seconds=SECONDS, clock=clock)
    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(asked.problem)
    clock.now += SECONDS - 0.1
    assert await asked.problem() == ""
    assert count == 1
    clock.now += 0.2
    assert await asked.problem() == "Linq rejects the server's key"
    assert count == 2


async def test_a_linq_that_does_not_answer_is_given_up() -> None:
    """A probe has less patience than a call."""
    provider = HeaderClientProvider(Settings(), transport=Silent())
    with anyio.fail_after(10):
        assert await Readiness(provider, own_key=False, limit=0.05).problem() == "Linq can't be reached"


async def test_a_server_that_stops_is_not_ready_at_once() -> None:
    """Whatever Linq says, and without asking it; also for a probe that is waiting for an answer."""
    silent = Silent()
    asked = Readiness(HeaderClientProvider(Settings(), transport=silent), own_key=False, limit=0.2)
    problems: list[str] = []

    async def probe() -> None:
        problems.append(await asked.problem())

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(probe)
            await silent.begun.wait()
            asked.stop()
            assert await asked.problem() == STOPPING
            assert problems == []
    assert problems == [STOPPING]
