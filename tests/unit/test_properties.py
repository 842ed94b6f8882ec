"""Properties that hold for any arguments, any answer from Linq, any text, and accounts and pages of any size.

The examples are generated, but are the same in every run: 30 of each property, or 200 for each property with
`--hypothesis-profile=thorough`.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from math import isfinite
from typing import Any

import httpx
import pytest
from helpers.generated_account import generated_account
from helpers.linq import AT_ONCE, KEY, Canned
from helpers.mcp_client import BlockingClient, text_of
from helpers.odd_account import odd_account
from hypothesis import assume, example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from mcp import Client, types
from pydantic import SecretStr

from linq_mcp.demo.team_discussion import TEAM_CHAT_ID
from linq_mcp.region import local_time
from linq_mcp.sanitize import clean
from linq_mcp.server.app import build_server
from linq_mcp.server.callers.caller import Caller, SettingsClientProvider
from linq_mcp.settings import Settings
from linq_mcp.settings.problems import KeySource
from linq_mcp.tools import TOOLS
from linq_mcp.tools.base.tool import Tool
from linq_mcp.tools.list_messages import LIST_MESSAGES
from linq_mcp.tools.reading.linq_order import PageCursor
from linq_mcp.transports.jsonrpc import replace_lone_surrogates
from linq_mcp.wording.errors import HEADLINES

Json = Any
Row = dict[str, Any]


# -- What is drawn --------------------------------------------------------------------------------------

SPECIAL = (
    "\u200d\ufe0f\u202e\u2066\u200f\u200b\u00ad\u034f\u115f\u2800\u3164\ufe00\ufeff\U000e0041\U000e0101\ufff9\ufffe"
    '\U0001f468\U0001f3fd\u2764\u00e9e\u0301\u0915\u094d#1a ~,\\"u\x00\x07\x1b\x7f\x85\t\n\r\u2028\u00a0\u3000\uf8ff'
)
ANY_CHARACTER = st.characters(exclude_categories=()) | st.sampled_from(SPECIAL + "\ud83d\ude00")
WHOLE_CHARACTER = st.characters(exclude_categories=["Cs"]) | st.sampled_from(SPECIAL)
ANY_TEXT = st.text(ANY_CHARACTER, max_size=40)
# Values that Linq, its users and models write, or almost.
PLAUSIBLE = st.sampled_from(
    (
        *("", " ", "\u200b", "null", "None", "${user_config.x}", "true", "me", "20", "20.0", "1e2", "+12052535597"),
        *("205-253-5597", "a+b@example.com", TEAM_CHAT_ID, "AT_RISK", "at risk", "at_risk,critical", "iMessage"),
        *("0~~", "3~x~y", "101~~", "2026-11-20", "2026-11-20T17:45:00.5-05:00", "0001-01-01T00:00:00+14:00"),
        *("9999-12-31T23:59:59-14:00", "https://example.com/x", "https://\u200b", "HEALTHY", "active", "left"),
        *("custom", "media", "text"),
    )
)
NUMBER = st.integers() | st.sampled_from([0, 1, 1.5, 20, 20.0, 100, True, 10**400, -(10**400)]) | st.floats()


def values(text: st.SearchStrategy[str]) -> st.SearchStrategy[Json]:
    """Generate any JSON, including NaN and the infinities."""
    leaves = st.none() | st.booleans() | NUMBER | text | PLAUSIBLE
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=6
    )


ANY_JSON = values(ANY_TEXT)
# Half an emoji never gets this far, because stdio replaces it.
WHOLE_JSON = values(st.text(WHOLE_CHARACTER, max_size=40))


# -- The server under test ------------------------------------------------------------------------------


class ManyKeys(SettingsClientProvider):
    """One client, and for each key an account of which nothing is kept yet."""

    number = 0

    def caller(self, request: Any = None) -> Caller:
        caller = super().caller(request)
        return replace(caller, settings=replace(caller.settings, api_key=SecretStr(f"key-{self.number}")))


class Linq:
    """The tools, called over an in-memory client, and the API they read, whose answers the test decides."""

    def __init__(self) -> None:
        self._respond: Callable[[httpx.Request], Json] = lambda _: EMPTY
        self._client: BlockingClient
        settings = Settings(api_key=SecretStr(KEY), key_source=KeySource.ENVIRONMENT)
        transport = Canned(lambda request: httpx.Response(200, content=json.dumps(self._respond(request))))
        self._account = ManyKeys(lambda: settings, transport=lambda: transport, retry=AT_ONCE)

    @property
    def respond(self) -> Callable[[httpx.Request], Json]:
        return self._respond

    @respond.setter
    def respond(self, respond: Callable[[httpx.Request], Json]) -> None:
        self._respond = respond
        self._account.number += 1

    def open(self) -> Iterator[Linq]:
        account = self._account
        with BlockingClient.of(Client(build_server(account), read_timeout_seconds=20)) as self._client:
            yield self

    def call(self, tool: str, arguments: Row) -> types.CallToolResult:
        return self._client.call(tool, arguments)

    def answer(self, tool: str, arguments: Row) -> Row:
        return self._client.answer(tool, arguments)


@pytest.fixture(scope="module")
def linq() -> Iterator[Linq]:
    yield from Linq().open()


# -- Arguments ------------------------------------------------------------------------------------------

NAMES = sorted({name for tool in TOOLS for name in tool.input_schema["properties"]})
EMPTY: Row = {"id": "1", "chats": [], "messages": [], "phone_numbers": [], "next_cursor": None}


@st.composite
def calls(draw: st.DrawFn) -> tuple[Tool[Any], Row]:
    """Generate a tool and its arguments: its example or nothing, with others added or in their place."""
    tool = draw(st.sampled_from(TOOLS))
    own = st.sampled_from([*tool.input_schema["properties"], "from_", "chatId", "Limit", "page", ""])
    names = own | st.sampled_from(NAMES) | st.text(max_size=60)
    others = draw(st.dictionaries(names, PLAUSIBLE | NUMBER | WHOLE_JSON, max_size=4))
    return tool, {**draw(st.sampled_from([{}, json.loads(tool.example)])), **others}


@given(drawn=calls())
def test_any_arguments_are_used_or_refused_by_name(linq: Linq, drawn: tuple[Tool[Any], Row]) -> None:
    tool, arguments = drawn
    linq.respond = lambda _: EMPTY
    result = linq.call(tool.name, arguments)
    known, needed = tool.input_schema["properties"], tool.input_schema.get("required", [])
    # Python's code can't say `from`, and `messaging_service` was called otherwise.
    also = {"from_": "from", "service": "messaging_service"}
    unknown = [name for name in arguments if name not in known and also.get(name) not in known]
    # Only the first five unknown arguments are named; one without a value is as if it were not there.
    wrong = [name for name in unknown if not is_absent(arguments[name])][:5]
    wrong += [name for name in needed if name not in arguments]
    wrong += [name for name in ("limit",) if not is_whole(arguments.get(name))]
    if not result.is_error:
        assert wrong == []
        return
    text = text_of(result)
    assert text.startswith(HEADLINES["arguments"])
    assert all(f"`{clean(name, 40)}`" in text for name in wrong)
    named = [*arguments, *(also[name] for name in arguments if name in also), *needed]
    assert "filter besides" in text or any(f"`{clean(name, 40)}`" in text for name in named)


def is_absent(value: Json) -> bool:
    """Whether models send it for an argument that they leave out. JSON carries NaN and the infinities as null."""
    if isinstance(value, float):
        return not isfinite(value)
    return value is None or (isinstance(value, str) and value.strip().lower() in ("", "null", "none", "undefined"))


def is_whole(value: Json) -> bool:
    """Whether a number counts something. What is not a number, and what JSON can't carry as one, is not judged."""
    if isinstance(value, bool):
        return False
    return not isinstance(value, float) or not isfinite(value) or value.is_integer()


