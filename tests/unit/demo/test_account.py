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

import pytest
from helpers.demo_lines import LINES
from helpers.reading_accounts import all_messages, all_parts, at, lines_of, said, status

from linq_mcp.demo.account import DemoAccount, current_demo_account, demo_account
from linq_mcp.demo.contacts import demo_contacts
from linq_mcp.demo.lines import AGENCY_LINE, CLINIC_LINE, SHOP_LINE

NOW = datetime(2026, 11, 20, 18, tzinfo=UTC)
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
        (NOW + 50.99 * HOUR, 50),
        (NOW - 0.5 * HOUR, -1),
    ],
)
def test_moving_the_account_changes_nothing_but_times(now: datetime, hours: int) -> None:
    """All times move by the same whole number of hours; ids, texts and the order stay."""
    fixed, moved = (json.dumps(vars(one)) for one in (demo_account(), demo_account(now)))
    assert TIME.sub("", moved) == TIME.sub("", fixed)
    times = set(zip(TIME.findall(fixed), TIME.findall(moved), strict=True))
    assert {at(later[1:-1]) - at(earlier[1:-1]) for earlier, later in times} == {hours * HOUR}


def test_now_the_latest_message_is_at_most_an_hour_old() -> None:
    """The last 24 hours of the account are the last 24 hours, and nothing is in the future."""
    latest = max(at(message["created_at"]) for message in all_messages(current_demo_account()))
    age = datetime.now(UTC) - latest
    assert timedelta(0) < age < timedelta(minutes=65)


def test_ids_are_unique_uuids(account: DemoAccount) -> None:
    ids = [chat["id"] for chat in account.chats]
    ids += [one["id"] for chat in account.chats for one in chat["handles"]]
    ids += [message["id"] for message in all_messages(account)]
    ids += [part["id"] for part in all_parts(account) if "id" in part]
    ids += [number["id"] for number in account.phone_numbers]
    assert len(set(ids)) == len(ids)
    assert all(str(UUID(one)) == one for one in ids)


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
