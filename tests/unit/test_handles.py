"""A handle is read in one way everywhere, and never as somebody else's."""

from __future__ import annotations

import pytest

from linq_mcp.handles import read_handle, read_number

READ = {
    "+12052532136": "+12052532136",
    "+1 (205) 253-2136": "+12052532136",
    " +1 205.253.2136 ": "+12052532136",
    "+ 1 205 253 2136": "+12052532136",
    "+44 (0)20 7123 4567": "+442071234567",
    "+4402071234567": "+442071234567",
    "0044 (0)20 7123 4567": "+442071234567",
    "(+44) 20 7123 4567": "+442071234567",
    "(0044) 20 7123 4567": "+442071234567",
    "+33 (0)1 23 45 67 89": "+33123456789",
    "+49 (0)30 1234567": "+49301234567",
    "+81-(0)3-1234-5678": "+81312345678",
    "+55 (0)11 91234-5678": "+5511912345678",
    # A zero that belongs to the number, and one that is dialled nowhere.
    "+39 06 1234 5678": "+390612345678",
    "+39 (0)6 1234 5678": "+390612345678",
    "+34 (0)912 345 678": "+34912345678",
    "\u202a+1 (205) 253-2136\u202c": "+12052532136",
    "\u2068+12052532136\u2069": "+12052532136",
    "+1205253\u200b2136": "+12052532136",
    "+1 205\u2011253\u20132136": "+12052532136",
    "+1\u00a0205\u2007253\u202f2136": "+12052532136",
    "\uff0b\uff11\uff12\uff10\uff15\uff12\uff15\uff13\uff12\uff11\uff13\uff16": "+12052532136",
    "+\u0661\u0662\u0660\u0665\u0662\u0665\u0663\u0662\u0661\u0663\u0666": "+12052532136",
    "tel:+1-205-253-2136": "+12052532136",
    "TEL:%2B12052532136": "+12052532136",
    "sms:+12052532136?body=hi": "+12052532136",
    "sms://+12052532136": "+12052532136",
    "mailto:Ann%40example.com?subject=x": "ann@example.com",
    "Ann@Example.COM": "ann@example.com",
    "ann\u3164@exam\u034fple.com\u115f": "ann@example.com",
    # As the network compares them: mail for strasse.de goes to other people, and the sign of Kelvin is no k in a name.
    "ann@stra\u00dfe.de": "ann@xn--strae-oqa.de",
    "ann@STRA\u00dfE.de": "ann@xn--strae-oqa.de",
    "ann@xn--strae-oqa.de": "ann@xn--strae-oqa.de",
    "Ann@Examp\uff4ce.com": "ann@example.com",
    "ann\u212a@example.com": "ann\u212a@example.com",
    "262966": "262966",
    "\u0662\u0666\u0662\u0669\u0666\u0666": "262966",
}
UNREADABLE = [
    "",
    "Ann",
    "LINQ",
    "2052532136",
    "(205) 253-2136",
    "12052532136",
    "+1 205 253 21",
    "+1 205 253 2136 55555",
    "+1 205 253 2136, +1 205 253 2137",
    "+1 205 253 2136 / 37",
    "+1 205 253 2136 x12",
    "+1 205 253 2136 ext. 12",
    "+1 800 FLOWERS",
    "+999 123 456 789",
    "ann@example",
    "ann@example.com, bob@example.com",
    "+" * 100_000,
    "\u0301" * 100_000,
]


@pytest.mark.parametrize(("text", "handle"), READ.items(), ids=map(ascii, READ))
def test_a_handle_is_read_however_it_is_written(text: str, handle: str) -> None:
    assert read_handle(text) == handle
    assert read_handle(handle) == handle
    assert read_number(text) == (handle if handle.startswith("+") else None)


@pytest.mark.parametrize("text", UNREADABLE, ids=[ascii(text[:40]) for text in UNREADABLE])
def test_in_doubt_there_is_no_handle(text: str) -> None:
    """A number that is guessed, or of which something is left out, is somebody else's."""
    assert read_handle(text) is None


@pytest.mark.parametrize(
    ("country", "text", "number"),
    [
        ("US", "(205) 253-2136", "+12052532136"),
        ("US", "1 205 253 2136", "+12052532136"),
        ("US", "011 44 20 7123 4567", "+442071234567"),
        ("US", "+44 20 7123 4567", "+442071234567"),
        ("GB", "020 7123 4567", "+442071234567"),
        ("DE", "0171/1234567", "+491711234567"),
        ("RU", "8 (916) 123-45-67", "+79161234567"),
        ("IT", "06 1234 5678", "+390612345678"),
        # Dialled within a town, too long, and in a country that does not exist.
        ("US", "253-2136", None),
        ("US", "205 253 2136 77", None),
        ("XX", "205 253 2136", None),
    ],
)
def test_a_national_number_is_one_of_the_country_that_is_set(country: str, text: str, number: str | None) -> None:
    assert read_number(text, country) == number
