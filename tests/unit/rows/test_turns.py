"""Who waits for whom, and how long replies took: tables of conversations, oldest message first."""

from __future__ import annotations

import pytest

from linq_mcp.api.models import Chat, Message
from linq_mcp.rows.turns import Turn, Wait, can_wait, in_order, replies, turn_of, waiting

# A time of 0 is an unknown one.
START = 600.0


def turns(script: str) -> list[Turn]:
    """One turn a minute: `t` is theirs, `T` theirs with our reaction, `o` ours, `f` ours that failed, `.` a pause."""
    return [
        Turn(60.0 * minute + START, letter in "of", "failed" if letter == "f" else "", tapped_back=letter == "T")
        for minute, letter in enumerate(script)
        if letter != "."
    ]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", None),
        ("t", (0, 1)),
        ("o", None),
        ("to", None),
        ("ot", (1, 1)),
        ("tott", (2, 2)),
        ("tf", (0, 1)),
        ("totft", (2, 2)),
        ("f", None),
        ("of", None),
        ("T", None),
        ("tT", None),
        ("Tt", (0, 2)),
        ("tTf", None),
        ("Tot", (2, 1)),
        ("oTtt", (1, 3)),
    ],
)
def test_who_waits(script: str, expected: tuple[int, int] | None) -> None:
    assert waiting(turns(script)) == (Wait(60.0 * expected[0] + START, expected[1]) if expected else None)


def said(*texts: str) -> list[Turn]:
    """One turn a minute; ours begin with `me:`."""
    return [
        Turn(60.0 * minute, own=text.startswith("me:"), text=text.removeprefix("me:"))
        for minute, text in enumerate(texts, start=1)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Liked \u201cSee you at 5\u201d",
        'Loved "See you at 5"',
        "Laughed at \u201csee you  at 5\u201d ",
        "Reacted \U0001f44d to \u201cSee you at 5\u201d",
        "\U0001f44d to \u201c See you at 5 \u201d",
        "\u200a\u200b\U0001f44d\u200b to \u201c\u200aSee you at 5\u200a\u201d\u200a",
        "Removed a heart from \u201cSee you at 5\u201d",
        "Gef\u00e4llt mir: \u201eSee you at 5\u201c",
        "A aim\u00e9 \u00abSee you at 5\u00bb",
        "STOP",
        " STOP ",
        "STOPALL",
        "UNSUBSCRIBE",
        "CANCEL",
        "opt out",
        "Opt-Out",
        "OPTOUT",
        "START",
        "UNSTOP",
        "opt in",
    ],
)
def test_a_tapback_that_came_as_text_and_a_keyword_wait_for_no_answer(text: str) -> None:
    """Phones without iMessage get and send reactions as messages that quote the whole message."""
    assert waiting(said("me:See you at 5", text)) is None
    assert waiting(said("me:See you at 5", "And where?", text)) == Wait(120.0, 1)


@pytest.mark.parametrize(
    "text",
    [
        "Liked \u201cSee you\u201d",
        "Liked \u201cSomething else\u201d",
        "See you at 5",
        "\u201cSee you at 5\u201d",
        "What do you mean by your last message, \u201cSee you at 5\u201d",
        "Liked \u201cSee you at 5\u201d, but where?",
        # Linq takes these for words like any other.
        "stop",
        "cancel",
        "STOP calling me",
        "START at 5?",
        "yes",
    ],
)
def test_whoever_writes_in_words_of_their_own_waits(text: str) -> None:
    assert waiting(said("me:See you at 5", text)) == Wait(120.0, 1)


def test_a_message_of_an_unknown_time_makes_no_wait() -> None:
    assert waiting([Turn(0.0, own=False)]) is None
    assert waiting([Turn(0.0, own=False), Turn(60.0, own=False)]) == Wait(60.0, 1)


@pytest.mark.timeout(5)
def test_many_tapbacks_take_no_time_to_speak_of() -> None:
    texts = (f"Liked \u201c{number}\u201d" for number in range(5_000))
    assert waiting(said(*map(str, range(5_000)), *texts)) == Wait(60.0, 5_000)


@pytest.mark.parametrize(
    ("script", "since", "minutes"),
    [
        ("", 0, []),
        ("to", 0, [1]),
        ("t..o", 0, [3]),
        ("ttto", 0, [3]),
        ("too", 0, [1]),
        ("o", 0, []),
        ("ot", 0, []),
        ("tf.o", 0, [3]),
        ("tf", 0, []),
        ("to.t..o", 0, [1, 3]),
        ("To", 0, [1]),
        ("to.t..o", 1, [3]),
        ("tto", 1, []),
        ("tot.o", 2, [2]),
        ("tot.o", 3, []),
    ],
)
def test_how_long_replies_took(script: str, since: int, minutes: list[int]) -> None:
    seconds = [seconds for _, seconds in replies(turns(script), 60.0 * since + START)]
    assert seconds == [60.0 * minute for minute in minutes]


@pytest.mark.parametrize("oldest_first", [True, False])
def test_messages_of_one_second_keep_the_order_of_the_list(oldest_first: bool) -> None:
    written = [Turn(0.0, own=False), Turn(5.0, own=True), Turn(5.0, own=False), Turn(9.0, own=True)]
    listed = written if oldest_first else written[::-1]
    assert in_order(listed, oldest_first=oldest_first) == written


def test_a_message_recovered_late_stands_where_it_was_written() -> None:
    late, answer = Turn(1.0, own=False), Turn(2.0, own=True)
    assert in_order([answer, late], oldest_first=True) == [late, answer]


LIKE = {"type": "like", "is_me": True}


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        ({"sent_at": "1970-01-01T00:00:07Z", "created_at": "2026-01-01T00:00:00Z"}, Turn(7.0, own=False)),
        ({"is_from_me": True, "delivery_status": "FAILED"}, Turn(0.0, own=True, delivery_status="failed")),
        ({"parts": [{"type": "text", "value": "Hi"}]}, Turn(0.0, own=False, text="Hi")),
        ({"parts": [{"type": "text"}, {"type": "text", "reactions": [LIKE]}]}, Turn(0.0, own=False, tapped_back=True)),
        ({"parts": [{"type": "text", "reactions": [{**LIKE, "is_me": False}]}]}, Turn(0.0, own=False)),
        ({}, Turn(0.0, own=False)),
    ],
)
def test_what_counts_of_a_message(wire: dict[str, object], expected: Turn) -> None:
    assert turn_of(Message.model_validate(wire)) == expected


@pytest.mark.parametrize(
    ("chat", "expected"),
    [
        ({}, True),
        ({"handles": [{"handle": "+1", "is_me": True}]}, True),
        ({"handles": [{"handle": "+1", "is_me": True, "status": "left"}]}, False),
        ({"handles": [{"handle": "+1", "is_me": True, "left_at": "2026-11-01T00:00:00Z"}]}, False),
        ({"handles": [{"handle": "+1", "status": "left"}]}, True),
        ({"health_status": {"status": "OPTED_OUT"}}, False),
        ({"health_status": {"status": "opted_out"}}, False),
        ({"health_status": {"status": "CRITICAL"}}, True),
    ],
)
def test_in_which_chats_anybody_can_wait(chat: dict[str, object], expected: bool) -> None:
    assert can_wait(Chat.model_validate(chat)) is expected
