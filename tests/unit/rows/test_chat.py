"""A chat as a row, and a page of rows: every member when it is due, whatever the wire brought."""

from __future__ import annotations

import json
from typing import Any

import pytest
from helpers.linq import call_over
from helpers.scripted_api import Reply, Server

from linq_mcp.api.models import Chat, Chats
from linq_mcp.rows.chat import ChatRow, chat_row, health_guide
from linq_mcp.rows.schema import json_schema
from linq_mcp.tools.base.parameters import parse_arguments
from linq_mcp.tools.list_chats import LIST_CHATS, Arguments

OWN = "+12055550101"
ANN = "+12055550102"
BO = "bo@example.com"
GUIDE = "https://docs.linqapp.com/guides/chats/chat-health"


def handle(of: str | None, **members: Any) -> dict[str, Any]:
    return {
        "id": "h",
        "handle": of,
        "joined_at": "2026-05-21T15:30:00.000Z",
        "service": "iMessage",
        "is_me": False,
        "left_at": None,
        "status": "active",
        **members,
    }


def wire(**members: Any) -> dict[str, Any]:
    """A chat as Linq sends it, of our own line and Ann, with `members` in place of its own."""
    return {
        "id": "c1",
        "created_at": "2026-01-15T10:30:00Z",
        "updated_at": "2026-11-20T17:45:00Z",
        "display_name": f"{OWN}, {ANN}",
        "handles": [handle(OWN, is_me=True), handle(ANN)],
        "health_status": {"status": "HEALTHY", "doc_url": f"{GUIDE}#healthy", "updated_at": "2026-05-01T18:28:25Z"},
        "is_archived": False,
        "is_group": False,
        "service": "iMessage",
        "group_chat_icon": None,
        **members,
    }


def chats(*wires: object) -> list[Chat]:
    # The way of the wire: what JSON cannot carry does not arrive.
    listing = Chats.model_validate({"chats": json.loads(json.dumps(wires))})
    return [chat for chat in listing.items or [] if chat is not None]


def row(**members: Any) -> dict[str, Any]:
    (chat,) = chats(wire(**members))
    return dict(chat_row(chat))


PLAIN = {
    "id": "c1",
    "line": OWN,
    "participants": [ANN],
    "service": "iMessage",
    "health_status": "HEALTHY",
    "updated_at": "2026-11-20T17:45:00Z",
}


def test_a_plain_chat() -> None:
    assert row() == PLAIN


def test_a_full_row_has_members_of_the_schema_alone() -> None:
    full = row(
        display_name="Team",
        is_group=True,
        handles=[handle(OWN, is_me=True), *[handle(f"+120555502{number:02}") for number in range(9)]],
        health_status={"status": "AT_RISK", "updated_at": "2026-05-01T18:28:25Z"},
    )
    assert set(full) == set(json_schema(ChatRow)["properties"])


@pytest.mark.parametrize(
    ("name", "handles"),
    [
        pytest.param(None, None, id="null"),
        pytest.param("", None, id="empty"),
        pytest.param(f"{OWN}, {ANN}", None, id="all handles"),
        pytest.param(f"{ANN}, {OWN}", None, id="in another order"),
        pytest.param(ANN, None, id="the recipient alone"),
        pytest.param(",", None, id="a comma"),
        pytest.param("BO@Example.com", [handle(OWN, is_me=True), handle(BO)], id="an email in capitals"),
        pytest.param(BO, [handle(OWN, is_me=True), handle("BO@EXAMPLE.COM")], id="a handle in capitals"),
        pytest.param(
            f"{OWN}, {ANN}, {BO}",
            [handle(OWN, is_me=True), handle(ANN), handle(BO, status="left")],
            id="one who left",
        ),
        pytest.param(
            f"{OWN}, {ANN}", [handle(OWN, is_me=True, status="left"), handle(ANN)], id="the own line when it left"
        ),
    ],
)
def test_a_default_name_is_left_out(name: str | None, handles: list[Any] | None) -> None:
    assert "display_name" not in row(display_name=name, **({"handles": handles} if handles else {}))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("Team Discussion", "Team Discussion", id="free text"),
        pytest.param("Ann, Bo", "Ann, Bo", id="a list of names"),
        pytest.param(f"{ANN}, Bo", f"{ANN}, Bo", id="a handle and a name"),
        pytest.param("+12055559999", "+12055559999", id="a number that is not in the chat"),
        pytest.param("Team\n\u202eA\u200b \U0001f680", "Team A \U0001f680", id="cleaned"),
        pytest.param("Half \ud83d emoji", "Half emoji", id="a lone surrogate"),
        pytest.param("x" * 81, "x" * 79 + "…", id="81 characters"),
        pytest.param("0", "0", id="zero"),
    ],
)
def test_a_given_name_is_shown(name: str, shown: str) -> None:
    assert row(display_name=name)["display_name"] == shown


