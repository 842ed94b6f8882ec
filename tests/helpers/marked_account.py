"""Accounts in which whatever belongs to a closed line is marked, so that any trace of it in an answer is recognised."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from uuid import NAMESPACE_DNS, uuid5

from helpers.demo_lines import LINES
from helpers.reading_accounts import lines_of
from helpers.talking_account import talking_account

from linq_mcp.demo.account import DemoAccount
from linq_mcp.demo.wire import Wire

# Begins every id of a closed chat or message, which are UUIDs nevertheless.
CLOSED_ID = "c105edc1"
# Part of every name, text and address of a closed chat.
CLOSED_WORD = "closedzz"


@dataclass(frozen=True)
class MarkedAccount:
    """An account, the part of it that is open, the part that is closed, and the lines of both."""

    whole: DemoAccount
    opened: DemoAccount
    closed: DemoAccount
    lines: tuple[str, ...]
    closed_lines: tuple[str, ...]

    def traces(self, text: str) -> list[str]:
        """What in `text` belongs to a closed line."""
        marks = (CLOSED_ID, CLOSED_WORD, *self.closed_lines)
        return [mark for mark in marks if mark in text.casefold()]


def marked_account(chats: int, *, lines: int, seed: int = 0) -> MarkedAccount:
    """Make an account of that many chats, with the first `lines` of its lines open. All message ids are UUIDs."""
    whole = talking_account(chats, seed=seed)
    own, others = LINES[:lines], LINES[lines:]
    # Each occurs among the closed chats, so that a tool for one of them has something that it must not show.
    statuses = cycle(("OPTED_OUT", "CRITICAL", "AT_RISK", "HEALTHY"))
    for chat in whole.chats:
        messages = whole.messages.pop(chat["id"])
        is_open = set(lines_of(chat)) <= set(own)
        if not is_open:
            _mark(chat)
            chat["health_status"]["status"] = next(statuses)
        for message in messages:
            id_ = str(uuid5(NAMESPACE_DNS, message["id"]))
            message |= {"id": id_ if is_open else CLOSED_ID + id_[8:], "chat_id": chat["id"]}
            for part in [] if is_open else message["parts"]:
                part |= {key: f"{CLOSED_WORD} {part[key]}" for key in ("value", "filename", "id") if key in part}
        whole.messages[chat["id"]] = messages
    return MarkedAccount(whole, _part(whole, own), _part(whole, others), tuple(own), tuple(others))


def _mark(chat: Wire) -> None:
    chat["id"] = CLOSED_ID + chat["id"][8:]
    chat["display_name"] = f"{CLOSED_WORD} group" if chat["is_group"] else None
    for number, handle in enumerate(chat["handles"]):
        # In place: the messages of the chat refer to the same handles.
        if not handle["is_me"]:
            handle["handle"] = f"{CLOSED_WORD}{number}.{chat['id'][9:13]}@example.com"


def _part(account: DemoAccount, lines: tuple[str, ...]) -> DemoAccount:
    chats = [chat for chat in account.chats if lines_of(chat)[0] in lines]
    return DemoAccount(
        chats=chats,
        messages={chat["id"]: account.messages[chat["id"]] for chat in chats},
        phone_numbers=[one for one in account.phone_numbers if one["phone_number"] in lines],
    )
