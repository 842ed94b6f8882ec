"""What a chat is found by: the name that somebody gave it, and the handles and names of the others in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from linq_mcp.rows.chat import given_name, own_line
from linq_mcp.sanitize import HANDLE_LIMIT, clean
from linq_mcp.search import SearchQuery

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat
    from linq_mcp.contacts.directory import Directory

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


def name_matcher(wanted: SearchQuery, directory: Directory) -> Callable[[ChatNames], bool]:
    """Whether all the words are in a chat's name, and the handles and names of its people, taken together.

    The words of a number are looked for as one in each handle.
    """
    number = wanted.number if len(wanted.number) >= _FEWEST_DIGITS else ""

    def matches(names: ChatNames) -> bool:
        handles = [clean(handle, HANDLE_LIMIT) for handle in names.handles]
        named = [clean(names.given, None), *map(directory.name_of, handles)]
        if number:
            return any(number in handle for handle in handles) or wanted.matches(*named)
        return wanted.matches(*named, *handles)

    return matches
