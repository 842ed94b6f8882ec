"""The demo account: that it is always the same, agrees with itself, and holds every case a client trips over."""

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from linq.types import Chat, Message
from linq.types.phone_number_list_response import PhoneNumber
from pydantic import BaseModel, ValidationError

from linq_mcp.demo.account import (
    AGENCY_LINE,
    CLINIC_LINE,
    LINES,
    SHOP_LINE,
    DemoAccount,
    demo_account,
    generated_account,
    make_demo_account,
)
from linq_mcp.demo.hostile import LONG_TEXT_LENGTH, PILOT_TESTERS
from linq_mcp.demo.oddities import LONG_NAME, ORDERS_NAME
from linq_mcp.demo.people import person
from linq_mcp.demo.team import TEAM_CHAT_ID
from linq_mcp.demo.texts import OPT_OUT

Wire = dict[str, Any]
NOW = datetime(2026, 11, 20, 18, tzinfo=UTC)
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)


def at(value: str) -> datetime:
    return datetime.fromisoformat(value)


def chats_where(account: DemoAccount, **members: object) -> list[Wire]:
    return [chat for chat in account.chats if all(chat.get(name) == value for name, value in members.items())]


def named(account: DemoAccount, name: str) -> Wire:
    (chat,) = chats_where(account, display_name=name)
    return chat


def status(chat: Wire) -> str | None:
    return (chat.get("health_status") or {}).get("status")


def lines_of(chat: Wire) -> list[str]:
    return [one["handle"] for one in chat["handles"] if one["is_me"]]


def all_messages(account: DemoAccount) -> list[Wire]:
    return [message for messages in account.messages.values() for message in messages]


def all_parts(account: DemoAccount) -> list[Wire]:
    return [part for message in all_messages(account) for part in message["parts"] or []]


@pytest.fixture(scope="module")
def account() -> DemoAccount:
    return demo_account()


# -- Always the same, and in agreement with itself -----------------------------------------------------


def test_the_account_is_the_same_in_every_process() -> None:
    """Neither the hash seed nor the clock nor the place decides anything."""
    code = (
        "import hashlib, json; from linq_mcp.demo.account import *; a = demo_account(); g = generated_account(300, "
        "messages_in_first=9); print(hashlib.sha256(json.dumps([vars(a), vars(g)]).encode()).hexdigest())"
    )
    root = str(Path(__file__).parents[3])
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": root},
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }
    assert len(digests) == 1


def test_the_account_is_made_once_and_afresh_on_request() -> None:
    """`demo_account` shares one, `make_demo_account` gives one that may be changed."""
    assert demo_account() is demo_account()
    assert make_demo_account() == demo_account()
    assert make_demo_account() is not demo_account()


def test_importing_the_api_makes_no_account() -> None:
    """A server that is only started must not pay for the account."""
    code = "import linq_mcp.demo.api, linq_mcp.demo.account as a; print(a.demo_account.cache_info().currsize)"
    root = str(Path(__file__).parents[3])
    made = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert made.stdout == "0\n"


def test_ids_are_unique_uuids(account: DemoAccount) -> None:
    """No two things share an id, except a handle with itself in several messages."""
    ids = [chat["id"] for chat in account.chats]
    ids += [one["id"] for chat in account.chats for one in chat["handles"]]
    ids += [message["id"] for message in all_messages(account)]
    ids += [part["id"] for part in all_parts(account) if "id" in part]
    ids += [number["id"] for number in account.phone_numbers]
    assert len(set(ids)) == len(ids)
    assert all(str(UUID(one)) == one for one in ids)


def test_chats_come_most_recently_active_first(account: DemoAccount) -> None:
    """Order is by the moment, whatever the offset it is written with."""
    moments = [at(chat["updated_at"]) for chat in account.chats]
    assert moments == sorted(moments, reverse=True)
    assert moments[0] < NOW


