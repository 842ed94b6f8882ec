"""Pages of a list: what becomes of entries and cursors, and that no more rows are given than were asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from helpers.scripted_api import EMPTY, Reply, Server, list_chats
from hypothesis import given
from hypothesis import strategies as st

from linq_mcp.api.models import Chats
from linq_mcp.api.responses import ApiAnswer, Page, PageRequest, as_page
from linq_mcp.errors import ApiResponseError
from linq_mcp.sanitize import clean


def page_of(body: bytes, *, limit: int = 20, cursor: str | None = None) -> Page[Any]:
    return as_page(ApiAnswer(body, "application/json", "7a-1"), Chats, PageRequest(limit, cursor))


def chats(*ids: str, next_cursor: Any = None) -> bytes:
    return json.dumps({"chats": [{"id": id_} for id_ in ids], "next_cursor": next_cursor}).encode()


NOT_A_PAGE = [
    pytest.param(b"", None, "not JSON", id="empty"),
    pytest.param(b"<html>Sign in</html>", "text/html; charset=utf-8", "not JSON", id="HTML"),
    pytest.param(b"NaN", "application/json", "not an object", id="NaN"),
    pytest.param(b"[]", "application/json", "not an object", id="array"),
    pytest.param(b'"text"', "application/json", "not an object", id="string"),
    pytest.param(b"null", "application/json", "not an object", id="null"),
    pytest.param(b"5", "application/json", "not an object", id="number"),
    pytest.param(b'{"chats":[', "application/json", "not JSON", id="cut off"),
    pytest.param(b'{"chats":[]}{}', "application/json", "not JSON", id="two objects"),
    pytest.param(b'{"chats":' * 10_000, "application/json", "not JSON", id="deep nesting"),
    pytest.param(
        b'{"chats":' + b"[" * 10_000 + b"]" * 10_000 + b"}", "application/json", "not JSON", id="deep nesting, whole"
    ),
    pytest.param(b'{"chats":[],"x":' + b"9" * 5000 + b"}", "application/json", "not JSON", id="huge integer"),
    pytest.param(b'{"chats":[{"id":"\xff"}]}', "application/json", "not JSON", id="not UTF-8"),
    pytest.param(b"\x00\x01\x02", "application/octet-stream", "not JSON", id="binary"),
    pytest.param(b"{}", "application/json", "no list of chats", id="no chats"),
    pytest.param(b'{"chats":{}}', "application/json", "no list of chats", id="chats an object"),
    pytest.param(b'{"chats":"none"}', "application/json", "no list of chats", id="chats a string"),
    pytest.param(b'{"chats":0}', "application/json", "no list of chats", id="chats a number"),
    pytest.param(b'{"chats":false}', "application/json", "no list of chats", id="chats false"),
    pytest.param(b'{"error":{"message":"x"}}', "application/json", "no list of chats", id="an error with status 200"),
]


@pytest.mark.parametrize(("body", "content_type", "text"), NOT_A_PAGE)
async def test_what_is_not_a_page_is_refused(body: bytes, content_type: str | None, text: str) -> None:
    """The error has the trace id and nothing of the body, and the request is not made again."""
    headers = {"X-Trace-ID": "7a-1"} | ({"Content-Type": content_type} if content_type else {})
    server = Server(Reply(200, body, headers))
    with pytest.raises(ApiResponseError) as failed:
        await list_chats(server)
    assert text in str(failed.value)
    assert failed.value.trace_id == "7a-1"
    assert str(failed.value).isprintable()
    assert len(str(failed.value)) < 120
    assert "Sign in" not in str(failed.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"chats":null}', id="chats null"),
        pytest.param(b'{"chats":[],"next_cursor":null,"new":NaN}', id="NaN in an unknown member"),
        pytest.param(b"\xef\xbb\xbf" + EMPTY, id="byte order mark"),
        pytest.param(EMPTY.decode().encode("utf-16"), id="UTF-16"),
        pytest.param(b"  \n" + EMPTY + b"\n", id="white space"),
        pytest.param(b'{"chats":[7],' + EMPTY[1:], id="duplicate members"),
        pytest.param(b'{"x":' + b"[" * 500 + b"]" * 500 + b"," + EMPTY[1:], id="500 levels in an unknown member"),
    ],
)
def test_an_empty_page(body: bytes) -> None:
    assert page_of(body) == Page([], 0, None, unusable_cursor=False)


def test_entries_that_are_not_objects_are_counted() -> None:
    page = page_of(b'{"chats":[{"id":"a"},null,5,{"id":"b","new":1}]}')
    assert ([chat.id for chat in page.items], page.unreadable) == (["a", "b"], 2)


@pytest.mark.parametrize("wire", [b'"a\\ud83db"', b'"a\xed\xa0\xbdb"'], ids=["escaped", "in raw bytes"])
@pytest.mark.parametrize("member", ["id", "display_name", "service", "updated_at"])
def test_half_an_emoji_costs_only_itself(member: str, wire: bytes) -> None:
    (chat,) = page_of(b'{"chats":[{"' + member.encode() + b'":' + wire + b"}]}").items
    assert clean(getattr(chat, member), None) == "ab"


# Cursors

UNSEEN = "0000 000a 007f 00ad 034f 115f 180e 200b 200d 202e 2060 2800 3164 fe00 fe0f feff ffa0"


@pytest.mark.parametrize(
    ("wire", "cursor", "unusable"),
    [
        pytest.param("null", None, False, id="null"),
        pytest.param('""', None, False, id="empty"),
        pytest.param('"20"', "20", False, id="text"),
        pytest.param("20", "20", False, id="number"),
        pytest.param("0", "0", False, id="zero"),
        pytest.param('"a  b"', "a  b", False, id="spaces inside"),
        pytest.param('"é🍐"', "é🍐", False, id="letters and an emoji"),
        pytest.param("true", None, True, id="true"),
        pytest.param("false", None, True, id="false"),
        pytest.param("2.5", None, True, id="fraction"),
        pytest.param("NaN", None, True, id="NaN"),
        pytest.param("[]", None, True, id="list"),
        pytest.param('{"offset":20}', None, True, id="object"),
        pytest.param('"' + "x" * 1900 + '"', "x" * 1900, False, id="the longest"),
        pytest.param('"' + "x" * 1901 + '"', None, True, id="too long"),
        pytest.param("9" * 4000, None, True, id="4,000 digits"),
        pytest.param('" a"', None, True, id="a space at its beginning"),
        pytest.param('"a "', None, True, id="a space at its end"),
        *(pytest.param(f'"a\\u{code}b"', None, True, id=f"U+{code}") for code in UNSEEN.split()),
        pytest.param('"a\\ud83d"', None, True, id="half an emoji"),
        pytest.param('"a\\udb40\\udd00b"', None, True, id="U+E0100"),
    ],
)
def test_forms_of_next_cursor(wire: str, cursor: str | None, unusable: bool) -> None:
    """A cursor is text that survives the way through a model and back, or none; that there was one is not hidden."""
    page = page_of(b'{"chats":[],"next_cursor":' + wire.encode() + b"}")
    assert (page.next_cursor, page.unusable_cursor) == (cursor, unusable)


# More rows than were asked for


def walk(lists: dict[str, tuple[list[str], Any]], limit: int) -> list[list[str]]:
    """The pages met when each page's cursor is followed, over an API that gives rows and next cursor for a cursor."""
    pages, cursor, asked = [], None, set[str]()
    while True:
        ids, then = lists[PageRequest(limit, cursor).place[1] or ""]
        page = page_of(chats(*ids, next_cursor=then), limit=limit, cursor=cursor)
        pages.append([chat.id for chat in page.items])
        if page.next_cursor is None or page.next_cursor in asked:
            return pages
        asked.add(page.next_cursor)
        cursor = page.next_cursor