UNSEEN = ["\u200b", "\u3164", "\ud83d", " \n", "\U000e0041\u2800"]


@pytest.mark.parametrize("unseen", UNSEEN, ids=ascii)
def test_a_text_that_no_one_can_see_is_no_member(unseen: str) -> None:
    """Answers have no empty members: a text of which cleaning leaves nothing is absent, and so is what hangs on it."""
    for member in ("id", "display_name", "service", "updated_at"):
        assert member not in row(**{member: unseen})
    shown = row(handles=[handle(unseen, is_me=True), handle(unseen), handle(ANN)])
    assert (shown.get("line"), shown["participants"]) == (None, [ANN])
    health = {"status": unseen, "doc_url": f"{GUIDE}#x", "updated_at": "2026-05-01T18:28:25Z"}
    assert not {"health_status", "health_since"} & set(row(health_status=health))
    assert health_guide(chats(wire(health_status=health))) == {}
    shown = row(health_status={"status": "AT_RISK", "updated_at": unseen})
    assert (shown["health_status"], shown.get("health_since")) == ("AT_RISK", None)


@pytest.mark.parametrize(
    ("members", "present"),
    [
        pytest.param({"status": "active"}, True, id="active"),
        pytest.param({"status": "left"}, False, id="left"),
        pytest.param({"status": "removed"}, False, id="removed"),
        pytest.param({"status": "invited"}, True, id="unknown"),
        pytest.param({"status": "active", "left_at": "2026-01-01T00:00:00Z"}, True, id="active, with left_at"),
        pytest.param({"status": "left", "left_at": None}, False, id="left, without left_at"),
        pytest.param({"status": None, "left_at": None}, True, id="no status, no left_at"),
        pytest.param({"status": None, "left_at": "2026-01-01T00:00:00Z"}, False, id="no status, left_at"),
        pytest.param({"status": 5, "left_at": "2026-01-01T00:00:00Z"}, False, id="status a number, left_at"),
    ],
)
def test_who_is_still_in_the_chat(members: dict[str, Any], present: bool) -> None:
    shown = row(handles=[handle(OWN, is_me=True), handle(ANN), handle(BO, **members)])
    assert shown["participants"] == ([ANN, BO] if present else [ANN])


@pytest.mark.parametrize(
    ("handles", "line", "participants"),
    [
        pytest.param([handle(OWN, is_me=True)], OWN, None, id="only the own line"),
        pytest.param([handle(ANN), handle(BO)], None, [ANN, BO], id="no handle marked"),
        pytest.param([handle(OWN, is_me=True, status="left"), handle(ANN)], OWN, [ANN], id="the own line left"),
        pytest.param(
            [handle(OWN, is_me=True, status="left"), handle("+12055550199", is_me=True), handle(ANN)],
            "+12055550199",
            [ANN],
            id="two own handles, one left",
        ),
        pytest.param(
            [handle(OWN, is_me=True), handle(ANN), handle("+12055550199", is_me=True)],
            OWN,
            [ANN, "+12055550199"],
            id="two own handles",
        ),
        pytest.param([handle(None, is_me=True), handle(ANN)], None, [ANN], id="the own line without its number"),
        pytest.param([handle(ANN), handle(OWN, is_me=True), handle(BO)], OWN, [ANN, BO], id="the own line between"),
        pytest.param([], None, None, id="no handles"),
        pytest.param(None, None, None, id="handles null"),
        pytest.param([None, 5, "x", [], handle(ANN)], None, [ANN], id="handles of another type"),
    ],
)
def test_the_line_and_the_others(handles: Any, line: str | None, participants: list[str] | None) -> None:
    shown = row(handles=handles)
    assert (shown.get("line"), shown.get("participants")) == (line, participants)


