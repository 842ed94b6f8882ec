"""The tools as a client sees them: lists them, dispatches a call, and turns its outcome into an answer.

This is the one place where a tool's exceptions become answers.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from pydantic_core import PydanticSerializationError, to_json

from linq_mcp.api.redaction import may_repeat, without_key
from linq_mcp.errors import LinqMcpError
from linq_mcp.sanitize import clean, without_surrogates
from linq_mcp.server.client_provider import ClientProvider
from linq_mcp.server.consent import ConsentDesk
from linq_mcp.server.error_messages import HEADLINES, format_error
from linq_mcp.settings.sending import STRICTEST
from linq_mcp.tools.support.consent import Ask, ask_first
from linq_mcp.tools.support.parameters import without_absent
from linq_mcp.tools.support.tool import Call, Tool

logger = logging.getLogger(__name__)


class ToolCalls:
    """What the server answers about its tools. With a `desk`, those that ask a person put their question there."""

    def __init__(self, tools: Sequence[Tool[Any]], desk: ConsentDesk | None) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._desk = desk

    async def list_tools(
        self, _: ServerRequestContext[ClientProvider], __: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_described(tool) for tool in self._tools.values()])

    async def call_tool(
        self, context: ServerRequestContext[ClientProvider], params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        tool = self._tools.get(params.name)
        if tool is None:
            known = ", ".join(self._tools)
            raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {clean(params.name, 60)}. The tools are: {known}.")
        try:
            return await self._run(tool, params, context)
        except Exception:
            logger.exception("%s failed", tool.name)
            return _failure(
                f"{HEADLINES['internal']} This is a bug in linq-mcp; the arguments are fine. Its log (stderr) has the "
                "details. Calling again will probably not help."
            )

    async def _run(
        self, tool: Tool[Any], params: types.CallToolRequestParams, context: ServerRequestContext[ClientProvider]
    ) -> types.CallToolResult | types.InputRequiredResult:
        """Call `tool`; an error that a call can meet becomes the text of its answer."""
        provider, headers = context.lifespan_context, context.request and context.request.headers
        key = provider.key(headers)
        given = without_key(params.arguments or {}, key)
        # The time that a person takes for an answer is not the call's.
        seconds_left = tool.seconds

        def describe(error: LinqMcpError) -> str:
            return format_error(error, settings=provider.settings(), tool=tool, arguments=without_absent(given))

        async def progress(count: int) -> None:
            await context.session.report_progress(count, message=f"{count} read")

        async def run(consent: Ask) -> Mapping[str, Any]:
            nonlocal seconds_left
            began = anyio.current_time()
            client = await provider.client(headers)
            from linq_mcp.api.scope import open_api  # noqa: PLC0415 - it imports httpx, as the client does

            call = Call(
                api=open_api(client, provider.settings().lines),
                deadline=began + seconds_left,
                progress=progress,
                format_error=describe,
                directory=await provider.directory(),
                consent=consent,
                sending=self._desk.settings if self._desk else STRICTEST,
            )
            try:
                return await tool.run(arguments, call)
            finally:
                seconds_left -= anyio.current_time() - began

        try:
            arguments = tool.parse(given)
            if not (self._desk and tool.asks):
                return _success(await run(ask_first), key)
            result = await self._desk.run(run, context, params)
            return result if isinstance(result, types.InputRequiredResult) else _success(result, key)
        except LinqMcpError as error:
            logger.info("%s: %s", tool.name, type(error).__name__)
            return _failure(describe(error))


def _described(tool: Tool[Any]) -> types.Tool:
    hints = tool.annotations
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        annotations=types.ToolAnnotations(
            read_only_hint=hints.read_only,
            destructive_hint=hints.destructive,
            idempotent_hint=hints.idempotent,
            open_world_hint=hints.open_world,
        ),
    )


def _success(result: Mapping[str, Any], key: str) -> types.CallToolResult:
    """The result as text and as structured content: clients show their model one or the other."""
    try:
        text = to_json(result).decode()
    except PydanticSerializationError:
        # One lone surrogate in any string would end the whole process in the SDK's writer.
        text = without_surrogates(json.dumps(result, ensure_ascii=False, separators=(",", ":")))
        result = json.loads(text)
    # A message may contain the key; it leaves here only as `[key]`.
    if may_repeat(text, key):
        result = without_key(result, key)
        text = to_json(result).decode()
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], structured_content=dict(result))


def _failure(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=without_surrogates(text))], is_error=True)
