"""Search words: whether a text has what somebody looks for, as a person would say who reads both.

Every word must be in the text, in any order, `"two words"` together, and `-word` not. Texts are compared without
case, accents and other combining marks, and punctuation inside numbers. The work grows linearly with both texts.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from linq_mcp.sanitize import LONGEST, clean, limit_marks

# Vowels of Telugu, Thai, Lao and Tibetan are combining marks as well; without them a word would be another one.
_VOWEL_CLASSES = frozenset({84, 91, 103, 118, 129, 130, 132})
# Letters that don't decompose into a plain one and a mark; and Arabic ones that keyboards have in several forms.
_PLAIN_LETTERS = {
    "\u0111": "d",
    "\u00f0": "d",
    "\u0127": "h",
    "\u0131": "i",
    "\u0142": "l",
    "\u00f8": "o",
    "\u0167": "t",
    "\u00e6": "ae",
    "\u0153": "oe",
    "\u00fe": "th",
    "\u0643": "\u06a9",
    "\u0649": "\u06cc",
    "\u064a": "\u06cc",
}
# Phones replace the punctuation that people type by typographic characters.
_TYPED = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u05f3", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u05f4", '"'),
    **dict.fromkeys("\u2010\u2011\u2013\u2014\u2212", "-"),
    # Not seen, or only a longer stroke between two letters.
    **dict.fromkeys("\u200c\u200d\ufe0f\u0640", ""),
}
_MARKS = "().,:/'\u00b7\u066b\u066c\u2044-"
_PUNCTUATION_IN_NUMBER = re.compile(rf"([0-9])[{_MARKS}]+(?=[0-9])")
_GAP_IN_NUMBER = re.compile(rf"([0-9])[ {_MARKS}]+(?=[0-9])")
_LONG_NUMBER = re.compile(r"[0-9]{4,}")
_NUMBER = re.compile(rf"[+{_MARKS}]*[0-9][0-9{_MARKS}]*")
# A conversation needs few different ones; a hostile text can have a million.
_MOST_CHARACTERS = 10_000
_TERM = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')
_OPERATOR = re.compile(r"^OR$|[|*]")
_AROUND_WORDS = ".,;:!?()[]{}'\"…¿¡"


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What somebody looks for, folded: the words and phrases that a text must have, and those that it must not.

    `is_plain`: they are words of ASCII letters only. `has_operator`: some of it is an operator elsewhere, but not here.
    """

    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()
    is_plain: bool = field(default=False, repr=False)
    has_operator: bool = field(default=False, repr=False)

    @staticmethod
    def parse(text: str) -> SearchQuery:
        """The words in `text` as a person types it. They are empty, and false, where nothing is left to look for."""
        wanted: list[str] = []
        unwanted: list[str] = []
        # "(0)" is the digit that is dialled without the country code only.
        text = clean(text, None).translate(_QUOTES).replace("(0)", "")
        terms = _TERM.findall(text)
        for minus, phrase, word in terms:
            folded = fold(phrase) if phrase else _trimmed(fold(word))
            if any(map(_is_visible, folded)):
                (unwanted if minus else wanted).append(folded)
        is_plain = all(word.isascii() and word.isalpha() for word in wanted + unwanted)
        has_operator = any(_OPERATOR.search(word) for _, _, word in terms)
        return SearchQuery(tuple(wanted), tuple(unwanted), is_plain, has_operator)

    def __bool__(self) -> bool:
        return bool(self.wanted or self.unwanted)

    @property
    def number(self) -> str:
        """The digits if the words are those of one number, without zeros at the beginning; otherwise ""."""
        digits = "".join(self.wanted)
        return digits.lstrip("0") if digits.isdecimal() and not self.unwanted else ""

    def matches(self, *texts: str) -> bool:
        """Whether the cleaned `texts` have all of the words between them, and none of those that they must not have."""
        # No phrase goes on from one text to the next, as folding leaves no line breaks inside.
        folded = "\n".join(texts)
        if self.is_plain and folded.isascii():
            # Folding would change nothing else about such words, and takes most of the time of a search.
            folded = folded.lower()
        else:
            folded = "\n".join(map(fold, texts))
            if any(map(_LONG_NUMBER.fullmatch, (*self.wanted, *self.unwanted))):
                # People write long numbers in groups.
                folded += "\n" + _GAP_IN_NUMBER.sub(r"\1", folded)
        return all(word in folded for word in self.wanted) and not any(word in folded for word in self.unwanted)


def fold(text: str) -> str:
    """`text` for comparing. Only its first 100,000 characters count.

    Normalizing takes quadratic time on a run of combining marks, so runs are limited first.
    """
    text = text[:LONGEST]
    if not text.isascii():
        # Halfwidth sound marks are letters, which NFKC turns into combining marks. Replace them before limiting marks.
        # Of an accent that is typed as an apostrophe it makes a space.
        text = text.replace("\uff9e", "\u3099").replace("\uff9f", "\u309a").replace("\u00b4", "'")
        # NFKC can turn one character into eighteen.
        text = unicodedata.normalize("NFKC", limit_marks(text))[:LONGEST].translate(_FOLDED)
    text = " ".join(text.casefold().split())
    return _PUNCTUATION_IN_NUMBER.sub(r"\1", text)


class _FoldedCharacters(dict[int, str]):
    """Each character's plain form, found when a text first has it."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        folded = _TYPED.get(character)
        if folded is None:
            # The syllables of Korean decompose into letters, which nobody looks for.
            is_syllable = "\uac00" <= character <= "\ud7a3"
            parts = character if is_syllable else unicodedata.normalize("NFD", character.casefold())
            folded = "".join(_PLAIN_LETTERS.get(part, _as_digit(part)) for part in parts if not _is_mark(part))
        if len(self) < _MOST_CHARACTERS:
            self[code] = folded
        return folded


_FOLDED = _FoldedCharacters()
_QUOTES = {ord(mark): '"' for mark, plain in _TYPED.items() if plain == '"'}


def _is_mark(character: str) -> bool:
    combining = unicodedata.combining(character)
    return (combining > 0 and combining not in _VOWEL_CLASSES) or unicodedata.category(character) in ("Me", "Cf")


def _as_digit(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)


def _trimmed(word: str) -> str:
    """`word` without the punctuation of the sentence around it, and a number without any."""
    if _NUMBER.fullmatch(word):
        return re.sub("[^0-9]", "", word)
    return word.strip(_AROUND_WORDS) or word


def _is_visible(character: str) -> bool:
    return not character.isspace() and character != "-"