@pytest.mark.parametrize(("others", "shown", "count"), [(8, 8, None), (9, 8, 9), (31, 8, 31)])
def test_at_most_eight_participants(others: int, shown: int, count: int | None) -> None:
    numbers = [f"+120555502{number:02}" for number in range(others)]
    found = row(handles=[handle(BO, status="left"), *map(handle, numbers), handle(OWN, is_me=True)], is_group=True)
    assert found["participants"] == numbers[:shown]
    assert found.get("participant_count") == count


@pytest.mark.parametrize(("is_group", "shown"), [(True, True), (False, None), (None, None), ("true", None), (1, None)])
def test_is_group_only_when_true(is_group: Any, shown: bool | None) -> None:
    assert row(is_group=is_group).get("is_group") is shown


@pytest.mark.parametrize(
    ("service", "shown"),
    [("iMessage", "iMessage"), ("SMS", "SMS"), ("RCS", "RCS"), ("Pigeon", "Pigeon"), (None, None), ("", None)],
)
def test_the_service_when_known(service: str | None, shown: str | None) -> None:
    assert row(service=service).get("service") == shown


@pytest.mark.parametrize(
    ("status", "since"),
    [
        ("HEALTHY", False),
        ("healthy", False),
        ("Healthy", False),
        ("AT_RISK", True),
        ("at_risk", True),
        ("CRITICAL", True),
        ("OPTED_OUT", True),
        ("PAUSED", True),
    ],
)
def test_health_with_its_date_unless_healthy(status: str, since: bool) -> None:
    """The status passes through as Linq sent it; case does not matter for what it means."""
    shown = row(health_status={"status": status, "updated_at": "2026-05-01T13:28:25.000-05:00"})
    assert shown["health_status"] == status
    assert shown.get("health_since") == ("2026-05-01T18:28:25Z" if since else None)


@pytest.mark.parametrize("health", [None, {}, {"status": None}, {"status": ""}, {"updated_at": "2026-05-01T18:28:25Z"}])
def test_no_health(health: Any) -> None:
    assert row(health_status=health) == {name: PLAIN[name] for name in PLAIN if name != "health_status"}


def test_a_status_is_cleaned_and_cut() -> None:
    assert row(health_status={"status": "AT\u202e_RISK" + "x" * 100})["health_status"] == "AT_RISK" + "x" * 32 + "…"


@pytest.mark.parametrize(
    ("updated_at", "shown"),
    [
        ("2026-11-20T12:45:00.000-05:00", "2026-11-20T17:45:00Z"),
        ("recently", "recently"),
        (None, None),
        (5, None),
    ],
)
def test_the_time_of_the_last_change(updated_at: Any, shown: str | None) -> None:
    assert row(updated_at=updated_at).get("updated_at") == shown


WRONG: list[Any] = [None, True, 0, -1.5, 1e400]
WRONG += ["", "x", "\ud83d", "\x00", [], [None], [[]], {}, {"status": {}}, "x" * 5000]
MEMBERS = [*wire(), "unknown"]


