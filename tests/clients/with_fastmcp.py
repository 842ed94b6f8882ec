"""FastMCP's client in both eras: tools, complete answers, also by output schema, errors, progress, and questions."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Any

import expected
from expected import Expected, Sending, no_warnings, same
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import StdioTransport
from fastmcp.exceptions import ToolError
from pydantic import TypeAdapter

ERAS = ("auto", "legacy")


def untyped(data: object) -> object:
    """Turn FastMCP's own classes back into the JSON they were read from."""
    return TypeAdapter(type(data)).dump_python(data, mode="json", by_alias=True, exclude_none=True)


async def check(wanted: Expected, era: str) -> str:
    """Check everything in one era and return the protocol version that was negotiated."""
    progress: list[float] = []

    async def on_progress(count: float, _total: float | None, _message: str | None) -> None:
        progress.append(count)

    async with Client(StdioTransport(wanted.command[0], wanted.command[1:]), mode=era) as client:
        with no_warnings():
            tools = await client.list_tools()
        listed: list[dict[str, Any]] = [
            tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools
        ]
        same(f"{era} tools", listed, list(wanted.tools.values()))
        for call in wanted.answers:
            with no_warnings():
                result = await client.call_tool(call.tool, call.arguments)
            same(f"{era} {call}: structured_content", result.structured_content, call.data)
            same(f"{era} {call}: content", [block.text for block in result.content], [call.text])
            same(f"{era} {call}: data", untyped(result.data), call.data)
        for call in wanted.refusals:
            try:
                result = await client.call_tool(call.tool, call.arguments)
            except ToolError as error:
                expected.refused(call, flagged=True, text=str(error))
            else:
                expected.refused(call, flagged=False, text=result.content[0].text)
        call = wanted.progress
        await client.call_tool(call.tool, call.arguments, progress_handler=on_progress)
        same(f"{era} {call}: progress ends with all that was read", progress[-1:], [(call.data or {})["scanned"]])
        return str(client.protocol_version)


async def person(message: str, _type: object, _params: object, _context: object) -> ElicitResult[Any]:
    answer = expected.answer_of_person(message)
    return ElicitResult(action="accept", content=answer) if answer else ElicitResult(action="decline")


async def check_sending(sending: Sending, era: str) -> None:
    """Check the tools of a server that may send, and send one message of two."""
    transport = StdioTransport(sending.command[0], sending.command[1:])
    async with Client(transport, mode=era, elicitation_handler=person) as client:
        same(
            f"{era} tools of a server that may send",
            [tool.name for tool in await client.list_tools()],
            [*sending.tools],
        )
        for said, check_text in (("yes", expected.sent), ("no", expected.not_sent)):
            result = await client.call_tool("send_message", sending.arguments(era, said), raise_on_error=False)
            check_text(era, flagged=result.is_error, text=result.content[0].text)


async def main() -> None:
    wanted = expected.read()
    eras = [await check(wanted, era) for era in ERAS]
    for era in ERAS:
        await check_sending(wanted.sending, era)
    wanted.report(f"fastmcp {version('fastmcp')}, mcp {version('mcp')}, {' and '.join(eras)}", ", progress, questions")


asyncio.run(main())
