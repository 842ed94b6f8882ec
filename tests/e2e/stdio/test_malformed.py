"""Whatever arrives on stdin: every line that is a request, or tries to be one, gets exactly one answer."""

from __future__ import annotations

import json
import signal
import socket
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from helpers.linq import KEY
from helpers.piped import SECONDS, Piped, request
from mcp.types.jsonrpc import JSONRPCResponse

from linq_mcp.transports.stdio import _to_line

HALF_AN_EMOJI = "\\ud83d"
PING = '{"jsonrpc":"2.0","id":7,"method":"ping"'
MEGABYTE = 1024 * 1024
fresh = count(1000)


@pytest.fixture(scope="module")
def server() -> Iterator[Piped]:
    """One server for all of these, which no line may end. Its API never answers, so that calls stay open.

    After all that, SIGTERM still ends it at once, and a call in progress gets an error.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with Piped(env={"LINQ_API_V3_API_KEY": KEY, "LINQ_API_V3_BASE_URL": url}) as server:
            server.initialize()
            yield server
            server.send(request("tools/call", {"name": "list_chats", "arguments": {}}, id_=5))
            assert answers(server) == []
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(SECONDS) == 0
            assert error_of(server.receive()) == (5, -32000)
        assert server.stderr == b""


def answers(server: Piped, *lines: str | bytes) -> list[dict[str, Any]]:
    """Send `lines` and return every answer that precedes that of a ping sent after them."""
    for line in lines:
        server.send(line)
    last = next(fresh)
    server.send(request("ping", id_=last))
    received = []
    while (answer := server.receive()).get("id") != last:
        received.append(answer)
    return received


def error_of(answer: dict[str, Any]) -> tuple[Any, int]:
    assert len(answer["error"]["message"]) < 200
    return answer["id"], answer["error"]["code"]


@pytest.mark.parametrize(
    ("line", "id_", "code"),
    [
        (f"[{PING}}},{PING}}}]", None, -32600),
        ("nonsense", None, -32700),
        ("\x00", None, -32700),
        ("[" * 100_000, None, -32700),
        ('{"jsonrpc":"2.0","id":true,"method":"ping"}', None, -32600),
        ('{"jsonrpc":"2.0","id":' + "9" * 5000 + ',"method":"ping"}', None, -32700),
        ('{"id":7,"method":"ping"}', 7, -32600),
        (PING + ',"params":[]}', 7, -32602),
        (PING + ',"params":' + '{"a":' * 251 + "1" + "}" * 252, None, -32700),
        ('{"jsonrpc":"2.0","id":7,"method":"no/such"}', 7, -32601),
    ],
)
def test_a_malformed_request_gets_one_answer(server: Piped, line: str, id_: int | None, code: int) -> None:
    (answer,) = answers(server, line)
    assert error_of(answer) == (id_, code)


def test_half_an_emoji_in_a_request_is_answered(server: Piped) -> None:
    call = json.dumps(request("tools/call", {"name": "list_chats", "arguments": {"to": "@"}}, id_=next(fresh)))
    server.send(call.replace("@", HALF_AN_EMOJI))
    assert server.receive()["result"]["isError"] is True


def test_an_unknown_tool_is_a_protocol_error_that_names_the_tools(server: Piped) -> None:
    error = server.ask("tools/call", {"name": "send_message", "arguments": {}}, id_=next(fresh))["error"]
    assert error["code"] == -32602
    assert "list_chats" in error["message"]


def test_a_line_of_eight_megabytes_is_still_read(server: Piped) -> None:
    """The limit is on what is longer."""
    head = PING + ',"params":{"text":"'
    line = head + "x" * (8 * MEGABYTE - len(head) - 3) + '"}}'
    assert len(line) == 8 * MEGABYTE
    (answer,) = answers(server, line)
    assert answer["result"] == {}


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
def test_a_line_that_is_too_long_is_not_kept(server: Piped) -> None:
    before = peak_memory(server)
    (answer,) = answers(server, PING + ',"params":{"text":"' + "x" * 32 * MEGABYTE + '"}}')
    assert error_of(answer) == (None, -32600)
    assert peak_memory(server) - before < 16 * MEGABYTE


def peak_memory(server: Piped) -> int:
    """The most memory that the process has held so far, in bytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    (peak,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024


@pytest.mark.parametrize("again", ["70", '"70"', '" 70"'])
def test_an_id_in_use_is_refused(server: Piped, again: str) -> None:
    """The SDK takes 70 and "70" for one id, and would lose one of the two requests. A cancelled one is free again."""
    server.send(request("tools/call", {"name": "list_chats", "arguments": {}}, id_=70))
    (answer,) = answers(server, f'{{"jsonrpc":"2.0","id":{again},"method":"ping"}}')
    assert error_of(answer) == (json.loads(again), -32600)
    assert (
        answers(
            server, json.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 70}})
        )
        == []
    )
    (answer,) = answers(server, f'{{"jsonrpc":"2.0","id":{again},"method":"ping"}}')
    assert answer["result"] == {}


def test_a_call_in_flight_does_not_delay_others(server: Piped) -> None:
    """While the API is silent on a hundred calls, a ping is answered."""
    calls = [request("tools/call", {"name": "list_chats", "arguments": {}}, id_=next(fresh)) for _ in range(100)]
    assert answers(server, *(json.dumps(call) for call in calls)) == []
    for call in calls:
        server.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": call["id"]}})


def test_an_answer_that_cannot_be_written_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """Half an emoji in a result costs this one answer, and not the connection."""
    answer = json.loads(_to_line(JSONRPCResponse(jsonrpc="2.0", id=5, result={"text": "\ud83d"})))
    assert error_of(answer) == (5, -32603)
    assert "ud83d" not in caplog.text
