"""What a chat is found by: the name that somebody gave it, and the handles and names of the others in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from linq_mcp.rows.chat import given_name, own_line
from linq_mcp.sanitize import clean, folded

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat
    from linq_mcp.contacts.directory import Directory

_PHONE_LIKE = re.compile(r"[0-9\s().\-/+]+")
_FEWEST_DIGITS = 3


class ChatNames(NamedTuple):
    """`given` is the name that somebody gave the chat, or ""; `handles` are the others', those who left included."""

    given: str
    handles: tuple[str, ...]

    @staticmethod
    def of(chat: Chat) -> ChatNames:
        line = own_line(chat)
        handles = (handle.handle for handle in chat.handles or () if handle is not line)
        return ChatNames(given_name(chat) or "", tuple(filter(None, handles)))


def name_matcher(wanted: str, directory: Directory) -> Callable[[ChatNames], bool]:
    """Whether `wanted` is in a chat's name, or in the handle or the name of somebody in it.

    Case does not matter, nor does the punctuation of numbers.
    """
    needle = folded(clean(wanted, None))
    digits = _digits(wanted) if _PHONE_LIKE.fullmatch(wanted) else ""
    by_number = len(digits) >= _FEWEST_DIGITS

    def matches(names: ChatNames) -> bool:
        return needle in folded(clean(names.given, None)) or any(
            needle in folded(handle)
            or needle in folded(directory.name_of(handle))
            or (by_number and digits in _digits(handle))
            for handle in names.handles
        )

    return matches


def _digits(text: str) -> str:
    return re.sub(r"[^0-9]", "", text)
