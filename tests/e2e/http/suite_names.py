"""A proxy that gives the conformance suite the names that it asks for.

The suite calls tools and prompts, reads a resource, and answers questions, all by names of its own. Those that stand
for something that linq-mcp has are passed on by linq-mcp's names; everything else goes through as it is, both ways.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from helpers.running_api import running
from processes import Failed
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from linq_mcp.server.view import BOARD_URI

Json = dict[str, Any]
# A well-formed id that no chat has.
_NOBODY = "00000000-0000-4000-8000-000000000000"
# The one question of a call, by our name and by the suite's, and the answer that agrees to it.
_OURS, _SUITES = '"consent":', '"user_name":'
_YES = {"choice": "Send"}
_TEXT = "Agreed to in the conformance suite"
# The scenarios that answer the question whose state they bring along.
_AGREEING = 2
_RESOURCES = {"test://static-text": BOARD_URI}
_SECONDS = 60


@dataclass(frozen=True)
class Counterpart:
    """The tool or prompt here that does what one of the suite's does, with its arguments."""

    name: str
    arguments: Json


def _tools(chat_id: str, photo_of: str) -> dict[str, Counterpart]:
    message = Counterpart("send_message", {"chat_id": chat_id, "text": _TEXT})
    asking = ("elicitation", "request_state", "tampered_state")
    return {
        "test_simple_text": Counterpart("list_phone_numbers", {}),
        "test_logging_tool": Counterpart("list_phone_numbers", {}),
        "test_error_handling": Counterpart("get_chat", {"chat_id": _NOBODY}),
        "test_image_content": Counterpart("get_attachment", {"message_id": photo_of}),
        "test_tool_with_progress": Counterpart("find_chats", {"count_only": True}),
        "test_missing_capability": message,
        "test_streaming_elicitation": message,
        **{f"test_input_required_result_{name}": message for name in asking},
    }


def _prompt(name: str, given: Json) -> Counterpart | None:
    """Ours have one argument at most, so the suite's two become one."""
    match name:
        case "test_simple_prompt":
            return Counterpart("who_is_waiting", {})
        case "test_prompt_with_arguments":
            return Counterpart("catch_up", {"chat": " ".join(given.values())})
        case _:
            return None


class _Names:
    """Translates requests, and the questions among the answers."""

    def __init__(self, tools: dict[str, Counterpart]) -> None:
        self._tools = tools

    def request(self, body: bytes, headers: dict[str, str]) -> bytes:
        """The request by our names; its header with the name is translated in `headers`."""
        message = _parsed(body)
        params = message.get("params")
        if not isinstance(params, dict):
            return body
        name = str(params.get("name"))
        counterpart: Counterpart | None = None
        match message.get("method"):
            case "tools/call":
                counterpart = self._tools.get(name)
                _answer(params)
            case "prompts/get":
                counterpart = _prompt(name, params.get("arguments") or {})
            case "resources/read":
                name = str(params.get("uri"))
                params["uri"] = _RESOURCES.get(name, name)
            case "completion/complete":
                counterpart = _prompt(str(params["ref"].get("name")), {})
                if counterpart:
                    params["ref"]["name"], params["argument"]["name"] = counterpart.name, "chat"
                    return _plain(message)
        if counterpart:
            params |= {"name": counterpart.name, "arguments": counterpart.arguments}
        ours = counterpart.name if counterpart else _RESOURCES.get(name)
        if ours is None:
            return body
        if headers.get("mcp-name") == name:
            headers["mcp-name"] = ours
        return _plain(message)

    @staticmethod
    def answer(body: bytes) -> bytes:
        return body.replace(_OURS.encode(), _SUITES.encode())


def _answer(params: Json) -> None:
    """The suite's answer to the question becomes a yes; what is no answer stays what it is."""
    answers = params.get("inputResponses")
    if not isinstance(answers, dict):
        return
    suites = _SUITES.strip('":')
    if suites in answers:
        answers[_OURS.strip('":')] = answers.pop(suites)
    for answer in answers.values():
        if isinstance(answer, dict) and "content" in answer:
            answer["content"] = _YES


def _parsed(body: bytes) -> Json:
    try:
        message = json.loads(body)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _plain(message: Json) -> bytes:
    return json.dumps(message).encode()


def _app(server: str, names: _Names) -> Starlette:
    async def forward(request: Request) -> Response:
        headers = {name: value for name, value in request.headers.items() if name != "content-length"}
        body = names.request(await request.body(), headers)
        http = httpx.AsyncClient(timeout=_SECONDS, trust_env=False)
        asked = http.build_request(request.method, f"{server}{request.url.path}", headers=headers, content=body)
        answer = await http.send(asked, stream=True)

        async def chunks() -> AsyncIterator[bytes]:
            try:
                async for chunk in answer.aiter_raw():
                    yield names.answer(chunk)
            finally:
                await answer.aclose()
                await http.aclose()

        left_out = ("content-length", "transfer-encoding", "connection")
        shown = {name: value for name, value in answer.headers.items() if name not in left_out}
        return StreamingResponse(chunks(), answer.status_code, shown)

    return Starlette(routes=[Route("/{path:path}", forward, methods=["GET", "POST", "DELETE", "OPTIONS"])])


def _call(url: str, tool: str, **arguments: Any) -> Json:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    headers = {"Accept": "application/json, text/event-stream"}
    answer = httpx.post(url, json=message, headers=headers, timeout=_SECONDS, trust_env=False)
    result = answer.json().get("result")
    if not result or result.get("isError"):
        raise Failed(f"{tool}: {answer.text[:300]}")
    content: Json = result["structuredContent"]
    return content


@contextmanager
def by_suite_names(server: str) -> Iterator[str]:
    """The URL by which the suite reaches the server at the URL `server`, during a `with` block. Raises `Failed`."""
    # People who wait have written, so they may be answered.
    waiting = _call(server, "list_inbox", waiting=True, health_status=["HEALTHY"], is_group=False, limit=1)
    files = _call(server, "find_messages", has_attachment=True, after="2000-01-01", limit=100)["messages"]
    photo_of = next(
        message["id"] for message in files if [one.get("mime_type") for one in message["attachments"]] == ["image/jpeg"]
    )
    chat_id = waiting["chats"][0]["id"]
    names = _Names(_tools(chat_id, photo_of))
    where = urlsplit(server)
    with running(_app(f"{where.scheme}://{where.netloc}", names)) as url:
        yield f"http://{urlsplit(url).netloc}{where.path}"
    sent = _call(server, "find_messages", chat_id=chat_id, text=f'"{_TEXT}"', count_only=True)["count"]
    if sent != _AGREEING:
        raise Failed(f"{sent} messages left, but {_AGREEING} were agreed to")
