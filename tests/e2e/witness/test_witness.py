"""The official SDK, linq-python, as a witness over a real socket: the same requests, and the same things read.

It was written from Linq's own description of the API, and shares no code with this project.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Any

import httpx
import pytest
from helpers.demo_lines import LINES
from helpers.generated_account import generated_account
from helpers.linq import KEY
from helpers.odd_account import odd_account, odd_conversations
from helpers.pilot_testers import PILOT_TESTERS
from helpers.running_api import running
from helpers.witness_clients import given, ours, theirs
from helpers.witness_reading import (
    Row,
    chat_as_row,
    chat_in_full,
    instants,
    line_as_row,
    message_in_full,
    transcript_of,
)
from helpers.witness_types import refused
from helpers.witness_wire import recording
from linq import LinqAPIV3
from linq.pagination import SyncListChatsPagination, SyncListMessagesPagination
from linq.types import Chat, Message
from linq.types.phone_number_list_response import PhoneNumberListResponse

from linq_mcp.demo.api import demo_api
from linq_mcp.demo.lines import CLINIC_LINE
from linq_mcp.demo.team_discussion import TEAM_CHAT_ID
from linq_mcp.demo.wire import CDN

# Every guard of its own stands in other tests; a second implementation only has to agree now and then.
pytestmark = pytest.mark.slow

NUMBER, EMAIL = "+12052532136", "user+linq@example.com"
CURSORS = (
    None,
    "20",
    "MjA6OmE/Yg==",
    "a b&limit=1#c%2B+?d/é",
    "!$'()*,-.:;@[]^_`{|}~\"<>\\=",
    "\U0001f350",
)
ODD_IDS = {made.chat["id"]: key for key, made in odd_conversations().items()}


# -- Requests -------------------------------------------------------------------------------------------


async def test_chats_are_asked_for_as_the_sdk_asks() -> None:
    """Method, path, every parameter's bytes, the key's header; what has no value is not sent."""
    cases = product((None, CLINIC_LINE), (None, NUMBER, EMAIL), (1, 20, 100), CURSORS)
    with recording() as (url, sent):
        async with ours(url) as we, theirs(url) as sdk:
            for from_, to, limit, cursor in cases:
                await we.call("list_chats", from_=from_, to=to, limit=limit, cursor=cursor)
                await sdk.chats.list_chats(**given(from_=from_, to=to, limit=limit, cursor=cursor))
    assert len(sent) == 2 * 2 * 3 * 3 * len(CURSORS)
    assert sent[::2] == sent[1::2]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("list_chats", {}),
        ("find_chats", {"is_group": True}),
        ("summarize_chat_health", {}),
    ],
)
async def test_a_limit_that_is_left_out_is_sent(tool: str, arguments: Row) -> None:
    with recording() as (url, sent):
        async with ours(url) as we, theirs(url) as sdk:
            await we.call(tool, from_=CLINIC_LINE, to=EMAIL, **arguments)
            made = [one for one in sent if one.path.endswith(b"/chats")]
            await sdk.chats.list_chats(from_=CLINIC_LINE, to=EMAIL, limit=20 if tool == "list_chats" else 100)
    # What reads a list to its end looks at the first page again.
    assert made == [sent[-1]] * (1 if tool == "list_chats" else 2)


async def test_messages_are_asked_for_as_the_sdk_asks() -> None:
    with recording() as (url, sent):
        async with ours(url) as we, theirs(url) as sdk:
            for limit in (1, 20, 100):
                await we.call("list_messages", chat_id=TEAM_CHAT_ID, limit=limit)
            await we.call("find_messages", chat_id=TEAM_CHAT_ID, text="printer")
            made = list(sent)
            for size in (50, 100):
                await sdk.chats.messages.list(TEAM_CHAT_ID, limit=size)
    first = [one for one in made if not any(name.startswith(b"cursor") for name in one.parameters)]
    assert len(first) >= 4
    assert all(one in sent[-2:] for one in first)


@pytest.mark.parametrize("id_", [TEAM_CHAT_ID, TEAM_CHAT_ID.upper()], ids=["lower case", "upper case"])
async def test_single_things_are_asked_for_as_the_sdk_asks(id_: str) -> None:
    with recording() as (url, sent):
        async with ours(url) as we, theirs(url) as sdk:
            await we.call("get_chat", chat_id=id_)
            await sdk.chats.retrieve(id_)
            await we.call("get_message", message_id=id_)
            await sdk.messages.retrieve(id_)
            await we.call("list_phone_numbers")
            await sdk.phone_numbers.list()
    assert sent[::2] == sent[1::2]
    assert [one.path.split(b"/v3/")[1] for one in sent[::2]] == [
        b"chats/" + id_.encode(),
        b"messages/" + id_.encode(),
        b"phone_numbers",
    ]


# -- The demo's answers ---------------------------------------------------------------------------------


@pytest.fixture
def wire(api_url: str) -> Iterator[httpx.Client]:
    """The demo API without any client's reading of it."""
    with httpx.Client(base_url=api_url, headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client


def test_the_accounts_chats_are_the_sdks(wire: httpx.Client) -> None:
    pages = [wire.get("/v3/chats", params={"limit": 100, "cursor": cursor}).json() for cursor in (0, 100, 200, 300)]
    assert not any(refused(SyncListChatsPagination[object], page) for page in pages)
    chats = [chat for page in pages for chat in page["chats"]]
    assert [wire.get(f"/v3/chats/{chat['id']}").json() for chat in chats] == chats == odd_account().chats
    assert {
        ODD_IDS.get(chat["id"], f"the demo's {(chat.get('health_status') or {}).get('status')}"): why
        for chat in chats
        if (why := refused(Chat, chat))
    } == {
        "unknown service": {"service"},
        "the demo's PAUSED": {"health_status"},
        "lower-case health": {"health_status"},
        "the demo's None": {"health_status"},
        "null health": {"health_status"},
        "unknown members": {"labels", "assistant"},
    }


def at_the_cdn(wire: httpx.Client, response: httpx.Response) -> Any:
    """The answer as it would be if files were not served by the demo API itself."""
    return json.loads(response.text.replace(f"http://{wire.base_url.netloc.decode()}", CDN))


def test_the_accounts_messages_are_the_sdks(wire: httpx.Client) -> None:
    odd = []
    for chat_id, messages in odd_account().messages.items():
        cursor: str | None = "0"
        received = []
        while cursor:
            page = at_the_cdn(wire, wire.get(f"/v3/chats/{chat_id}/messages", params={"limit": 100, "cursor": cursor}))
            assert refused(SyncListMessagesPagination[object], page) == set()
            cursor = page["next_cursor"]
            received += page["messages"]
        assert received == messages
        for last in messages[-1:]:
            assert at_the_cdn(wire, wire.get(f"/v3/messages/{last['id']}")) == last
        odd += [(message, why) for message in messages if (why := refused(Message, message))]
    (pilot,) = (chat["id"] for chat in odd_account().chats if chat["display_name"] == PILOT_TESTERS)
    assert {message["chat_id"] for message, _ in odd} == {pilot}
    assert [(message["parts"][0]["type"], message["delivery_status"], why) for message, why in odd] == [
        ("poll", "received", {"parts"}),
        ("text", "expired", {"delivery_status"}),
        ("text", "received", {"parts"}),
    ]
    assert odd[2][0]["parts"][0]["reactions"][0]["type"] == "sparkle"


def test_the_accounts_lines_are_the_sdks(wire: httpx.Client) -> None:
    assert refused(PhoneNumberListResponse, wire.get("/v3/phone_numbers").json()) == set()


def test_the_demo_answers_at_once_on_a_connection_that_is_kept(wire: httpx.Client) -> None:
    took = []
    for _ in range(21):
        begun = time.perf_counter()
        wire.get("/v3/phone_numbers")
        took.append(time.perf_counter() - begun)
    assert sorted(took)[10] < 0.025


# -- What is read ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sdk_chats(api_url: str) -> list[Chat]:
    """The account's chats as the SDK reads them."""
    with LinqAPIV3(api_key=KEY, base_url=api_url) as sdk:
        return list(sdk.chats.list_chats(limit=100))


@pytest.mark.parametrize("limit", [7, 100])
async def test_chats_read_as_the_sdk_reads_them(api_url: str, sdk_chats: list[Chat], limit: int) -> None:
    """Every field of every chat of the account, page by page, and as many pages as the SDK finds by itself."""
    async with ours(api_url) as we, theirs(api_url) as sdk:
        cursor = None
        async for page in (await sdk.chats.list_chats(limit=limit)).iter_pages():
            answer = await we.call("list_chats", limit=limit, cursor=cursor)
            cursor = answer.get("next_cursor")
            assert (cursor, answer["has_more"]) == (page.next_cursor, page.has_next_page())
            assert instants(answer["chats"]) == [chat_as_row(chat) for chat in page.chats]
    assert cursor is None
    assert len(sdk_chats) == len(odd_account().chats)


async def test_one_chat_a_page_is_paged_as_the_sdk_pages() -> None:
    with running(demo_api(generated_account(9), key=KEY)) as url:
        async with ours(url) as we, theirs(url) as sdk:
            expected = [chat.id async for chat in sdk.chats.list_chats(limit=1)]
            answer = await we.call("list_chats", limit=1)
            met = [answer["chats"][0]["id"]]
            while cursor := answer.get("next_cursor"):
                answer = await we.call("list_chats", limit=1, cursor=cursor)
                met += [chat["id"] for chat in answer["chats"]]
    assert met == expected
    assert len(met) == 9


async def test_a_filter_leaves_the_chats_that_the_sdk_finds(api_url: str, sdk_chats: list[Chat]) -> None:
    people = (handle.handle for chat in sdk_chats for handle in chat.handles if handle.handle not in LINES)
    ((person, count),) = Counter(people).most_common(1)
    found = []
    async with ours(api_url) as we, theirs(api_url) as sdk:
        for from_, to in ((CLINIC_LINE, None), (None, person), (CLINIC_LINE, person)):
            page = await sdk.chats.list_chats(**given(from_=from_, to=to, limit=100))
            answer = await we.call("list_chats", from_=from_, to=to, limit=100)
            assert instants(answer["chats"]) == [chat_as_row(chat) for chat in page.chats]
            found.append(len(page.chats))
    assert found == [100, count, found[2]]
    assert 0 < found[2] < count


async def test_single_chats_read_as_the_sdk_reads_them(api_url: str, sdk_chats: list[Chat]) -> None:
    async with ours(api_url) as we:
        for chat in sdk_chats:
            assert instants(await we.call("get_chat", chat_id=chat.id)) == chat_in_full(chat)


async def test_messages_read_as_the_sdk_reads_them(api_url: str, sdk_chats: list[Chat]) -> None:
    async with ours(api_url) as we, theirs(api_url) as sdk:
        for number, chat in enumerate(sdk_chats):
            page = await sdk.chats.messages.list(chat.id, limit=30)
            answer = await we.call("list_messages", chat_id=chat.id, limit=30, order="oldest")
            assert instants(answer["messages"]) == transcript_of(page.messages)
            if number % 10 == 0 and page.messages:
                whole = await sdk.messages.retrieve(page.messages[-1].id)
                assert instants(await we.call("get_message", message_id=whole.id)) == message_in_full(whole)


@pytest.mark.parametrize("limit", [7, 100])
async def test_a_long_conversation_reads_as_the_sdk_reads_it(api_url: str, limit: int) -> None:
    async with ours(api_url) as we, theirs(api_url) as sdk:
        cursor, read = None, 0
        async for page in (await sdk.chats.messages.list(TEAM_CHAT_ID, limit=limit)).iter_pages():
            answer = await we.call("list_messages", chat_id=TEAM_CHAT_ID, limit=limit, cursor=cursor, order="oldest")
            cursor = answer.get("next_cursor")
            assert answer["has_more"] is page.has_next_page()
            assert instants(answer["messages"]) == transcript_of(page.messages)
            read += len(answer["messages"])
    assert (cursor, read) == (None, 400)


async def test_hostile_messages_read_as_the_sdk_reads_them(api_url: str, sdk_chats: list[Chat]) -> None:
    """Each of the pilot testers' whole, with what a reader can't see taken out."""
    (pilot,) = (chat.id for chat in sdk_chats if chat.display_name == PILOT_TESTERS)
    async with ours(api_url) as we, theirs(api_url) as sdk:
        messages = [message async for message in sdk.chats.messages.list(pilot, limit=100)]
        for message in messages:
            assert instants(await we.call("get_message", message_id=message.id)) == message_in_full(message)
    assert len(messages) > 20


async def test_lines_read_as_the_sdk_reads_them(api_url: str) -> None:
    async with ours(api_url) as we, theirs(api_url) as sdk:
        lines = (await sdk.phone_numbers.list()).phone_numbers
        answer = await we.call("list_phone_numbers")
    assert answer["phone_numbers"] == [line_as_row(line) for line in lines]
    assert answer["reputation_guide"] == {
        line.reputation.status: line.reputation.doc_url for line in lines if line.reputation.status != "HEALTHY"
    }
