"""Paging through an account with the tool's own cursors meets each chat exactly once."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from helpers.demo_lines import LINES
from helpers.generated_account import generated_account
from mcp import Client
from pydantic import SecretStr

from linq_mcp.demo.account import DemoAccount
from linq_mcp.demo.api import DEMO_BASE_URL, DEMO_KEY, demo_api
from linq_mcp.server.app import build_server
from linq_mcp.server.callers.caller import SettingsClientProvider
from linq_mcp.settings import Settings

CHATS = 240
SETTINGS = Settings(api_key=SecretStr(DEMO_KEY), base_url=DEMO_BASE_URL)


@pytest.fixture(scope="module")
def data() -> DemoAccount:
    return generated_account(CHATS)


def matching(data: DemoAccount, line: str | None, to: str | None) -> list[str]:
    """The chats that a plain filter of the data gives."""

    def has(chat: dict[str, Any], handle: str | None, *, own: bool) -> bool:
        return handle is None or any(h["handle"] == handle and h["is_me"] is own for h in chat["handles"])

    return [chat["id"] for chat in data.chats if has(chat, line, own=True) and has(chat, to, own=False)]


def busiest(data: DemoAccount) -> str:
    """A person who is in several chats."""
    counts: dict[str, int] = {}
    for chat in data.chats:
        for handle in chat["handles"]:
            if not handle["is_me"]:
                counts[handle["handle"]] = counts.get(handle["handle"], 0) + 1
    return max(counts, key=lambda handle: counts[handle])


@pytest.mark.parametrize("limit", [100, 7])
@pytest.mark.parametrize(("by_line", "by_person"), [(False, False), (True, False), (False, True), (True, True)])
async def test_every_chat_once(data: DemoAccount, by_line: bool, by_person: bool, limit: int) -> None:
    line, to = LINES[0] if by_line else None, busiest(data) if by_person else None
    expected = matching(data, line, to)
    account = SettingsClientProvider(lambda: SETTINGS, transport=lambda: httpx.ASGITransport(demo_api(data)))
    seen: list[str] = []
    async with Client(build_server(account)) as client:
        arguments: dict[str, Any] = {"from": line, "to": to, "limit": limit}
        for _ in range(CHATS // limit + 1):
            answer = (await client.call_tool("list_chats", arguments)).structured_content
            assert answer is not None
            seen += [chat["id"] for chat in answer["chats"]]
            if not answer["has_more"]:
                break
            arguments["cursor"] = answer["next_cursor"]
    assert len(expected) > 1
    assert seen == expected
