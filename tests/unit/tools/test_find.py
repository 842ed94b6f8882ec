"""find_chats and find_messages against a plain filter of the data: the same things, each once, however resumed.

`LINQ_MCP_TEST_CHATS=100000` runs the filters over a large account instead of a small one.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from helpers.demo_lines import LINES
from helpers.generated_account import generated_account
from helpers.linq import Canned, call_over
from helpers.odd_account import odd_account
from helpers.remembered import Remembered

from linq_mcp.contacts.directory import Directory
from linq_mcp.demo.account import DemoAccount
from linq_mcp.demo.api import demo_api
from linq_mcp.demo.team_discussion import TEAM_CHAT_ID
from linq_mcp.demo.wire import NOW
from linq_mcp.errors import ArgumentsError
from linq_mcp.tools.base.tool import Tool
from linq_mcp.tools.find_chats import FIND_CHATS
from linq_mcp.tools.find_messages import FIND_MESSAGES

CHATS = int(os.environ.get("LINQ_MCP_TEST_CHATS", "40"))
MESSAGES = 230
Json = dict[str, Any]
Apis = Mapping[bool, httpx.AsyncBaseTransport]

pytestmark = pytest.mark.timeout(60 + CHATS // 50)


@pytest.fixture(scope="module")
def data() -> DemoAccount:
    return generated_account(CHATS, messages_in_first=MESSAGES)


@pytest.fixture(scope="module")
def apis(data: DemoAccount) -> Apis:
    """The account by the order in which the messages are listed: whether the oldest ones come first."""
    return {first: Remembered(httpx.ASGITransport(demo_api(data, oldest_first=first))) for first in (True, False)}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def handles(chat: Json, *, own: bool) -> list[str]:
    return [handle["handle"] for handle in chat["handles"] if handle["is_me"] is own]


def sent(message: Json) -> datetime:
    return at(message["sent_at"] or message["created_at"])


# Half of the account's 400 days, and the same for when health changed.
MIDDLE = NOW - timedelta(days=200)
PERSON = "person0@example.com"

CHAT_FILTERS: dict[str, tuple[Json, Callable[[Json], bool]]] = {
    "text": ({"text": '"GROUP 1"'}, lambda chat: chat["is_group"] and "group 1" in chat["display_name"].lower()),
    "number": (
        {"text": "(200) 555-00"},
        lambda chat: any("20055500" in handle for handle in handles(chat, own=False)),
    ),
    "one status": ({"health_status": "opted_out"}, lambda chat: chat["health_status"]["status"] == "OPTED_OUT"),
    "statuses": (
        {"health_status": ["CRITICAL", "OPTED_OUT"]},
        lambda chat: chat["health_status"]["status"] in ("CRITICAL", "OPTED_OUT"),
    ),
    "groups": ({"is_group": True}, lambda chat: chat["is_group"]),
    "service": ({"service": "rcs"}, lambda chat: chat["service"] == "RCS"),
    "created_after": ({"created_after": f"{MIDDLE:%Y-%m-%dT%H:%M:%SZ}"}, lambda chat: at(chat["created_at"]) >= MIDDLE),
    "created_before": (
        {"created_before": f"{MIDDLE:%Y-%m-%dT%H:%M:%SZ}"},
        lambda chat: at(chat["created_at"]) < MIDDLE,
    ),
    "updated_after": ({"updated_after": f"{MIDDLE:%Y-%m-%dT%H:%M:%SZ}"}, lambda chat: at(chat["updated_at"]) >= MIDDLE),
    "updated_before": (
        {"updated_before": f"{MIDDLE:%Y-%m-%d}"},
        lambda chat: at(chat["updated_at"]) < MIDDLE.replace(hour=0, minute=0),
    ),
    "health_changed_after": (
        {"health_changed_after": f"{MIDDLE.astimezone():%Y-%m-%dT%H:%M:%S%z}"},
        lambda chat: at(chat["health_status"]["updated_at"]) >= MIDDLE,
    ),
    "from": ({"from": LINES[1]}, lambda chat: LINES[1] in handles(chat, own=True)),
    "to": ({"to": PERSON}, lambda chat: PERSON in handles(chat, own=False)),
}
# from and to alone are what list_chats is for.
ALONE: list[tuple[str, ...]] = [(name,) for name in CHAT_FILTERS if name not in ("from", "to")]
# Two values for one argument are no pair.
PAIRS: list[tuple[str, ...]] = [
    (one, other)
    for one, other in itertools.combinations(CHAT_FILTERS, 2)
    if (one, other) not in (("from", "to"), ("updated_after", "updated_before"), ("created_after", "created_before"))
    and not CHAT_FILTERS[one][0].keys() & CHAT_FILTERS[other][0].keys()
]

# The messages are a minute apart.
EARLY, LATE = NOW - timedelta(minutes=55), NOW - timedelta(minutes=165)

MESSAGE_FILTERS: dict[str, tuple[Json, Callable[[Json], bool]]] = {
    "text": ({"text": "RUNNING LATE"}, lambda message: "Running late" in message["parts"][0]["value"]),
    "me": ({"sender": "me"}, lambda message: message["is_from_me"]),
    "failed": ({"delivery_status": "failed"}, lambda message: message["delivery_status"] == "failed"),
    "no files": ({"has_attachment": False}, lambda _: True),
    "after": ({"after": f"{LATE:%Y-%m-%dT%H:%M:%SZ}"}, lambda message: sent(message) >= LATE),
    "before": ({"before": f"{EARLY:%Y-%m-%dT%H:%M:%SZ}"}, lambda message: sent(message) < EARLY),
}


async def found(tool: Tool[Any], rows: str, arguments: Json, api: httpx.AsyncBaseTransport) -> list[list[str]]:
    """The ids in the answers to `arguments`, resumed until there is nothing more."""
    pages: list[list[str]] = []
    cursor = None
    async with call_over(api, seconds=600) as call:
        for _ in range(CHATS + MESSAGES):
            answer = await tool.run(tool.parse({**arguments, "cursor": cursor}), call)
            pages.append([row["id"] for row in answer[rows]])
            cursor = answer.get("next_cursor")
            if cursor is None:
                assert answer["complete"]
                return pages
    pytest.fail("never complete")


@pytest.mark.parametrize("names", [*ALONE, *(pytest.param(pair, marks=pytest.mark.slow) for pair in PAIRS)])
async def test_finds_exactly_the_chats_that_a_plain_filter_gives(
    names: tuple[str, ...], data: DemoAccount, apis: Apis
) -> None:
    """Each filter and each pair of them, seven at a time: every match once, in the account's order."""
    filters = [CHAT_FILTERS[name] for name in names]
    arguments = {name: value for given, _ in filters for name, value in given.items()}
    expected = [chat["id"] for chat in data.chats if all(test(chat) for _, test in filters)]
    pages = await found(FIND_CHATS, "chats", {**arguments, "limit": 7}, apis[True])
    assert [id_ for page in pages for id_ in page] == expected
    # Else the comparison would prove nothing.
    assert len(names) > 1 or 0 < len(expected) < len(data.chats)


