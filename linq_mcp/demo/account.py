"""The demo account: 300 chats on three lines, as they stood on 20 November 2026 at 18:00 UTC.

The same on every machine and at every time. What is made here is shared: treat it as read-only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random

from linq_mcp.demo.generated import generated_chats, generated_messages
from linq_mcp.demo.hostile import pilot_testers
from linq_mcp.demo.messages import Conversation, Guest, Plan, converse
from linq_mcp.demo.oddities import odd_conversations
from linq_mcp.demo.people import person
from linq_mcp.demo.team import team_discussion
from linq_mcp.demo.texts import BY_BUSINESS, GROUPS, OPT_OUT, UNANSWERED, Line, Script
from linq_mcp.demo.wire import NOW, Wire, phone_number, seeded

CLINIC_LINE = "+12052535597"
AGENCY_LINE = "+14155550142"
SHOP_LINE = "+16465550177"
LINES = (CLINIC_LINE, AGENCY_LINE, SHOP_LINE)

_MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
_OLDEST = timedelta(days=150)


@dataclass(frozen=True)
class DemoAccount:
    """What the API shows: chats most recently active first, messages by chat id and oldest first."""

    chats: list[Wire]
    messages: dict[str, list[Wire]]
    phone_numbers: list[Wire]


@dataclass(frozen=True)
class _Business:
    """A line and how many direct chats of each health it has; `recent` opt-outs are of this week."""

    line: str
    name: str
    chats: int
    at_risk: int
    critical: int
    opted_out: int
    recent: int
    services: tuple[tuple[str, int], ...]
    line_type: str | None = None
    first_person: int = 0


_BUSINESSES = (
    _Business(CLINIC_LINE, "clinic", 117, 7, 2, 6, 4, (("iMessage", 80), ("SMS", 14), ("RCS", 6))),
    _Business(
        AGENCY_LINE,
        "agency",
        88,
        19,
        13,
        14,
        9,
        (("iMessage", 70), ("SMS", 22), ("RCS", 8)),
        line_type="iMessage",
        first_person=200,
    ),
    # An RCS-only line never carries iMessage.
    _Business(SHOP_LINE, "shop", 52, 6, 1, 4, 2, (("RCS", 60), ("SMS", 40)), line_type="RCS", first_person=400),
)


@dataclass(frozen=True)
class _Group:
    name: str | None
    line: str
    members: int
    hours: float
    service: str = "iMessage"
    status: str = "HEALTHY"
    icon: bool = False


_GROUPS = (
    _Group("Front desk", CLINIC_LINE, 4, 0.9, icon=True),
    _Group("Night shift swap", CLINIC_LINE, 5, 9),
    _Group("Back school, Thursdays", CLINIC_LINE, 7, 31, status="AT_RISK"),
    _Group(None, CLINIC_LINE, 3, 16),
    _Group("Physio intake", CLINIC_LINE, 3, 210, service="SMS"),
    _Group(None, CLINIC_LINE, 4, 1400),
    _Group("Maple Street buyers", AGENCY_LINE, 4, 2.1, status="CRITICAL", icon=True),
    _Group("Open house Sunday", AGENCY_LINE, 6, 5.6, status="AT_RISK"),
    _Group("14 Birch Rd renovation", AGENCY_LINE, 3, 13, icon=True),
    _Group(None, AGENCY_LINE, 5, 58, status="CRITICAL"),
    _Group("Keys", AGENCY_LINE, 2, 120),
    _Group("Holiday orders", SHOP_LINE, 4, 1.7, service="RCS", icon=True),
    _Group("Vendor table 9", SHOP_LINE, 3, 40, service="SMS", status="AT_RISK"),
    _Group("Bread for beginners", SHOP_LINE, 6, 66, service="RCS"),
    _Group(None, SHOP_LINE, 2, 300, service="SMS"),
)


@cache
def demo_account() -> DemoAccount:
    """Give the demo account; the first call makes it, in well under a tenth of a second."""
    return make_demo_account()


def make_demo_account() -> DemoAccount:
    """Make the demo account afresh, for a caller that wants to change it."""
    made = [
        team_discussion(CLINIC_LINE, NOW - timedelta(minutes=15)),
        pilot_testers(CLINIC_LINE, NOW - timedelta(hours=20)),
        *odd_conversations(LINES).values(),
        *(_group(number, plan) for number, plan in enumerate(_GROUPS)),
        *(one for business in _BUSINESSES for one in _direct(business)),
    ]
    made.sort(key=lambda one: datetime.fromisoformat(one.chat["updated_at"]), reverse=True)
    return DemoAccount(
        chats=[one.chat for one in made],
        messages={one.chat["id"]: one.messages for one in made},
        phone_numbers=_phone_numbers(),
    )


def generated_account(chats: int, *, seed: int = 0, messages_in_first: int = 0) -> DemoAccount:
    """Make an account of any size on the same three lines.

    People write in several chats each. Only the first chat has messages, as many as asked for;
    100,000 chats take some seconds and about 200 MB.
    """
    made = generated_chats(LINES, chats, seed)
    messages = {made[0]["id"]: generated_messages(made[0], messages_in_first, seed)} if made else {}
    return DemoAccount(chats=made, messages=messages, phone_numbers=_phone_numbers())


def _phone_numbers() -> list[Wire]:
    random = seeded("phone numbers")
    return [
        phone_number(random, CLINIC_LINE, reputation="HEALTHY", forwarding_number="+12055550199"),
        phone_number(random, AGENCY_LINE, reputation="CRITICAL"),
        phone_number(random, SHOP_LINE, reputation="AT_RISK", line_type="RCS"),
    ]


def _group(number: int, plan: _Group) -> Conversation:
    random = seeded(f"group {number}")
    first = next(one.first_person for one in _BUSINESSES if one.line == plan.line)
    people = [person(first + number * 5 + member) for member in range(plan.members)]
    last_at = NOW - timedelta(hours=plan.hours)
    return converse(
        random,
        Plan(
            plan.line,
            [Guest(one.phone, one.first) for one in people],
            last_at,
            service=plan.service,
            health_status=plan.status,
            health_since=last_at - timedelta(hours=50) if plan.status != "HEALTHY" else None,
            name=plan.name,
            own_in_name=bool(number % 2),
            is_group=True,
            line_type="RCS" if plan.line == SHOP_LINE else None,
            icon=plan.icon,
        ),
        random.sample(GROUPS, 3),
    )


def _direct(business: _Business) -> Iterator[Conversation]:
    healths = _healths(business)
    for number in range(business.chats):
        random = seeded(f"{business.name} {number}")
        status, recent = healths[number]
        # Every ninth customer of the other two lines is the clinic's too, so people have several chats.
        who = person(number if number % 9 == 4 else business.first_person + number)
        service = random.choices(*zip(*business.services, strict=True))[0]
        mail = service == "iMessage" and number % 7 == 3
        last_at = _last_at(random, status, recent=recent)
        plan = Plan(
            business.line,
            [Guest(who.email if mail else who.phone, who.first)],
            last_at,
            service=service,
            health_status=status,
            # An opt-out is noted at the moment of the last message, which is the keyword.
            health_since=last_at if status == "OPTED_OUT" else _changed_at(random, status, last_at),
            own_in_name=number % 6 != 5,
            line_type=business.line_type,
        )
        yield converse(random, plan, _scripts(random, business, status, number))


def _healths(business: _Business) -> list[tuple[str, bool]]:
    healths = [("AT_RISK", False)] * business.at_risk + [("CRITICAL", False)] * business.critical
    healths += [("OPTED_OUT", number < business.recent) for number in range(business.opted_out)]
    healths += [("HEALTHY", False)] * (business.chats - len(healths))
    seeded(f"{business.name} health").shuffle(healths)
    return healths


def _last_at(random: Random, status: str, *, recent: bool) -> datetime:
    if status == "OPTED_OUT" and recent:
        return _MONDAY + random.random() * (NOW - timedelta(hours=2) - _MONDAY)
    if status == "OPTED_OUT":
        return _MONDAY - timedelta(hours=6) - random.random() * timedelta(days=60)
    # The third power: many chats of today, few of last summer.
    return NOW - timedelta(minutes=4) - random.random() ** 3 * _OLDEST


def _changed_at(random: Random, status: str, last_at: datetime) -> datetime | None:
    """Say when a chat became unhealthy, before its last message; a healthy one always was."""
    return None if status == "HEALTHY" else last_at - random.random() * timedelta(hours=60)


def _scripts(random: Random, business: _Business, status: str, number: int) -> list[Script]:
    good = BY_BUSINESS[business.name]
    if status == "HEALTHY":
        return random.sample(good, random.randrange(2, 5))
    cold = random.choice(UNANSWERED[business.name])
    if status == "OPTED_OUT":
        keyword = Line(1, (OPT_OUT[number % len(OPT_OUT)],))
        return [random.choice(good), (*cold[:2], keyword)]
    return [random.choice(good), cold] if status == "AT_RISK" else [cold]