@pytest.mark.parametrize("member", MEMBERS)
def test_any_member_may_be_missing_or_of_any_type(member: str) -> None:
    missing = wire()
    missing.pop(member, None)
    rows = [dict(chat_row(chat)) for chat in chats(missing, *({**wire(), member: wrong} for wrong in WRONG))]
    assert len(rows) == 1 + len(WRONG)
    derived = {"handles": {"line", "participants", "display_name"}}.get(member, {member})
    for shown in rows:
        assert {name: shown[name] for name in PLAIN if name not in derived} == {
            name: PLAIN[name] for name in PLAIN if name not in derived
        }
        assert set(shown) <= set(json_schema(ChatRow)["properties"])


@pytest.mark.parametrize("entry", [None, 5, "c1", [], True])
def test_an_entry_that_is_no_chat_is_left_out(entry: Any) -> None:
    assert [chat.id for chat in chats(wire(id="a"), entry, wire(id="b"))] == ["a", "b"]


def test_the_health_guide_is_for_the_unhealthy() -> None:
    statuses = [
        ("HEALTHY", f"{GUIDE}#healthy"),
        ("healthy", f"{GUIDE}#healthy"),
        ("AT_RISK", None),
        ("AT_RISK", f"{GUIDE}#at-risk"),
        ("AT_RISK", "https://example.com/other"),
        ("CRITICAL", "http://docs.linqapp.com/plain"),
        ("OPTED_OUT", "javascript:alert(1)"),
        ("PAUSED", f"{GUIDE}#paused"),
        (None, f"{GUIDE}#none"),
    ]
    page = chats(*(wire(health_status={"status": status, "doc_url": url}) for status, url in statuses))
    assert health_guide(page) == {"AT_RISK": f"{GUIDE}#at-risk", "PAUSED": f"{GUIDE}#paused"}


def test_an_address_that_cannot_be_shown_whole_is_left_out() -> None:
    page = chats(
        wire(health_status={"status": "AT_RISK", "doc_url": f"{GUIDE}#at\u202e-risk x"}),
        wire(health_status={"status": "CRITICAL", "doc_url": f"{GUIDE}#" + "x" * 5000}),
        wire(health_status={"status": "PAUSED", "doc_url": "https://linqapp.com.example.com/paused"}),
    )
    assert health_guide(page) == {}


async def page(answer: Any, **arguments: Any) -> dict[str, Any]:
    """What list_chats answers when Linq sends `answer`."""
    return await page_of(Server(Reply(body=json.dumps(answer).encode())), **arguments)


async def page_of(server: Server, **arguments: Any) -> dict[str, Any]:
    async with call_over(server, seconds=5) as call:
        return dict(await LIST_CHATS.run(LIST_CHATS.parse(arguments), call))


async def test_a_page_in_the_middle() -> None:
    answer = {"chats": [wire()], "next_cursor": "20"}
    assert await page(answer) == {"chats": [PLAIN], "has_more": True, "next_cursor": "20"}


@pytest.mark.parametrize("end", [{}, {"next_cursor": None}, {"next_cursor": ""}], ids=["absent", "null", "empty"])
async def test_the_last_page(end: dict[str, Any]) -> None:
    assert await page({"chats": [wire()], **end}, cursor="20") == {"chats": [PLAIN], "has_more": False}


async def test_the_guide_of_a_page() -> None:
    health = {"status": "CRITICAL", "doc_url": f"{GUIDE}#critical", "updated_at": "2026-11-01T00:00:00Z"}
    answer = await page({"chats": [wire(health_status=health)] * 3})
    assert answer["health_guide"] == {"CRITICAL": f"{GUIDE}#critical"}


async def test_the_order_is_linqs() -> None:
    answer = await page({"chats": [wire(id=name) for name in ("b", "a", "c", "a")]})
    assert [shown["id"] for shown in answer["chats"]] == ["b", "a", "c", "a"]


async def test_the_arguments_reach_linq() -> None:
    server = Server(Reply())
    await page_of(server)
    await page_of(server, **{"from": OWN}, to=BO, limit=7, cursor="a+b")
    assert [dict(request.url.params) for request in server.requests] == [
        {"limit": "20"},
        {"from": OWN, "to": BO, "limit": "7", "cursor": "a+b"},
    ]