@pytest.mark.parametrize(("order", "names"), [("created", ()), ("health_changed", ("groups",)), ("created", ("to",))])
async def test_chats_come_in_the_order_that_was_asked_for(
    order: str, names: tuple[str, ...], data: DemoAccount, apis: Apis
) -> None:
    """The latest first, seven at a time; an order needs no filter."""

    def key(chat: Json) -> tuple[float, str]:
        time = chat["created_at"] if order == "created" else chat["health_status"]["updated_at"]
        return -at(time).timestamp(), chat["id"]

    expected = [chat for chat in data.chats if all(CHAT_FILTERS[name][1](chat) for name in names)]
    arguments = {name: value for filter_ in names for name, value in CHAT_FILTERS[filter_][0].items()}
    pages = await found(FIND_CHATS, "chats", {**arguments, "order": order, "limit": 7}, apis[True])
    assert [id_ for page in pages for id_ in page] == [chat["id"] for chat in sorted(expected, key=key)]


async def test_chats_without_the_time_come_last() -> None:
    """They are not left out, and a filter by that time does not match them."""
    chats = [{"id": "a"}, {"id": "b", "created_at": "2026-11-01T00:00:00Z"}, {"id": "c", "created_at": "soon"}]
    page = httpx.Response(200, json={"chats": chats, "next_cursor": None})
    for arguments, ids in (({"order": "created"}, "bac"), ({"created_before": "2026-11-20"}, "b")):
        async with call_over(Canned(lambda _: page)) as call:
            answer = await FIND_CHATS.run(FIND_CHATS.parse(arguments), call)
        assert "".join(row["id"] for row in answer["chats"]) == ids


