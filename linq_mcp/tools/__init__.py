"""The tools that a client is shown: one module each, one line each here, in the order of the list."""

from typing import Any

from linq_mcp.tools.list_chats import LIST_CHATS
from linq_mcp.tools.tool import Tool

TOOLS: tuple[Tool[Any], ...] = (LIST_CHATS,)
