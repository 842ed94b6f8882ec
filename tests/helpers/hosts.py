"""Programs that run an assistant, as linq-mcp meets them: the SDK's client, with a person who answers or does not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
from helpers.recording_api import RULES, RecordingApi, demo_chat
from mcp import Client, types
from mcp.client.client import ConnectMode
from mcp.client.context import ClientRequestContext
from mcp.client.session import ElicitationFnT
from mcp.server.lowlevel import Server
from mcp.shared.memory import create_client_server_memory_streams
from mcp.shared.message import SessionMessage

from linq_mcp.demo.lines import CLINIC_LINE
from linq_mcp.server.app import build_server
from linq_mcp.server.consent.service import ConsentService
from linq_mcp.settings.sending import SendSettings

CHAT = demo_chat(line=CLINIC_LINE)["id"]
DRAFT = "Yes, Thursday at 10 works."
ARGUMENTS = {"chat_id": CHAT, "text": DRAFT}

Answer = types.ElicitResult | types.ErrorData
Host = Callable[[ClientRequestContext, types.ElicitRequestParams], Awaitable[Answer]]


def host(action: Any, content: Mapping[str, Any] | None = None) -> Host:
    """A host whose person always answers the same."""

    async def answer(_: ClientRequestContext, __: types.ElicitRequestParams) -> Answer:
        return types.ElicitResult(action=action, content=dict(content) if content is not None else None)

    return answer


YES = host("accept", {"choice": "Send", "text": DRAFT})


def client(
    api: RecordingApi,
    era: ConnectMode = "auto",
    answer: Host | None = None,
    *,
    consent: ConsentService | None = None,
    rules: SendSettings = RULES,
    key: str | None = None,
    patience: float = 20,
) -> Client:
    """A client of a server over `api`, which waits `patience` seconds. Without `answer` it can't ask anybody."""
    account = api.account(rules) if key is None else api.account(rules, key=key)
    return Client(
        build_server(account, consent=consent or ConsentService(rules)),
        mode=era,
        elicitation_callback=_named(answer),
        read_timeout_seconds=patience,
    )


def client_declaring(
    capabilities: Mapping[str, Any],
    api: RecordingApi,
    era: ConnectMode,
    answer: Host,
    *,
    consent: ConsentService,
) -> Client:
    """A client that would answer every question, but declares `capabilities` only: nobody may ask it more than that."""
    return Client(
        _declaring(build_server(api.account(), consent=consent), capabilities),
        mode=era,
        elicitation_callback=_named(answer),
        read_timeout_seconds=20,
    )


def answers(content: Mapping[str, Any] | None = None, action: Any = "accept") -> types.InputResponses:
    """What a client sends with the state of a question; without `content`, a yes."""
    given = {"choice": "Send", "text": DRAFT} if content is None else content
    return {"consent": types.ElicitResult(action=action, content=dict(given))}


async def question_of(connected: Client, arguments: Mapping[str, Any] = ARGUMENTS) -> str:
    """The sealed state of a question that is put but not answered."""
    asked = await connected.session.call_tool("send_message", dict(arguments), allow_input_required=True)
    assert isinstance(asked, types.InputRequiredResult)
    assert asked.request_state
    return asked.request_state


async def answer_with(
    connected: Client,
    state: str | None,
    responses: types.InputResponses | None,
    arguments: Mapping[str, Any] = ARGUMENTS,
) -> types.CallToolResult:
    """The result of the second call, with which a client answers."""
    result = await connected.session.call_tool(
        "send_message",
        dict(arguments),
        request_state=state,
        input_responses=responses,
        allow_input_required=True,
    )
    assert isinstance(result, types.CallToolResult)
    return result


def _named(answer: Host | None) -> ElicitationFnT | None:
    """As the SDK wants it: with names for what is passed."""
    if answer is None:
        return None

    async def call(context: ClientRequestContext, params: types.ElicitRequestParams) -> Answer:
        return await answer(context, params)

    return call


@asynccontextmanager
async def _declaring(server: Server[Any], capabilities: Mapping[str, Any]) -> AsyncIterator[Any]:
    """A transport to `server` on which the client's capabilities are replaced by these."""
    to_server, from_client = anyio.create_memory_object_stream[SessionMessage | Exception](1)

    async def pass_on(server_write: Any) -> None:
        async for item in from_client:
            params = getattr(item.message, "params", None) if isinstance(item, SessionMessage) else None
            if params and "capabilities" in params:
                params["capabilities"] = dict(capabilities)
            if params and (meta := params.get("_meta")):
                meta["io.modelcontextprotocol/clientCapabilities"] = dict(capabilities)
            await server_write.send(item)

    async with (
        to_server,
        from_client,
        create_client_server_memory_streams() as ((client_read, client_write), (server_read, server_write)),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(server.run, server_read, server_write, server.create_initialization_options())
        tasks.start_soon(pass_on, client_write)
        yield client_read, to_server
        tasks.cancel_scope.cancel()
