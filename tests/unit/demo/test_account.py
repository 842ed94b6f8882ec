"""The demo account: always the same, consistent in itself, and plausible to the eye."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from helpers.reading_accounts import all_messages, all_parts, at, lines_of, said, status

from linq_mcp.demo import in_process
from linq_mcp.demo.account import DemoAccount, current_demo_account, demo_account
from linq_mcp.demo.api import DEMO_BASE_URL, DEMO_KEY
from linq_mcp.demo.contacts import demo_contacts
from linq_mcp.demo.lines import AGENCY_LINE, CLINIC_LINE, LINES, SHOP_LINE

NOW = datetime(2026, 11, 20, 18, tzinfo=UTC)
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
HOUR = timedelta(hours=1)


def run(code: str, **env: str) -> str:
    """What this program prints in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])} | env,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout


@pytest.fixture(scope="module")
def account() -> DemoAccount:
    return demo_account()


def test_the_account_is_the_same_in_every_process() -> None:
    """Neither the hash seed nor the time zone decides anything."""
    code = (
        "import hashlib, json; from linq_mcp.demo.account import demo_account; "
        "print(hashlib.sha256(json.dumps(vars(demo_account())).encode()).hexdigest())"
    )
    assert run(code, PYTHONHASHSEED="1", TZ="UTC") == run(code, PYTHONHASHSEED="2", TZ="Asia/Tokyo")


def test_importing_the_api_makes_no_account() -> None:
    """A server that is only started must not pay for the account."""
    code = (
        "import linq_mcp.demo.conversation as c; c.converse = None; "
        "import linq_mcp.demo.api, linq_mcp.demo.in_process; print('imported')"
    )
    assert run(code) == "imported\n"


TIME = re.compile(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[^"]*"')


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (NOW + 50 * HOUR, 50),
        (NOW + 50.99 * HOUR, 50),
        (NOW - 0.5 * HOUR, -1),
        (NOW + timedelta(days=4000), 96_000),
    ],
)
def test_moving_the_account_changes_nothing_but_times(now: datetime, hours: int) -> None:
    """All times move by the same whole number of hours; ids, texts and the order stay."""
    fixed, moved = (json.dumps(vars(one)) for one in (demo_account(), demo_account(now)))
    assert TIME.sub("", moved) == TIME.sub("", fixed)
    differences = {
        at(later[1:-1]) - at(earlier[1:-1])
        for earlier, later in zip(TIME.findall(fixed), TIME.findall(moved), strict=True)
    }
    assert differences == {hours * HOUR}


def test_now_the_latest_message_is_at_most_an_hour_old() -> None:
    """The last 24 hours of the account are the last 24 hours, and nothing is in the future."""
    latest = max(at(message["created_at"]) for message in all_messages(current_demo_account()))
    age = datetime.now(UTC) - latest
    assert timedelta(0) < age < timedelta(minutes=65)


async def test_the_demo_without_a_port_shows_the_account_as_it_stands_now() -> None:
    """The documents' examples are made with the fixed account, which has to be passed."""
    headers = {"Authorization": f"Bearer {DEMO_KEY}"}
    shown = []
    for transport in (in_process.transport(), in_process.transport(demo_account())):
        async with httpx.AsyncClient(transport=transport, base_url=DEMO_BASE_URL, headers=headers) as http:
            shown.append((await http.get("/v3/chats")).json()["chats"])
    assert shown == [current_demo_account().chats[:20], demo_account().chats[:20]]


def test_ids_are_unique_uuids(account: DemoAccount) -> None:
    ids = [chat["id"] for chat in account.chats]
    ids += [one["id"] for chat in account.chats for one in chat["handles"]]
    ids += [message["id"] for message in all_messages(account)]
    ids += [part["id"] for part in all_parts(account) if "id" in part]
    ids += [number["id"] for number in account.phone_numbers]
    assert len(set(ids)) == len(ids)
    assert all(str(UUID(one)) == one for one in ids)


def test_chats_come_most_recently_updated_first(account: DemoAccount) -> None:
    moments = [at(chat["updated_at"]) for chat in account.chats]
    assert moments == sorted(moments, reverse=True)
    assert moments[0] < NOW


def test_messages_are_in_order_and_later_than_their_chat(account: DemoAccount) -> None:
    """Messages come oldest first, no two at one moment, and the chat was created before the first."""
    assert set(account.messages) == {chat["id"] for chat in account.chats}
    for chat in account.chats:
        moments = [at(chat["created_at"]), *(at(message["created_at"]) for message in account.messages[chat["id"]])]
        assert moments == sorted(set(moments))
        assert moments[-1] < NOW


