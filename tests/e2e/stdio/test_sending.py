"""Sending over pipes: the real SDK client of a process as a person's host, and raw messages for odd ones."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.linq import AT_ONCE
from helpers.piped import HELLO, MEASURED, request, text_of
from helpers.piped_here import PipedHere
from mcp import Client, types
from mcp.client.context import ClientRequestContext
from mcp.client.stdio import StdioServerParameters, stdio_client

from linq_mcp.demo import in_process
from linq_mcp.demo.account import demo_account
from linq_mcp.demo.lines import CLINIC_LINE
from linq_mcp.server.app import build_server
from linq_mcp.server.callers.caller import SettingsClientProvider
from linq_mcp.server.consent.service import ConsentService
from linq_mcp.settings.sending import SendSettings
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
    async with PipedHere.serving(build_server(provider, consent=ConsentService(sending)), monkeypatch) as server:
        server.send(request("initialize", {**HELLO, "capabilities": {"elicitation": {}}}, id_=0))
        assert (await server.receive())["id"] == 0
        server.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        for number, (answers, headline) in enumerate(rounds, start=1):
            server.send(request("tools/call", asked_for, id_=number))
            asked = (await server.receive())["id"]
            for answer in answers:
                server.send({"jsonrpc": "2.0", "id": asked, "result": answer})
            result = await server.receive()
            assert result["id"] == number
            text = text_of(result["result"])
            if headline:
                assert text.startswith(headline)
                assert text.endswith("Nothing was sent.")
            else:
                assert json.loads(text)["sent"] is True
        server.send(request("tools/call", asked_for, id_=99))
        assert (await server.receive())["method"] == "elicitation/create"
        assert await server.end_of_input() == 0
        last = await server.receive()
    assert (last["id"], last["error"]["code"]) == (99, -32000)
    (line,) = caplog.records
    assert line.name == "linq_mcp.sent"