async def test_a_cursor_that_does_not_advance_ends_the_paging() -> None:
    """A model that followed a repeated cursor would never stop."""
    answer = await page({"chats": [wire()], "next_cursor": 20}, cursor="20")
    assert answer["has_more"] is False
    assert "next_cursor" not in answer
    assert "same cursor again, so paging ends here; there may be more" in answer["note"]


@pytest.mark.parametrize(
    "lost",
    [True, 2.5, [], {}, "x" * 2001, "a\nb", "\ud83d", 10**3000],
    ids=["bool", "fraction", "list", "object", "too long", "line break", "surrogate", "huge number"],
)
async def test_a_cursor_that_cannot_be_sent_again_is_told(lost: Any) -> None:
    answer = await page({"chats": [wire()], "next_cursor": lost})
    assert answer["has_more"] is False
    assert "next_cursor" not in answer
    assert "can't be sent again, so paging ends here; there " in answer["note"]


@pytest.mark.parametrize(
    "given", ["20", 20, 0, "0", "a b", " 20", "20 ", " ", "null", "None", "undefined", "${x}", "ü"]
)
async def test_a_cursor_that_is_handed_out_is_taken_back_as_it_was(given: Any) -> None:
    answer = await page({"chats": [wire()], "next_cursor": given})
    if "next_cursor" in answer:
        assert answer["next_cursor"] == str(given)
        assert parse_arguments(Arguments, {"cursor": answer["next_cursor"]}).cursor == answer["next_cursor"]
    else:
        assert "can't be sent again" in answer["note"]


async def test_an_empty_page_that_goes_on() -> None:
    answer = await page({"chats": [], "next_cursor": "40"}, cursor="20")
    note = answer.pop("note")
    assert answer == {"chats": [], "has_more": True, "next_cursor": "40"}
    assert note.startswith("This page is empty, but ")
    assert note.endswith("call again with next_cursor.")


IF_NOT_YOURS = f"If {OWN} is not one of your lines (see list_phone_numbers), filter by that person instead."


@pytest.mark.parametrize(
    ("arguments", "note"),
    [
        ({}, "This account has no chats."),
        ({"from": OWN}, f"No chats on {OWN}. {IF_NOT_YOURS}"),
        ({"to": BO}, f"No chats with {BO}."),
        ({"from": OWN, "to": ANN}, f"No chats on {OWN} with {ANN}. {IF_NOT_YOURS}"),
        ({"cursor": "20"}, "There is nothing more."),
    ],
    ids=["no filter", "from", "to", "both", "cursor"],
)
@pytest.mark.parametrize("none", [[], None], ids=["empty", "null"])
async def test_nothing_found_names_the_filters(arguments: dict[str, Any], note: str, none: Any) -> None:
    assert await page({"chats": none}, **arguments) == {"chats": [], "has_more": False, "note": note}


async def test_entries_that_cannot_be_read_are_counted() -> None:
    answer = await page({"chats": [5, wire(), None]})
    assert answer["chats"] == [PLAIN]
    assert answer["note"] == "2 entries could not be read and were left out."


async def test_a_page_of_nothing_but_unreadable_entries() -> None:
    answer = await page({"chats": [5]})
    assert answer == {
        "chats": [],
        "has_more": False,
        "note": "1 entry could not be read and was left out.",
    }


async def test_two_unusual_things_are_both_told() -> None:
    answer = await page({"chats": [5, wire()], "next_cursor": "20"}, cursor="20")
    assert answer["note"].startswith("1 entry could not be read")
    assert answer["note"].endswith("there may be more.")


async def test_answers_have_members_of_the_schema_alone() -> None:
    answer = await page({"chats": [5, wire(extra=1)], "next_cursor": "20", "total": 7, "note": "x"})
    assert set(answer) <= set(LIST_CHATS.output_schema["properties"])
    assert set(LIST_CHATS.output_schema["required"]) <= set(answer)
    assert "x" not in answer["note"].split()
