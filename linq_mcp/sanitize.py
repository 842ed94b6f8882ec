"""Cleans text that strangers wrote, and reads times and URLs.

Names, messages, file names, and Linq's error texts come from people who can't be trusted. `clean` removes what a reader
can't see and what would reorder or cover the text around it, and limits the length. Every function is pure and
takes time linear in the length of its input.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from functools import cache, lru_cache
from urllib.parse import quote

from linq_mcp.characters import EMOJI_STYLE_BASES, INVISIBLE, TAGGED_FLAGS

# Real values are shorter: an email address, a UUID, an enum's value, the URL of a guide.
HANDLE_LIMIT = 254
ID_LIMIT = 200
WORD_LIMIT = 40
URL_LIMIT = 300

# No real text is longer, but an answer can hold 10 MB.
LONGEST = 100_000
_LONGEST_URL = 4096
# The longest stack in real use is Tibetan and has eight marks; Hebrew with vowels and cantillation has up to five.
_MOST_MARKS = 10

_ZWNJ = "\u200c"
_ZWJ = "\u200d"
_EMOJI_STYLE = "\ufe0f"
_ELLIPSIS = "…"
_VIRAMA_CLASS = 9

# Printable ASCII with single spaces. Most texts are like this and need no cleaning.
_PLAIN = re.compile(r"(?:[!-~]+(?: [!-~]+)*)?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_BREAK = re.compile("\r\n|[\r\u0085\u2028\u2029]")
# The flags of England, Scotland and Wales are spelt in characters that are invisible everywhere else.
_INVISIBLE = re.compile(f"((?:{'|'.join(TAGGED_FLAGS)}))|[{INVISIBLE}]+")
_CUT_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007e]+$")
# No combining mark is a word character, so a text without such a run has no stack of marks to cut.
_MAYBE_MARKS = re.compile(rf"[^\w\s\x00-\x7f]{{{_MOST_MARKS + 1}}}")
# Matching the character first is twenty times as fast as a lookbehind at every position.
_STRAY_EMOJI_STYLE = re.compile(f"{_EMOJI_STYLE}(?<![{EMOJI_STYLE_BASES}]{_EMOJI_STYLE})")
_JOINERS = re.compile(f"[{_ZWNJ}{_ZWJ}]+")
# Straight, curly, low, angle, and prime marks, and letters that look like them.
_DOUBLE_QUOTES = re.compile(
    '["\u00ab\u00bb\u02ba\u02dd\u02ee\u02f6\u05f4\u201c-\u201f\u2033\u2036\u275d\u275e\u276e\u276f\u2760\u2e42\u3003'
    "\u301d-\u301f\uff02\U0001f676-\U0001f678]|''+"
)
_HTTPS_URL = re.compile(
    r"https://(?P<host>(?=[^/?#:]{1,253}(?![^/?#:]))[a-z0-9-]+(?:\.[a-z0-9-]+)*)(?P<port>:[0-9]{1,5})?"
    r"(?P<rest>(?:[/?#]\S*)?)",
    re.IGNORECASE | re.ASCII,
)
# Characters that URLs need and Markdown ignores. Not `;`, which would end an HTML entity.
_URL_CHARACTERS = "/?#=&+:,@%$"
_STRAY_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


def clean(text: str, limit: int | None, *, lines: bool = False) -> str:
    """`text` as a reader sees it, without control, bidi, and invisible characters.

    White space becomes single spaces; with `lines`, line breaks are kept, with at most one empty line in a row. Of a
    stack of combining marks, the first ten are kept. ZWJ, ZWNJ, VS16 and tags stay where emoji and scripts need them.
    The result has at most `limit` characters (None: 100,000), and ends in `…` if it was cut. Cleaning is idempotent,
    and its result is never longer than its input.
    """
    if (limit is None or len(text) <= limit) and _PLAIN.fullmatch(text):
        return text
    # Don't clean most of what will be cut off. The margin is for characters that cleaning removes.
    text = text[: LONGEST if limit is None else 10 * limit + 1000]
    if not (text.isascii() and text.isprintable()):
        text = _INVISIBLE.sub(r"\1", _LINE_BREAK.sub("\n", text))
        text = _STRAY_EMOJI_STYLE.sub("", limit_marks(text))
        text = _JOINERS.sub(_joiner_in_place, text)
    if lines:
        text = "\n".join(" ".join(line.split()) for line in text.split("\n"))
        text = re.sub(r"\n{3,}", "\n\n", text).strip("\n")
    else:
        text = " ".join(text.split())
    if limit is not None and len(text) > limit:
        text = _CUT_FLAG.sub("", text[: limit - 1]).rstrip(f" \n{_ZWNJ}{_ZWJ}") + _ELLIPSIS
    return text


def limit_marks(text: str) -> str:
    """`text` with at most the first ten of a stack of combining marks."""
    return _surplus_marks().sub(r"\1", text) if _MAYBE_MARKS.search(text) else text


@cache
def _surplus_marks() -> re.Pattern[str]:
    """Matches a stack of more than `_MOST_MARKS` marks. Joiners count as marks, so that they can't split a stack.

    Finding all combining marks takes 20 ms, so that is done when a text first needs it.
    """
    marks = "".join(character for character in map(chr, range(0x300, 0x20000)) if _is_mark(character)) + _ZWNJ + _ZWJ
    return re.compile(f"([{marks}]{{{_MOST_MARKS}}})[{marks}]+")


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Me") or unicodedata.combining(character) > 0


def _joiner_in_place(joiners: re.Match[str]) -> str:
    """One joiner where it can be seen: between two emoji or Arabic letters, or in an Indic word; otherwise nothing."""
    start, end = joiners.span()
    before, after = joiners.string[start - 1 : start], joiners.string[end : end + 1]
    if not before or not after:
        return ""
    if unicodedata.combining(before) == _VIRAMA_CLASS:
        return joiners[0][0] if after.isalpha() else ""
    if _ZWNJ in joiners[0] and _is_arabic(before) and _is_arabic(after):
        return _ZWNJ
    joins_emoji = (before == _EMOJI_STYLE or _is_symbol(before)) and _is_symbol(after)
    return _ZWJ if _ZWJ in joiners[0] and joins_emoji else ""


def _is_arabic(character: str) -> bool:
    # Persian separates the parts of a word by ZWNJ.
    return unicodedata.name(character, "").startswith("ARABIC LETTER")


def _is_symbol(character: str) -> bool:
    category = unicodedata.category(character)
    if category == "Cn":
        # This may be an emoji that is newer than this Python.
        return "\U0001f000" <= character <= "\U0001faff"
    return category in ("So", "Sm", "Sk") and not character.isascii()


def clean_word(text: str | None) -> str:
    """An enum's value, cleaned; "" for None. There are few different ones, so results are cached."""
    if not text:
        return ""
    return _word(text) if len(text) <= WORD_LIMIT else clean(text, WORD_LIMIT)


