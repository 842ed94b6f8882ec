"""The first server anyone writes over Linq's API: its tool fetches a page and returns Linq's JSON as text.

The JSON is passed on unread or, with the argument `indent`, parsed and written again with indents, as many servers do.
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

INDENT = sys.argv[1:] == ["indent"]

http = httpx.AsyncClient(
    base_url=os.environ["LINQ_API_V3_BASE_URL"],
    headers={"Authorization": f"Bearer {os.environ['LINQ_API_V3_API_KEY']}"},
    trust_env=False,
)


async def list_tools(*_: object) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[types.Tool(name="list_chats", input_schema={"type": "object"})])


async def call_tool(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    response = await http.get("/v3/chats", params=params.arguments)
    response.raise_for_status()
    text = json.dumps(response.json(), indent=2) if INDENT else response.text
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)])


async def main() -> None:
    server = Server("naive", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


anyio.run(main)
