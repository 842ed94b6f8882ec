"""Sending over pipes: the real SDK client of a process as a person's host, and raw messages for odd ones."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from helpers.linq import AT_ONCE
from helpers.piped import HELLO, MEASURED, SECONDS, request, text_of
from mcp import Client, types
from mcp.client.context import ClientRequestContext
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.server.lowlevel import Server

from linq_mcp.demo import in_process
from linq_mcp.demo.account import demo_account
from linq_mcp.demo.lines import CLINIC_LINE
from linq_mcp.server.app import build_server
from linq_mcp.server.callers.caller import SettingsClientProvider
from linq_mcp.server.consent.service import ConsentService
from linq_mcp.settings.sending import SendSettings
from linq_mcp.transports.stdio import serve_stdio
from linq_mcp.wording.errors import HEADLINES

PACKAGE = str(Path(__file__).parents[3])
CHAT = next(
    chat["id"]
    for chat in demo_account().chats
    if not chat["is_group"]
    and (chat.get("health_status") or {}).get("status") == "HEALTHY"
    and any(one["handle"] == CLINIC_LINE and one["status"] == "active" for one in chat["handles"])
    and any(not message["is_from_me"] for message in demo_account().messages[chat["id"]])
)
ARGUMENTS = {"chat_id": CHAT, "text": "Hello"}


@pytest.mark.slow
async def test_a_person_agrees_and_it_is_delivered(tmp_path: Path) -> None:
    """The question, the changed text, the delivery, and the one line in the log come through a real process."""

    async def person(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        del context
        assert "Hello" in params.message
        return types.ElicitResult(action="accept", content={"choice": "Send", "text": "Good morning"})

    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "linq_mcp", "--demo", "--allow-send"],
        env={**MEASURED, "PYTHONPATH": PACKAGE, "PATH": os.environ.get("PATH", "")},
    )
    log = tmp_path / "stderr"
    with log.open("w", encoding="utf-8") as errlog:
        transport = stdio_client(server, errlog=errlog)
        async with Client(transport, elicitation_callback=person, read_timeout_seconds=20) as client:
            sent = (await client.call_tool("send_message", ARGUMENTS)).structured_content
            assert sent
            message = (await client.call_tool("get_message", {"message_id": sent["message_id"]})).structured_content
    assert message
    assert (sent["delivery_status"], sent["confirmed_by"]) == ("delivered", "person")
    assert message["text"] == "Good morning"
    (line,) = log.read_text(encoding="utf-8").splitlines()
    assert sent["message_id"] in line
    assert "morning" not in line


async def test_odd_answers_to_a_question_in_the_handshake_era(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The first answer counts, one that is none ends the wait at once, and the end of input ends call and server."""
    yes: dict[str, Any] = {"action": "accept", "content": {"choice": "Send"}}
    rounds: list[tuple[list[object], str | None]] = [
        ([{"action": "decline"}, yes], HEADLINES["declined"]),
        ([yes, yes], None),
        ([None], HEADLINES["cannot_ask"]),
        ([[]], HEADLINES["cannot_ask"]),
        (["yes"], HEADLINES["cannot_ask"]),
    ]
    sending = SendSettings()
    provider = SettingsClientProvider(
        lambda: replace(in_process.settings(), sending=sending), transport=in_process.transport, retry=AT_ONCE
    )
    asked_for = {"name": "send_message", "arguments": ARGUMENTS}
    async with piped_here(build_server(provider, consent=ConsentService(sending)), monkeypatch) as (send, receive, end):
        send(request("initialize", {**HELLO, "capabilities": {"elicitation": {}}}, id_=0))
        assert (await receive())["id"] == 0
        send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        for number, (answers, headline) in enumerate(rounds, start=1):
            send(request("tools/call", asked_for, id_=number))
            asked = (await receive())["id"]
            for answer in answers:
                send({"jsonrpc": "2.0", "id": asked, "result": answer})
            result = await receive()
            assert result["id"] == number
            text = text_of(result["result"])
            if headline:
                assert text.startswith(headline)
                assert text.endswith("Nothing was sent.")
            else:
                assert json.loads(text)["sent"] is True
        send(request("tools/call", asked_for, id_=99))
        assert (await receive())["method"] == "elicitation/create"
        assert await end() == 0
        last = await receive()
    assert (last["id"], last["error"]["code"]) == (99, -32000)
    (line,) = caplog.records
    assert line.name == "linq_mcp.sent"


Send = Callable[[dict[str, Any]], None]
Receive = Callable[[], Awaitable[dict[str, Any]]]


@asynccontextmanager
async def piped_here(
    server: Server[Any], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Send, Receive, Callable[[], Awaitable[int]]]]:
    """Serve over pipes in this process: how to send, to receive, and to end the input and get the exit code."""
    # A busy machine may take longer to end, and this process lives on.
    monkeypatch.setattr("linq_mcp.transports.stdio._CLEAN_UP_SECONDS", SECONDS)
    stdin, to_server = map(os.fdopen, os.pipe(), ("rb", "wb"))
    from_server, stdout = os.pipe()
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr(sys, "stdout", os.fdopen(stdout, "wb"))
    received = b""
    codes: list[int] = []
    ended = anyio.Event()

    async def serve() -> None:
        codes.append(await serve_stdio(server))
        ended.set()

    def send(message: dict[str, Any]) -> None:
        to_server.write(json.dumps(message).encode() + b"\n")
        to_server.flush()

    async def receive() -> dict[str, Any]:
        nonlocal received
        while b"\n" not in received:
            await anyio.wait_readable(from_server)
            received += os.read(from_server, 65536)
        line, _, received = received.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    async def end() -> int:
        to_server.close()
        await ended.wait()
        return codes[0]

    with stdin, to_server, os.fdopen(from_server), sys.stdout, anyio.fail_after(SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve)
            yield send, receive, end
