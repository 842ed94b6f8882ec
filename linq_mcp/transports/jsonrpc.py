"""Parses one raw JSON-RPC message, for all transports.

`parse_message` returns the message or raises `InvalidMessage`, which holds the error response to send. The text of an
error response is one short sentence and never repeats what the client sent.
"""

from __future__ import annotations

import re
from typing import Any, TypeGuard

from mcp.types.jsonrpc import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
)
from pydantic import ValidationError
from pydantic_core import from_json

MAX_ID_BYTES = 512

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LOW = r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rf"\\(?:u[dD][89abAB][0-9a-fA-F]{{2}}{_LOW}|(u[dD][89a-fA-F][0-9a-fA-F]{{2}})|.)")


class InvalidMessage(ValueError):
    """Raised for data that is not a valid JSON-RPC message.

    `answer` is the error response, with the id of the request or null. `expects_answer` is false for a malformed
    notification or response; stdio drops these silently, but HTTP has to answer every message. `responds_to` is the id
    in a malformed response: that of a request of this server, which waits for no better one.
    """

    def __init__(
        self,
        code: int,
        text: str,
        *,
        request_id: RequestId | None = None,
        expects_answer: bool = True,
        responds_to: RequestId | None = None,
    ) -> None:
        super().__init__(text)
        self.answer = error_response(request_id, code, text)
        self.expects_answer = expects_answer
        self.responds_to = responds_to


def error_response(request_id: RequestId | None, code: int, text: str) -> JSONRPCError:
    return JSONRPCError(jsonrpc="2.0", id=request_id, error=ErrorData(code=code, message=text))


def parse_message(data: bytes) -> JSONRPCMessage:
    """Parse one message. Raises InvalidMessage.

    A byte-order mark, invalid UTF-8, and lone surrogates are repaired (see `repair`), because clients do send them and
    would wait forever for an answer.
    """
    try:
        decoded = from_json(data)
    except ValueError:
        try:
            decoded = from_json(repair(data))
        except ValueError as error:
            # The parser's error has a reason and a position, and does not quote the text.
            raise InvalidMessage(PARSE_ERROR, f"Parse error: {error}") from None
    if isinstance(decoded, list):
        raise InvalidMessage(INVALID_REQUEST, "Batches are not supported: send one message at a time")
    if not isinstance(decoded, dict):
        raise InvalidMessage(INVALID_REQUEST, "A JSON-RPC message must be an object")
    # The members decide what kind of message this is. The models would accept a request with an unusable id as a
    # notification, which is never answered.
    is_response = "method" not in decoded and ("result" in decoded or "error" in decoded)
    if is_response:
        return _response(decoded)
    if "id" not in decoded and "method" in decoded:
        if problem := _problem(decoded):
            raise InvalidMessage(*problem, expects_answer=False)
        return JSONRPCNotification.model_validate(decoded)
    request_id = decoded.get("id")
    if not is_usable_id(request_id):
        text = f'"id" must be a string or an integer of at most {MAX_ID_BYTES} bytes'
        raise InvalidMessage(INVALID_REQUEST, text)
    if problem := _problem(decoded):
        raise InvalidMessage(*problem, request_id=request_id)
    return JSONRPCRequest.model_validate(decoded)


def repair(data: bytes) -> bytes:
    """The same JSON without a byte-order mark, with U+FFFD for invalid UTF-8 and for the escapes of lone surrogates."""
    return replace_lone_surrogates(data.removeprefix(_BYTE_ORDER_MARK).decode("utf-8", "replace")).encode()


def replace_lone_surrogates(text: str) -> str:
    """`text`, which is JSON, with the escape of each lone surrogate (half an emoji) replaced by that of U+FFFD."""
    return _ESCAPE.sub(lambda escape: "\\ufffd" if escape[1] else escape[0], text)


def is_usable_id(request_id: object) -> TypeGuard[RequestId]:
    if not isinstance(request_id, str | int) or isinstance(request_id, bool):
        return False
    return len(str(request_id).encode()) <= MAX_ID_BYTES


def _response(decoded: dict[str, Any]) -> JSONRPCResponse | JSONRPCError:
    model = JSONRPCResponse if "result" in decoded else JSONRPCError
    try:
        return model.model_validate(decoded)
    except ValidationError:
        request_id = decoded.get("id")
        raise InvalidMessage(
            INVALID_REQUEST,
            "Invalid JSON-RPC response",
            expects_answer=False,
            responds_to=request_id if is_usable_id(request_id) else None,
        ) from None


def _problem(decoded: dict[str, Any]) -> tuple[int, str] | None:
    """The error code and text for a request or notification that is invalid for another reason than its id."""
    if decoded.get("jsonrpc") != "2.0":
        return INVALID_REQUEST, '"jsonrpc" must be "2.0"'
    if not isinstance(decoded.get("method"), str):
        return INVALID_REQUEST, '"method" must be a string'
    if not isinstance(decoded.get("params"), dict | None):
        return INVALID_PARAMS, '"params" must be an object'
    return None
