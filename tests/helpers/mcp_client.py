"""The SDK's client of a server in this process, as tests use it: in both protocol eras, and from plain functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, types
from mcp.client.client import ConnectMode

ERAS: list[ConnectMode] = ["auto", "legacy"]
eras = pytest.mark.parametrize("era", ERAS, ids=["2026-07-28", "handshake"])


def text_of(result: types.CallToolResult) -> str:
    """Return the text of a result, which must have one text block that can be encoded."""
    (block,) = result.content
    assert isinstance(block, types.TextContent)
    block.text.encode()
    return block.text


class BlockingClient:
    """Calls tools from plain functions; `portal` runs anything else in the task that has `client` open."""

    def __init__(self, portal: BlockingPortal, client: Client) -> None:
        self.portal = portal
        self.client = client

    @classmethod
    @contextmanager
    def of(cls, client: Client) -> Iterator[Self]:
        """Open `client` while the block lasts: the task that opens it must also close it."""
        with start_blocking_portal() as portal, portal.wrap_async_context_manager(client):
            yield cls(portal, client)

    def call(self, tool: str, arguments: Mapping[str, Any]) -> types.CallToolResult:
        result = self.portal.call(self.client.call_tool, tool, dict(arguments))
        assert isinstance(result, types.CallToolResult)
        return result

    def answer(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of a call that must succeed."""
        result = self.call(tool, arguments)
        assert isinstance(result.structured_content, dict), text_of(result)
        return result.structured_content
