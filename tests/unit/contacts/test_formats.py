"""What contacts files hold: each format as programs really write it, and whatever else may be in such a file."""

from __future__ import annotations

import codecs
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linq_mcp.contacts import formats, spreadsheet
from linq_mcp.contacts.formats import read_contacts
from linq_mcp.handles import read_handle

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
        pytest.param("+12052532136,Ann Adler", id="no headings"),
        pytest.param("Name,Company,Handle\nAnn Adler,Acme,+12052532136", id="other columns, another order"),
        pytest.param('"handle";"name"\n"+12052532136";"Ann Adler"', id="semicolons, quoted"),
        pytest.param("sep=;\r\nhandle;name\r\n+12052532136;Ann Adler", id="a separator line"),
        pytest.param("\n\nhandle,name\n\n+12052532136,Ann Adler\n,\n\n", id="blank lines"),
        pytest.param(f'handle,name\n"{NUMBER}", "Ann Adler"', id="a punctuated number, a space before the quotes"),
        pytest.param('handle,name\n+12052532136,"Ann\nAdler"', id="a line break in a name"),
        pytest.param('handle,note,name\n+12052532136,"one\r\ntwo\r\n""three""",Ann Adler', id="a note of three lines"),
        pytest.param("handle,name\n+12052532136,Ann Adler\n+12052532136,Ann Adler", id="twice the same"),
        pytest.param("handle,name\n+12052532136,\u202eAnn\x00 \u200bAdler\x1b", id="characters that cleaning removes"),
    ],
)
def test_csv(text: str) -> None:
    assert names(text) == ANN


GOOGLE = (
    "First Name,Middle Name,Last Name,Phonetic First Name,Name Prefix,Nickname,File As,Organization Name,Notes,Photo,"
    "Labels,E-mail 1 - Label,E-mail 1 - Value,Phone 1 - Label,Phone 1 - Value,Phone 2 - Label,Phone 2 - Value"
)
OLD_GOOGLE = (
    "Name,Given Name,Additional Name,Family Name,Group Membership,E-mail 1 - Type,E-mail 1 - Value,Phone 1 - Type,"
    "Phone 1 - Value,Organization 1 - Name"
)
OUTLOOK = (
    "First Name,Middle Name,Last Name,Company,Department,Job Title,Business Street,Business Fax,Business Phone,"
    "Home Phone,Mobile Phone,Assistant's Phone,E-mail Address,E-mail Type,E-mail Display Name"
)
HUBSPOT = "Record ID,First Name,Last Name,Email,Phone Number,Contact owner,Lead Status,Email Domain,Company Name"


@pytest.mark.parametrize(
    ("text", "people"),
    [
        pytest.param(
            f"{GOOGLE}\nAnn,B.,Adler,,,,,Acme,,,* myContacts,Work,Ann@Example.com,Mobile,"
            "(205) 253-2136 ::: +44 20 7123 4567,Home,+1 205-253-2137 x12",
            dict.fromkeys(
                ["+12052532136", "+442071234567", "+12052532137", "ann@example.com"],
                "Ann B. Adler",
            ),
            id="Google",
        ),
        pytest.param(
            f"{OLD_GOOGLE}\nAnn Adler,Ann,,Adler,* myContacts,* Work,ann@example.com,Mobile,205.253.2136,\n"
            ",,,,,,,Work,+1 205 253 2137,Acme",
            {"ann@example.com": "Ann Adler", **ANN, "+12052532137": "Acme"},
            id="Google, before 2024, and an organisation alone",
        ),
        pytest.param(
            f"{OUTLOOK}\nAnn,,Adler,Acme,,,,(205) 253-9999,(205) 253-2136 ext. 12,,+12052532137,(205) 253-8888,"
            "ann@example.com,SMTP,Ann Adler (ann@example.com)",
            dict.fromkeys(["+12052532136", "+12052532137", "ann@example.com"], "Ann Adler"),
            id="Outlook",
        ),
        pytest.param(
            f"{HUBSPOT}\n51,Ann,Adler,ann@example.com,+1 205-253-2136,Bo Barros,NEW,example.com,Acme\n"
            "52,,,info@acme.example,,,,acme.example,Acme",
            {"ann@example.com": "Ann Adler", **ANN, "info@acme.example": "Acme"},
            id="HubSpot",
        ),
        pytest.param(
            "Vorname;Nachname;Firma;Mobiltelefon;Telefon gesch\u00e4ftlich;Fax gesch\u00e4ftlich;E-Mail-Adresse\n"
            "Ann;Adler;Acme;+1 205 253 2136;;+1 205 253 9999;",
            ANN,
            id="German Outlook",
        ),
        pytest.param('Name,Phone\nAnn Adler,="+12052532136"', ANN, id="a formula that keeps Excel from rounding"),
        pytest.param("Name,Phone\nAnn Adler,12052532136.0", ANN, id="a number that a program made a decimal"),
        pytest.param("Ann Adler,+12052532136", ANN, id="no headings, the name first"),
        pytest.param("sep=;\n\nName;Phone\nAnn Adler;+12052532136", ANN, id="an empty line after the separator line"),
        pytest.param(
            card("N:;;;;", "ORG:Acme\\, Inc.;Sales", "item1.TEL;type=pref:(205) 253-2136", "item1.X-ABLabel:main"),
            {"+12052532136": "Acme, Inc. Sales"},
            id="a card with an organisation alone",
        ),
        pytest.param(
            card("N:Adler;Ann;;;", "TEL;VALUE=uri:tel:+1-205-253-2136;ext=12"), ANN, id="an extension in a card"
        ),
        pytest.param(card("FN:Ann Adler", "TEL;CELL:205-253-2136,12"), ANN, id="a pause and an extension"),
    ],
)
def test_exports_of_address_books(text: str, people: dict[str, str]) -> None:
    directory = read_contacts(text.encode(), "US")
    assert dict(directory.names) == people
    assert directory.problems == ()


