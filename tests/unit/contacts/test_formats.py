"""What contacts files hold: each format as programs really write it, and whatever else may be in such a file."""

from __future__ import annotations

import codecs
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linq_mcp.contacts import formats
from linq_mcp.contacts.formats import read_contacts

ANN = {"+12052532136": "Ann Adler"}
NUMBER = "+1 (205) 253-2136"


def names(text: str) -> dict[str, str]:
    """The names in a file of which everything can be used."""
    directory = read_contacts(text.encode())
    assert directory.problems == ()
    return dict(directory.names)


def problems(text: str) -> tuple[str, ...]:
    return read_contacts(text.encode()).problems


def card(*properties: str) -> str:
    return "\r\n".join(["BEGIN:VCARD", "VERSION:3.0", *properties, "END:VCARD", ""])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("handle,name\n+12052532136,Ann Adler\n", id="plain"),
        pytest.param("handle,name\r\n+12052532136,Ann Adler", id="CRLF, no last line break"),
        pytest.param("handle,name\r+12052532136,Ann Adler\r", id="CR"),
        pytest.param("+12052532136,Ann Adler", id="no headings"),
        pytest.param("Name,Company,Handle\nAnn Adler,Acme,+12052532136", id="other columns, another order"),
        pytest.param('"handle";"name"\n"+12052532136";"Ann Adler"', id="semicolons, quoted"),
        pytest.param("handle\tname\n+12052532136\tAnn Adler", id="tabs"),
        pytest.param("sep=;\r\nhandle;name\r\n+12052532136;Ann Adler", id="a separator line"),
        pytest.param("\n\nhandle,name\n\n+12052532136,Ann Adler\n,\n\n", id="blank lines"),
        pytest.param(f'handle,name\n"{NUMBER}", "Ann Adler"', id="a punctuated number, a space before the quotes"),
        pytest.param('handle,name\n+12052532136,"Ann\nAdler"', id="a line break in a name"),
        pytest.param('handle,note,name\n+12052532136,"one\r\ntwo\r\n""three""",Ann Adler', id="a note of three lines"),
        pytest.param("handle,name\n+12052532136,Ann Adler\n+12052532136,Ann Adler", id="twice the same"),
        pytest.param("handle,name\n+12052532136,\u202eAnn\x00 \u200bAdler\x1b", id="characters that cleaning removes"),
        pytest.param("handle,name\n+12052532136,Ann\u2028Adler", id="a separator that ends no line"),
    ],
)
def test_csv(text: str) -> None:
    assert names(text) == ANN


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("handle,name\n+12052532136,Zoë Łukasz".encode(), id="UTF-8"),
        pytest.param(codecs.BOM_UTF8 + "handle,name\n+12052532136,Zoë Łukasz".encode(), id="UTF-8 with its mark"),
        pytest.param("handle;name\n+12052532136;Zoë Ångström".encode("cp1252"), id="Windows-1252"),
        pytest.param(codecs.BOM_UTF16_LE + "handle\tname\n+12052532136\tZoë Łukasz".encode("utf-16-le"), id="UTF-16LE"),
        pytest.param(codecs.BOM_UTF16_BE + "handle\tname\n+12052532136\tZoë Łukasz".encode("utf-16-be"), id="UTF-16BE"),
        pytest.param(codecs.BOM_UTF8 + card("FN:Zoë Łukasz", f"TEL:{NUMBER}").encode(), id="vCard with its mark"),
        pytest.param(card("FN:Zoë Ångström", f"TEL:{NUMBER}").encode("cp1252"), id="vCard in Windows-1252"),
    ],
)
def test_encodings(content: bytes) -> None:
    assert read_contacts(content).names.get("+12052532136") in ("Zoë Łukasz", "Zoë Ångström")


