"""The account's own lines, of which an answer has at most a hundred."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from helpers.linq import Canned, call_over

from linq_mcp.tools.list_phone_numbers import LIST_PHONE_NUMBERS


async def lines(entries: list[Any]) -> dict[str, Any]:
    api = Canned(lambda _: httpx.Response(200, content=json.dumps({"phone_numbers": entries})))
    async with call_over(api) as call:
        return dict(await LIST_PHONE_NUMBERS.run(LIST_PHONE_NUMBERS.parse({}), call))


@pytest.mark.parametrize(("count", "note"), [(100, None), (101, "1 more"), (10_000, "9900 more")])
async def test_at_most_a_hundred_lines(count: int, note: str | None) -> None:
    """Linq documents no paging here, so the answer says how many are left out."""
    answer = await lines([{"phone_number": f"+1205253{number:04}"} for number in range(count)])
    assert len(answer["phone_numbers"]) == 100
    assert answer.get("note") == (f"The first 100 lines; {note} are left out." if note else None)


@pytest.mark.parametrize(
    ("entries", "note"),
    [
        ([], "This account has no lines."),
        ([5], "1 entry could not be read and was left out."),
        ([None, {"phone_number": "+12052530000"}], "1 entry could not be read and was left out."),
    ],
)
async def test_what_is_out_of_the_ordinary_is_said(entries: list[Any], note: str) -> None:
    assert (await lines(entries))["note"] == note
