"""summarize_chat_health against a plain count of the data."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import httpx
import pytest
from helpers.demo_lines import LINES
from helpers.generated_account import generated_account
from helpers.linq import Canned, call_over
from helpers.odd_account import odd_account

from linq_mcp.demo.account import DemoAccount, demo_account
from linq_mcp.demo.api import demo_api
from linq_mcp.demo.lines import AGENCY_LINE, CLINIC_LINE
from linq_mcp.errors import ApiStatusError
from linq_mcp.tools.summarize_chat_health import SUMMARIZE_CHAT_HEALTH
from linq_mcp.wording.errors import HEADLINES

CHATS = int(os.environ.get("LINQ_MCP_TEST_CHATS", "700"))
Json = dict[str, Any]

pytestmark = pytest.mark.timeout(60 + CHATS // 50)


async def summary(data: DemoAccount, arguments: Json | None = None) -> Json:
    async with call_over(httpx.ASGITransport(demo_api(data))) as call:
        return dict(await SUMMARIZE_CHAT_HEALTH.run(SUMMARIZE_CHAT_HEALTH.parse(arguments or {}), call))


def counted(data: DemoAccount) -> dict[str, Counter[str]]:
    """Chats by line and status, plainly counted."""
    counts: dict[str, Counter[str]] = {}
    for chat in data.chats:
        (line,) = (handle["handle"] for handle in chat["handles"] if handle["is_me"])
        counts.setdefault(line, Counter())[chat["health_status"]["status"]] += 1
    return counts


async def test_its_sums_equal_a_plain_count() -> None:
    data = generated_account(CHATS)
    answer = await summary(data, {})
    assert all(sum(row["health"].values()) == row["chats"] for row in answer["lines"])
    assert (answer["scanned"], answer["complete"]) == (CHATS, True)
    assert {row["line"]: Counter(row["health"]) for row in answer["lines"]} == counted(data)


async def test_the_demo_account_line_by_line() -> None:
    """The line of the worst reputation first, each with its reputation; odd statuses and missing ones are counted."""
    answer = await summary(odd_account())
    assert [row.get("line") for row in answer["lines"]] == [AGENCY_LINE, LINES[2], CLINIC_LINE, None]
    first = answer["lines"][0]
    assert (first["reputation"], first["health"]["PAUSED"]) == ("CRITICAL", 1)
    assert sum(row["health"].get("UNREPORTED", 0) for row in answer["lines"]) == 2
    # Lower case is the same status.
    assert "at_risk" not in first["health"]
    assert sum(row["chats"] for row in answer["lines"]) == answer["scanned"] == len(odd_account().chats)


@pytest.mark.parametrize(("given", "rows"), [({}, 5), ({"worst": 0}, 0), ({"worst": 20}, 20)])
async def test_the_chats_that_need_attention(given: dict[str, int], rows: int) -> None:
    """`worst` of them are listed, five by default: critical before at risk, the latest change first."""
    answer = await summary(demo_account(), given)
    worst = answer.get("worst", [])
    assert len(worst) == rows
    critical = [row["health_since"] for row in worst if row["health_status"] == "CRITICAL"]
    assert [row["health_status"] for row in worst] == sorted((row["health_status"] for row in worst), reverse=True)
    assert critical == sorted(critical, reverse=True)
    assert set(answer["health_guide"]) >= {"CRITICAL", "AT_RISK", "OPTED_OUT"}


async def test_the_total_adds_up_the_lines() -> None:
    answer = await summary(demo_account())
    statuses = Counter[str]()
    for line in answer["lines"]:
        statuses.update(line["health"])
    assert answer["total"] == {"chats": 300, "health": dict(sorted(statuses.items()))}


async def test_the_order_of_the_statuses() -> None:
    statuses = ["HEALTHY", "PAUSED", "OPTED_OUT", "at_risk", "CRITICAL", None]
    chats = [
        {"id": str(n), "health_status": {"status": status, "updated_at": f"2026-11-0{n + 1}T00:00:00Z"}}
        for n, status in enumerate(statuses)
    ]

    def handler(request: httpx.Request) -> httpx.Response:
        numbers = request.url.path.endswith("phone_numbers")
        return httpx.Response(200, json={"phone_numbers": []} if numbers else {"chats": chats, "next_cursor": None})

    async with call_over(Canned(handler)) as call:
        answer = await SUMMARIZE_CHAT_HEALTH.run(SUMMARIZE_CHAT_HEALTH.parse({}), call)
    assert [row["health_status"] for row in answer["worst"]] == ["CRITICAL", "at_risk", "OPTED_OUT", "PAUSED"]


async def test_failing_reputations_do_not_spoil_the_answer() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("phone_numbers"):
            return httpx.Response(503, json={})
        return httpx.Response(200, json={"chats": [{"id": "a"}], "next_cursor": None})

    async with call_over(Canned(handler)) as call:
        answer = await SUMMARIZE_CHAT_HEALTH.run(SUMMARIZE_CHAT_HEALTH.parse({}), call)
    assert answer["scanned"] == 1
    assert answer["note"].startswith("The lines' reputation is missing: " + HEADLINES["server_error"])


async def test_failing_chats_are_an_error_in_spite_of_the_reputations() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("phone_numbers"):
            return httpx.Response(200, json={"phone_numbers": []})
        return httpx.Response(401, json={})

    async with call_over(Canned(handler)) as call:
        with pytest.raises(ApiStatusError):
            await SUMMARIZE_CHAT_HEALTH.run(SUMMARIZE_CHAT_HEALTH.parse({}), call)


async def test_filters_reach_the_api_and_idle_lines_stay_out() -> None:
    data = demo_account()
    only = await summary(data, {"from": CLINIC_LINE})
    assert [row["line"] for row in only["lines"]] == [CLINIC_LINE]
    empty = DemoAccount([], {}, data.phone_numbers)
    idle = (await summary(empty))["lines"]
    assert sorted((row["line"], row["chats"]) for row in idle) == sorted((line, 0) for line in LINES)
