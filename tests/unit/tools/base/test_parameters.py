"""Arguments: robust in form, strict in meaning, and every refusal says what is valid."""

from __future__ import annotations

import json
import keyword
from typing import Any

import pytest
from pydantic import Field

from linq_mcp.errors import ArgumentsError
from linq_mcp.tools import SEND_TOOLS, TOOLS
from linq_mcp.tools.base.param_types import (
    ChatId,
    Cursor,
    Flag,
    Handle,
    Limit,
    Line,
    Order,
    PastTimestamp,
    Sender,
    Text,
    Timestamp,
    Word,
    Words,
)
from linq_mcp.tools.base.parameters import ToolArguments, input_schema, parse_arguments
from linq_mcp.tools.base.tool import Tool
from linq_mcp.tools.find_chats import FIND_CHATS
from linq_mcp.tools.find_messages import FIND_MESSAGES
from linq_mcp.tools.list_chats import Arguments
from linq_mcp.tools.list_inbox import LIST_INBOX
from linq_mcp.tools.send_message import SEND_MESSAGE

LINE = "+12055550101"
CHAT = "550e8400-e29b-41d4-a716-446655440000"
SCHEMA_KEYWORDS = {"type", "properties", "required", "description", "enum", "minimum", "maximum", "items"}
NASTY = [
    pytest.param("\x1b[2J\x1b]0;owned\x07", id="escapes"),
    pytest.param("\u202e\u2066evil\u2069\u200f", id="bidi"),
    pytest.param("a\nb\r\nc\u2028d", id="line breaks"),
    pytest.param("\ud83d\ude00\ud800", id="surrogates"),
    pytest.param("\x00\x7f\x9b", id="controls"),
    pytest.param("\u200b\u2060\ufeff\U000e0041", id="zero width and tags"),
    pytest.param("x" * 100_000, id="100,000 characters"),
    pytest.param("`\"' ${x} <b> " * 100, id="quotes"),
]


class Everything(ToolArguments):
    chat_id: ChatId = Field(description="A chat.")
    from_: Line | None = Field(None, alias="from", description="One of your lines.")
    to: Handle | None = Field(None, description="Someone.")
    sender: Sender | None = Field(None, description="Who.")
    text: Text | None = Field(None, description="Words.")
    flag: Flag | None = Field(None, description="Or not.")
    words: Words | None = Field(None, description="Some.")
    word: Word | None = Field(None, description="One.")
    since: PastTimestamp | None = Field(None, description="From.")
    until: Timestamp | None = Field(None, description="To.")
    order: Order = Field("newest", description="Which end.")
    limit: Limit = Field(20, description="How many.")
    cursor: Cursor | None = Field(None, description="Where to go on.")


def read(**given: Any) -> Arguments:
    return parse_arguments(Arguments, {name.removesuffix("_"): value for name, value in given.items()})


def problems(given: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(ArgumentsError) as refused:
        parse_arguments(Arguments, given)
    return refused.value.problems


def test_no_arguments_are_the_first_page() -> None:
    assert read().model_dump() == {"from_": None, "to": None, "limit": 20, "cursor": None}


@pytest.mark.parametrize(
    "absent",
    [
        None,
        "",
        " ",
        "\n\t",
        "null",
        "None",
        "NULL",
        "none",
        " null ",
        "undefined",
    ],
)
@pytest.mark.parametrize("name", ["from", "to", "limit", "cursor"])
def test_null_words_are_absent(name: str, absent: Any) -> None:
    """Models and templates write an argument they leave out in many ways."""
    assert parse_arguments(Arguments, {name: absent}) == read()


@pytest.mark.parametrize(
    ("given", "limit"),
    [
        (1, 1),
        (100, 100),
        ("20", 20),
        (" 20 ", 20),
        (20.0, 20),
        ("20.0", 20),
        ("20.", 20),
        ("20.000", 20),
        ("+20", 20),
        ("020", 20),
        (1e2, 100),
    ],
)
def test_forms_of_a_number(given: Any, limit: int) -> None:
    read_limit = read(limit=given).limit
    assert (read_limit, type(read_limit)) == (limit, int)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(True, id="true"),
        pytest.param(False, id="false"),
        pytest.param(20.5, id="fraction"),
        pytest.param(float("nan"), id="NaN"),
        pytest.param(float("inf"), id="infinity"),
        pytest.param(10**400, id="10**400"),
        pytest.param(10**4000, id="10**4000"),
        pytest.param("1e1", id="exponent as text"),
        pytest.param(0, id="below the range"),
        pytest.param(101, id="above the range"),
        pytest.param("-5", id="negative as text"),
        pytest.param("twenty", id="word"),
        pytest.param("0x10", id="hexadecimal"),
        pytest.param("\u0662\u0660", id="other digits"),
        pytest.param([20], id="list"),
        pytest.param({"limit": 20}, id="object"),
    ],
)
def test_numbers_that_are_refused(given: Any) -> None:
    (problem,) = problems({"limit": given})
    assert problem.startswith("`limit` takes a whole number from 1 to 100, not ")
    assert problem.isprintable()
    assert len(problem) < 120


