"""The demo account: 300 chats on three lines, the same on every machine.

Its time is 20 November 2026, 18:00 UTC, and it can be moved to any other time by whole hours. Its objects are shared,
so treat them as read-only.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from itertools import chain
from typing import Any

from linq_mcp.demo.conversation import Conversation
from linq_mcp.demo.everyday_chats import everyday_chats
from linq_mcp.demo.lines import CLINIC_LINE, phone_numbers
from linq_mcp.demo.team_discussion import team_discussion
from linq_mcp.demo.unusual_chats import unusual_chats
from linq_mcp.demo.wire import NOW, Wire
from linq_mcp.demo.written_chats import direct_chats, group_chats

_HOUR = timedelta(hours=1)
# The length of `2026-11-20T17:45:00`, without the fraction and the offset.
_TIME_LENGTH = 19


@dataclass(frozen=True)
class DemoAccount:
    """What the API serves: chats, most recently updated first, and the messages of each chat id, oldest first."""

    chats: list[Wire]
    messages: dict[str, list[Wire]]
    phone_numbers: list[Wire]


def demo_account(now: datetime = NOW) -> DemoAccount:
    """The demo account, moved in time to `now` or up to an hour before.

    Ids and texts are always the same. Only times differ, all by the same whole number of hours. The first call takes
    about a tenth of a second.
    """
    return _moved((now - NOW) // _HOUR)


def current_demo_account() -> DemoAccount:
    """The demo account, moved in time so that its last day is today."""
    return demo_account(datetime.now(UTC))


def account_of(conversations: list[Conversation]) -> DemoAccount:
    """An account with `conversations`, on the lines of the demo."""
    made = sorted(conversations, key=lambda one: datetime.fromisoformat(one.chat["updated_at"]), reverse=True)
    return DemoAccount(
        chats=[one.chat for one in made],
        messages={one.chat["id"]: one.messages for one in made},
        phone_numbers=phone_numbers(),
    )


def demo_conversations() -> list[Conversation]:
    """New copies of all conversations of the demo account."""
    team = team_discussion(CLINIC_LINE, NOW - timedelta(minutes=15))
    return [team, *chain(direct_chats(), unusual_chats(), group_chats(), everyday_chats())]


@cache
def _made() -> DemoAccount:
    return account_of(demo_conversations())


@lru_cache(maxsize=1)
def _moved(hours: int) -> DemoAccount:
    made = _made()
    if not hours:
        return made
    by = hours * _HOUR
    return DemoAccount(
        chats=[_later(chat, by) for chat in made.chats],
        messages={chat_id: [_later(one, by) for one in messages] for chat_id, messages in made.messages.items()},
        phone_numbers=made.phone_numbers,
    )


def _later(value: Any, by: timedelta) -> Any:
    """A copy of a wire value in which every time is moved and keeps its format."""
    if isinstance(value, list):
        return [_later(item, by) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _time_later(item, by) if item and name.endswith("_at") else _later(item, by)
        for name, item in value.items()
    }


def _time_later(time: str, by: timedelta) -> str:
    moved = datetime.fromisoformat(time[:_TIME_LENGTH]) + by
    return moved.isoformat() + time[_TIME_LENGTH:]