@lru_cache(maxsize=256)
def _word(text: str) -> str:
    return clean(text, WORD_LIMIT)


def quoted(text: str) -> str:
    """Someone else's words, cleaned, on one line, and in double quotes that nothing inside can end."""
    words = _DOUBLE_QUOTES.sub("'", clean(text, None))
    return f'"{words}"'


def safe_url(text: str) -> str:
    """`text` as an https URL that is safe inside Markdown, or "" if it isn't one.

    Characters that could end a link or start other markup are percent-encoded, except `_` and `~`, because signed URLs
    need them and they can only change the typeface. A URL with user info, spaces, invisible characters, a non-ASCII
    host, or more than 4,096 characters is rejected rather than changed.
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
    """`text` with U+FFFD in place of each lone surrogate, which UTF-8 can't encode."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


@lru_cache(maxsize=1024)
def seconds(text: str) -> float:
    """An RFC 3339 time in seconds since 1970; 0 if `moment` can't read it."""
    at = moment(text)
    return at.timestamp() if at else 0.0


def moment(text: str) -> datetime | None:
    """An RFC 3339 time in UTC, to the millisecond; None if it can't be read, or is in the first or last year there is.

    Several platforms write a missing time as one at either end of the calendar.
    """
    try:
        read = datetime.fromisoformat(text.upper())
        if read.tzinfo is None:
            return None
        if read.microsecond % 1000:
            # A float of seconds would round the last microseconds of a year up.
            read = read.replace(microsecond=read.microsecond // 1000 * 1000)
        read = read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return read if MINYEAR < read.year < MAXYEAR else None