@pytest.mark.parametrize(
    ("given", "cursor"),
    [
        ("20", "20"),
        (20, "20"),
        (20.0, "20"),
        (0, "0"),
        (-1, "-1"),
        (" abc== ", "abc=="),
        ("eyJhIjoxfQ+/=", "eyJhIjoxfQ+/="),
        ("with space", "with space"),
        ("ünï", "ünï"),
        ("nullable", "nullable"),
        ("x" * 2000, "x" * 2000),
        (10**30, "1" + "0" * 30),
    ],
)
def test_forms_of_a_cursor(given: Any, cursor: str) -> None:
    assert read(cursor=given).cursor == cursor


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(True, id="true"),
        pytest.param(False, id="false"),
        pytest.param(20.5, id="fraction"),
        pytest.param(float("nan"), id="NaN"),
        pytest.param(float("inf"), id="infinity"),
        pytest.param(10**4000, id="10**4000"),
        pytest.param(["20"], id="list"),
        pytest.param({"next_cursor": "20"}, id="object"),
        pytest.param("x" * 2001, id="2,001 characters"),
        pytest.param("a\nb", id="line break"),
        pytest.param("a\x00", id="NUL"),
        pytest.param("a\u202e", id="bidi"),
    ],
)
def test_cursors_that_are_refused(given: Any) -> None:
    (problem,) = problems({"cursor": given})
    assert problem.startswith("`cursor` takes the `next_cursor` of the previous answer, unchanged, not ")
    assert problem.isprintable()
    assert len(problem) < 130


@pytest.mark.parametrize("given", [LINE, f" {LINE}\n", "+1234567", "+123456789012345", "+4915112345678"])
@pytest.mark.parametrize("name", ["from", "to"])
def test_numbers_in_e164(name: str, given: str) -> None:
    assert getattr(parse_arguments(Arguments, {name: given}), {"from": "from_"}.get(name, name)) == given.strip()


NO_HANDLES = [
    pytest.param("2055550101", id="no country"),
    pytest.param("+02055550101", id="country of zero"),
    pytest.param("+123456", id="too short"),
    pytest.param("+1234567890123456", id="too long"),
    pytest.param("+1205555010a", id="letter"),
    pytest.param("+\u0661\u0662\u0660\u0665\u0665\u0665\u0660\u0661", id="other digits, too few"),
    pytest.param("+12055550101,+12055550102", id="two numbers"),
    pytest.param("me", id="a word"),
    pytest.param(12055550101, id="a number"),
    pytest.param(10**4000, id="10**4000"),
    pytest.param(True, id="true"),
    pytest.param([LINE], id="list"),
    pytest.param({"handle": LINE}, id="object"),
    pytest.param("9" * 100_000, id="100,000 digits"),
]


@pytest.mark.parametrize("given", NO_HANDLES)
@pytest.mark.parametrize("name", ["from", "to"])
def test_handles_that_are_refused(name: str, given: Any) -> None:
    (problem,) = problems({name: given})
    assert problem.startswith(f"`{name}` takes one ")
    assert "E.164 form such as +1205253" in problem
    assert problem.isprintable()
    assert len(problem) < 190


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (["http://a.example/menu.pdf"], '["http://a.example/menu.pdf"]'),
        ({"url": "https://a.example"}, '{"url": "https://a.example"}'),
        ([True, None], "[true, null]"),
    ],
)
def test_a_list_or_an_object_that_is_refused_is_shown(given: Any, shown: str) -> None:
    """A refusal of a list of urls that calls what was given "a list" does not say what is wrong with it."""
    with pytest.raises(ArgumentsError) as refused:
        SEND_MESSAGE.parse({"chat_id": CHAT, "text": "Hi", "attachments": given})
    assert refused.value.problems == (f"`attachments` takes a list of at most 20 https urls of files, not {shown}.",)


