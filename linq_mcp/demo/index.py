"""Finds chats, messages and files of a `DemoAccount` quickly: by id, by line, and by participant.

Each index is built when it is first used; the account must not change after that.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property

from linq_mcp.demo.account import DemoAccount
from linq_mcp.demo.wire import Wire


class Index:
    def __init__(self, account: DemoAccount) -> None:
        self._account = account

    def chats(self, line: str | None, to: str | None) -> Sequence[Wire]:
        """The chats with this line and this other participant, in the account's order."""
        if line is None and to is None:
            return self._account.chats
        if to is None:
            return self._by_line.get(line or "", [])
        with_person = self._by_person.get(to.lower(), [])
        if line is None:
            return with_person
        return [chat for chat in with_person if _has_line(chat, line)]

    def chat(self, chat_id: str) -> Wire | None:
        return self._chats_by_id.get(chat_id)

    def message(self, message_id: str) -> Wire | None:
        return self._messages_by_id.get(message_id)

    def file(self, attachment_id: str) -> Wire | None:
        return self._files_by_id.get(attachment_id)

    @cached_property
    def _files_by_id(self) -> dict[str, Wire]:
        messages = self._messages_by_id.values()
        return {part["id"]: part for one in messages for part in one["parts"] or () if part["type"] == "media"}

    @cached_property
    def _by_line(self) -> dict[str, list[Wire]]:
        return _grouped(self._account.chats, own=True)

    @cached_property
    def _by_person(self) -> dict[str, list[Wire]]:
        return _grouped(self._account.chats, own=False)

    @cached_property
    def _chats_by_id(self) -> dict[str, Wire]:
        return {chat["id"]: chat for chat in self._account.chats}

    @cached_property
    def _messages_by_id(self) -> dict[str, Wire]:
        return {message["id"]: message for messages in self._account.messages.values() for message in messages}


def _grouped(chats: Iterable[Wire], *, own: bool) -> dict[str, list[Wire]]:
    grouped: defaultdict[str, list[Wire]] = defaultdict(list)
    for chat in chats:
        # A set, so that a chat that lists a handle twice is found only once.
        for address in {one["handle"].lower() for one in chat["handles"] if bool(one.get("is_me")) is own}:
            grouped[address].append(chat)
    return dict(grouped)


def _has_line(chat: Wire, line: str) -> bool:
    return any(one.get("is_me") and one["handle"] == line for one in chat["handles"])
