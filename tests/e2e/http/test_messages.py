"""Malformed messages over HTTP: each gets one short answer under its own id."""

from __future__ import annotations

import json
from typing import Any

import pytest
from helpers.streamable_http import MODERN, call, demo, posted, result_of, serving

from linq_mcp.transports.http.app import build_app
from linq_mcp.transports.http.config import HttpConfig

PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS = -32700, -32600, -32602


def asked(**members: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": "ping", **members})


@pytest.mark.parametrize(
    ("body", "code", "id_"),
    [
        ("{", PARSE_ERROR, None),
        (b"\xff", PARSE_ERROR, None),
        (asked(params={"long": 0}).replace("0}", "9" * 5000 + "}"), PARSE_ERROR, None),
        (f"[{asked()}]", INVALID_REQUEST, None),
        (asked(id=None), INVALID_REQUEST, None),
        (asked(id=0).replace("0,", "9" * 513 + ","), INVALID_REQUEST, None),
        (json.dumps({"id": "a", "method": "ping"}), INVALID_REQUEST, "a"),
        (asked(params=[]), INVALID_PARAMS, 7),
    ],
)
async def test_a_malformed_message_gets_one_sentence_under_its_id(
    body: str | bytes, code: int, id_: int | str | None
) -> None:
    async with serving(build_app(demo(), HttpConfig())) as client:
        response = await client.post("/mcp", content=body, headers=MODERN)
    assert response.status_code == 400
    answer = response.json()
    assert answer == {"jsonrpc": "2.0", "id": id_, "error": {"code": code, "message": answer["error"]["message"]}}
    assert len(answer["error"]["message"]) < 120


@pytest.mark.parametrize(
    ("id_", "before"), [(7, b""), ("x" * 512, b""), ("7", b"\xef\xbb\xbf")], ids=["number", "long", "byte-order mark"]
)
async def test_a_request_is_answered_under_its_own_id(id_: int | str, before: bytes) -> None:
    request = posted("modern", "tools/list")
    body = before + json.dumps({**request["json"], "id": id_}).encode()
    async with serving(build_app(demo(), HttpConfig())) as client:
        answer = (await client.post("/mcp", content=body, headers=request["headers"])).json()
    assert answer["id"] == id_
    assert "tools" in answer["result"]


async def test_half_an_emoji_in_an_argument_is_no_parse_error() -> None:
    request = posted("modern", "tools/call", {"name": "find_chats", "arguments": {"text": "\ud83d"}})
    async with serving(build_app(demo(), HttpConfig())) as client:
        body = json.dumps(request["json"])
        answer = (await client.post("/mcp", content=body, headers=request["headers"])).json()
    assert answer["result"]["structuredContent"]["chats"] == []


async def test_a_notification_is_accepted() -> None:
    body = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    async with serving(build_app(demo(), HttpConfig())) as client:
        response = await client.post("/mcp", json=body, headers=MODERN)
    assert (response.status_code, response.content) == (202, b"")


@pytest.mark.parametrize("given", ['{"limit": 1}', ' {"limit": "1"}'])
async def test_arguments_may_be_json_text(given: str) -> None:
    asked_for = call("modern", "list_chats", {"limit": 1})
    async with serving(build_app(demo(), HttpConfig())) as client:
        as_object = result_of(await client.post("/mcp", **asked_for))
        asked_for["json"]["params"]["arguments"] = given
        as_text = result_of(await client.post("/mcp", **asked_for))
        assert as_text["structuredContent"] == as_object["structuredContent"]
        for wrong in ("[]", "limit=1", "null", "[" * 100_000):
            asked_for["json"]["params"]["arguments"] = wrong
            error = (await client.post("/mcp", **asked_for)).json()["error"]
            assert (error["code"], error["message"]) == (INVALID_PARAMS, "`arguments` must be an object, such as {}.")
