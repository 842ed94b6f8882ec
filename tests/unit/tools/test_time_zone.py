"""Every time of every answer is in the time zone in force, and the same instant as in any other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from helpers.linq import call_over
from helpers.odd_account import odd_account
from helpers.remembered import Remembered

from linq_mcp.demo.api import demo_api
from linq_mcp.demo.team_discussion import TEAM_CHAT_ID
from linq_mcp.region import Region, in_region
from linq_mcp.settings.store import StoreSettings
from linq_mcp.store.stores import Stores
from linq_mcp.tools import TOOLS

MESSAGE_ID = odd_account().messages[TEAM_CHAT_ID][0]["id"]
# A recent window, so that what is listed does not depend on the day.
CALLS: dict[str, dict[str, Any]] = {
    "list_chats": {},
    "list_inbox": {"order": "longest_waiting"},
    "list_messages": {"chat_id": TEAM_CHAT_ID},
    "find_messages": {"text": "the", "after": "2026-11-01T00:00:00Z"},
    "find_chats": {"health_status": ["CRITICAL"]},
    "get_chat": {"chat_id": TEAM_CHAT_ID},
    "get_message": {"message_id": MESSAGE_ID},
    "summarize_activity": {"after": "2026-11-01T00:00:00Z"},
    "summarize_chat_health": {},
}


@pytest.fixture(scope="module")
def linq() -> httpx.AsyncBaseTransport:
    """The latest chats of the account alone, as nothing depends on how many there are."""
    account = odd_account()
    chats = account.chats[:20]
    return Remembered(httpx.ASGITransport(demo_api(replace(account, chats=chats))))


@pytest.fixture(scope="module")
def stores() -> Stores:
    """What was read, which knows no time zone."""
    return Stores(StoreSettings())


def times(answer: object) -> Iterator[str]:
    if isinstance(answer, Mapping):
        for value in answer.values():
            yield from times(value)
    elif isinstance(answer, list):
        for item in answer:
            yield from times(item)
    elif isinstance(answer, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T", answer):
        yield answer


@pytest.mark.parametrize("name", CALLS)
async def test_times_are_the_same_instants_in_every_time_zone(
    name: str, linq: httpx.AsyncBaseTransport, stores: Stores
) -> None:
    tool = next(tool for tool in TOOLS if tool.name == name)
    found = {}
    for zone in ("UTC", "Asia/Kolkata"):
        with in_region(Region(ZoneInfo(zone))):
            async with call_over(linq, stores=stores) as call:
                answer = dict(await tool.run(tool.parse(CALLS[name]), call))
        # When it was read differs from call to call.
        found[zone] = list(times({**answer, "as_of": None}))
    assert found["UTC"]
    assert all(time.endswith("Z") for time in found["UTC"])
    assert all(time.endswith("+05:30") for time in found["Asia/Kolkata"])
    assert [*map(datetime.fromisoformat, found["UTC"])] == [*map(datetime.fromisoformat, found["Asia/Kolkata"])]