def test_a_chat_was_last_active_at_its_last_message(account: DemoAccount) -> None:
    """And created before its first; messages are oldest first, no two at one moment."""
    assert set(account.messages) == {chat["id"] for chat in account.chats}
    for chat in account.chats:
        moments = [at(message["created_at"]) for message in account.messages[chat["id"]]]
        assert at(chat["created_at"]) < moments[0]
        assert moments[-1] == at(chat["updated_at"])
        assert moments == sorted(set(moments))


def test_every_chat_has_three_to_thirty_messages_but_the_long_one(account: DemoAccount) -> None:
    """Only the team's group is long enough for several pages of messages."""
    lengths = {chat_id: len(messages) for chat_id, messages in account.messages.items()}
    assert lengths.pop(TEAM_CHAT_ID) == 400
    assert 3 <= min(lengths.values()) <= max(lengths.values()) <= 30


def test_messages_name_their_chat_and_a_sender_of_it(account: DemoAccount) -> None:
    """`from`, `from_handle` and `is_from_me` agree, but where an odd message leaves them out."""
    for chat in account.chats:
        for message in account.messages[chat["id"]]:
            assert message["chat_id"] == chat["id"]
            if message["from_handle"] is not None:
                assert message["from_handle"]["handle"] == message["from"]
                if chat["handles"][0]["is_me"] is not None:
                    assert message["is_from_me"] is message["from_handle"]["is_me"]


def test_dates_and_flags_of_a_message_agree_with_its_delivery_status(account: DemoAccount) -> None:
    """What has not been sent has no dates; what was read was delivered before."""
    for message in all_messages(account):
        has = [bool(message[name]) for name in ("sent_at", "delivered_at", "read_at")]
        expected = {
            "pending": [False, False, False],
            "queued": [False, False, False],
            "failed": [False, False, False],
            "sent": [True, False, False],
            "delivered": [True, True, False],
            "received": [True, True, False],
            "read": [True, True, True],
        }
        if message["delivery_status"] in expected:
            assert has == expected[message["delivery_status"]]
            assert [message["is_delivered"], message["is_read"]] == has[1:]


def test_only_what_others_wrote_was_received(account: DemoAccount) -> None:
    """Our own messages are on their way or have arrived."""
    ours = Counter((message["is_from_me"], message["delivery_status"]) for message in all_messages(account))
    assert ours[True, "received"] == 0
    assert {value for own, value in ours if not own} == {"received", "expired"}


def test_we_wait_a_day_before_we_write_again(account: DemoAccount) -> None:
    """Messages that nobody answered are no burst."""
    chat = next(chat for chat in account.chats if status(chat) == "CRITICAL" and not chat["is_group"])
    moments = [at(message["created_at"]) for message in account.messages[chat["id"]]]
    assert {message["is_from_me"] for message in account.messages[chat["id"]]} == {True}
    assert all((later - earlier).days >= 1 for earlier, later in pairwise(moments))


def test_all_numbers_and_addresses_are_fictional(account: DemoAccount) -> None:
    """Guests have 555-01xx numbers and addresses in example domains."""
    for chat in account.chats:
        for one in chat["handles"]:
            if one["handle"] not in LINES:
                assert re.fullmatch(r"\+1\d{3}55501\d\d|[^@]+@example\.(com|org|net)", one["handle"].lower())


def test_people_are_distinct() -> None:
    """No number or address is given to two people."""
    people = [person(number) for number in range(1200)]
    assert len({one.phone for one in people}) == len({one.email for one in people}) == 1200
    assert all(re.fullmatch(r"\+1\d{3}55501\d\d", one.phone) for one in people)
    assert people[0].name == "Ana Adler"


# -- What it is like ------------------------------------------------------------------------------------


