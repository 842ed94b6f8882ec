"""What a faulty upstream leaves on a connection reaches nobody else: a connection is only ever used for one key."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import anyio
import pytest
from helpers.fault_server import FaultServer, Request, Responder, Script, in_turn, raw, whole
from helpers.streamable_http import with_key

from linq_mcp.errors import LinqError
from linq_mcp.server.callers.many import HeaderClientProvider
from linq_mcp.settings import Settings

KEYS = ("lq-caller-one", "lq-caller-two")
CALLERS = 8


def owned(key: str) -> bytes:
    """A page with a chat that belongs to `key`."""
    return whole({"chats": [{"id": key}], "next_cursor": None})


def poisoned(answer: Callable[[str], bytes]) -> Script:
    """A script whose every answer is followed by a second one that nobody asked for."""

    def script(requests: Sequence[Request]) -> Responder:
        (authorization,) = requests[-1].header("Authorization")
        key = authorization.removeprefix("Bearer ")
        return raw(answer(key) + owned(key), then="keep")

    return script


@pytest.mark.parametrize(
    ("first", "calls_each"),
    [
        pytest.param(owned, 10, id="after an answer"),
        pytest.param(owned, 125, id="after an answer, a thousand times", marks=pytest.mark.slow),
        pytest.param(lambda _: whole(b"", 404), 125, id="after an error, a thousand times", marks=pytest.mark.slow),
    ],
)
async def test_a_second_answer_on_a_connection_reaches_no_other_caller(
    first: Callable[[str], bytes], calls_each: int
) -> None:
    """Interleaved calls of two callers: no answer is the other one's."""
    foreign = answered = 0
    with FaultServer() as linq:
        linq.play(poisoned(first))
        provider = HeaderClientProvider(Settings(base_url=linq.url))

        async def caller(key: str) -> None:
            nonlocal foreign, answered
            for _ in range(calls_each):
                api = await provider.client(provider.caller(with_key(key)))
                try:
                    page = await api.list_chats(
                        from_=None, to=None, limit=20, cursor=None, deadline=anyio.current_time() + 10
                    )
                except LinqError:
                    continue
                answered += 1
                foreign += sum(chat.id != key for chat in page.items)

        async with anyio.create_task_group() as tasks:
            for number in range(CALLERS):
                tasks.start_soon(caller, KEYS[number % 2])
        await provider.aclose()
    assert foreign == 0
    assert answered >= CALLERS * calls_each // 4


@pytest.mark.xfail(strict=True, reason="httpx shows nobody the bytes that follow an answer on its connection")
async def test_a_second_answer_reaches_no_later_call_of_the_same_caller() -> None:
    with FaultServer() as linq:
        pages = [{"chats": [{"id": name}]} for name in ("asked for", "never asked for")]
        linq.play(in_turn(raw(b"".join(map(whole, pages)), then="keep")))
        provider = HeaderClientProvider(Settings(base_url=linq.url))
        read = []
        for _ in range(2):
            api = await provider.client(provider.caller(with_key(KEYS[0])))
            answer = await api.get("chats", deadline=anyio.current_time() + 10)
            read.append(json.loads(answer.content)["chats"][0]["id"])
        await provider.aclose()
    assert read == ["asked for", "asked for"]