@pytest.mark.parametrize(
    "properties",
    [
        pytest.param(["FN:Ann Adler", f"TEL:{NUMBER}"], id="plain"),
        pytest.param(["N:Adler;Ann;;;", "FN:Ann Adler", "TEL;TYPE=CELL,VOICE:+12052532136"], id="with N"),
        pytest.param(["N:Adler;Ann;;;", "TEL:+12052532136"], id="N alone"),
        pytest.param(["N:;Ann Adler", "FN:", "TEL:+12052532136"], id="a given name alone, an empty FN"),
        pytest.param(["fn:Ann Adler", "tel;type=cell:+12052532136"], id="lower case"),
        pytest.param(["FN:Ann Adler", "item1.TEL;type=pref:+12052532136", "item1.X-ABLabel:x"], id="grouped"),
        pytest.param(["FN:Ann Ad", " ler", "TEL;TYPE=CELL;TYPE=pre", " f:+1205253", "\t2136"], id="folded"),
        pytest.param(["FN:Ann Adler", 'TEL;VALUE=uri;TYPE="voice,a:b;c":tel:+1-205-253-2136;ext=5'], id="4.0, a URI"),
        pytest.param(["FN;CHARSET=UTF-8:Ann Adler", "TEL;CELL;PREF:+12052532136"], id="2.1, bare parameters"),
        pytest.param(
            ["FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=41nn=20=", "=41d=", "ler", "TEL:+12052532136"],
            id="2.1, quoted-printable with soft line breaks",
        ),
        pytest.param(["N;QUOTED-PRINTABLE:=41dler;=41nn", "TEL:+12052532136"], id="2.1, N quoted-printable"),
        pytest.param(["FN:Ann\\nAdler", "TEL:+12052532136"], id="an escaped line break"),
        pytest.param(
            ["PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQ", " TEL:+19995550100", " AAAA=", "FN:Ann Adler", "TEL:+12052532136"],
            id="a photo, which is passed over",
        ),
        pytest.param(["FN:Ann Adler", "FN:Annie", "TEL:+12052532136", "TEL:0012052532136"], id="two of each"),
    ],
)
def test_vcard(properties: list[str]) -> None:
    assert names(card(*properties)) == ANN


def test_escaped_characters_of_a_vcard() -> None:
    """A comma, a semicolon or a backslash belongs to the name."""
    assert names(card("N:Adler\\; Inc;Ann\\, \\\\Bo;;;", "TEL:+12052532136")) == {
        "+12052532136": "Ann, \\Bo Adler; Inc"
    }


def test_quoted_printable_beyond_ascii() -> None:
    """It is UTF-8, or the encoding of old Windows."""
    utf8 = card("FN;ENCODING=QUOTED-PRINTABLE:Zo=C3=AB", "TEL:+12052532136")
    cp1252 = card("FN;ENCODING=QUOTED-PRINTABLE:Zo=EB", "TEL:+12052532136")
    assert names(utf8) == names(cp1252) == {"+12052532136": "Zoë"}


def test_all_handles_of_a_card_and_all_cards_of_a_person() -> None:
    text = card("FN:Ann Adler", "TEL:+12052532136", "EMAIL;INTERNET:Ann@Example.com") + card(
        "FN:Ann Adler", "EMAIL:mailto:ann@example.org", "TEL:+12052532136", "TEL:40404"
    )
    assert names(text) == dict.fromkeys(["+12052532136", "ann@example.com", "ann@example.org", "40404"], "Ann Adler")


def test_a_card_without_its_end_does_not_run_into_the_next() -> None:
    """Each keeps its own name."""
    text = "BEGIN:VCARD\nFN:Ann\nTEL:+12052532136\nBEGIN:VCARD\nFN:Bo\nTEL:+12052532137"
    assert names(text) == {"+12052532136": "Ann", "+12052532137": "Bo"}


def test_what_stands_between_cards_belongs_to_nobody() -> None:
    """A number after the end of a card is not its person's."""
    assert names(card("FN:Ann Adler", "TEL:+12052532136") + "TEL:+12052532137\nFN:Bo\n") == ANN


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("handle,name\n205 253 2136,Ann", "Line 2 has a number without + and the country code."),
        ("handle,name\nAnn,+12052532136", "Line 2 has no phone number or email address."),
        ("handle,name\n+0123,Ann", "Line 2 has no phone number or email address."),
        (f"handle,name\n{'x' * 300}@example.com,Ann", "Line 2 has no phone number or email address."),
        ("handle,name\n\n+12052532136,", "Line 3 has no name."),
        ("handle,name\n+12052532136", "Line 2 has no name."),
        ('handle,name\n+12052532136,"Ann" Adler', "Line 2 can't be read as CSV."),
        ('handle,name\n+12052532136,"Ann', "Line 2 can't be read as CSV."),
        (f'handle,name\n+12052532136,"{"x" * 200_000}"', "Line 2 can't be read as CSV."),
        ("+12052532136,Ann\n+12052532136,Bo", "Line 2 gives a second name to the same number or address."),
        (card("FN:Ann"), "Line 1 has no phone number or email address."),
        (card("TEL:+12052532136"), "Line 3 has no name."),
        (card("FN:Ann", "TEL:+12052532137", "TEL:none"), "Line 5 has no phone number or email address."),
    ],
)
def test_what_cannot_be_used_is_named_by_its_line(text: str, problem: str) -> None:
    assert problems(text)[-1] == problem