@pytest.mark.parametrize("then", [None, "40", "", [1]])
def test_rows_beyond_the_limit_come_with_the_next_pages(then: Any) -> None:
    ids = [f"c{number}" for number in range(45)]
    pages = walk({"": (ids, then), "40": (["z"], None)}, 20)
    assert pages == [ids[:20], ids[20:40], ids[40:], *([["z"]] if then == "40" else [])]


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=5),
    st.integers(1, 5),
    st.sampled_from(["{}", "skip={};", "skip={};x", "a;{}", "~{}"]),
)
def test_every_row_is_met_once(sizes: list[int], limit: int, form: str) -> None:
    names = ["", *(form.format(number) for number in range(1, len(sizes)))]
    rows = {name: [f"{name}/{row}" for row in range(size)] for name, size in zip(names, sizes, strict=True)}
    lists = {name: (rows[name], then) for name, then in zip(names, [*names[1:], None], strict=True)}
    pages = walk(lists, limit)
    assert [id_ for page in pages for id_ in page] == [id_ for name in names for id_ in rows[name]]
    assert all(len(page) <= limit for page in pages)


async def test_only_linqs_own_cursor_is_sent() -> None:
    server = Server(Reply(body=chats(*"abcde", next_cursor="7")))
    page = await list_chats(server, limit=2, cursor="skip=2;5")
    assert [chat.id for chat in page.items] == ["c", "d"]
    assert page.next_cursor == "skip=4;5"
    assert dict(server.requests[0].url.params) == {"limit": "2", "cursor": "5"}


async def test_the_first_page_again_has_no_cursor() -> None:
    server = Server(Reply(body=chats(*"abc")))
    page = await list_chats(server, limit=2, cursor="skip=2;")
    assert ([chat.id for chat in page.items], page.next_cursor) == (["c"], None)
    assert dict(server.requests[0].url.params) == {"limit": "2"}


@pytest.mark.parametrize("cursor", ["x", "skip=2;x"])
def test_a_cursor_that_linq_repeats_is_the_one_that_was_asked_with(cursor: str) -> None:
    assert page_of(chats("a", "b", "c", next_cursor="x"), limit=3, cursor=cursor).next_cursor == cursor


def test_unreadable_entries_count_on_the_page_they_stand_on() -> None:
    body = b'{"chats":[null,{"id":"a"},5,5]}'
    assert [page_of(body, limit=2, cursor=cursor).unreadable for cursor in (None, "skip=2;")] == [1, 2]
