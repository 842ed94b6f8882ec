"""A database that lasts, a file or PostgreSQL: nobody sees in it what is not theirs, and what nobody uses goes."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from datetime import timedelta
from secrets import token_hex
from typing import Any

import pytest
from helpers.linq import call_over
from helpers.lived import inbox, lived, opened
from helpers.living_linq import LINE, OTHER_LINE, LivingLinq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linq_mcp.errors import ApiStatusError, LinqError
from linq_mcp.settings.store import StoreSettings
from linq_mcp.store.housekeeping import AccountSummary, clean_some, forget_some, summaries
from linq_mcp.store.kept_account import KeptAccount, KeptList
from linq_mcp.store.stores import Stores, open_database
from linq_mcp.tools import TOOLS
from linq_mcp.tools.base.tool import Tool

Json = dict[str, Any]
ACCOUNT_WIDE = ("list_inbox", "find_messages", "find_chats", "summarize_activity", "summarize_chat_health")


def kept(place: StoreSettings) -> list[AccountSummary]:
    with closing(open_database(place)) as database:
        return summaries(database)


def asked(tool: Tool[Any], linq: LivingLinq) -> list[Json]:
    """Arguments by which a tool finds everything. Those that are about one message keep nothing."""
    properties, required = tool.input_schema["properties"], tool.input_schema.get("required", [])
    if "message_id" in required:
        return []
    if tool.name == "find_chats":
        return [{"is_group": False, "limit": 100}]
    everything: Json = {"after": "2026-01-01"} if "after" in properties else {}
    # Against Linq's order, so that a chat is read whole and kept.
    each = [{"chat_id": chat, **({"order": "oldest"} if "order" in properties else {})} for chat in linq.chats]
    if "chat_id" in required:
        return each
    return [everything, *({**one, **everything} for one in each if "chat_id" in properties)]


async def answered(linq: LivingLinq, stores: Stores, **given: Any) -> str:
    """Everything that the tools answer, and the chats that complete a name."""
    texts: list[object] = []
    async with call_over(linq, now=lambda: linq.now, stores=stores, **given) as call:
        for tool in TOOLS:
            for arguments in asked(tool, linq):
                # A closed chat is answered as one that does not exist.
                with suppress(LinqError):
                    texts.append(await tool.run(tool.parse(arguments), call))
        texts += [chat.model_dump_json() for chat in (await call.account.known_chats(1000))[0]]
    return json.dumps(texts)


@settings(
    max_examples=settings().max_examples // 30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 10**6), others_first=st.booleans())
async def test_another_account_and_closed_lines_are_never_seen(
    seed: int, others_first: bool, place: StoreSettings
) -> None:
    """All are in one database, in either order, with the same ids; whatever is asked, nothing of them is seen."""
    # The other examples' accounts are there, too.
    own_key, other_key = (f"{name}-{token_hex(4)}" for name in ("own", "other"))
    own, other = lived(seed, chats=3), lived(seed + 1, chats=3)
    # What was read of one is fresh for the other.
    own.now = other.now = max(own.now, other.now)
    for linq, word in ((own, "ownaccount"), (other, "otheraccount")):
        for chat, wire in linq.chats.items():
            line = next(handle["handle"] for handle in wire["handles"] if handle["is_me"])
            linq.say(chat, text=f"{word} on {line}")
            wire["display_name"] = f"{word} on {line}"
    stores = opened(own, place)
    readings = [(own, own_key, "otheraccount"), (other, other_key, "ownaccount")]
    for linq, key, foreign in readings[::-1] if others_first else readings:
        assert foreign not in await answered(linq, stores, key=key)
    for line, closed in ((LINE, OTHER_LINE), (OTHER_LINE, LINE)):
        text = await answered(own, stores, key=own_key, lines=[line])
        assert "otheraccount" not in text
        assert closed not in text
    text = await answered(own, stores, key=own_key)
    assert "otheraccount" not in text
    assert "ownaccount" in text
    stores.close()


async def test_after_a_refused_key_nothing_is_shown_until_linq_takes_it_again(place: StoreSettings) -> None:
    linq = lived()
    stores = opened(linq, place, max_age=0)
    await inbox(linq, stores)
    linq.refuses_key = True
    with pytest.raises(ApiStatusError):
        await inbox(linq, stores)
    stores.close()
    fresh = opened(linq, place, max_age=86_400)
    for tool in (tool for tool in TOOLS if tool.name in ACCOUNT_WIDE):
        async with call_over(linq, now=lambda: linq.now, stores=fresh) as call:
            with pytest.raises(LinqError):
                await tool.run(tool.parse(asked(tool, linq)[0]), call)
            with pytest.raises(LinqError):
                await call.account.known_chats(100)
    linq.refuses_key = False
    assert (await inbox(linq, fresh))["complete"]
    fresh.close()


async def test_what_was_not_read_again_for_days_is_dropped(place: StoreSettings) -> None:
    """Messages go after `LINQ_MCP_STORE_DAYS`, and are read again when somebody asks."""
    linq = lived()
    stores = opened(linq, place)
    right = await inbox(linq, stores)
    stores.close()
    linq.wait(timedelta(days=6))
    for days, is_kept in ((7, True), (5, False)):
        stores = opened(linq, place, days=days)
        async with call_over(linq, now=lambda: linq.now, stores=stores) as call:
            await call.account.direction()
        stores.close()
        assert bool(kept(place)[0].messages) is is_kept
    stores = opened(linq, place)
    assert (await inbox(linq, stores))["chats"] == right["chats"]
    stores.close()


async def test_an_account_that_nobody_uses_goes_after_a_month(place: StoreSettings) -> None:
    linq = lived()
    stores = opened(linq, place)
    await inbox(linq, stores, key="own-key")
    linq.wait(timedelta(days=29))
    await inbox(linq, stores, key="other-key")
    assert len(kept(place)) == 2
    linq.wait(timedelta(days=2))
    await inbox(linq, stores, key="other-key")
    (left,) = kept(place)
    assert left.last_asked == linq.now.timestamp()
    stores.close()


async def test_an_account_that_is_used_every_day_stays(place: StoreSettings) -> None:
    linq = lived()
    numbers = set()
    for _ in range(5):
        stores = opened(linq, place)
        await inbox(linq, stores)
        stores.close()
        with closing(open_database(place)) as database:
            numbers |= set(database.rows("SELECT id FROM account"))
        linq.wait(timedelta(days=10))
    assert len(numbers) == 1


def test_cleaning_goes_on_until_nothing_is_left(place: StoreSettings) -> None:
    """Processes that were reading while their accounts were dropped have left lists behind."""
    with closing(open_database(place)) as database:
        unused = KeptAccount.open(database, "unused", 1.0)
        for number in (unused.number + 1, unused.number + 2):
            KeptAccount(number).write_list(database, "", KeptList(1.0, []))
        rounds = 0
        while clean_some(database, 86_400.0 * 100, None) and rounds < 10:
            rounds += 1
        assert database.rows("SELECT account FROM list UNION SELECT id FROM account") == []


async def test_an_account_that_is_cleared_while_a_server_runs(place: StoreSettings) -> None:
    """The server finds its account anew, and writes nothing into that of another key which came after it."""
    linq, other = lived(), lived(1)
    stores = opened(linq, place)
    right = await inbox(linq, stores, key="own-key")
    database = open_database(place)
    ((number,),) = database.rows("SELECT id FROM account")
    while forget_some(database, number):
        pass
    later = opened(linq, place)
    shown = await inbox(other, later, key="other-key")
    answer = await inbox(linq, stores, key="own-key")
    assert (answer["chats"], answer["complete"], "note" in answer) == (right["chats"], True, False)
    assert (await inbox(other, later, key="other-key"))["chats"] == shown["chats"]
    assert len(summaries(database)) == 2
    for one in (database, stores, later):
        one.close()


def test_a_list_that_was_asked_for_earlier_replaces_no_later_one(place: StoreSettings) -> None:
    """A laptop that wakes up, or a slow replica, finishes its reading last."""
    with closing(open_database(place)) as database:
        account = KeptAccount.open(database, "hash", 0.0)
        for asked, finished in ((10.0, True), (5.0, True), (5.0, False)):
            account.write_list(database, "", KeptList(asked, [f"chat-{asked:g}"]), finished=finished)
        assert account.read_list(database, "") == KeptList(10.0, ["chat-10"])
        assert account.read_list(database, "", finished=False) is None
        account.write_list(database, "", KeptList(20.0, ["chat-20"]))
        assert account.read_list(database, "") == KeptList(20.0, ["chat-20"])