def test_the_first_name_of_a_number_counts() -> None:
    """A number that several people share keeps the name that the operator wrote first."""
    assert read_contacts(b"+12052532136,Ann Adler\n+12052532136,Bo").names == ANN


def test_an_open_quotation_mark_loses_its_own_line_only() -> None:
    """Everything after it is read all the same, also up to the next mark that would close it."""
    people = "".join(f"+120525330{n:02},Person {n}\n" for n in range(50))
    directory = read_contacts(f'handle,name\n+12052532137,"Bo\n{people}Cy",\n'.encode())
    assert len(directory.names) == 50
    assert directory.problems == ("Line 2 can't be read as CSV.", "Line 53 has no phone number or email address.")


def test_lines_between_two_malformed_ones_are_read() -> None:
    """A mark that seems to close a cell, but closes none, takes nothing with it."""
    directory = read_contacts(b'handle,name\n+12052532137,"Bo\n+12052532136,Ann Adler\n+12052532138,"Cy"x"')
    assert directory.names == ANN
    assert len(directory.problems) == 2


def test_the_line_after_a_cell_of_several_lines_is_counted_right() -> None:
    """Line numbers are those of an editor."""
    assert problems('handle,name\n+12052532136,"Ann\nAdler"\nnobody,Bo')[0].startswith("Line 4 ")


def test_the_problems_are_bounded() -> None:
    """A wrong file does not fill the screen: the first ones, and how many more there are."""
    found = problems("handle,name\n" + "nobody,Bo\n" * 50)
    assert len(found) == 21
    assert found[-1] == "30 more entries can't be used."


def test_the_lines_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beyond the limit is not read, and that is said."""
    monkeypatch.setattr(formats, "MAX_LINES", 2)
    directory = read_contacts(b"+12052532136,Ann Adler\n+12052532137,Bo\n+12052532138,Cy")
    assert list(directory.names.values()) == ["Ann Adler", "Bo"]
    assert directory.problems == ("Lines after the first 2 are not read.",)


def test_names_are_short() -> None:
    (name,) = read_contacts(("+12052532136," + "x" * 5000).encode()).names.values()
    assert len(name) == 80


@pytest.mark.parametrize(
    "text", ["", "\n\n", "handle,name", "BEGIN:VCARD", "BEGIN:VCARD\nEND:VCARD", "\ufeff", "sep=;"]
)
def test_files_without_anybody(text: str) -> None:
    assert read_contacts(text.encode()).names == {}


PIECES = [
    *["BEGIN:VCARD\n", "END:VCARD\r\n", "FN", "N", "TEL", "EMAIL", ";ENCODING=QUOTED-PRINTABLE", ":", ";", "=", "=C3"],
    *[
        '"',
        ",",
        "\n",
        "\r",
        " ",
        "\t",
        "\\",
        "handle,name\n",
        "+12052532136",
        "a@b.example",
        "item1.",
        "\u0301",
        "\x00",
    ],
]


@given(st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(PIECES), max_size=60).map("".join).map(str.encode)))
def test_no_file_breaks_the_reader(content: bytes) -> None:
    """Any bytes are a directory: handles in their normal form, short names, few problems."""
    directory = read_contacts(content)
    assert all(0 < len(name) <= 80 for name in directory.names.values())
    assert all(formats._HANDLE.fullmatch(handle) for handle in directory.names)
    assert len(directory.problems) <= 22


def test_a_record_is_looked_for_in_a_few_lines_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many quotation marks are left open, each line is parsed a bounded number of times."""
    parsed: list[int] = []
    real = formats._csv_cells

    def counted(record: str, delimiter: str) -> Any:
        parsed.append(record.count("\n") + 1)
        return real(record, delimiter)

    monkeypatch.setattr(formats, "_csv_cells", counted)
    shuffled = ['"a\n', "x\n", 'b"z\n', '"\n'] * 500
    random.Random(7).shuffle(shuffled)
    read_contacts("".join(shuffled).encode())
    assert sum(parsed) <= len(shuffled) * 21