# -- Answers of Linq's ----------------------------------------------------------------------------------

_TEAM = odd_account().messages[TEAM_CHAT_ID]
_DECORATED = max(_TEAM, key=lambda message: len(json.dumps(message["parts"])))
_CARD = next(message for message in _TEAM if message["parts"][0]["type"] == "imessage_app")
_CHATS = sorted(odd_account().chats[:60], key=lambda chat: (chat["health_status"] or {}).get("status") != "CRITICAL")
WIRE: dict[str, Row] = {
    "chats": {"chats": [{**chat, "handles": chat["handles"][:3]} for chat in _CHATS[:2]], "next_cursor": "2"},
    "chat": {**_CHATS[0], "handles": _CHATS[0]["handles"][:3]},
    "messages": {"messages": [_DECORATED, _CARD], "next_cursor": "2"},
    "message": _DECORATED,
    "phone_numbers": {"phone_numbers": odd_account().phone_numbers[:2]},
}
_LISTS = frozenset({"chats", "messages", "lines", "phone_numbers"})
_CHAT = {"chat_id": TEAM_CHAT_ID}
CALLS: list[tuple[str, Row, str]] = [
    ("list_chats", {}, "chats"),
    ("list_chats", {"cursor": "2"}, "chats"),
    ("find_chats", {"text": "205"}, "chats"),
    ("find_chats", {"is_group": True, "limit": 1}, "chats"),
    ("find_chats", {"health_status": ["CRITICAL", "HEALTHY"], "health_changed_after": "2020-01-01"}, "chats"),
    ("find_chats", {"service": "iMessage", "updated_after": "2020-01-01", "updated_before": "2030-01-01"}, "chats"),
    ("summarize_chat_health", {}, "chats"),
    ("summarize_chat_health", {"worst": 1}, "phone_numbers"),
    ("get_chat", _CHAT, "chat"),
    ("list_messages", _CHAT, "messages"),
    ("find_messages", {**_CHAT, "text": "a", "after": "2020-01-01"}, "messages"),
    ("find_messages", {**_CHAT, "sender": "me", "limit": 1}, "messages"),
    ("find_messages", {**_CHAT, "has_attachment": True, "delivery_status": "read"}, "messages"),
    ("get_message", {"message_id": _DECORATED["id"]}, "message"),
    ("list_phone_numbers", {}, "phone_numbers"),
]
SCHEMAS = {tool.name: Draft202012Validator(tool.output_schema) for tool in TOOLS}