def test_counts_per_line_and_health(account: DemoAccount) -> None:
    """The picture the documents show; a chat with two of our lines counts for both, one with none for None."""
    lines: list[tuple[Wire, list[str | None]]] = [(chat, [*lines_of(chat)] or [None]) for chat in account.chats]
    counts = Counter((line, status(chat)) for chat, own in lines for line in own)
    assert len(account.chats) == 300
    assert counts == {
        (CLINIC_LINE, "HEALTHY"): 117,
        (CLINIC_LINE, "AT_RISK"): 9,
        (CLINIC_LINE, "CRITICAL"): 3,
        (CLINIC_LINE, "OPTED_OUT"): 6,
        (CLINIC_LINE, None): 1,
        (AGENCY_LINE, "HEALTHY"): 49,
        (AGENCY_LINE, "AT_RISK"): 21,
        (AGENCY_LINE, "at_risk"): 1,
        (AGENCY_LINE, "CRITICAL"): 15,
        (AGENCY_LINE, "OPTED_OUT"): 14,
        (AGENCY_LINE, "PAUSED"): 1,
        (SHOP_LINE, "HEALTHY"): 48,
        (SHOP_LINE, "AT_RISK"): 8,
        (SHOP_LINE, "CRITICAL"): 1,
        (SHOP_LINE, "OPTED_OUT"): 4,
        (SHOP_LINE, None): 1,
        (None, "HEALTHY"): 2,
    }


def test_the_lines_and_their_reputations(account: DemoAccount) -> None:
    """One line in trouble, one at risk, one forwarded, one RCS only."""
    assert [
        (one["phone_number"], one["reputation"]["status"], one["line_type"], one["forwarding_number"])
        for one in account.phone_numbers
    ] == [
        (CLINIC_LINE, "HEALTHY", "iMessage", "+12055550199"),
        (AGENCY_LINE, "CRITICAL", "iMessage", None),
        (SHOP_LINE, "AT_RISK", "RCS", None),
    ]


def test_the_rcs_line_never_carries_imessage(account: DemoAccount) -> None:
    """Linq docs: an RCS-only line sends RCS and SMS but never iMessage."""
    own = [chat for chat in account.chats if lines_of(chat) == [SHOP_LINE]]
    assert {chat["service"] for chat in own} == {"RCS", "SMS"}


def test_opted_out_chats_end_with_a_keyword_at_that_moment(account: DemoAccount) -> None:
    """They are never groups, and nothing was sent afterwards."""
    opted_out = [chat for chat in account.chats if status(chat) == "OPTED_OUT"]
    for chat in opted_out:
        last = account.messages[chat["id"]][-1]
        assert not chat["is_group"]
        assert not last["is_from_me"]
        assert last["parts"][0]["value"] in OPT_OUT
        assert chat["health_status"]["updated_at"] == last["created_at"]
    this_week = Counter(
        chat["handles"][0]["handle"] for chat in opted_out if at(chat["health_status"]["updated_at"]) >= MONDAY
    )
    assert this_week == {CLINIC_LINE: 4, AGENCY_LINE: 9, SHOP_LINE: 2}


def test_team_discussion_is_a_critical_group_on_the_first_page(account: DemoAccount) -> None:
    """The example of the project's documents."""
    chat = named(account, "Team Discussion")
    assert account.chats.index(chat) < 20
    assert (chat["id"], chat["updated_at"], chat["is_group"]) == (TEAM_CHAT_ID, "2026-11-20T17:45:00Z", True)
    assert chat["health_status"] == {
        "status": "CRITICAL",
        "doc_url": "https://docs.linqapp.com/guides/chats/chat-health#critical",
        "updated_at": "2026-11-01T00:00:00Z",
    }
    assert len(chat["handles"]) == 7


def test_default_names_are_the_handles_with_or_without_our_own(account: DemoAccount) -> None:
    """Linq's text says the recipients', its sample shows all."""
    kinds = Counter[str]()
    for chat in account.chats:
        handles = [one["handle"] for one in chat["handles"]]
        names = {", ".join(handles): "all", ", ".join(handles[1:]): "recipients"}
        kinds[names.get(chat["display_name"] or "", "other")] += 1
    assert kinds["all"] > 200
    assert kinds["recipients"] > 30


def test_some_people_are_in_several_chats(account: DemoAccount) -> None:
    """So a `to` filter has more than one answer, on more than one line."""
    chats = Counter(one["handle"] for chat in account.chats for one in chat["handles"] if one["handle"] not in LINES)
    assert sum(count > 1 for count in chats.values()) > 20


