"""The OpenAI Agents SDK: MCPServerStdio with its default timeouts, and function tools, strict and not. It can't ask."""

from __future__ import annotations

import asyncio
import json
import time
from importlib.metadata import version
from typing import Any

import expected
from agents.mcp import MCPServerStdio
from agents.mcp.util import MCPUtil
from agents.tool import FunctionTool
from agents.tool_context import ToolContext
from expected import Call, Expected, Sending, no_warnings, same
from mcp import MCPError

# The SDK's default for the first answer.
START = 5


async def main() -> None:
    wanted = expected.read()
    begun = time.monotonic()
    async with MCPServerStdio({"command": wanted.command[0], "args": wanted.command[1:]}) as server:
        started = time.monotonic() - begun
        # With `mcp` 1 a later answer ends the attempt; with newer versions the client tries again in the older era.
        same(f"started within {START} s", started < START, wanted=True)
        with no_warnings():
            tools = await server.list_tools()
        same("tools", [tool.name for tool in tools], list(wanted.tools))
        for call in wanted.answers:
            result = await server.call_tool(call.tool, call.arguments)
            same(f"{call}: is_error", bool(result.is_error), wanted=False)
            same(f"{call}: structured_content", result.structured_content, call.data)
            same(f"{call}: content", [block.text for block in result.content], [call.text])
        for call in wanted.refusals:
            result = await server.call_tool(call.tool, call.arguments)
            expected.refused(call, flagged=bool(result.is_error), text=result.content[0].text)
        for strictly in (False, True):
            with no_warnings():
                converted = [MCPUtil.to_function_tool(tool, server, strictly) for tool in tools]
            check_definitions(wanted, converted, strictly=strictly)
            await check_invocations(wanted, server, {tool.name: tool for tool in converted})
            strict_tools = {tool.name: tool for tool in converted}
        # In strict mode a model must give every argument, and writes "" or [] for those it does not need.
        said = await invoke(strict_tools[wanted.strict.tool], wanted.strict)
        same(f"strict mode, {wanted.strict}", said, wanted.strict.text)
    await check_sending(wanted.sending)
    details = f", strict and not, no questions, started in {started:.1f} s of {START}"
    wanted.report(f"openai-agents {version('openai-agents')}, mcp {version('mcp')}", details)


async def check_sending(sending: Sending) -> None:
    """Check that the tools of a server that may send are listed, and that it sends nothing, as nobody can be asked."""
    async with MCPServerStdio({"command": sending.command[0], "args": sending.command[1:]}) as server:
        same("tools of a server that may send", [tool.name for tool in await server.list_tools()], [*sending.tools])
        arguments, because = sending.arguments("openai-agents", "yes"), "This client can't ask a person."
        try:
            result = await server.call_tool("send_message", arguments)
        except MCPError as error:
            expected.not_sent("openai-agents", flagged=True, text=str(error), because=because)
        else:
            expected.not_sent("openai-agents", flagged=False, text=str(result), because=because)


def check_definitions(wanted: Expected, converted: list[FunctionTool], *, strictly: bool) -> None:
    """Check that the function tools keep the names, descriptions and parameters."""
    for tool, (name, listed) in zip(converted, wanted.tools.items(), strict=True):
        schema = listed["inputSchema"]
        # The SDK has no strict form of a tool without parameters and leaves it as it is.
        strict = strictly and bool(schema["properties"])
        same(f"{name}, strict {strictly}: name", tool.name, name)
        same(f"{name}, strict {strictly}: description", tool.description, listed["description"])
        same(f"{name}, strict {strictly}: strict_json_schema", tool.strict_json_schema, strict)
        parameters = expected.strict(schema) if strict else schema
        same(f"{name}, strict {strictly}: params_json_schema", tool.params_json_schema, parameters)


async def check_invocations(wanted: Expected, server: MCPServerStdio, tools: dict[str, FunctionTool]) -> None:
    """Check what a model receives: the text, or the structured content if the user chose that."""
    for call in wanted.answers:
        same(f"{call}: output", await invoke(tools[call.tool], call), call.text)
        server.use_structured_content = True
        same(f"{call}: structured output", json.loads(await invoke(tools[call.tool], call)), call.data)
        server.use_structured_content = False
    for call in wanted.refusals:
        # A function tool's output has no flag for errors, so the text is all there is.
        expected.refused(call, flagged=True, text=await invoke(tools[call.tool], call))


async def invoke(tool: FunctionTool, call: Call) -> str:
    """Return the function tool's output for a model's call."""
    given = json.dumps(call.arguments)
    context: ToolContext[None] = ToolContext(
        context=None, tool_name=tool.name, tool_call_id="call", tool_arguments=given
    )
    output: Any = await tool.on_invoke_tool(context, given)
    return str(output["text"] if isinstance(output, dict) else output)


asyncio.run(main())
