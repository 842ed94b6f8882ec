"""Text that others wrote, and times, brought into the one form that answers carry.

Names, messages, file names and upstream error texts are written by strangers: `clean` takes out whatever a
reader can't see or that would reorder what they see, and caps the length. All functions here are pure.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote

# What nothing is longer than that is what it says: an email address, a UUID, an enum's value, a guide's URL.
HANDLE_LIMIT = 254
ID_LIMIT = 200
WORD_LIMIT = 40
URL_LIMIT = 300

# No text of people's is longer, but an answer of 10 MB can be.
_LONGEST = 100_000
_LONGEST_URL = 4096

_ZWJ = "\u200d"
_EMOJI_STYLE = "\ufe0f"
_ELLIPSIS = "…"
_NUMBER = r"[0-9]"
_PLAIN_TIME = re.compile(rf"{_NUMBER}{{4}}-{_NUMBER}{{2}}-{_NUMBER}{{2}}T{_NUMBER}{{2}}:{_NUMBER}{{2}}:{_NUMBER}{{2}}Z")

# Control, format (bidi marks, zero-width and tag characters), lone surrogates.
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs"})
# Drawn as nothing although their category says letter, mark or symbol.
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | frozenset(
    chr(point) for points in (range(0xFE00, 0xFE0F), range(0xE0100, 0xE01F0)) for point in points
)
# What phones make of the marks on a keyboard.
_TYPED = {
    **dict.fromkeys(map(ord, "\u2018\u2019\u201a\u201b"), "'"),
    **dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f"), '"'),
    **dict.fromkeys(map(ord, "\u2010\u2011\u2013\u2014"), "-"),
}
# Arabic and Syriac signs that are drawn, although their category says format.
_SEEN = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2")
# What most texts are: printable ASCII in single spaces, which nothing is to be done to.
_PLAIN = re.compile(r"(?:[!-~]+(?: [!-~]+)*)?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_APPLE_LOGO = "\uf8ff"
# The one emoji that is a letter by category.
_INFORMATION = "\u2139"
_VIRAMA_CLASS = 9

# Straight, curly, low, angle and prime marks, and letters that look like one of them.
_DOUBLE_QUOTES = re.compile(
    '["\u00ab\u00bb\u02ba\u02dd\u02ee\u02f6\u05f4\u201c-\u201f\u2033\u2036\u275d\u275e\u276e\u276f\u2760\u2e42\u3003\u301d-\u301f\uff02'
    "\U0001f676-\U0001f678]|''+"
)
_HTTPS_URL = re.compile(
    r"(?i:https)://(?P<host>(?=[^/?#:]{1,253}(?![^/?#:]))[a-z0-9-]+(?:\.[a-z0-9-]+)*)(?P<port>:[0-9]{1,5})?"
    r"(?P<rest>(?:[/?#]\S*)?)",
    re.IGNORECASE | re.ASCII,
)
# What a URL needs and Markdown leaves alone. `;` is not among them: it completes an HTML entity.
_URL_CHARACTERS = "/?#=&+:,@%$"
_STRAY_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


def clean(text: str, limit: int | None, *, lines: bool = False) -> str:
    """`text` without control, bidi and invisible characters, at most `limit` characters long (None: 100,000).

    White space becomes single spaces; with `lines` line breaks stay, at most one empty line in a row. The
    joiner and the emoji selector (ZWJ, VS16) stay where an emoji needs them. A cut text ends in `…`.
    Idempotent, and never longer than its input.
    """
    if (limit is None or len(text) <= limit) and _PLAIN.fullmatch(text):
        return text
    # What is cut off in the end is not looked at; the unseen before it may take some room.
    text = text[: _LONGEST if limit is None else 10 * limit + 1000]
    if not (text.isascii() and text.isprintable()):
        text = _visible(text, lines=lines)
    if lines:
        text = "\n".join(" ".join(line.split()) for line in text.split("\n"))
        text = re.sub(r"\n{3,}", "\n\n", text).strip("\n")
    else:
        text = " ".join(text.split())
    if limit is not None and len(text) > limit:
        text = text[: limit - 1].rstrip(f" \n{_ZWJ}") + _ELLIPSIS
    return text


def clean_word(text: str | None) -> str:
    """An enum's value, cleaned; "" for None. There are few of them, so that each is cleaned once."""
    if not text:
        return ""
    return _word(text) if len(text) <= WORD_LIMIT else clean(text, WORD_LIMIT)


@lru_cache(maxsize=256)
def _word(text: str) -> str:
    return clean(text, WORD_LIMIT)


