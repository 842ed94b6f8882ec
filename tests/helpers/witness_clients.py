"""The two clients to compare: this project's tools and the official SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from helpers.linq import KEY
from linq import AsyncLinqAPIV3
from mcp import Client
from pydantic import SecretStr

from linq_mcp.server.app import build_server
from linq_mcp.server.callers.caller import SettingsClientProvider
from linq_mcp.settings import Settings


class Ours:
    """This project's tools, reading from an API at some base URL."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool without the arguments that are None, with `from_` as `from`, and return the answer."""
        given = {name.rstrip("_"): value for name, value in arguments.items() if value is not None}
        answer = (await self._client.call_tool(tool, given)).structured_content
        assert isinstance(answer, dict), (tool, arguments)
        return answer


@asynccontextmanager
async def ours(url: str) -> AsyncIterator[Ours]:
    settings = Settings(api_key=SecretStr(KEY), base_url=url)
    async with Client(build_server(SettingsClientProvider(lambda: settings)), read_timeout_seconds=20) as client:
        yield Ours(client)


def theirs(url: str) -> AsyncLinqAPIV3:
    return AsyncLinqAPIV3(api_key=KEY, base_url=url, max_retries=0)


def given(**arguments: Any) -> dict[str, Any]:
    """Drop the arguments that are None, which the SDK would send."""
    return {name: value for name, value in arguments.items() if value is not None}
