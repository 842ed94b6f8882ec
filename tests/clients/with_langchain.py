"""LangChain's MCP adapters, which speak the older era: tools, also for OpenAI, messages, progress, and questions."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Any

import expected
from expected import Call, Expected, Sending, no_warnings, same
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_mcp_adapters.callbacks import CallbackContext, Callbacks
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from mcp.types import ElicitRequestParams, ElicitResult


async def main() -> None:
    wanted = expected.read()
    progress: list[float] = []

    async def on_progress(count: float, _total: float | None, _message: str | None, _context: CallbackContext) -> None:
        progress.append(count)

    callbacks = Callbacks(on_progress=on_progress)
    client = MultiServerMCPClient(
        {"linq": {"transport": "stdio", "command": wanted.command[0], "args": wanted.command[1:]}}, callbacks=callbacks
    )
    async with client.session("linq") as session:
        with no_warnings():
            listed = await load_mcp_tools(session, callbacks=callbacks)
        check_definitions(wanted, listed)
        tools = {tool.name: tool for tool in listed}
        for call in wanted.answers:
            message = await invoke(tools[call.tool], call)
            same(f"{call}: status", message.status, "success")
            same(f"{call}: artifact", (message.artifact or {}).get("structured_content"), call.data)
            same(f"{call}: content", texts(message), [call.text])
        for call in wanted.refusals:
            message = await invoke(tools[call.tool], call)
            expected.refused(call, flagged=message.status == "error", text=texts(message)[0])
        progress.clear()
        await invoke(tools[wanted.progress.tool], wanted.progress)
        read = (wanted.progress.data or {})["scanned"]
        same(f"{wanted.progress}: progress ends with all that was read", progress[-1:], [read])
    # Most people use it without a session, and each call then starts a server of its own.
    call = wanted.answers[0]
    message = await invoke({tool.name: tool for tool in await client.get_tools()}[call.tool], call)
    same(f"{call} without a session: content", texts(message), [call.text])
    await check_sending(wanted.sending)
    wanted.report(
        f"langchain-mcp-adapters {version('langchain-mcp-adapters')}, mcp {version('mcp')}",
        ", strict and not, progress, questions",
    )


async def person(_mcp: object, params: ElicitRequestParams, _context: CallbackContext) -> ElicitResult:
    answer = expected.answer_of_person(params.message)
    return ElicitResult(action="accept", content=answer) if answer else ElicitResult(action="decline")


async def check_sending(sending: Sending) -> None:
    """Check the tools of a server that may send, and send one message of two."""
    connection = {"transport": "stdio", "command": sending.command[0], "args": sending.command[1:]}
    client = MultiServerMCPClient({"linq": connection}, callbacks=Callbacks(on_elicitation=person))
    async with client.session("linq") as session:
        tools = {tool.name: tool for tool in await load_mcp_tools(session)}
        same("tools of a server that may send", [*tools], [*sending.tools])
        for said, check_text in (("yes", expected.sent), ("no", expected.not_sent)):
            call = Call("send_message", sending.arguments("langchain", said), "", None)
            message = await invoke(tools["send_message"], call)
            check_text("langchain", flagged=message.status == "error", text=texts(message)[0])


def check_definitions(wanted: Expected, tools: list[BaseTool]) -> None:
    """Check that LangChain's tools, and what `bind_tools` makes of them for OpenAI, lose nothing."""
    same("tools", [tool.name for tool in tools], list(wanted.tools))
    for tool in tools:
        listed = wanted.tools[tool.name]
        schema = listed["inputSchema"]
        same(f"{tool.name}: description", tool.description, listed["description"])
        same(f"{tool.name}: args_schema", tool.args_schema, schema)
        same(f"{tool.name}: args", tool.args, schema["properties"])
        metadata = {name: value for name, value in (tool.metadata or {}).items() if value is not None}
        meta = {"_meta": listed["_meta"]} if "_meta" in listed else {}
        same(f"{tool.name}: metadata", metadata, {**listed["annotations"], **meta})
        for strictly in (False, True):
            with no_warnings():
                converted: dict[str, Any] = convert_to_openai_tool(tool, strict=strictly)["function"]
            parameters = expected.plain(expected.strict(schema) if strictly else schema)
            same(f"{tool.name}, strict {strictly}: description", converted["description"], listed["description"])
            converted = expected.plain(converted["parameters"])
            if not strictly:
                # For a tool that is not strict, LangChain forbids other members in every object.
                converted.pop("additionalProperties", None)
            same(f"{tool.name}, strict {strictly}: parameters", converted, parameters)


async def invoke(tool: BaseTool, call: Call) -> ToolMessage:
    """Return what an agent adds to the conversation after a model's call."""
    message = await tool.ainvoke({"type": "tool_call", "id": "call", "name": tool.name, "args": call.arguments})
    if not isinstance(message, ToolMessage):
        raise TypeError(type(message))
    return message


def texts(message: ToolMessage) -> list[str]:
    return [block["text"] for block in message.content if isinstance(block, dict)]


asyncio.run(main())