@pytest.mark.parametrize("name", ["to", "sender"])
@pytest.mark.parametrize(
    ("given", "by_name"), [("Ann Adler", True), ("Zoë", True), ("@gmail.com", True), ("2055550101", False)]
)
def test_a_name_in_place_of_a_handle_leads_to_find_chats(name: str, given: str, by_name: bool) -> None:
    with pytest.raises(ArgumentsError) as refused:
        parse_arguments(Everything, {"chat_id": CHAT, name: given})
    (problem,) = refused.value.problems
    assert ("find_chats with `text`" in problem) is by_name


def test_a_name_in_place_of_a_line_leads_to_the_lines() -> None:
    """A line is one of the account's own numbers and has no name."""
    (problem,) = problems({"from": "Boston"})
    assert "list_phone_numbers" in problem
    assert "find_chats" not in problem


def test_a_person_in_place_of_a_side_leads_to_the_argument_for_people() -> None:
    with pytest.raises(ArgumentsError, match="for a person use `to`"):
        LIST_INBOX.parse({"sender": "+13345550119"})


@pytest.mark.parametrize("given", ["+1 (205) 555-0101", "+1.205.555.0101", "001-205-555-0101", "0012055550101"])
@pytest.mark.parametrize(("name", "field"), [("from", "from_"), ("to", "to")])
def test_a_number_that_says_its_country_may_be_punctuated(name: str, field: str, given: str) -> None:
    assert getattr(parse_arguments(Arguments, {name: given}), field) == "+12055550101"


@pytest.mark.parametrize("given", ["262966", 262966, " 611 "])
def test_a_handle_may_be_a_short_code(given: Any) -> None:
    assert read(to=given).to == str(given).strip()
    assert len(problems({"from": given})) == 1


@pytest.mark.parametrize("given", ["12055550101", "1-205-555-0101", 12055550101])
@pytest.mark.parametrize("name", ["from", "to"])
def test_a_number_that_only_looks_different_is_shown_as_it_should_be(name: str, given: Any) -> None:
    (problem,) = problems({name: given})
    assert "(perhaps +12055550101?)" in problem


@pytest.mark.parametrize("given", ["ann@example.com", " ann.lee+x@mail.example.co.uk ", "o'brien@example.com"])
def test_a_participant_may_be_an_email_address(given: str) -> None:
    assert read(to=given).to == given.strip()


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("ann@", id="no domain"),
        pytest.param("@example.com", id="no name"),
        pytest.param("ann@example", id="no dot"),
        pytest.param("a b@example.com", id="space"),
        pytest.param("ann@example.com, bo@example.com", id="two"),
        pytest.param("Ann <ann@example.com>", id="with a name"),
        pytest.param("a" * 65 + "@example.com", id="name too long"),
        pytest.param("a\x00@example.com", id="NUL"),
        pytest.param("a\x1b[0m@example.com", id="escape"),
        pytest.param("a@" * 50_000, id="100,000 characters"),
    ],
)
@pytest.mark.timeout(10)
def test_email_addresses_that_are_refused(given: str) -> None:
    (problem,) = problems({"to": given})
    assert problem.startswith("`to` takes one number in E.164 form")
    assert problem.isprintable()
    assert len(problem) < 190


def test_a_line_is_no_email_address() -> None:
    assert len(problems({"from": "ann@example.com"})) == 1


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("From", "from"),
        ("_from", "from"),
        ("form", "from"),
        ("TO", "to"),
        ("limits", "limit"),
        ("curser", "cursor"),
        ("next_cursor", "cursor"),
        ("Limit ", "limit"),
    ],
)
def test_an_unknown_argument_is_refused_with_the_nearest(name: str, nearest: str) -> None:
    (problem,) = problems({name: "+12055550101"})
    assert problem == (
        f"`{name.strip()}` is not an argument; did you mean `{nearest}`? Valid: from, to, limit, cursor."
    )


@pytest.mark.parametrize("name", ["search", "health_status", "", "?", "0"])
def test_an_unknown_argument_far_from_all(name: str) -> None:
    assert problems({name: 1}) == (f"`{name}` is not an argument. Valid: from, to, limit, cursor.",)


@pytest.mark.parametrize("value", ["${LINE}", "${user_config.x}", "${}", " ${a b} "])
@pytest.mark.parametrize("name", ["from", "to", "limit", "cursor"])
def test_a_placeholder_is_refused(name: str, value: str) -> None:
    """A placeholder read as absent would widen the question, from one line to the whole account."""
    (problem,) = problems({name: value})
    assert problem == f'`{name}` is the placeholder "{value.strip()}": pass its value, or leave it out.'


def test_a_placeholder_is_no_text_either() -> None:
    for tool in (FIND_MESSAGES, SEND_MESSAGE):
        with pytest.raises(ArgumentsError, match="`text` is the placeholder"):
            tool.parse({"text": "${message}"})


