"""The board: a page that hosts with MCP Apps show beside the answers of some tools, and the requests that hand it out.

The page is board.html, one file without dependencies. Other clients get the same answers and see nothing of it.
MCP Apps: `io.modelcontextprotocol/ui`, 2026-01-26.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

from linq_mcp import __version__
from linq_mcp.sanitize import clean
from linq_mcp.server.callers.caller import ClientProvider
from linq_mcp.settings.problems import KeySource
from linq_mcp.tools.base.tool import Tool

EXTENSION = "io.modelcontextprotocol/ui"
MIME_TYPE = "text/html;profile=mcp-app"
# Desktop hosts keep a page under its URI until they are closed, so that each version needs its own.
BOARD_URI = f"ui://linq-mcp/board-{__version__}.html"
# No network at all, which is also what hosts allow where nothing is said.
_PAGE_META = {"ui": {"csp": {"connectDomains": [], "resourceDomains": []}, "prefersBorder": True}}


@cache
def board_html(account: KeySource | None = None) -> str:
    """The page, with this version in it, and whether the account that it shows is the demo account."""
    page = files(__package__).joinpath("board.html").read_text(encoding="utf-8").replace("{{version}}", __version__)
    return page.replace("{{account}}", "demo" if account is KeySource.DEMO else "")


def view_meta(tool: Tool[Any]) -> dict[str, Any] | None:
    """`tool`'s `_meta`: its view's URI, or the visibility "model" for a tool that views must not call."""
    if tool.asks:
        return {"ui": {"visibility": ["model"]}}
    return {"ui": {"resourceUri": BOARD_URI, "visibility": ["model", "app"]}} if tool.has_view else None


async def list_resources(
    _: ServerRequestContext[Any], __: types.PaginatedRequestParams | None
) -> types.ListResourcesResult:
    """The board, and nothing else."""
    board = types.Resource(
        uri=BOARD_URI,
        name="board",
        title="Linq board",
        description="Who is waiting, how healthy the chats are, and what failed, as a page.",
        mime_type=MIME_TYPE,
    )
    return types.ListResourcesResult(resources=[board])


async def list_resource_templates(
    _: ServerRequestContext[Any], __: types.PaginatedRequestParams | None
) -> types.ListResourceTemplatesResult:
    """None: clients ask wherever there are resources."""
    return types.ListResourceTemplatesResult(resource_templates=[])


async def read_resource(
    context: ServerRequestContext[ClientProvider], params: types.ReadResourceRequestParams
) -> types.ReadResourceResult:
    """The page of the board. Raises `MCPError` for any other URI."""
    uri = str(params.uri)
    if uri != BOARD_URI:
        data = {"uri": clean(uri, 200)}
        raise MCPError(types.INVALID_PARAMS, f"Unknown resource: {data['uri']}. There is only {BOARD_URI}.", data)
    html = board_html(context.lifespan_context.caller(context.request).settings.key_source)
    page = types.TextResourceContents(uri=BOARD_URI, mime_type=MIME_TYPE, text=html, _meta=_PAGE_META)
    return types.ReadResourceResult(contents=[page])