def test_no_text_has_a_brace_left_in_it(account: DemoAccount) -> None:
    """Each script's blanks are filled in."""
    for part in all_parts(account):
        if part.get("value", "").startswith('"}]}'):
            continue
        assert not re.search(r"[{}]", part.get("value", ""))


# -- Odd chats ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "members",
    [
        {"display_name": None},
        {"display_name": ""},
        {"service": None},
        {"service": "Satellite"},
        {"labels": ["vip"]},
        {"is_archived": True},
        {"health_status": None},
        {"display_name": "Lunch \ud83d"},
        {"display_name": LONG_NAME},
        {"display_name": ORDERS_NAME},
        {"display_name": "Physio group\nTuesdays 6 pm"},
        {"display_name": "Family plan \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \u2764\ufe0f"},
        {"display_name": "Stall \u202e9 elbaT\u202c \u200fmarket"},
    ],
    ids=lambda members: ascii(members)[:50],
)
def test_a_chat_with_this_member_exists(account: DemoAccount, members: Wire) -> None:
    """Each odd value a chat can have is in the account."""
    assert chats_where(account, **members)


def test_the_long_name_is_over_200_characters() -> None:
    """Long enough to be cut wherever names are."""
    assert len(LONG_NAME) > 200


@pytest.mark.parametrize("value", ["PAUSED", "at_risk", "HEALTHY", "AT_RISK", "CRITICAL", "OPTED_OUT"])
def test_a_chat_of_this_health_exists(account: DemoAccount, value: str) -> None:
    """Linq's four values, an unknown one, and one in the lower case of old."""
    assert any(status(chat) == value for chat in account.chats)


def test_a_chat_without_health_exists(account: DemoAccount) -> None:
    """Linq calls the member always present, and BETA."""
    assert any("health_status" not in chat for chat in account.chats)


def test_a_group_with_left_and_removed_members_exists(account: DemoAccount) -> None:
    """And one whose date of leaving stayed after a return."""
    handles = named(account, "Saturday market crew")["handles"]
    assert [(one["status"], one["left_at"] is not None) for one in handles] == [
        ("active", False),
        ("active", False),
        ("left", True),
        ("active", False),
        ("removed", True),
        ("active", True),
        ("active", False),
    ]


def test_a_chat_that_our_line_left_exists(account: DemoAccount) -> None:
    """The line is still the chat's line."""
    own = named(account, "Canal St tenants")["handles"][0]
    assert (own["is_me"], own["status"]) == (True, "left")


def test_chats_with_one_handle_exist(account: DemoAccount) -> None:
    """One with the other alone, one with ourselves alone."""
    single = [chat["handles"][0]["is_me"] for chat in account.chats if len(chat["handles"]) == 1]
    assert sorted(single) == [False, True]


def test_a_chat_with_two_own_handles_exists(account: DemoAccount) -> None:
    """It belongs to both lines."""
    assert lines_of(named(account, "Clinic and Canal Homes")) == [CLINIC_LINE, AGENCY_LINE]


def test_a_chat_in_which_nobody_is_marked_exists(account: DemoAccount) -> None:
    """`is_me` and `status` may both be null."""
    assert any(all(one["is_me"] is None is one["status"] for one in chat["handles"]) for chat in account.chats)


def test_a_group_of_31_others_exists(account: DemoAccount) -> None:
    """More participants than any answer should list."""
    assert len(named(account, "Winter coat drive volunteers")["handles"]) == 32


def test_emails_icons_and_line_types_exist(account: DemoAccount) -> None:
    """An address with capitals, too."""
    handles = [one for chat in account.chats for one in chat["handles"]]
    assert sum("@" in one["handle"] for one in handles) > 10
    assert any(one["handle"] == "Maya.Torres@Example.com" for one in handles)
    assert {one.get("line_type") for one in handles} == {None, "iMessage", "RCS"}
    assert {bool(chat.get("group_chat_icon")) for chat in account.chats if chat["is_group"]} == {True, False}


