"""One raw JSON-RPC message: what is accepted, and the one answer to what is not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.types.jsonrpc import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
)

from linq_mcp.transports.jsonrpc import MAX_ID_BYTES, InvalidMessage, parse_message

PING = '{"jsonrpc":"2.0","id":7,"method":"ping"'


def refused(data: str | bytes) -> InvalidMessage:
    with pytest.raises(InvalidMessage) as refusal:
        parse_message(data.encode() if isinstance(data, str) else data)
    return refusal.value


@pytest.mark.parametrize("id_", ["7", "-1", '"seven"', '""', "9" * MAX_ID_BYTES, f'"{"a" * MAX_ID_BYTES}"'])
def test_a_request_keeps_its_id(id_: str) -> None:
    """Any string or integer of up to 512 bytes is an id."""
    message = parse_message(f'{{"jsonrpc":"2.0","id":{id_},"method":"ping"}}'.encode())
    assert isinstance(message, JSONRPCRequest)
    assert message.id == json.loads(id_)


@pytest.mark.parametrize("params", ["", ',"params":null', ',"params":{}'])
def test_params_are_an_object_or_absent(params: str) -> None:
    message = parse_message(f"{PING}{params}}}".encode())
    assert isinstance(message, JSONRPCRequest)
    assert not message.params


@pytest.mark.parametrize(
    ("data", "type_"),
    [
        ('{"jsonrpc":"2.0","method":"notifications/initialized"}', JSONRPCNotification),
        ('{"jsonrpc":"2.0","id":1,"result":{}}', JSONRPCResponse),
        ('{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}', JSONRPCError),
    ],
)
def test_the_other_kinds_of_message_are_told_apart(data: str, type_: type) -> None:
    """Notifications, results and errors are told apart by their members."""
    assert isinstance(parse_message(data.encode()), type_)


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + PING.encode() + b"}",
        PING.encode() + b',"params":{"a":"\\ud83d"}}',
        PING.encode() + b',"params":{"a":"\\udc00"}}',
        PING.encode() + b',"params":{"a":"\xff"}}',
    ],
    ids=["byte-order mark", "high surrogate", "low surrogate", "invalid UTF-8"],
)
def test_common_faults_of_encoding_are_repaired(data: bytes) -> None:
    message = parse_message(data)
    assert isinstance(message, JSONRPCRequest)
    assert message.params in (None, {"a": "\ufffd"})


@pytest.mark.parametrize("id_", ["null", "true", "7.0", "1.5", "[]", "{}", "9" * (MAX_ID_BYTES + 1), f'"{"é" * 257}"'])
def test_an_unusable_id_is_answered_under_null(id_: str) -> None:
    """Such a request must not pass for a notification, which is never answered."""
    refusal = refused(f'{{"jsonrpc":"2.0","id":{id_},"method":"ping"}}')
    assert (refusal.answer.id, refusal.answer.error.code) == (None, INVALID_REQUEST)
    assert '"id" must be' in refusal.answer.error.message


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ('{"id":7,"method":"ping"}', INVALID_REQUEST),
        ('{"jsonrpc":"1.0","id":7,"method":"ping"}', INVALID_REQUEST),
        ('{"jsonrpc":2.0,"id":7,"method":"ping"}', INVALID_REQUEST),
        ('{"jsonrpc":"2.0","id":7}', INVALID_REQUEST),
        ('{"jsonrpc":"2.0","id":7,"method":null}', INVALID_REQUEST),
        (PING + ',"params":[]}', INVALID_PARAMS),
        (PING + ',"params":"x"}', INVALID_PARAMS),
        (PING + ',"params":0}', INVALID_PARAMS),
        (PING + ',"params":[],"result":{}}', INVALID_PARAMS),
    ],
)
def test_a_malformed_request_is_answered_under_its_id(data: str, code: int) -> None:
    """A request whose id can be read is answered under it, whatever else is wrong."""
    refusal = refused(data)
    assert (refusal.answer.id, refusal.answer.error.code, refusal.expects_answer) == (7, code, True)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("[]", INVALID_REQUEST),
        (f"[{PING}}}]", INVALID_REQUEST),
        ("{}", INVALID_REQUEST),
        ('{"jsonrpc":"2.0"}', INVALID_REQUEST),
        ("null", INVALID_REQUEST),
        ('"text"', INVALID_REQUEST),
        ("nonsense", PARSE_ERROR),
        ("{", PARSE_ERROR),
        ("[" * 100_000, PARSE_ERROR),
        ("\x00", PARSE_ERROR),
        ('{"jsonrpc":"2.0","id":7,"result":', PARSE_ERROR),
        (PING + ',"params":' + "9" * 5000 + "}", PARSE_ERROR),
        (PING + ',"params":' + "[" * 251 + "]" * 251 + "}", PARSE_ERROR),
    ],
)
def test_what_has_no_id_is_answered_under_null(data: str, code: int) -> None:
    """Batches, other JSON, and what is not JSON or too deep to parse get one answer each."""
    refusal = refused(data)
    assert (refusal.answer.id, refusal.answer.error.code, refusal.expects_answer) == (None, code, True)


@pytest.mark.parametrize(
    ("data", "responds_to"),
    [
        ('{"jsonrpc":"2.0","method":"notifications/progress","params":[]}', None),
        ('{"method":"notifications/initialized"}', None),
        ('{"jsonrpc":"2.0","id":1,"result":"text"}', 1),
        ('{"jsonrpc":"2.0","id":"1","result":null}', "1"),
        ('{"jsonrpc":"2.0","id":1.5,"result":{}}', None),
        ('{"jsonrpc":"2.0","id":1,"error":"text"}', 1),
    ],
)
def test_nobody_waits_for_an_answer_to_a_notification_or_response(data: str, responds_to: RequestId | None) -> None:
    """An answer under the id of a response would be taken for that of a request of the client's own.

    The request of this server that a malformed response is for has its answer, if no good one.
    """
    refusal = refused(data)
    assert (refusal.answer.id, refusal.expects_answer, refusal.responds_to) == (None, False, responds_to)


@pytest.mark.parametrize("data", ['{"a":"secret"', '{"id":"secret","method":5}', '"secret"', '{"id":{"secret":1}}'])
def test_a_refusal_is_one_short_sentence_without_the_clients_words(data: str) -> None:
    """What was sent may hold people's messages; it is not repeated."""
    text = refused(data).answer.error.message
    assert "secret" not in text
    assert len(text) < 100
    assert "\n" not in text


MESSAGES = [
    b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x","arguments":{"to":"\\ud83d\\ude00"}}}',
    b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1.5}}',
    b'{"jsonrpc":"2.0","id":"a","result":{"content":[null,true,"\\u0000"]}}',
    b'{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"no","data":[{}]}}',
]


@given(
    st.sampled_from(MESSAGES),
    st.integers(0, 120),
    st.integers(0, 12),
    st.binary(max_size=12) | st.sampled_from(MESSAGES),
)
def test_any_bytes_are_a_message_or_one_refusal(message: bytes, start: int, length: int, piece: bytes) -> None:
    refusal = None
    try:
        parse_message(message[:start] + piece + message[start + length :])
    except InvalidMessage as invalid:
        refusal = invalid.answer
    if refusal:
        assert len(refusal.error.message) < 100
        json.loads(refusal.model_dump_json())