def exports() -> dict[str, str]:
    """Exports of 500 people with national numbers, by what they are."""
    people = [(f"Ann {index}", f"(205) 253-{index:04}") for index in range(1000, 1500)]
    google = "".join(f"{name},,Adler,,,,,,,,* myContacts,,,Mobile,{number},,\n" for name, number in people)
    outlook = "".join(f"{name},,Adler,,,,,,,,{number},,,,\n" for name, number in people)
    apple = "".join(
        card("PRODID:-//Apple Inc.//macOS 15//EN", f"N:Adler;{name};;;", f"FN:{name} Adler", f"TEL;type=CELL:{number}")
        for name, number in people
    )
    return {
        "a Google Contacts export": f"{GOOGLE}\n{google}",
        "an Outlook export": f"{OUTLOOK}\n{outlook}",
        "a vCard file": apple,
    }


@pytest.mark.parametrize("source", exports())
def test_national_numbers_need_a_country_which_one_sentence_says(source: str) -> None:
    content = exports()[source].encode()
    directory = read_contacts(content, "US")
    assert (len(directory.names), directory.problems, directory.missing) == (500, (), "")
    assert directory.name_of("+12052531234") == "Ann 1234 Adler"
    directory = read_contacts(content)
    sentence = "500 numbers without a country code: set LINQ_MCP_COUNTRY, for example to US."
    assert (dict(directory.names), directory.problems) == ({}, (sentence,))
    assert directory.missing == f"The contacts file is {source}. {sentence}"


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        (b"PK\x03\x04rest", "an Excel workbook (xlsx) or another archive: save or export it as CSV or vCard."),
        (b"\xd0\xcf\x11\xe0rest", "an Excel workbook (xls): save or export it as CSV or vCard."),
        (b"Name,Phone\nAnn,1.20525E+10", "a CSV file. 1 number that Excel has rounded (1.2E+10): format"),
        (b"", "a CSV file without the usual headings. It is empty."),
        (b"Name,City\nAnn,Berlin", "a CSV file without the usual headings. Line 1 has no phone number"),
    ],
)
def test_a_file_without_names_says_what_it_is_and_what_to_do(content: bytes, missing: str) -> None:
    directory = read_contacts(content)
    assert directory.names == {}
    assert directory.missing.startswith(f"The contacts file is {missing}")


