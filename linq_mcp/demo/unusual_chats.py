"""Chats with things that real accounts have and clients tend to forget: no name, members who left, large groups.

Each is an ordinary chat with one change.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from linq_mcp.demo.conversation import Conversation, Guest, Plan, converse, guest
from linq_mcp.demo.dialogues import EVERYDAY
from linq_mcp.demo.lines import AGENCY_LINE, CLINIC_LINE, SHOP_LINE
from linq_mcp.demo.people import person
from linq_mcp.demo.scripts import Script, script
from linq_mcp.demo.wire import NOW, Wire, handle, rfc3339_millis, seeded


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
    talk: Script | None = None
    """None means everyday dialogues of the line's business."""


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
    talk = [unusual.talk] if unusual.talk else random.sample(EVERYDAY[unusual.line], 2)
    made = converse(random, plan, talk)
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
    first = chat["handles"][0]
    second = handle(
        seeded("second own handle"),
        AGENCY_LINE,
        service=first["service"],
        joined_at=datetime.fromisoformat(chat["created_at"]),
        is_me=True,
    )
    chat["handles"].insert(1, second)


_UNUSUAL = (
    UnusualChat("null name", CLINIC_LINE, 2.4, _without_name, 700),
    UnusualChat("email with capitals", CLINIC_LINE, 1.1, unchanged, 716, address="Maya.Torres@Example.com"),
    UnusualChat(
        "left and removed",
        SHOP_LINE,
        3.1,
        _left_and_removed,
        796,
        guests=6,
        name="Saturday market crew",
        talk=script("""
> Saturday's stall plan: bread on the left, honey on the right, blankets at the back.
5 Can I swap with the honey? The sun melts my candles by noon
> Good point, swapped.
1 I'm there at 7 with the tables
3 Who has the cash box?
> It is with me.
"""),
    ),
    UnusualChat(
        "we left",
        AGENCY_LINE,
        73,
        _we_left,
        812,
        guests=3,
        name="Canal St tenants",
        talk=script("""
1 The elevator is out again
2 Third time this month
> The building has a new manager as of today, who takes it from here. It was a pleasure!
3 Thanks for everything
1 Who do we call about the elevator now?
"""),
    ),
    UnusualChat(
        "two own handles",
        CLINIC_LINE,
        7.5,
        _two_own,
        860,
        guests=2,
        name="Clinic and Canal Homes",
        talk=script("""
1 We finally found a house two streets from the clinic
2 So we need our records sent to Harbor Lane, please
> Welcome to the neighborhood! Send us the name of your last doctor, and we take care of the rest.
1 Dr. Ochoa in Mobile | file:dr-ochoa.vcf
> Thank you, we write to her today.
"""),
    ),
    UnusualChat("unknown health", AGENCY_LINE, 8.3, unchanged, 892, status="PAUSED"),
    UnusualChat("no health", CLINIC_LINE, 33, _without_health, 924),
    UnusualChat(
        "31 participants",
        CLINIC_LINE,
        12,
        unchanged,
        972,
        guests=31,
        name="Winter coat drive volunteers",
        talk=script("""
> Thank you all for signing up! Coats can be left at the front desk until the 30th.
4 Children's sizes too?
> Those most of all.
9 I can drive on {day}, my van fits forty bags
17 Then I'll help you load
22 We collected sixty at school! | file:coats-in-the-gym.jpg
> Sixty! You are wonderful. That makes 310 coats so far.
"""),
    ),
    UnusualChat(
        "emoji name",
        SHOP_LINE,
        1.3,
        unchanged,
        988,
        guests=3,
        name="Family plan \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \u2764\ufe0f",
        talk=script("""
1 We want to give Mom a bread class for her birthday, all three of us
> What a lovely idea. Saturday the 12th has places left.
2 She can't do Saturdays \U0001f614
> Then a voucher, and she picks the day.
3 Perfect, with a \U0001f350 on the card please
> With a \U0001f350. It is in the mail.
"""),
    ),
)