# Each pair of filters in one order of the list and of the answer.
WAYS = list(itertools.product([True, False], ["newest", "oldest"]))
MESSAGE_CASES: list[tuple[tuple[str, ...], bool, str]] = [
    (pair, *way) for pair, way in zip(itertools.combinations(MESSAGE_FILTERS, 2), itertools.cycle(WAYS), strict=False)
]


@pytest.mark.parametrize(("names", "oldest_first", "order"), MESSAGE_CASES)
async def test_finds_exactly_the_messages_that_a_plain_filter_gives(
    names: tuple[str, ...], oldest_first: bool, order: str, data: DemoAccount, apis: Apis
) -> None:
    """In one chat, from either end, in either order that the API might use: every match once, in order."""
    filters = [MESSAGE_FILTERS[name] for name in names]
    arguments = {name: value for given, _ in filters for name, value in given.items()}
    chat_id = data.chats[0]["id"]
    expected = [m["id"] for m in data.messages[chat_id] if all(test(m) for _, test in filters)]
    asked = {**arguments, "chat_id": chat_id, "limit": 70, "order": order}
    pages = await found(FIND_MESSAGES, "messages", asked, apis[oldest_first])
    assert [id_ for page in (pages if order == "oldest" else reversed(pages)) for id_ in page] == expected
    assert all(len(page) == 70 for page in pages[:-1])


async def demo(tool: Tool[Any], arguments: Json) -> Json:
    async with call_over(httpx.ASGITransport(demo_api(odd_account()))) as call:
        return dict(await tool.run(tool.parse(arguments), call))


async def test_text_does_not_match_your_own_line() -> None:
    """Linq's default names list it in every chat; what is meant is who else is there."""
    answer = await demo(FIND_CHATS, {"text": "2535597"})
    assert answer["chats"] == []
    assert answer["note"].startswith(f"None of the {len(odd_account().chats)} chats read match. A person's name is")


async def test_a_sender_who_is_not_in_the_chat_is_named_in_the_note(data: DemoAccount) -> None:
    chat = data.chats[0]
    for sender, is_in in {"+12005559999": False, handles(chat, own=False)[0]: True, "them": True}.items():
        async with call_over(httpx.ASGITransport(demo_api(data))) as call:
            asked = FIND_MESSAGES.parse({"chat_id": chat["id"], "sender": sender, "text": "no such words"})
            note = (await FIND_MESSAGES.run(asked, call))["note"]
        assert (f"{sender} is not in this chat." in note) is not is_in


async def test_an_unknown_status_is_looked_for_and_told() -> None:
    """Linq adds statuses; a misunderstanding shows all the same."""
    paused = await demo(FIND_CHATS, {"health_status": "PAUSED"})
    assert len(paused["chats"]) == 1
    assert "note" not in paused
    answer = await demo(FIND_CHATS, {"health_status": ["CRITICAL", "UNWELL"]})
    assert answer["chats"]
    assert "Unknown values: UNWELL. Known: HEALTHY, AT_RISK" in answer["note"]


async def test_words_are_found_however_the_phone_wrote_them() -> None:
    message = {"id": "m", "parts": [{"type": "text", "value": "I don\u2019t think\u00a0so \u2013 \u201cno\u201d"}]}
    answer = httpx.Response(200, json={"messages": [message], "next_cursor": None})
    for wanted in ("don't", "don\u2019t think so", '- "no"', "think\u200b so"):
        async with call_over(Canned(lambda _: answer)) as call:
            asked = FIND_MESSAGES.parse({"chat_id": TEAM_CHAT_ID, "text": wanted})
            assert len((await FIND_MESSAGES.run(asked, call))["messages"]) == 1, wanted


async def test_a_chat_is_found_by_words_of_its_name_and_its_people_together() -> None:
    """Whoever looks for two people of a group names them in any order, and a number as it is written down."""
    chat = {
        "id": "c",
        "display_name": "Caf\u00e9 team",
        "handles": [{"handle": "+12052532136"}, {"handle": "ann@example.com"}],
    }
    page = httpx.Response(200, json={"chats": [chat], "next_cursor": None})
    directory = Directory({"+12052532136": "Jos\u00e9 N\u00fa\u00f1ez"})
    for wanted, count in {
        "nunez cafe": 1,
        "ann@example.com jose": 1,
        "cafe -jose": 0,
        '"nunez jose"': 0,
        "+1 (205) 253\u20132136": 1,
        "205 253 2136": 1,
        "2136 205": 0,
    }.items():
        async with call_over(Canned(lambda _: page)) as call:
            found = await FIND_CHATS.run(FIND_CHATS.parse({"text": wanted}), replace(call, directory=directory))
        assert len(found["chats"]) == count, wanted