@pytest.mark.parametrize(
    "tool", [tool for tool in (*TOOLS, *SEND_TOOLS) if tool.input_schema["properties"]], ids=lambda tool: tool.name
)
def test_every_parameter_refuses_an_object_by_name(tool: Tool[Any]) -> None:
    """A field whose type is not of `param_types` would fail without a sentence of ours."""
    names = list(tool.input_schema["properties"])
    with pytest.raises(ArgumentsError) as refused:
        tool.parse({name: {"a": 1} for name in names})
    assert [problem.split(maxsplit=1)[0] for problem in refused.value.problems] == [f"`{name}`" for name in names]


def test_from_may_be_written_as_python_can() -> None:
    assert parse_arguments(Arguments, {"from_": LINE}) == parse_arguments(Arguments, {"from": LINE})
    assert parse_arguments(Arguments, {"from_": None, "from": LINE}).from_ == LINE
    assert len(problems({"from_": LINE, "from": LINE})) == 1
    for tool in (*TOOLS, *SEND_TOOLS):
        if "from" in tool.input_schema["properties"]:
            given = {**json.loads(tool.example), "from_": LINE}
            given.pop("from", None)
            assert tool.parse(given).given()["from"] == LINE


def test_a_service_may_go_by_its_old_name() -> None:
    assert FIND_CHATS.parse({"service": "SMS"}) == FIND_CHATS.parse({"messaging_service": "SMS"})
    assert SEND_MESSAGE.parse({"service": "SMS", "text": "Hi"}).given() == {"text": "Hi", "messaging_service": "SMS"}


def test_no_parameter_has_a_name_that_a_framework_or_python_keeps_for_itself() -> None:
    """Semantic Kernel overwrites the first four with objects of its own; `from` is a keyword, and has an alias."""
    taken = {"service", "kernel", "arguments", "execution_settings", *keyword.kwlist}
    names = {name for tool in (*TOOLS, *SEND_TOOLS) for name in tool.input_schema["properties"]}
    assert names & taken == {"from"}


@pytest.mark.parametrize("given", [["SMS"], '["SMS"]', ["SMS "]])
def test_a_list_of_one_is_a_single_word(given: Any) -> None:
    assert FIND_CHATS.parse({"messaging_service": given}) == FIND_CHATS.parse({"messaging_service": "SMS"})
    assert SEND_MESSAGE.parse({"text": "Hi", "messaging_service": given}).messaging_service == "SMS"
    assert parse_arguments(Everything, {"chat_id": CHAT, "order": ["oldest"]}).order == "oldest"
    with pytest.raises(ArgumentsError):
        FIND_CHATS.parse({"messaging_service": ["SMS", "RCS"]})


@pytest.mark.parametrize(
    "given",
    [["https://example.com/a"], '["https://example.com/a"]', ' [ "https://example.com/a" ]\n', "https://example.com/a"],
)
def test_a_list_may_be_json_text(given: Any) -> None:
    assert SEND_MESSAGE.parse({"text": "Hi", "attachments": given}).attachments == ("https://example.com/a",)


@pytest.mark.parametrize("value", [None, "", "null"])
def test_an_argument_without_a_value_is_absent_whatever_its_name(value: Any) -> None:
    """Hosts in a strict mode send every property of the schema that they saw last, which may be an older one."""
    assert parse_arguments(Arguments, {"confirm_token": value, "limit": value}) == read()


def test_given_are_the_arguments_as_they_were_read() -> None:
    parsed = parse_arguments(Arguments, {"from": "+1 (205) 555-0101", "to": None, "limit": "5"})
    assert parsed.given() == {"from": "+12055550101", "limit": 5}


def test_every_wrong_argument_is_named_at_once() -> None:
    found = problems({"serach": "x", "from": "me", "to": "you", "limit": 0, "cursor": True})
    assert [problem.split("`")[1] for problem in found] == ["serach", "from", "to", "limit", "cursor"]


def test_the_error_reads_as_one_text() -> None:
    with pytest.raises(ArgumentsError) as refused:
        read(limit=0, cursor=True)
    assert str(refused.value) == " ".join(refused.value.problems)
    assert all(problem.endswith(".") for problem in refused.value.problems)


@pytest.mark.parametrize("nasty", NASTY)
def test_a_nasty_name_cannot_disturb_the_error(nasty: str) -> None:
    (problem,) = problems({nasty: 1})
    assert problem.isprintable()
    assert len(problem) < 60 + len("`` is not an argument; did you mean `cursor`? Valid: from, to, limit, cursor.")


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("name", ["from", "to", "limit"])
def test_a_nasty_value_cannot_disturb_the_error(name: str, nasty: str) -> None:
    (problem,) = problems({name: nasty})
    (harmless,) = problems({name: "x"})
    assert problem.isprintable()
    assert len(problem) < 60 + len(harmless)


