"""What the demo API does with what is sent through it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import httpx
import pytest
from helpers.recording_api import demo_chat

from linq_mcp.demo.account import demo_account
from linq_mcp.demo.api import DEMO_BASE_URL, DEMO_KEY, demo_api
from linq_mcp.demo.lines import CLINIC_LINE

CHAT = demo_chat(line=CLINIC_LINE)
MESSAGES = f"chats/{CHAT['id']}/messages"
STRANGER = "+12055559999"


def client() -> httpx.AsyncClient:
    transport = httpx.ASGITransport(demo_api(demo_account()))
    headers = {"Authorization": f"Bearer {DEMO_KEY}"}
    return httpx.AsyncClient(transport=transport, base_url=f"{DEMO_BASE_URL}/v3/", headers=headers)


def message(text: Any = "Hello", key: str = "") -> dict[str, Any]:
    parts = [{"type": "text", "value": text}]
    return {"message": {"parts": parts, **({"idempotency_key": key} if key else {})}}


async def test_a_message_is_delivered_step_by_step() -> None:
    """Each reading shows the message one step further, and its chat lists it."""
    async with client() as http:
        answer = await http.post(MESSAGES, json=message())
        assert answer.status_code == 202
        sent = answer.json()["message"]
        assert sent["delivery_status"] == "pending"
        read = [(await http.get(f"messages/{sent['id']}")).json()["delivery_status"] for _ in range(3)]
        assert read == ["sent", "delivered", "delivered"]
        listed = (await http.get(MESSAGES, params={"limit": 100})).json()["messages"]
    assert listed[-1]["id"] == sent["id"]


async def test_a_key_that_was_used_gets_its_first_answer() -> None:
    async with client() as http:
        first = (await http.post(MESSAGES, json=message(key="k"))).json()
        again = (await http.post(MESSAGES, json=message("Other", key="k"))).json()
        others = [(await http.post(MESSAGES, json=message())).json()["message"]["id"] for _ in range(2)]
    assert first == again
    assert len({first["message"]["id"], *others}) == 3


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (MESSAGES, {}, 1001),
        (MESSAGES, {"message": {"parts": []}}, 1008),
        (MESSAGES, message(""), 1005),
        (MESSAGES, message("x" * 10_001), 1005),
        (MESSAGES, {"message": {"parts": [{"type": "media", "url": "http://example.com"}]}}, 1005),
        (f"chats/{demo_chat('OPTED_OUT', line=CLINIC_LINE)['id']}/messages", message(), 2024),
        ("chats", {"from": CLINIC_LINE, "to": [STRANGER], **message("https://example.com")}, 1005),
        ("chats", {"from": STRANGER, "to": [STRANGER], **message()}, 2006),
        ("chats", {"from": CLINIC_LINE, "to": ["nobody"], **message()}, 1002),
        ("chats/550e8400-e29b-41d4-a716-446655440000/messages", message(), 2001),
        (f"messages/{demo_account().messages[CHAT['id']][0]['id']}/reactions", {"operation": "set"}, 1005),
    ],
)
async def test_linqs_refusals(path: str, body: dict[str, Any], code: int) -> None:
    async with client() as http:
        answer = await http.post(path, json=body)
    assert answer.json()["error"]["code"] == code


async def test_the_account_itself_stays_as_it_is() -> None:
    """The account is shared, so messages and reactions are kept beside it."""
    before = deepcopy((demo_account().chats, demo_account().messages))
    target = demo_account().messages[CHAT["id"]][0]["id"]
    like = {"operation": "add", "type": "like"}
    async with client() as http:
        await http.post(MESSAGES, json=message())
        await http.post("chats", json={"from": CLINIC_LINE, "to": [STRANGER], **message()})
        for _ in range(2):
            assert (await http.post(f"messages/{target}/reactions", json=like)).status_code == 202
        read = (await http.get(f"messages/{target}")).json()
        assert [one["type"] for one in read["parts"][0]["reactions"] if one["is_me"]].count("like") == 1
        await http.post(f"messages/{target}/reactions", json={**like, "operation": "remove"})
        read = (await http.get(f"messages/{target}")).json()
        assert "like" not in [one["type"] for one in read["parts"][0]["reactions"] if one["is_me"]]
    assert (demo_account().chats, demo_account().messages) == before
