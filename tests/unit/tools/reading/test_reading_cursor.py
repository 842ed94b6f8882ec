"""The cursor of readings: it comes back as it went out, and one that was changed does no harm."""

from __future__ import annotations

import math
from typing import Any

import pytest
from helpers.linq import call_over
from helpers.scripted_chats import ScriptedChats, message
from hypothesis import given
from hypothesis import strategies as st

from linq_mcp.errors import ArgumentsError
from linq_mcp.tools.base.tool import Tool
from linq_mcp.tools.find_messages import FIND_MESSAGES
from linq_mcp.tools.list_inbox import LIST_INBOX
from linq_mcp.tools.list_messages import LIST_MESSAGES
from linq_mcp.tools.reading.reading_cursor import Part, ReadingCursor
from linq_mcp.tools.reading.scan import ScanCursor, fingerprint
from linq_mcp.tools.summarize_activity import SUMMARIZE_ACTIVITY

texts = st.text(st.characters(exclude_categories=("C", "Z")), max_size=40)
ids = st.from_regex(r"[A-Za-z0-9_-]{0,64}", fullmatch=True)
# As precise as a cursor is.
times = st.integers(-(10**15), 10**15).map(lambda microseconds: microseconds / 1e6)
places = st.builds(ScanCursor, texts.map(lambda text: text or None), st.integers(0, 10**9 - 1), ids)
parts = st.builds(
    Part, places, st.none() | places, st.none() | st.tuples(times | st.sampled_from([math.inf, -math.inf]), texts)
)
cursors = st.builds(
    ReadingCursor, st.from_regex(r"[0-9a-f]{8}", fullmatch=True), times, times, st.lists(parts, min_size=1).map(tuple)
)


def parsed(text: object) -> ReadingCursor:
    cursor = LIST_INBOX.parse({"cursor": text}).cursor
    assert isinstance(cursor, ReadingCursor)
    return cursor


@given(cursors)
def test_a_cursor_comes_back_as_it_went_out(cursor: ReadingCursor) -> None:
    """Whatever Linq's own cursors and ids are made of, `~` among it."""
    assert parsed(str(cursor)) == cursor


@pytest.mark.parametrize(
    "text",
    [
        *("20", "abc~1~2", "~~~~~~~~~~", 5, True, ["x"]),
        *("f~nan~0~~0~~~~~~", "f~0~inf~~0~~~~~~", "f~1e300~0~~0~~~~~~", "f~0~-1e15~~0~~~~~~", "f~x~0~~0~~~~~~"),
        *("f~0~0~~-1~~~~~~", "f~0~0~~1_0~~~~~~", "f~0~0~~٣~~~~~~", "f~0~0~~9999999999~~~~~~", "f~0~0~~~~~~~~"),
        *("f~0~0~~0~~~-1~~~", "f~0~0~~0~~~~~rank~", "f~0~0~~0~~~~~~~", "f~0~0~~0~~~~~", "f~0~0~~0~~~~nan~"),
        "f~0~0" + "~~0~~~~~~" * 5000,
    ],
    ids=lambda text: str(text)[:30],
)
def test_a_cursor_that_was_not_given_out_is_refused(text: object) -> None:
    """Never a silent restart."""
    with pytest.raises(ArgumentsError, match="next_cursor"):
        LIST_INBOX.parse({"cursor": text})


CHAT_ID = "550e8400-e29b-41d4-a716-446655440000"
CALLS: list[tuple[Tool[Any], dict[str, Any]]] = [
    (LIST_INBOX, {}),
    (FIND_MESSAGES, {"text": "text"}),
    (FIND_MESSAGES, {"text": "text", "chat_id": CHAT_ID}),
    (SUMMARIZE_ACTIVITY, {}),
    (LIST_MESSAGES, {"chat_id": CHAT_ID}),
]
edits = st.lists(
    st.tuples(
        st.integers(0, 200),
        st.integers(0, 3),
        st.text("~0123456789-.einfa%_ \u0661", max_size=4) | st.text(max_size=2) | st.just("9" * 30),
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize(("tool", "arguments"), CALLS, ids=["inbox", "found", "found in chat", "activity", "messages"])
@given(edits=edits, cursor=cursors)
async def test_a_cursor_that_was_changed_is_refused_or_harmless(
    tool: Tool[Any], arguments: dict[str, Any], edits: list[tuple[int, int, str]], cursor: ReadingCursor
) -> None:
    """Its form is no secret; nothing but `ArgumentsError` comes of what a model makes of it."""
    mark = fingerprint(tool.parse(arguments))
    text = str(ReadingCursor(mark, cursor.since, cursor.until, cursor.parts))
    for index, removed, added in edits:
        at = len(mark) + index % max(1, len(text) - len(mark))
        text = text[:at] + added + text[at + removed :]
    api = ScriptedChats({CHAT_ID: [[message(1), message(2)]] * 3}, any_cursor=True)
    async with call_over(api) as call:
        try:
            answer = await tool.run(tool.parse({**arguments, "cursor": text}), call)
        except ArgumentsError:
            return
    assert answer