def test_times_come_with_z_fractions_and_offsets(account: DemoAccount) -> None:
    """The three forms Linq was seen to write."""
    forms = {re.sub(r"\d", "0", chat["updated_at"])[19:] for chat in account.chats}
    assert forms == {"Z", ".000Z", ".000-00:00"}


# -- Odd messages ---------------------------------------------------------------------------------------


def test_all_kinds_of_parts_and_reactions_exist(account: DemoAccount) -> None:
    """All that Linq documents and one unknown of each."""
    parts = all_parts(account)
    assert {part["type"] for part in parts} == {"text", "link", "media", "imessage_app", "app_clip", "poll"}
    reactions = [reaction for part in parts for reaction in part.get("reactions", [])]
    assert {one["type"] for one in reactions} == {
        *("love", "like", "dislike", "laugh", "emphasize", "question", "custom", "sticker", "sparkle")
    }
    assert all((one["sticker"] is not None) is (one["type"] == "sticker") for one in reactions)
    assert any(one["custom_emoji"] for one in reactions)


def test_all_delivery_statuses_exist(account: DemoAccount) -> None:
    """Linq's seven and an unknown one, several of them failures."""
    statuses = Counter(message["delivery_status"] for message in all_messages(account))
    assert set(statuses) == {*("pending", "queued", "sent", "delivered", "received", "read", "failed", "expired")}
    assert statuses["failed"] > 5


def test_media_have_presigned_addresses(account: DemoAccount) -> None:
    """Such an address lasts an hour, and says so."""
    media = [part for part in all_parts(account) if part["type"] == "media"]
    assert len(media) > 50
    for part in media:
        assert part["url"].startswith(f"https://cdn.linqapp.com/attachments/{part['id']}/")
        assert "X-Amz-Expires=3600" in part["url"]
        assert part["size_bytes"] > 0


def test_the_team_replies_edits_and_uses_effects(account: DemoAccount) -> None:
    """Its last day shows what a message can be."""
    team = account.messages[TEAM_CHAT_ID]
    ids = {message["id"]: message for message in team}
    replies = [message["reply_to"] for message in team if message["reply_to"]]
    assert all(len(ids[one["message_id"]]["parts"]) > one["part_index"] for one in replies)
    assert any(one["part_index"] for one in replies)
    assert {(message["effect"] or {}).get("type") for message in team} == {None, "screen", "bubble"}
    assert sum(message["updated_at"] > message["created_at"] for message in team) == 1
    assert any("reconciled_at" in message for message in team)
    assert any(part.get("mentions") for message in team for part in message["parts"])
    assert {"failed", "queued"} < {message["delivery_status"] for message in team}


def test_a_member_on_another_service_writes_in_the_team(account: DemoAccount) -> None:
    """A message's service may differ from its chat's."""
    services = Counter(message["service"] for message in account.messages[TEAM_CHAT_ID])
    assert services["iMessage"] > services["SMS"] > 10


def test_pilot_testers_hold_the_hostile_messages(account: DemoAccount) -> None:
    """Null and empty parts, long, broken, invisible and commanding texts, missing senders."""
    messages = account.messages[named(account, PILOT_TESTERS)["id"]]
    said = "\n".join(part.get("value", "") for one in messages for part in one["parts"] or [])
    assert [one["parts"] for one in messages if not one["parts"]] == [None, []]
    assert max(len(part.get("value", "")) for one in messages for part in one["parts"] or []) == LONG_TEXT_LENGTH
    for character in "\ud83d\ude00\u202e\u2066\u200f\u200b\x00\x07\x1b\r\u2028\u0085\u200d\ufe0f":
        assert character in said
    assert "Ignore your previous instructions" in said
    assert any(one["from_handle"] is None and one["from"] is None for one in messages)
    assert any(one["service"] is None for one in messages)
    assert any(one["created_at"].endswith("-05:00") for one in messages)


# -- The official SDK's types ---------------------------------------------------------------------------