def test_very_many_unknown_arguments_do_not_make_an_endless_error() -> None:
    with pytest.raises(ArgumentsError) as refused:
        parse_arguments(Arguments, {f"wrong{number}": number for number in range(5000)})
    assert len(str(refused.value)) < 5000


class Needed(ToolArguments):
    chat_id: ChatId = Field(description="The chat.")
    from_: Line | None = Field(None, alias="from", description="Your line.")


@pytest.mark.parametrize("given", [{}, {"chat_id": None}, {"chat_id": " "}, {"chat_id": "null"}])
def test_a_required_argument_is_asked_for(given: dict[str, Any]) -> None:
    with pytest.raises(ArgumentsError) as refused:
        parse_arguments(Needed, given)
    assert refused.value.problems == ("`chat_id` is needed: The chat.",)


def test_a_required_argument_is_read() -> None:
    read = parse_arguments(Needed, {"chat_id": f" {CHAT} "})
    assert (read.chat_id, read.from_) == (CHAT, None)


def test_required_is_in_the_schema_only_if_something_is() -> None:
    """An empty list of them is refused by some clients."""
    assert input_schema(Needed)["required"] == ["chat_id"]
    assert "required" not in input_schema(Arguments)


def test_the_schema_of_every_kind() -> None:
    """Exactly what is declared: no defaults, formats, patterns or titles."""
    assert input_schema(Everything) == {
        "type": "object",
        "properties": {
            "chat_id": {"type": "string", "description": "A chat."},
            "from": {"type": "string", "description": "One of your lines."},
            "to": {"type": "string", "description": "Someone."},
            "sender": {"type": "string", "description": "Who."},
            "text": {"type": "string", "description": "Words."},
            "flag": {"type": "boolean", "description": "Or not."},
            "words": {"type": "array", "items": {"type": "string"}, "description": "Some."},
            "word": {"type": "string", "description": "One."},
            "since": {"type": "string", "description": "From."},
            "until": {"type": "string", "description": "To."},
            "order": {"type": "string", "enum": ["newest", "oldest"], "description": "Which end."},
            "limit": {"type": "integer", "minimum": 1, "maximum": 100, "description": "How many."},
            "cursor": {"type": "string", "description": "Where to go on."},
        },
        "required": ["chat_id"],
    }


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_examples_are_right(tool: Any) -> None:
    """What an error shows as a valid call is one."""
    tool.parse(json.loads(tool.example))


@pytest.mark.parametrize(("given", "read_as"), [("me", "me"), ("Them", "them"), ("262966", "262966"), (LINE, LINE)])
def test_forms_of_a_sender(given: str, read_as: str) -> None:
    assert parse_arguments(Everything, {"chat_id": CHAT, "sender": given}).sender == read_as


def test_a_name_is_not_a_sender() -> None:
    with pytest.raises(
        ArgumentsError, match=r"^`sender` takes \"me\", \"them\" for everybody else, or one number .*, not \"Ann\".$"
    ):
        parse_arguments(Everything, {"chat_id": CHAT, "sender": "Ann"})


def test_nothing_is_later_than_a_time_in_the_future() -> None:
    """An empty answer would say that nobody wrote; the refusal says what time it is."""
    with pytest.raises(ArgumentsError, match=r"^`since` takes a time that has passed \(it is 20\d\d-"):
        parse_arguments(Everything, {"chat_id": CHAT, "since": "2999-01-01"})
    assert parse_arguments(Everything, {"chat_id": CHAT, "until": "2999-01-01"}).until


class Range(ToolArguments):
    ranges = (("after", "before"),)

    after: Timestamp | None = Field(None, description="From.")
    before: Timestamp | None = Field(None, description="To.")


@pytest.mark.parametrize("before", ["2026-11-20", "2026-11-19T23:59:59Z"])
def test_a_range_that_holds_nothing_is_refused(before: str) -> None:
    """An empty answer would look like a finding."""
    with pytest.raises(ArgumentsError, match=r"^`after` has to be earlier than `before`\.$"):
        parse_arguments(Range, {"after": "2026-11-20", "before": before})


@pytest.mark.parametrize(
    "given", [{"after": "2026-11-20"}, {"before": "2026-11-20"}, {"after": "2026-11-20", "before": "2026-11-21"}]
)
def test_a_range_may_be_open(given: dict[str, Any]) -> None:
    assert parse_arguments(Range, given)
