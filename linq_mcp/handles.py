"""Handles as people write them, read into one normal form: an E.164 number, an email address, or a short code.

A country is never guessed: a number without a country code is one of the `country` that the operator has set, and
otherwise no number. Where there is a doubt there is no number either, as a wrong one would be somebody else's.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase
from urllib.parse import unquote

from linq_mcp.sanitize import clean

_LONGEST = 300
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
# Calling codes before a zero: either a digit that is dialled inside the country only, or, as in Italy, a part of the
# number. Only the library knows.
_ZERO_AFTER_CODE = re.compile(
    r"\+(?:[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|(?:2[1-69]|3[578]|42|5[09]|6[7-9]|8[578]|9[679])[0-9])0"
)
_ASCII_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_SHORT_CODE = re.compile(r"[0-9]{3,6}")
_EMAIL = re.compile(r"[^\s@,;<>]{1,64}@[^\s@,;<>]{1,190}\.[^\s@,;<>.]{1,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SCHEME = re.compile(r"(?:tel|sms|smsto|imessage|mailto):(?://)?", re.IGNORECASE)
_NUMBER = re.compile(r"[(\s]*+(?:\+|00)?[0-9\s().\-/\u2010-\u2015\u2212]+")


def read_handle(text: str, country: str | None = None) -> str | None:
    """`text` in its normal form; None if it is no handle."""
    if _E164.fullmatch(text) and not _ZERO_AFTER_CODE.match(text):
        return text
    text = _bare(text)
    if _EMAIL.fullmatch(text):
        return _address(text)
    text = _plain(text)
    return text if _SHORT_CODE.fullmatch(text) else _number(text, country)


def read_domain(text: str) -> str | None:
    """A domain as the network knows it, by IDNA 2008; None if there can be none of that name."""
    if text.isascii():
        return text.lower()
    import idna  # noqa: PLC0415 - most domains are ASCII

    try:
        # Not casefold, and not Python's own codec: straße.de is not strasse.de.
        return idna.encode(text, uts46=True).decode("ascii")
    except UnicodeError:
        return None


def _address(text: str) -> str | None:
    local, _, domain = text.rpartition("@")
    found = read_domain(domain)
    # Other letters are those of another mailbox: the sign of Kelvin is no k there.
    return f"{local.translate(_ASCII_LOWER)}@{found}" if found else None


def read_number(text: str, country: str | None = None) -> str | None:
    """`text` as E.164; None if it is no number with a country."""
    if _E164.fullmatch(text) and not _ZERO_AFTER_CODE.match(text):
        return text
    return _number(_plain(_bare(text)), country)


def is_country(code: str) -> bool:
    """Whether there are numbers of that country."""
    import phonenumbers  # noqa: PLC0415 - as below

    return code in phonenumbers.SUPPORTED_REGIONS


def _bare(text: str) -> str:
    """`text` without what surrounds a handle in a link or in what a contacts app copies."""
    text = text[:_LONGEST].strip()
    if _CONTROL.search(text):
        return ""
    text = clean(text, None)
    if scheme := _SCHEME.match(text):
        text = unquote(re.split("[;?]", text[scheme.end() :])[0]).strip()
    return text


@lru_cache(maxsize=4096)
def _number(text: str, country: str | None) -> str | None:
    if not _NUMBER.fullmatch(text):
        return None
    number = re.sub(r"^[(\s]*00", "+", text)
    is_international = number.lstrip("( ").startswith("+")
    if not (is_international or country):
        return None
    # "(0)" belongs to the number only in the countries where the library knows it.
    for candidate in dict.fromkeys((number, re.sub(r"\(\s*0\s*\)", "", number))):
        digits = re.sub("[^0-9]", "", candidate)
        if found := _parsed(f"+{digits}" if is_international else digits, None if is_international else country):
            return found
    return None


def _parsed(number: str, country: str | None) -> str | None:
    import phonenumbers  # noqa: PLC0415 - most numbers are E.164 already, and `initialize` would wait for it

    try:
        found = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return None
    # A number that is only dialled within its town is possible, too, but it would become another one.
    if phonenumbers.is_possible_number_with_reason(found) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    written = phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)
    return written if _E164.fullmatch(written) else None


def _plain(text: str) -> str:
    """`text` with the digits of any script, and their punctuation, as ASCII where it has them."""
    digits = ((character, unicodedata.decimal(character, None)) for character in unicodedata.normalize("NFKC", text))
    return "".join(character if digit is None else str(digit) for character, digit in digits)