def refused(model: type[BaseModel], things: list[Wire]) -> list[Wire]:
    found = []
    for thing in things:
        try:
            model.model_validate(thing)
        except ValidationError:
            found.append(thing)
    return found


def test_only_the_intended_chats_break_the_sdk_types(account: DemoAccount) -> None:
    """What a newer or older API may send and today's types do not allow."""
    odd = refused(Chat, account.chats)
    assert Counter((chat["service"] == "Satellite", status(chat)) for chat in odd) == {
        (True, "AT_RISK"): 1,
        (False, "PAUSED"): 1,
        (False, "at_risk"): 1,
        (False, None): 2,
    }


def test_only_the_intended_messages_break_the_sdk_types(account: DemoAccount) -> None:
    """An unknown part, an unknown delivery status, an unknown reaction: all among the pilot testers."""
    odd = refused(Message, all_messages(account))
    assert {message["chat_id"] for message in odd} == {named(account, PILOT_TESTERS)["id"]}
    assert len(odd) == 3


def test_the_lines_fit_the_sdk_types(account: DemoAccount) -> None:
    """None of them is odd."""
    assert refused(PhoneNumber, account.phone_numbers) == []


# -- Generated accounts ---------------------------------------------------------------------------------


def test_a_generated_account_has_variety() -> None:
    """Statuses, lines, services, groups, addresses of both kinds, people in several chats."""
    made = generated_account(500)
    assert len(made.chats) == 500
    assert {status(chat) for chat in made.chats} == {"HEALTHY", "AT_RISK", "CRITICAL", "OPTED_OUT"}
    assert {lines_of(chat)[0] for chat in made.chats} == set(LINES)
    assert {chat["service"] for chat in made.chats} == {"iMessage", "SMS", "RCS"}
    assert {chat["is_group"] for chat in made.chats} == {True, False}
    people = Counter(one["handle"] for chat in made.chats for one in chat["handles"][1:])
    assert max(people.values()) > 1
    assert any("@" in handle for handle in people)
    assert refused(Chat, made.chats) == []


def test_four_generated_chats_have_every_health() -> None:
    """A small account is enough for a test of statuses."""
    assert len({status(chat) for chat in generated_account(4).chats}) == 4


def test_generated_groups_are_never_opted_out() -> None:
    """Linq marks the chat with one person only."""
    kinds = Counter((chat["is_group"], status(chat)) for chat in generated_account(5000).chats)
    assert kinds[False, "OPTED_OUT"] > 50
    assert kinds[True, "OPTED_OUT"] == 0


def test_a_generated_account_is_ordered_and_seeded() -> None:
    """Most recent first; the seed decides."""
    made = generated_account(100, seed=1)
    moments = [chat["updated_at"] for chat in made.chats]
    assert moments == sorted(moments, reverse=True)
    assert made == generated_account(100, seed=1)
    assert made != generated_account(100, seed=2)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_tiny_generated_accounts_work(count: int) -> None:
    """The edges of paging need accounts as small as none."""
    made = generated_account(count, messages_in_first=3)
    assert len(made.chats) == count
    assert [len(messages) for messages in made.messages.values()] == [3] * min(count, 1)


def test_the_first_generated_chat_has_the_messages_asked_for() -> None:
    """Oldest first, by both sides, the last when the chat was last active."""
    made = generated_account(10, messages_in_first=2000)
    messages = made.messages[made.chats[0]["id"]]
    moments = [message["created_at"] for message in messages]
    assert len(messages) == 2000
    assert moments == sorted(moments)
    assert moments[-1] == made.chats[0]["updated_at"]
    assert {message["is_from_me"] for message in messages} == {True, False}
    assert refused(Message, messages) == []


def test_a_hundred_thousand_chats_take_seconds() -> None:
    """Tests of scale must not wait for their data."""
    begun = time.process_time()
    made = generated_account(100_000)
    assert time.process_time() - begun < 10
    assert len({chat["id"] for chat in made.chats}) == 100_000
    assert len(json.dumps(made.chats[:100])) < 100_000
