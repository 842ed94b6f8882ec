"""pydantic-ai's MCPToolset over stdio: tool definitions, their forms for models, answers, retries and questions."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Any

import expected
from expected import Expected, Sending, no_warnings, same
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import StdioTransport
from pydantic_ai import ModelRetry, RunContext
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.test import TestModel
from pydantic_ai.profiles.google import GoogleJsonSchemaTransformer
from pydantic_ai.profiles.openai import OpenAIJsonSchemaTransformer
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.usage import RunUsage


async def main() -> None:
    wanted = expected.read()
    progress: list[float] = []

    async def on_progress(count: float, _total: float | None, _message: str | None) -> None:
        progress.append(count)

    # A run needs a model; this one is built in, and nothing is asked of it.
    context = RunContext(deps=None, model=TestModel(), usage=RunUsage())
    transport = StdioTransport(wanted.command[0], wanted.command[1:])
    toolset: MCPToolset[None] = MCPToolset(transport, include_instructions=True, progress_handler=on_progress)
    async with toolset:
        with no_warnings():
            tools = await toolset.get_tools(context)
        same("instructions", toolset.instructions, wanted.instructions)
        check_definitions(wanted, [tool.tool_def for tool in tools.values()])
        for call in wanted.answers:
            result = await toolset.call_tool(call.tool, call.arguments, context, tools[call.tool])
            same(call, result, call.data)
        for call in wanted.refusals:
            try:
                result = await toolset.call_tool(call.tool, call.arguments, context, tools[call.tool])
            except ModelRetry as error:
                expected.refused(call, flagged=True, text=error.message)
            else:
                expected.refused(call, flagged=False, text=str(result))
        progress.clear()
        call = wanted.progress
        await toolset.call_tool(call.tool, call.arguments, context, tools[call.tool])
        same(f"{call}: progress ends with all that was read", progress[-1:], [(call.data or {})["scanned"]])
    await check_sending(wanted.sending, context)
    versions = f"pydantic-ai-slim {version('pydantic-ai-slim')}, mcp {version('mcp')}"
    wanted.report(versions, ", strict and not, for Gemini too, progress, questions")


async def person(message: str, _type: object, _params: object, _context: object) -> ElicitResult[Any]:
    answer = expected.answer_of_person(message)
    return ElicitResult(action="accept", content=answer) if answer else ElicitResult(action="decline")


async def check_sending(sending: Sending, context: RunContext[None]) -> None:
    """Check the tools of a server that may send, and send one message of two."""
    transport = StdioTransport(sending.command[0], sending.command[1:])
    toolset: MCPToolset[None] = MCPToolset(transport, elicitation_handler=person)
    async with toolset:
        tools = await toolset.get_tools(context)
        same("tools of a server that may send", [*tools], [*sending.tools])
        arguments = sending.arguments("pydantic-ai", "yes")
        result = await toolset.call_tool("send_message", arguments, context, tools["send_message"])
        same("send_message, a yes", result["sent"], wanted=True)
        arguments = sending.arguments("pydantic-ai", "no")
        try:
            result = await toolset.call_tool("send_message", arguments, context, tools["send_message"])
        except ModelRetry as error:
            expected.not_sent("pydantic-ai", flagged=True, text=error.message)
        else:
            expected.not_sent("pydantic-ai", flagged=False, text=str(result))


def check_definitions(wanted: Expected, definitions: list[ToolDefinition]) -> None:
    """Check that names, descriptions and schemas are unchanged, also in the forms for OpenAI and Gemini."""
    same("tools", [definition.name for definition in definitions], list(wanted.tools))
    for definition in definitions:
        name, listed = definition.name, wanted.tools[definition.name]
        schema = listed["inputSchema"]
        same(f"{name}: description", definition.description, listed["description"])
        same(f"{name}: parameters_json_schema", definition.parameters_json_schema, schema)
        same(f"{name}: return_schema", definition.return_schema, listed.get("outputSchema"))
        with no_warnings():
            strict = OpenAIJsonSchemaTransformer(definition.parameters_json_schema, strict=True).walk()
            loose = OpenAIJsonSchemaTransformer(definition.parameters_json_schema, strict=False).walk()
            gemini = GoogleJsonSchemaTransformer(definition.parameters_json_schema).walk()
        same(f"{name}: for OpenAI, strict", expected.plain(strict), expected.plain(expected.strict(schema)))
        same(f"{name}: for OpenAI", loose, schema)
        same(f"{name}: for Gemini", gemini, schema)


asyncio.run(main())