def places(value: Json) -> Iterator[tuple[Json, Any]]:
    """Yield every member and item in `value`: its container, and its name or index."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


@st.composite
def mutated(draw: st.DrawFn, kind: str) -> Json:
    """Generate an answer of this kind with up to four members or items dropped, replaced, doubled or nested."""
    root = [deepcopy(WIRE[kind])]
    for _ in range(draw(st.integers(1, 4))):
        found = list(places(root))
        holder, key = found[draw(st.integers(0, len(found) - 1))]
        match draw(st.sampled_from(["drop", "replace", "replace", "double", "nest"])):
            case "drop" if holder is not root:
                del holder[key]
            case "double" if isinstance(holder, list) and holder is not root:
                holder.insert(key, deepcopy(holder[key]))
            case "nest":
                holder[key] = draw(st.sampled_from([[holder[key]], {"value": holder[key]}]))
            case _:
                holder[key] = draw(ANY_JSON)
    return root[0]


@st.composite
def answered_calls(draw: st.DrawFn) -> tuple[str, Row, str, Json]:
    tool, arguments, kind = draw(st.sampled_from(CALLS))
    return tool, arguments, kind, draw(mutated(kind))


def kind_of(request: httpx.Request) -> str:
    """Return which of the answers in `WIRE` the request asks for."""
    parts = request.url.path.split("/v3/")[1].split("/")
    return {"chats": "chat", "messages": "message"}[parts[0]] if len(parts) == 2 else parts[-1]


def hollow(value: Json, at: str = "") -> Iterator[str]:
    """Yield the places in `value` that are empty. An item may be an object of which nothing could be read."""
    if value is None or value == "" or (value in ([], {}) and at not in _LISTS):
        yield at
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield from hollow(inner, f"{at}.{key}" if at else key)
    for inner in value if isinstance(value, list) else ():
        if inner != {}:
            yield from hollow(inner, f"{at}[]")


def strings(value: Json) -> Iterator[str]:
    """Yield every string in an answer, except for cursors, which are passed back unchanged."""
    if isinstance(value, str):
        yield value
    for inner in value if isinstance(value, list) else ():
        yield from strings(inner)
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield key
        if key != "next_cursor":
            yield from strings(inner)


@given(drawn=answered_calls())
def test_any_answer_from_linq_becomes_a_valid_answer_or_a_clear_error(
    linq: Linq, drawn: tuple[str, Row, str, Json]
) -> None:
    """A success fits its schema, has the same text and object, and contains nothing empty, invisible or unsendable."""
    tool, arguments, kind, body = drawn
    end = {**EMPTY, "id": TEAM_CHAT_ID}

    def answer(request: httpx.Request) -> Json:
        asked = kind_of(request)
        if request.url.params.get("cursor", "2") != "2":
            return end
        return body if asked == kind else WIRE[asked]

    linq.respond = answer
    result = linq.call(tool, arguments)
    text = text_of(result)
    if result.is_error:
        headline = next((name for name, headline in HEADLINES.items() if text.startswith(headline)), None)
        assert headline == "unreadable", text
        return
    assert json.loads(text) == result.structured_content
    SCHEMAS[tool].validate(result.structured_content)
    assert list(hollow(result.structured_content)) == []
    assert [found for found in strings(result.structured_content) if invisible(found.replace("\n", ""))] == []


@given(drawn=answered_calls())
def test_unread_members_of_an_answer_make_no_difference(linq: Linq, drawn: tuple[str, Row, str, Json]) -> None:
    """Half an emoji in an unread member makes the client parse the JSON a slower way, with the same result."""
    tool, arguments, kind, body = drawn
    assume(isinstance(body, dict))

    def answered(whole: Row) -> Row:
        linq.respond = lambda request: whole if kind_of(request) == kind else WIRE[kind_of(request)]
        result = linq.call(tool, arguments)
        # A second may pass between the two calls.
        return {**(result.structured_content or {"error": text_of(result)}), "as_of": None}

    # One page is enough: a second request would get the same one.
    body = {**body, "next_cursor": None}
    assert answered(body) == answered({**body, "unread": "\ud83d"})


# -- Text -----------------------------------------------------------------------------------------------

# Unicode's Default_Ignorable_Code_Point, which includes all bidi controls, and whatever else has an empty glyph.
_IGNORABLE = (
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)),
    *((0x200B, 0x200C), (0x200E, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0E)),
    *((0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A)),
    *((0xE0000, 0xE0FFF), (0x2028, 0x2029), (0x2800, 0x2800), (0x2D7F, 0x2D7F), (0x1107F, 0x1107F)),
    *((0x13430, 0x1343F), (0x13441, 0x13442), (0x16FE4, 0x16FE4), (0x1D159, 0x1D159)),
)


def invisible(text: str) -> list[str]:
    """Return the characters in `text` that are invisible. ZWJ and VS16 do not count, as emoji need them."""
    return [
        character
        for character in text
        if unicodedata.category(character) in ("Cc", "Cs")
        or ord(character) & 0xFFFE == 0xFFFE
        or any(first <= ord(character) <= last for first, last in _IGNORABLE)
    ]


@given(text=ANY_TEXT, limit=st.none() | st.integers(1, 30), lines=st.booleans())
def test_cleaned_text_is_clean(text: str, limit: int | None, lines: bool) -> None:
    cleaned = clean(text, limit, lines=lines)
    assert clean(cleaned, limit, lines=lines) == cleaned
    assert len(cleaned) <= min(len(text), limit or len(text))
    assert invisible(cleaned.replace("\n", "") if lines else cleaned) == []
    assert "\n\n\n" not in cleaned
    assert all(line == " ".join(line.split()) for line in cleaned.split("\n"))


MARKS = "\u0301\u0316\u0345\u20dd\u1b44\u094d\u0e48\u0f73\uff9e\u200d\ufe0f"


@given(text=st.text(st.sampled_from(MARKS) | ANY_CHARACTER, max_size=80), limit=st.none() | st.integers(1, 60))
def test_no_more_than_ten_marks_are_in_a_row(text: str, limit: int | None) -> None:
    """This holds however the marks are mixed with other characters."""
    cleaned = clean(text, limit)
    marks = "".join(
        "m" if unicodedata.combining(each) or unicodedata.category(each) == "Me" else "." for each in cleaned
    )
    assert "m" * 11 not in marks
    assert clean(cleaned, limit) == cleaned
    assert len(cleaned) <= len(text)


@given(text=ANY_TEXT, lines=st.booleans())
def test_cleaning_keeps_what_is_visible(text: str, lines: bool) -> None:
    """Letters and digits stay in order."""

    def words(of: str) -> list[str]:
        return [character for character in of if character.isalnum() and not invisible(character)]

    assert words(clean(text, None, lines=lines)) == words(text)


@given(text=ANY_TEXT | PLAUSIBLE | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,12}([zZ]|[+-][0-9:]{4,8})?"))
@example("0001-01-01T00:00:00+14:00")
@example("9999-12-31T23:59:59-14:00")
def test_any_text_in_place_of_a_time_is_shown(text: str) -> None:
    written = local_time(text)
    assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", written) or written == clean(
        text, 40
    )


@given(
    at=st.datetimes(timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))),
    separator=st.sampled_from("Tt "),
)
def test_any_time_is_shown_in_utc(at: datetime, separator: str) -> None:
    with suppress(OverflowError):
        moment = at.astimezone(UTC).replace(microsecond=0, tzinfo=None)
        assert local_time(at.isoformat(separator)) == f"{moment.isoformat()}Z"


# -- stdin ----------------------------------------------------------------------------------------------


def pairs(line: str) -> Json:
    """Parse a line with its objects as lists of pairs, so that members with the same name all count."""
    return json.loads(line, object_pairs_hook=list, parse_constant=str)


def whole(value: Json) -> Json:
    if isinstance(value, list | tuple):
        return [whole(item) for item in value]
    return re.sub("[\ud800-\udfff]", "\ufffd", value) if isinstance(value, str) else value


@given(value=ANY_JSON, upper=st.booleans())
@example(value={"\ud83d": "\\ud83d \\\ud83d \ud83d\ud83d\ude00\ude00 \ud83d\\ude00"}, upper=True)
def test_a_line_keeps_everything_but_half_characters(value: Json, upper: bool) -> None:
    line = json.dumps(value)
    if upper:
        line = re.sub(r"\\u[0-9a-f]{4}", lambda escape: "\\u" + escape[0][2:].upper(), line)
    read = replace_lone_surrogates(line)
    assert json.dumps(pairs(read)) == json.dumps(whole(pairs(line)))
    json.dumps(pairs(read), ensure_ascii=False).encode()


# -- Paging ---------------------------------------------------------------------------------------------

CHATS = generated_account(60).chats


def served(rows: list[Row], most: int) -> Callable[[httpx.Request], Json]:
    """Return an API with these chats, in pages of at most `most`."""

    def answer(request: httpx.Request) -> Json:
        if kind_of(request) != "chats":
            return WIRE["phone_numbers"]
        cursor = request.url.params.get("cursor", "0")
        if not cursor.isdecimal():
            return {"error": "not one of its cursors"}
        start = int(cursor)
        end = start + min(most, int(request.url.params["limit"]))
        return {"chats": rows[start:end], "next_cursor": str(end) if end < len(rows) else None}

    return answer


def sendable(cursor: str) -> bool:
    """Return whether the API client accepts this cursor from Linq."""
    return cursor != "" and cursor.isprintable()


# Chats by number: each once, or some repeated, on the same page or another.
ONCE = st.integers(0, 60).map(lambda count: list(range(count)))
AGAIN = st.lists(st.integers(0, 59), max_size=60)


def answers(linq: Linq, tool: str, arguments: Row) -> Iterator[Row]:
    """Yield the answers of a tool that is called with its own cursors until there is none."""
    cursor = None
    for _ in range(200):
        answer = linq.answer(tool, arguments if cursor is None else {**arguments, "cursor": cursor})
        yield answer
        cursor = answer.get("next_cursor")
        if cursor is None:
            assert answer.get("complete") is True or answer.get("has_more") is False
            return
    pytest.fail("the cursors never end")


@given(numbers=ONCE | AGAIN, most=st.integers(1, 100), limit=st.integers(1, 100))
def test_pages_of_any_size_meet_every_chat(linq: Linq, numbers: list[int], most: int, limit: int) -> None:
    linq.respond = served([CHATS[number] for number in numbers], most)
    met = [chat["id"] for answer in answers(linq, "list_chats", {"limit": limit}) for chat in answer["chats"]]
    assert met == [CHATS[number]["id"] for number in numbers]


def at_risk(chat: Row) -> bool:
    return chat["health_status"]["status"] in ("AT_RISK", "CRITICAL")


FILTERS: list[tuple[Row, Callable[[Row], bool]]] = [
    ({"health_status": ["at_risk", "CRITICAL"]}, at_risk),
    ({"is_group": True}, lambda chat: chat["is_group"]),
    ({"is_group": "false", "service": "imessage"}, lambda chat: not chat["is_group"] and chat["service"] == "iMessage"),
    ({"updated_before": CHATS[30]["updated_at"]}, lambda chat: chat["updated_at"] < CHATS[30]["updated_at"]),
    ({"text": "@example.COM"}, lambda chat: any("@" in handle["handle"] for handle in chat["handles"])),
]


@given(numbers=ONCE | AGAIN, most=st.integers(1, 60), limit=st.integers(1, 20), chosen=st.sampled_from(FILTERS))
def test_a_scan_that_is_resumed_finds_what_a_filter_finds(
    linq: Linq, numbers: list[int], most: int, limit: int, chosen: tuple[Row, Callable[[Row], bool]]
) -> None:
    arguments, matches = chosen
    linq.respond = served([CHATS[number] for number in numbers], most)
    found: list[str] = []
    for answer in answers(linq, "find_chats", {**arguments, "limit": limit}):
        assert len(answer["chats"]) <= limit
        assert answer["scanned"] == len(set(numbers))
        found += [chat["id"] for chat in answer["chats"]]
    expected = [CHATS[number]["id"] for number in dict.fromkeys(numbers) if matches(CHATS[number])]
    assert found == expected


@given(
    numbers=ONCE | AGAIN,
    most=st.integers(1, 60),
    prefix=st.sampled_from(["", "~", "a~b~", " ", "\u202e", "\ud83d", "long" * 1000]),
)
def test_a_summary_counts_every_chat_once(linq: Linq, numbers: list[int], most: int, prefix: str) -> None:
    linq.respond = served([{**CHATS[number], "id": prefix + CHATS[number]["id"]} for number in numbers], most)
    answer = linq.answer("summarize_chat_health", {})
    counted: Counter[str] = sum((Counter(line.get("health", {})) for line in answer["lines"]), Counter())
    assert counted == Counter(CHATS[number]["health_status"]["status"] for number in set(numbers))
    assert answer["scanned"] == len(set(numbers)) == sum(line["chats"] for line in answer["lines"])


@given(
    offset=st.integers(0, 300),
    last_id=st.from_regex(r"[A-Za-z0-9_-]{0,64}", fullmatch=True),
    cursor=st.none() | st.text(WHOLE_CHARACTER, min_size=1, max_size=40).map(str.strip).filter(sendable),
)
def test_a_position_survives_the_way_through_a_model(offset: int, last_id: str, cursor: str | None) -> None:
    """Any position that is given out is accepted again, however long the page and whatever the cursor."""
    position = PageCursor("0badcafe", "older", cursor or "", offset, last_id)
    assert LIST_MESSAGES.parse({"chat_id": TEAM_CHAT_ID, "cursor": str(position)}).cursor == position
