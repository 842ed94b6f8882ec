"""Sending through the process as clients run it: the real SDK client as a person's host, and raw pipes for odd ones."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.piped import HELLO, MEASURED, Piped, request, text_of
from mcp import Client, types
from mcp.client.client import ConnectMode
from mcp.client.context import ClientRequestContext
from mcp.client.stdio import StdioServerParameters, stdio_client

from linq_mcp.demo.account import demo_account
from linq_mcp.demo.lines import CLINIC_LINE
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


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_a_person_agrees_and_it_is_delivered(era: ConnectMode, tmp_path: Path) -> None:
    """The whole way, in both eras: the question, the changed text, the delivery, the one line in the log."""

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
        async with Client(transport, mode=era, elicitation_callback=person, read_timeout_seconds=20) as client:
            sent = (await client.call_tool("send_message", ARGUMENTS)).structured_content
            assert sent
            message = (await client.call_tool("get_message", {"message_id": sent["message_id"]})).structured_content
    assert message
    assert (sent["delivery_status"], sent["confirmed_by"]) == ("delivered", "person")
    assert message["text"] == "Good morning"
    (line,) = log.read_text(encoding="utf-8").splitlines()
    assert sent["message_id"] in line
    assert "morning" not in line


def test_a_client_that_dies_in_mid_question_ends_the_server() -> None:
    with Piped("--demo", "--allow-send") as server:
        server.ask("initialize", {**HELLO, "capabilities": {"elicitation": {}}}, id_=0)
        server.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        params = {"name": "send_message", "arguments": ARGUMENTS}
        server.send({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        assert server.receive()["method"] == "elicitation/create"
        assert server.end_of_input() == 0
    assert b"linq_mcp.sent" not in server.stderr


def test_a_question_that_is_answered_twice_takes_the_first_answer() -> None:
    """In the handshake era: a yes that comes after the no changes nothing, and a second yes sends nothing more."""
    yes: dict[str, Any] = {"action": "accept", "content": {"choice": "Send"}}
    with Piped("--demo", "--allow-send") as server:
        server.ask("initialize", {**HELLO, "capabilities": {"elicitation": {}}}, id_=0)
        server.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        texts = []
        for number, answers in enumerate(([{"action": "decline"}, yes], [yes, yes]), start=1):
            server.send(request("tools/call", {"name": "send_message", "arguments": ARGUMENTS}, id_=number))
            asked = server.receive()["id"]
            for answer in answers:
                server.send({"jsonrpc": "2.0", "id": asked, "result": answer})
            result = server.receive()
            assert result["id"] == number
            texts.append(text_of(result["result"]))
        assert server.end_of_input() == 0
    assert texts[0].startswith(HEADLINES["declined"])
    assert json.loads(texts[1])["sent"] is True
    assert len(server.stderr.splitlines()) == 1


def test_an_answer_that_is_none_ends_the_wait() -> None:
    """The host has answered, and no better answer comes: the call fails now, and not after five minutes."""
    with Piped("--demo", "--allow-send") as server:
        server.ask("initialize", {**HELLO, "capabilities": {"elicitation": {}}}, id_=0)
        server.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        for number, answer in enumerate(("null", "[]", '"yes"'), start=1):
            server.send(request("tools/call", {"name": "send_message", "arguments": ARGUMENTS}, id_=number))
            asked = server.receive()["id"]
            server.send(f'{{"jsonrpc":"2.0","id":{json.dumps(asked)},"result":{answer}}}')
            text = text_of(server.receive()["result"])
            assert text.startswith(HEADLINES["cannot_ask"])
            assert text.endswith("Nothing was sent.")
        assert server.end_of_input() == 0
    assert b"linq_mcp.sent" not in server.stderr