def _visible(text: str, *, lines: bool) -> str:
    kept = []
    for character in text.replace("\r\n", "\n"):
        if character in (_ZWJ, _EMOJI_STYLE):
            kept.append(character)
        elif character == "\n" or character in "\r\u0085\u2028\u2029":
            kept.append("\n" if lines else " ")
        elif character.isspace():
            kept.append(" ")
        elif _is_visible(character):
            kept.append(character)
    return _joiners_in_place("".join(kept))


def _is_visible(character: str) -> bool:
    category = unicodedata.category(character)
    if category == "Cn":
        # Unassigned to this Python, but perhaps a newer emoji; only the ranges set aside for the unseen go.
        point = ord(character)
        return point & 0xFFFE != 0xFFFE and not (
            0xE0000 <= point <= 0xE0FFF or 0xFDD0 <= point <= 0xFDEF or 0xFFF0 <= point <= 0xFFF8 or point == 0x2065
        )
    if category == "Co":
        return character == _APPLE_LOGO
    return character in _SEEN or (category not in _UNSEEN_CATEGORIES and character not in _UNSEEN)


def _joiners_in_place(text: str) -> str:
    """Drop each ZWJ and VS16 that is part neither of an emoji nor, for ZWJ, of an Indic conjunct."""
    if _ZWJ not in text and _EMOJI_STYLE not in text:
        return text
    kept: list[str] = []
    for index, character in enumerate(text):
        before = kept[-1] if kept else " "
        after = text[index + 1] if index + 1 < len(text) else " "
        if character == _EMOJI_STYLE and not _takes_style(before):
            continue
        if character == _ZWJ and not _joins(before, after):
            continue
        kept.append(character)
    return "".join(kept)


def _takes_style(character: str) -> bool:
    if character.isascii():
        return character in "0123456789#*"
    if character == _INFORMATION:
        return True
    return unicodedata.category(character)[0] in "SP" or _is_new_emoji(character)


def _joins(before: str, after: str) -> bool:
    if unicodedata.combining(before) == _VIRAMA_CLASS:
        return after.isalpha()
    return (before == _EMOJI_STYLE or _is_symbol(before)) and _is_symbol(after)


def _is_symbol(character: str) -> bool:
    symbol = not character.isascii() and unicodedata.category(character) in ("So", "Sm", "Sk")
    return symbol or _is_new_emoji(character)


def _is_new_emoji(character: str) -> bool:
    return "\U0001f000" <= character <= "\U0001faff" and unicodedata.category(character) == "Cn"


def folded(text: str) -> str:
    """`text` for comparing without regard to case, to how characters are composed, and to typographic marks."""
    if text.isascii():
        return text.casefold()
    return unicodedata.normalize("NFKC", text).translate(_TYPED).casefold()


def quoted(text: str) -> str:
    """Someone else's words on one line in double quotes, which nothing inside them can end."""
    words = _DOUBLE_QUOTES.sub("'", clean(text, None))
    return f'"{words}"'


def safe_url(text: str) -> str:
    """`text` as an https URL that is safe inside Markdown, or "" if it can't be used.

    Characters that could end a link or begin other markup are percent-encoded. `_` and `~` stay: signatures consist
    of them in part, and they can only change a typeface. User info, spaces, invisible characters and hosts outside
    ASCII are refused, as is a URL of over 4,096 characters: a shortened one leads nowhere.
    """
    text = text.strip()
    match = _HTTPS_URL.fullmatch(text) if len(text) <= _LONGEST_URL else None
    if not match or clean(text, None) != text:
        return ""
    url = f"https://{match['host'].lower()}{match['port'] or ''}{quote(match['rest'], safe=_URL_CHARACTERS)}"
    url = _STRAY_PERCENT.sub("%25", url)
    return url if len(url) <= _LONGEST_URL else ""


def is_linq_url(text: str) -> bool:
    """Whether `text` is an https URL on linqapp.com or one of its subdomains, on the usual port."""
    match = _HTTPS_URL.fullmatch(safe_url(text))
    return bool(match and not match["port"] and f".{match['host']}".endswith(".linqapp.com"))


def without_surrogates(text: str) -> str:
    """`text` with each lone surrogate, which no UTF-8 stream can carry, replaced by `\ufffd`."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def moment(text: str) -> datetime | None:
    """An RFC 3339 time as an aware datetime; None if it can't be read or has no offset."""
    try:
        read = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return read if read.tzinfo is not None else None


def utc(text: str) -> str:
    """An RFC 3339 time as UTC in whole seconds, `2026-11-20T17:45:00Z`; what can't be read passes through, cleaned."""
    if _PLAIN_TIME.fullmatch(text):
        return text
    read = moment(text)
    try:
        return read.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z" if read else clean(text, 40)
    except OverflowError:
        return clean(text, 40)