@pytest.mark.parametrize("tool", [FIND_CHATS, FIND_MESSAGES])
def test_a_search_for_nothing_that_can_be_seen_is_refused(tool: Tool[Any]) -> None:
    with pytest.raises(ArgumentsError, match="`text` takes words that can be seen"):
        tool.parse({"text": "\u200b"})


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("refund OR cancel", "no operators"),
        ("refund|cancel", "no operators"),
        ("cancel*", "no operators"),
        ("refund policy", "try fewer"),
        ("policy", ""),
        ("refund or rent", ""),
        ('"refund OR"', ""),
    ],
)
@pytest.mark.parametrize("tool", [FIND_CHATS, FIND_MESSAGES])
async def test_the_note_says_that_every_word_must_be_there(tool: Tool[Any], text: str, note: str) -> None:
    """Models write the operators of other searches, which are searched for as they are written."""
    message = {"id": "m", "created_at": "2026-11-20T00:00:00Z", "parts": [{"type": "text", "value": "Refund or rent"}]}
    chat = {"id": "c", "display_name": "Refund or rent", "handles": [{"handle": "+12052532136"}]}

    def answer(request: httpx.Request) -> httpx.Response:
        items = {"messages": [message]} if request.url.path.endswith("/messages") else {"chats": [chat]}
        return httpx.Response(200, json={**items, "next_cursor": None})

    since = {"after": "2026-11-01"} if tool is FIND_MESSAGES else {}
    for count_only in (False, True):
        async with call_over(Canned(answer)) as call:
            found = await tool.run(tool.parse({"text": text, "count_only": count_only, **since}), call)
        said = "".join(part for part in ("no operators", "try fewer") if part in found.get("note", ""))
        assert said == note


async def test_a_message_recovered_late_is_found_since_it_is_here() -> None:
    """Nobody could read it when it was sent."""
    late: Json = {"id": "m", "sent_at": "2026-11-01T00:00:00Z", "created_at": "2026-11-19T00:00:00Z"}
    late |= {"reconciled_at": "2026-11-19T00:00:00Z", "parts": [{"type": "text", "value": "x"}]}
    answer = httpx.Response(200, json={"messages": [late], "next_cursor": None})
    for after, count in (("2026-11-18", 1), ("2026-11-20", 0)):
        async with call_over(Canned(lambda _: answer)) as call:
            asked = FIND_MESSAGES.parse({"chat_id": TEAM_CHAT_ID, "text": "x", "after": after})
            assert len((await FIND_MESSAGES.run(asked, call))["messages"]) == count, after


async def test_messages_without_stored_content_are_told() -> None:
    answer = httpx.Response(200, json={"messages": [{"id": "m", "parts": []}], "next_cursor": None})
    async with call_over(Canned(lambda _: answer)) as call:
        found = await FIND_MESSAGES.run(FIND_MESSAGES.parse({"chat_id": TEAM_CHAT_ID, "text": "x"}), call)
    assert "1 of the messages read have no stored content" in found["note"]


@pytest.mark.parametrize(
    ("tool", "arguments", "instead"),
    [
        (FIND_CHATS, {}, "list_chats"),
        (FIND_CHATS, {"from": LINES[0], "to": PERSON}, "list_chats"),
        (FIND_MESSAGES, {"chat_id": TEAM_CHAT_ID}, "list_messages"),
    ],
)
async def test_without_a_filter_it_points_to_the_listing_tool(tool: Tool[Any], arguments: Json, instead: str) -> None:
    """Nothing is read for a question that another tool answers."""

    def never(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    async with call_over(httpx.MockTransport(never)) as call:
        with pytest.raises(ArgumentsError, match=instead):
            await tool.run(tool.parse(arguments), call)


async def test_a_chat_that_is_not_there_is_an_error_not_an_empty_answer() -> None:
    with pytest.raises(Exception, match="Chat not found"):
        await demo(FIND_MESSAGES, {"chat_id": "550e8400-e29b-41d4-a716-446655440000", "text": "x"})
