"""The first server anyone writes over Linq's API: its tool fetches a page and returns Linq's JSON as text.

The JSON is passed on unread or, with the argument `indent`, parsed and written again with indents, as many servers do.
With `http PORT`, it serves callers with keys of their own over Streamable HTTP.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import anyio
import httpx
from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

INDENT = "indent" in sys.argv[1:]
HTTP = "http" in sys.argv[1:]
KEY_HEADER = "x-linq-api-v3-api-key"

http = httpx.AsyncClient(base_url=os.environ["LINQ_API_V3_BASE_URL"], trust_env=False)


async def list_tools(*_: object) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[types.Tool(name="list_chats", input_schema={"type": "object"})])


async def call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    key = context.request.headers[KEY_HEADER] if HTTP else os.environ["LINQ_API_V3_API_KEY"]
    headers = {"Authorization": f"Bearer {key}"}
    response = await http.get("/v3/chats", params=params.arguments, headers=headers)
    response.raise_for_status()
    text = json.dumps(response.json(), indent=2) if INDENT else response.text
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)])


server = Server("naive", on_list_tools=list_tools, on_call_tool=call_tool)


async def serve_stdio() -> None:
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def serve_http() -> None:
    import uvicorn  # noqa: PLC0415 - on stdio it would only slow the start

    uvicorn.run(server.streamable_http_app(), port=int(sys.argv[-1]), log_config=None, access_log=False)


if HTTP:
    serve_http()
else:
    anyio.run(serve_stdio)
