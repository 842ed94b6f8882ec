"""Answers stay under 75,000 bytes, beyond which some clients refuse them as a whole; the next page has the rest."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from helpers.linq import call_over
from helpers.reading_accounts import all_messages
from helpers.remembered import Remembered
from helpers.talking_account import talking_account

from linq_mcp.demo.account import DemoAccount
from linq_mcp.demo.api import demo_api
from linq_mcp.tools.base.tool import Tool
from linq_mcp.tools.find_chats import FIND_CHATS
from linq_mcp.tools.find_messages import FIND_MESSAGES
from linq_mcp.tools.list_chats import LIST_CHATS
from linq_mcp.tools.list_inbox import LIST_INBOX

Json = dict[str, Any]
orders = pytest.mark.parametrize("order", ["newest", "oldest"])


def long_account(chats: int, *, messages: int) -> DemoAccount:
    """Chats with names of 80 letters, and long messages in Chinese, each letter of which is three bytes."""
    account = talking_account(chats)
    for number, chat in enumerate(account.chats):
        chat["display_name"] = f"{number} ".ljust(80, "\u540d")
        del account.messages[chat["id"]][messages:]
    for message in all_messages(account):
        if message["parts"]:
            message["parts"] = [{"type": "text", "value": "\u9577 " * 900}]
    return account


@pytest.fixture(scope="module")
def data() -> DemoAccount:
    return long_account(15, messages=50)


async def pages(data: DemoAccount, tool: Tool[Any], arguments: Json) -> list[Json]:
    """The answers of all pages, none of which is longer than clients take."""
    found: list[Json] = []
    async with call_over(Remembered(httpx.ASGITransport(demo_api(data))), seconds=60) as call:
        while not found or "next_cursor" in found[-1]:
            cursor = {"cursor": found[-1]["next_cursor"]} if found else {}
            found.append(dict(await tool.run(tool.parse({**arguments, "limit": 100, **cursor}), call)))
            assert len(json.dumps(found[-1], ensure_ascii=False, separators=(",", ":")).encode()) < 75_000
    return found


def ids(rows: list[Json]) -> list[str]:
    return sorted(row["id"] for row in rows)


@orders
async def test_messages_of_the_whole_account(data: DemoAccount, order: str) -> None:
    """The chats that the messages are from count as well, and each page names those of its own messages."""
    found = await pages(data, FIND_MESSAGES, {"after": "2000-01-01", "order": order})
    assert ids([row for page in found for row in page["messages"]]) == ids(list(all_messages(data)))
    for page in found:
        assert {chat["id"] for chat in page["chats"]} == {row["chat_id"] for row in page["messages"]}
    assert all(len(page["messages"]) > 5 for page in found[:-1])


@orders
async def test_messages_of_one_chat(data: DemoAccount, order: str) -> None:
    """The pages begin at the end that the order names."""
    chat_id, messages = max(data.messages.items(), key=lambda chat: len(chat[1]))
    found = await pages(data, FIND_MESSAGES, {"chat_id": chat_id, "after": "2000-01-01", "order": order})
    assert ids([row for page in found for row in page["messages"]]) == ids(messages)
    times = [row["at"] for page in (found if order == "oldest" else reversed(found)) for row in page["messages"]]
    assert times == sorted(times)
    assert all(len(page["messages"]) > 5 for page in found[:-1])


@pytest.mark.parametrize(("tool", "arguments"), [(LIST_CHATS, {}), (FIND_CHATS, {"order": "created"})])
async def test_chats_with_long_addresses(tool: Tool[Any], arguments: Json) -> None:
    data = talking_account(100)
    for number, chat in enumerate(data.chats):
        others = [f"{person}-{number}-".ljust(200, "x") + "@example.com" for person in range(8)]
        chat["handles"] += [{**chat["handles"][0], "handle": handle, "is_me": False} for handle in others]
    found = await pages(data, tool, arguments)
    assert ids([row for page in found for row in page["chats"]]) == ids(data.chats)
    assert all(len(page["chats"]) > 20 for page in found[:-1])


async def test_the_inbox() -> None:
    data = long_account(100, messages=1)
    found = await pages(data, LIST_INBOX, {})
    assert ids([row for page in found for row in page["chats"]]) == ids(data.chats)
    assert all(len(page["chats"]) > 50 for page in found[:-1])
