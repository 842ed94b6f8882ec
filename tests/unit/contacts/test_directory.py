"""Names by handle, whichever way a handle is written."""

from __future__ import annotations

import pytest

from linq_mcp.api.models import Chat
from linq_mcp.contacts.directory import NOBODY, Directory, normal_handle
from linq_mcp.rows.chat import chat_row


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("+12052532136", "+12052532136"),
        ("+1 (205) 253-2136", "+12052532136"),
        ("+1.205.253.2136", "+12052532136"),
        ("+1\u00a0205\u2011253\u20132136", "+12052532136"),
        ("\u202a+1 205 253 2136\u202c", "+12052532136"),
        ("0044 20 7946 0958", "+442079460958"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("205 253 2136", "205 253 2136"),
        ("40404", "40404"),
        ("Ann@Example.COM", "ann@example.com"),
        (" ann-b.c@example.com ", "ann-b.c@example.com"),
        ("", ""),
    ],
)
def test_handles_are_compared_without_punctuation_and_case(written: str, normal: str) -> None:
    assert normal_handle(written) == normal
    assert normal_handle(normal) == normal


def test_a_name_is_found_however_the_handle_is_written() -> None:
    directory = Directory({"+12052532136": "Ann Adler", "bo@example.com": "Bo Barros"})
    assert directory.name_of("+1 205 253 2136") == "Ann Adler"
    assert directory.name_of("BO@example.com") == "Bo Barros"


@pytest.mark.parametrize("handle", [None, "", "me", "+12052532137", "2052532136"])
def test_an_unknown_handle_has_no_name(handle: str | None) -> None:
    assert Directory({"+12052532136": "Ann Adler"}).name_of(handle) == ""
    assert NOBODY.name_of(handle) == ""


def test_a_group_shows_who_has_no_name_by_their_handle() -> None:
    """A group in which one name is known would look like a chat with that person."""
    known = Directory({"+12055550102": "Ann Adler"})
    handles = [{"handle": "+12055550101", "is_me": True}, {"handle": "+12055550102"}, {"handle": "bo@example.com"}]
    chat = Chat.model_validate({"id": "c", "handles": handles})
    assert chat_row(chat, directory=known).get("display_name") == "Ann Adler, bo@example.com"
    assert "display_name" not in chat_row(chat, directory=Directory({"+19995550100": "Cy"}))