def test_messages_name_their_chat_and_a_sender_of_it(account: DemoAccount) -> None:
    for chat in account.chats:
        for message in account.messages[chat["id"]]:
            assert message["chat_id"] == chat["id"]
            assert message["from_handle"] in chat["handles"]
            assert message["from_handle"]["handle"] == message["from"]
            assert message["is_from_me"] is message["from_handle"]["is_me"]


def test_times_and_flags_of_a_message_agree_with_its_delivery_status(account: DemoAccount) -> None:
    """A message that has not been sent has no times; one that was read was delivered before."""
    expected = {
        "pending": [False, False, False],
        "queued": [False, False, False],
        "failed": [False, False, False],
        "sent": [True, False, False],
        "delivered": [True, True, False],
        "received": [True, True, False],
        "read": [True, True, True],
    }
    for message in all_messages(account):
        has = [bool(message[name]) for name in ("sent_at", "delivered_at", "read_at")]
        assert has == expected[message["delivery_status"]]
        assert [message["is_delivered"], message["is_read"]] == has[1:]
        assert (message["delivery_status"] == "received") is not message["is_from_me"]
    assert {message["delivery_status"] for message in all_messages(account)} == set(expected)


def test_all_numbers_and_addresses_are_fictional(account: DemoAccount) -> None:
    """People have 555-01xx numbers and addresses in example domains."""
    for chat in account.chats:
        for one in chat["handles"]:
            if one["handle"] not in LINES:
                assert re.fullmatch(r"\+1\d{3}55501\d\d|[^@]+@example\.(com|org|net)", one["handle"].lower())


def test_the_contacts_name_everybody(account: DemoAccount) -> None:
    """Contacts have handles in lower case; the texts of the chats have first names only."""
    contacts = demo_contacts()
    assert set(contacts) == {one["handle"].lower() for chat in account.chats for one in chat["handles"]} - set(LINES)
    assert contacts["maya.torres@example.com"] == "Maya Torres"
    spoken = "\n".join(map(said, all_messages(account)))
    assert not [name for name in contacts.values() if name in spoken]


def test_every_blank_of_a_script_is_filled_in(account: DemoAccount) -> None:
    """No text has a brace, a part mark or a tapback mark left in it."""
    assert [text for part in all_parts(account) if re.search(r"[{}|]|tapback:", text := part.get("value", ""))] == []


def test_counts_per_line_and_health(account: DemoAccount) -> None:
    """The documents show these counts; the chat with two of our lines counts for both."""
    counts = Counter((line, status(chat)) for chat in account.chats for line in lines_of(chat))
    assert len(account.chats) == 300
    assert counts == {
        (CLINIC_LINE, "HEALTHY"): 116,
        (CLINIC_LINE, "AT_RISK"): 8,
        (CLINIC_LINE, "CRITICAL"): 3,
        (CLINIC_LINE, "OPTED_OUT"): 6,
        (CLINIC_LINE, None): 1,
        (AGENCY_LINE, "HEALTHY"): 55,
        (AGENCY_LINE, "AT_RISK"): 19,
        (AGENCY_LINE, "CRITICAL"): 15,
        (AGENCY_LINE, "OPTED_OUT"): 14,
        (AGENCY_LINE, "PAUSED"): 1,
        (SHOP_LINE, "HEALTHY"): 51,
        (SHOP_LINE, "AT_RISK"): 7,
        (SHOP_LINE, "CRITICAL"): 1,
        (SHOP_LINE, "OPTED_OUT"): 4,
    }


def test_nobody_writes_after_leaving(account: DemoAccount) -> None:
    for chat in account.chats:
        gone = {one["id"]: at(one["left_at"]) for one in chat["handles"] if one["status"] in ("left", "removed")}
        for message in account.messages[chat["id"]]:
            left_at = gone.get(message["from_handle"]["id"])
            assert left_at is None or at(message["created_at"]) <= left_at


def test_all_kinds_of_parts_and_reactions_exist(account: DemoAccount) -> None:
    assert {part["type"] for part in all_parts(account)} == {"text", "link", "media", "imessage_app", "app_clip"}
    reactions = [reaction for part in all_parts(account) for reaction in part["reactions"]]
    assert {one["type"] for one in reactions} == {
        *("love", "like", "dislike", "laugh", "emphasize", "question", "custom", "sticker")
    }
    assert all((one["sticker"] is not None) is (one["type"] == "sticker") for one in reactions)
    assert any(one["custom_emoji"] for one in reactions)
