"""What the demo account answers to the questions that people ask: who waits, what failed, who wrote of a refund."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from helpers.reading_accounts import all_messages, at, lines_of, named, said, status

from linq_mcp.demo.account import DemoAccount, demo_account
from linq_mcp.demo.lines import AGENCY_LINE, LINES
from linq_mcp.demo.wire import Wire

NOW = datetime(2026, 11, 20, 18, tzinfo=UTC)
TODAY = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def account() -> DemoAccount:
    return demo_account()


def has_our_reaction(message: Wire) -> bool:
    return any(reaction["is_me"] for part in message["parts"] for reaction in part["reactions"])


def unanswered(account: DemoAccount, chat: Wire) -> list[Wire]:
    """The messages of others since our last word, whoever may wait for an answer to them."""
    run: list[Wire] = []
    for message in account.messages[chat["id"]]:
        if not message["is_from_me"]:
            run.append(message)
        elif message["delivery_status"] != "failed":
            run.clear()
    return run


def waiting(account: DemoAccount) -> list[tuple[Wire, list[Wire]]]:
    """The chats in which somebody waits, each with the messages that are not answered."""
    found = []
    for chat in account.chats:
        left = all(one["status"] != "active" for one in chat["handles"] if one["is_me"])
        run = unanswered(account, chat)
        if run and not left and status(chat) != "OPTED_OUT" and not has_our_reaction(run[-1]):
            found.append((chat, run))
    return found


def test_most_chats_are_answered_and_some_wait(account: DemoAccount) -> None:
    found = waiting(account)
    assert len(found) == 21
    assert {line for chat, _ in found for line in lines_of(chat)} == set(LINES)
    assert any(chat["is_group"] for chat, _ in found)


def test_some_wait_for_minutes_some_for_hours_some_for_days(account: DemoAccount) -> None:
    """One has waited for minutes, and the longest for more than a week."""
    waits = sorted(NOW - at(run[0]["created_at"]) for _, run in waiting(account))
    assert waits[0] < timedelta(minutes=10) < waits[1]
    assert sum(HOUR < wait < DAY for wait in waits) >= 5
    assert sum(wait > DAY for wait in waits) >= 5
    assert waits[-1] > 7 * DAY


def test_a_tapback_on_their_latest_message_answers_it(account: DemoAccount) -> None:
    waits = {chat["id"] for chat, _ in waiting(account)}
    ended = [
        chat
        for chat in account.chats
        if (run := unanswered(account, chat)) and has_our_reaction(run[-1]) and status(chat) != "OPTED_OUT"
    ]
    assert len(ended) >= 4
    assert not waits & {chat["id"] for chat in ended}


def test_a_tapback_on_an_earlier_message_answers_nothing(account: DemoAccount) -> None:
    reacted = [run for _, run in waiting(account) if any(has_our_reaction(message) for message in run)]
    assert [said(run[0]) for run in reacted] == ["The plumber came and the leak is fixed"]


def test_a_failed_message_of_ours_is_no_answer(account: DemoAccount) -> None:
    (messages,) = [
        account.messages[chat["id"]] for chat, _ in waiting(account) if account.messages[chat["id"]][-1]["is_from_me"]
    ]
    assert [(one["is_from_me"], one["delivery_status"]) for one in messages[-3:]] == [
        (False, "received"),
        (True, "failed"),
        (True, "failed"),
    ]


def test_a_chat_that_we_left_never_waits(account: DemoAccount) -> None:
    chat = named(account, "Canal St tenants")
    assert chat["handles"][0]["status"] == "left"
    assert said(unanswered(account, chat)[-1]).endswith("?")
    assert chat not in [waits for waits, _ in waiting(account)]


def test_only_the_agencys_line_had_failures_today(account: DemoAccount) -> None:
    """The other lines had their failures days ago."""
    failed = [
        (line, at(message["created_at"]))
        for chat in account.chats
        for line in lines_of(chat)
        for message in account.messages[chat["id"]]
        if message["delivery_status"] == "failed"
    ]
    assert Counter(line for line, moment in failed if moment >= TODAY) == {AGENCY_LINE: 7}
    assert Counter(line for line, moment in failed if moment >= NOW - DAY) == {AGENCY_LINE: 7}
    assert {line for line, _ in failed} == set(LINES)


def test_three_people_wrote_of_a_refund_this_week(account: DemoAccount) -> None:
    found = [
        (chat, message)
        for chat in account.chats
        for message in account.messages[chat["id"]]
        if "refund" in said(message).lower()
    ]
    assert len({chat["id"] for chat, _ in found}) == len({message["from"] for _, message in found}) == len(found) == 3
    assert sum(chat["is_group"] for chat, _ in found) == 1
    assert not any(message["is_from_me"] for _, message in found)
    assert all(at(message["created_at"]) > NOW - 7 * DAY for _, message in found)


def test_the_last_day_is_busy(account: DemoAccount) -> None:
    chats = Counter(
        line
        for chat in account.chats
        for line in lines_of(chat)
        if any(at(message["created_at"]) > NOW - DAY for message in account.messages[chat["id"]])
    )
    assert min(chats[line] for line in LINES) >= 10
    assert sum(at(message["created_at"]) > NOW - DAY for message in all_messages(account)) > 200
