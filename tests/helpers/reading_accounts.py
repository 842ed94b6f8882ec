"""Small questions that tests ask of an account's data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from linq_mcp.demo.account import DemoAccount
from linq_mcp.demo.wire import Wire


def at(value: str) -> datetime:
    """A time as it came over the wire."""
    return datetime.fromisoformat(value)


def status(chat: Wire) -> str | None:
    """The chat's health status, if there is one."""
    value: str | None = (chat.get("health_status") or {}).get("status")
    return value


def lines_of(chat: Wire) -> list[str]:
    """Our own numbers in the chat."""
    return [one["handle"] for one in chat["handles"] if one["is_me"]]


def chats_where(account: DemoAccount, **members: object) -> list[Wire]:
    """The chats that have these members."""
    return [chat for chat in account.chats if members.items() <= chat.items()]


def named(account: DemoAccount, name: str) -> Wire:
    """The chat of that name."""
    (chat,) = chats_where(account, display_name=name)
    return chat


def all_messages(account: DemoAccount) -> Iterator[Wire]:
    """Every message of every chat."""
    return (message for messages in account.messages.values() for message in messages)


def all_parts(account: DemoAccount) -> Iterator[Wire]:
    """Every part of every message."""
    return (part for message in all_messages(account) for part in message["parts"] or [])


def said(message: Wire) -> str:
    """The text of a message, its parts joined by newlines."""
    return "\n".join(str(part.get("value", "")) for part in message["parts"] or [])