@pytest.mark.parametrize(
    "content",
    [
        "handle,name\n+12052532137,Ren\u00e9\n+12052532136,Zo\u00eb \u0141ukasz".encode() + b"\xc3",
        "handle,name\n+12052532136,Zo\u00eb \u0141ukasz\n".encode() + "+12052532137,Ren\u00e9\n".encode("latin-1"),
        card("FN:Zo\u00eb \u0141ukasz", "TEL:+12052532136").encode()
        + card("FN:Ren\u00e9", "TEL:+12052532137").encode("latin-1"),
        "handle,name\n+12052532136,Zo\u00eb \u0141ukasz\n+12052532137,Ren\u00e9".encode("utf-16-le"),
        b"BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=ISO-8859-2:"
        + "\u0141ukasz;Zo\u00eb".encode("iso8859-2")
        + b"\r\nTEL:+12052532136\r\nEND:VCARD\r\n"
        b"BEGIN:VCARD\r\nFN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Ren=C3=\r\n =A9\r\nTEL:+12052532137\r\nEND:VCARD",
    ],
    ids=[
        "half a character at the end",
        "one line of Latin-1",
        "one card of Latin-1",
        "UTF-16 without a mark",
        "a charset each",
    ],
)
def test_an_odd_line_leaves_the_others_their_names(content: bytes) -> None:
    """One byte that is not UTF-8 turned all names of a file into mojibake."""
    directory = read_contacts(content)
    assert dict(directory.names) == {"+12052532136": "Zo\u00eb \u0141ukasz", "+12052532137": "Ren\u00e9"}


def test_a_note_folded_inside_a_character_leaves_the_names_alone() -> None:
    note = ("NOTE:" + "\u00e9" * 60).encode()
    content = b"BEGIN:VCARD\r\nFN:Zo\xc3\r\n \xab\r\n" + note[:76] + b"\r\n " + note[76:]
    directory = read_contacts(content + b"\r\nTEL:+12052532136\r\nEND:VCARD\r\n")
    assert dict(directory.names) == {"+12052532136": "Zo\u00eb"}


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
        pytest.param(["N:Adler;Ann;;;", "TEL:+12052532136"], id="N alone"),
        pytest.param(["N:;Ann Adler", "FN:", "TEL:+12052532136"], id="a given name alone, an empty FN"),
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
    text = "BEGIN:VCARD\nFN:Ann\nTEL:+12052532136\nBEGIN:VCARD\nFN:Bo\nTEL:+12052532137"
    assert names(text) == {"+12052532136": "Ann", "+12052532137": "Bo"}


def test_what_stands_between_cards_belongs_to_nobody() -> None:
    assert names(card("FN:Ann Adler", "TEL:+12052532136") + "TEL:+12052532137\nFN:Bo\n") == ANN


@pytest.mark.parametrize(
    ("text", "problem"),
    [
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
    ],
)
def test_what_cannot_be_used_is_named_by_its_line(text: str, problem: str) -> None:
    assert problems(text)[-1] == problem


def test_the_first_name_of_a_number_counts() -> None:
    """A number that several people share keeps the name that the operator wrote first."""
    assert read_contacts(b"+12052532136,Ann Adler\n+12052532136,Bo").names == ANN


def test_an_open_quotation_mark_loses_its_own_line_only() -> None:
    people = "".join(f"+120525330{n:02},Person {n}\n" for n in range(50))
    directory = read_contacts(f'handle,name\n+12052532137,"Bo\n{people}Cy",\n'.encode())
    assert len(directory.names) == 50
    assert directory.problems == ("Line 2 can't be read as CSV.", "Line 53 has no phone number or email address.")


def test_lines_between_two_malformed_ones_are_read() -> None:
    directory = read_contacts(b'handle,name\n+12052532137,"Bo\n+12052532136,Ann Adler\n+12052532138,"Cy"x"')
    assert directory.names == ANN
    assert len(directory.problems) == 2


def test_the_line_after_a_cell_of_several_lines_is_counted_right() -> None:
    assert problems('handle,name\n+12052532136,"Ann\nAdler"\nnobody,Bo')[0].startswith("Line 4 ")


def test_the_problems_are_bounded() -> None:
    """A wrong file does not fill the screen: the first ones, and how many more there are."""
    found = problems("handle,name\n" + "nobody,Bo\n" * 50)
    assert len(found) == 21
    assert found[-1] == "30 more entries can't be used."


def test_the_lines_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert all(read_handle(handle) == handle for handle in directory.names)
    assert len(directory.problems) <= 22


def test_a_record_is_looked_for_in_a_few_lines_only(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []
    real = spreadsheet._cells

    def counted(record: str, delimiter: str) -> Any:
        parsed.append(record.count("\n") + 1)
        return real(record, delimiter)

    monkeypatch.setattr(spreadsheet, "_cells", counted)
    shuffled = ['"a\n', "x\n", 'b"z\n', '"\n'] * 500
    random.Random(7).shuffle(shuffled)
    read_contacts("".join(shuffled).encode())
    assert sum(parsed) <= len(shuffled) * 21
