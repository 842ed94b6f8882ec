"""Search words find what a person sees: in any order, script and case, whatever marks and punctuation phones add."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linq_mcp.sanitize import clean
from linq_mcp.search import SearchQuery, fold

ZWJ = "\u200d"

FOUND = {
    "refund workshop": "the workshop \u2026 a refund",
    "workshop, refund?": "the refund\nworkshop",
    '"two words"': "two\n words",
    "\u201ctwo words\u201d": "TWO WORDS",
    "\u00abtwo words\u00bb": "two\u00a0words",
    '"two words': "two words",
    "refund -workshop": "refund",
    '-"two words"': "words, two",
    "refund \u2013 workshop": "workshop refund",
    "duc": "Nguy\u1ec5n V\u0103n \u0110\u1ee9c",
    "Vi\u1ec7t": "vie\u0323\u0302t",
    "Zo\u00eb": "ZOE\u0308",
    "\u0131sparta": "ISPARTA",
    "istanbul": "\u0130STANBUL",
    "stra\u00dfe": "STRASSE",
    "smorrebrod": "Sm\u00f8rrebr\u00f8d",
    "aether": "\u00c6THER",
    "lodz": "\u0141\u00f3d\u017a",
    "\u03bb\u03bf\u03b3\u03bf\u03c2": "\u039b\u038c\u0393\u039f\u03a3",
    "\u0435\u0436": "\u0401\u0416",
    "\u0451\u0436": "\u0435\u0436",
    "\u05e9\u05dc\u05d5\u05dd": "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd",
    '\u05e6\u05d4"\u05dc': "\u05e6\u05d4\u05f4\u05dc",
    "\u0645\u062d\u0645\u062f": "\u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f",
    "\u0643\u062a\u0627\u0628": "\u0643\u0640\u0640\u0640\u062a\u0627\u0628",
    "\u0639\u0644\u064a": "\u0639\u0644\u06cc",
    "\u0627\u062d\u0645\u062f": "\u0623\u062d\u0645\u062f",
    "\u0645\u06cc\u062e\u0648\u0627\u0647\u0645": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "\uff21\uff22 \uff76\uff9e": "ab \u30ac",
    "\ud55c\uad6d": "\u1112\u1161\u11ab\u1100\u116e\u11a8",
    "\u2764": "\u2764\ufe0f",
    "\u2764\ufe0f": "I \u2764 you",
    "1": "1\ufe0f\u20e3",
    "5": "\u096b",
    "12": "\u0661\u0662",
    "it's": "it\u2019s",
    "don't": "don\u00b4t",
    "co-op": "co\u2011op",
    "2052532136": "call (205) 253-2136 now",
    "253-2136": "+1 205 253 2136",
    "253\u20132136": "+12052532136",
    "+44 (0)20 7123 4567": "+442071234567",
    "1234.50": "1,234.50",
    "1234": "1\u202f234",
    "10:30": "at 10.30",
    "C++": "c++ code",
    ":)": "hi :)",
    "ann@example.com.": "Ann@Example.com",
}


@pytest.mark.parametrize(("typed", "text"), FOUND.items(), ids=map(ascii, FOUND))
def test_words_are_found_where_a_person_sees_them(typed: str, text: str) -> None:
    assert SearchQuery.parse(typed).matches(clean(text, None, lines=True))


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("refund workshop", "refund"),
        ('"two words"', "words two"),
        ("refund -workshop", "a refund for the WORKSHOP"),
        ('refund -"two words"', "refund in two words"),
        # Thai vowels and Korean letters make other words, although Unicode treats them as marks and parts.
        ("\u0e04\u0e38\u0e13", "\u0e04\u0e13"),
        ("\uac00", "\uac01"),
        ("12 34", "1"),
    ],
)
def test_other_words_are_not_found(typed: str, text: str) -> None:
    assert not SearchQuery.parse(typed).matches(text)


def test_words_may_stand_in_several_texts_but_a_phrase_in_one() -> None:
    assert SearchQuery.parse("ann bob").matches("Ann Adler", "Bob Brown")
    assert not SearchQuery.parse('"adler bob"').matches("Ann Adler", "Bob Brown")
    assert not SearchQuery.parse("ann -bob").matches("Ann Adler", "Bob Brown")


@pytest.mark.parametrize(
    "typed", ["", " ", "\u200b", "-", "--", '""', '-""', "\u0301", "\u0640\u064b", "\ufe0f", "\u2013"]
)
def test_nothing_that_can_be_seen_is_no_query(typed: str) -> None:
    """An empty needle is in every text, so that a search for it would find all of them."""
    assert not SearchQuery.parse(typed)


def longest_stack(text: str) -> int:
    """The most combining marks in a row."""
    longest = marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) or unicodedata.category(character) == "Me" else 0
        longest = max(longest, marks)
    return longest


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\u0301\u0316" * 10_000, id="marks of two classes"),
        pytest.param("\uff9e\u0301" * 10_000, id="halfwidth sound marks, which are letters at first"),
        pytest.param(f"\u0301{ZWJ}\u0316{ZWJ}" * 5_000, id="between joiners"),
        pytest.param("\u0344\u0316" * 10_000, id="marks that decompose into two"),
        pytest.param("\u0f73\u0301" * 10_000, id="marks of class 0 that decompose into others"),
    ],
)
def test_normalizing_never_meets_a_long_run_of_marks(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes quadratic time on one: 100 messages of 20,000 marks held the server for 86 seconds."""
    normalize = unicodedata.normalize
    stacks = []

    def recording(form: Any, given: str) -> str:
        stacks.append(longest_stack(normalize("NFKD", given)) if len(given) < 100 else len(given))
        return normalize(form, given)

    monkeypatch.setattr(unicodedata, "normalize", recording)
    fold(text)
    assert stacks
    assert max(stacks) <= 30


def test_folding_has_a_bound() -> None:
    """U+FDFA becomes eighteen characters; neither what goes in nor what comes out is longer than 100,000."""
    assert len(fold("\ufdfa" * 200_000)) == 100_000
    assert len(fold("a" * 200_000)) == 100_000


@given(typed=st.text("abAB -", min_size=1, max_size=4), text=st.text("abAB01 .,-'\n\t", max_size=30))
def test_words_of_ascii_letters_are_found_without_folding_the_text(typed: str, text: str) -> None:
    """It is only faster: folding finds the same."""
    query, cleaned = SearchQuery.parse(typed), clean(text, None, lines=True)
    assert query.matches(cleaned) is replace(query, is_plain=False).matches(cleaned)
