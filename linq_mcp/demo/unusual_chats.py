"""Chats with things that real accounts have and clients tend to forget: no name, members who left, large groups.

Each is an ordinary chat with one change.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from linq_mcp.demo.conversation import Conversation, Guest, Plan, converse, guest
from linq_mcp.demo.everyday_chats import EVERYDAY
from linq_mcp.demo.lines import AGENCY_LINE, CLINIC_LINE, SHOP_LINE
from linq_mcp.demo.people import person
from linq_mcp.demo.scripts import sections
from linq_mcp.demo.wire import NOW, Wire, handle, rfc3339_millis, seeded

_TALKS = dict(sections("unusual"))


@dataclass(frozen=True)
class UnusualChat:
    """An ordinary chat and the change to it; `hours` is how long ago its last message was sent."""

    key: str
    line: str
    hours: float
    change: Callable[[Wire], None]
    first_person: int
    guests: int = 1
    name: str | None = None
    status: str = "HEALTHY"
    address: str | None = None
    """The first guest's address; None means their phone number."""


def make_unusual_chat(unusual: UnusualChat) -> Conversation:
    """Make one such chat."""
    random = seeded(f"odd: {unusual.key}")
    guests = [guest(person(unusual.first_person + number)) for number in range(unusual.guests)]
    if unusual.address:
        guests[0] = Guest(unusual.address, unusual.address.partition(".")[0])
    rcs = unusual.line == SHOP_LINE
    plan = Plan(
        unusual.line,
        guests,
        NOW - timedelta(hours=unusual.hours),
        service="RCS" if rcs else "iMessage",
        line_type="RCS" if rcs else None,
        health_status=unusual.status,
        health_since=NOW - timedelta(hours=unusual.hours + 30),
        name=unusual.name,
        is_group=unusual.guests > 1,
    )
    talk = _TALKS.get(unusual.key)
    made = converse(random, plan, talk or random.sample(EVERYDAY[unusual.line], 2))
    unusual.change(made.chat)
    return made


def unusual_chats() -> Iterator[Conversation]:
    """Make the unusual chats of the demo account."""
    return (make_unusual_chat(unusual) for unusual in _UNUSUAL)


def unchanged(_: Wire) -> None:
    """Change nothing, because the name or the people are what is unusual."""


def _without_name(chat: Wire) -> None:
    chat["display_name"] = None


def _without_health(chat: Wire) -> None:
    del chat["health_status"]


def _left_and_removed(chat: Wire) -> None:
    went = NOW - timedelta(days=9)
    chat["handles"][2].update(status="left", left_at=rfc3339_millis(went))
    chat["handles"][4].update(status="removed", left_at=rfc3339_millis(went + timedelta(days=2)))
    # Here status and date disagree: the participant left and came back, but the date stayed.
    chat["handles"][5].update(status="active", left_at=rfc3339_millis(went))


def _we_left(chat: Wire) -> None:
    chat["handles"][0].update(status="left", left_at=rfc3339_millis(NOW - timedelta(days=3)))


def _two_own(chat: Wire) -> None:
    service, joined_at = chat["handles"][0]["service"], datetime.fromisoformat(chat["created_at"])
    second = handle(seeded("second own handle"), AGENCY_LINE, service=service, joined_at=joined_at, is_me=True)
    chat["handles"].insert(1, second)


_UNUSUAL = (
    UnusualChat("null name", CLINIC_LINE, 2.4, _without_name, 700),
    UnusualChat("email with capitals", CLINIC_LINE, 1.1, unchanged, 716, address="Maya.Torres@Example.com"),
    UnusualChat("left and removed", SHOP_LINE, 3.1, _left_and_removed, 796, guests=6, name="Saturday market crew"),
    UnusualChat("we left", AGENCY_LINE, 73, _we_left, 812, guests=3, name="Canal St tenants"),
    UnusualChat("two own handles", CLINIC_LINE, 7.5, _two_own, 860, guests=2, name="Clinic and Canal Homes"),
    UnusualChat("unknown health", AGENCY_LINE, 8.3, unchanged, 892, status="PAUSED"),
    UnusualChat("no health", CLINIC_LINE, 33, _without_health, 924),
    UnusualChat("31 participants", CLINIC_LINE, 12, unchanged, 972, guests=31, name="Winter coat drive volunteers"),
    UnusualChat(
        "emoji name",
        SHOP_LINE,
        1.3,
        unchanged,
        988,
        guests=3,
        name="Family plan \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \u2764\ufe0f",
    ),
)
