"""The everyday chats of the demo account: one person each, with every health status. Nobody in them waits for us."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from linq_mcp.demo.conversation import Conversation, Guest, Plan, converse
from linq_mcp.demo.lines import AGENCY_LINE, CLINIC_LINE, LINES_BY_NAME, SHOP_LINE
from linq_mcp.demo.people import person
from linq_mcp.demo.scripts import Line, Script, sections
from linq_mcp.demo.wire import NOW, seeded

_SECTIONS = dict(sections("everyday"))
# What people write to each line; no such dialogue ends with someone waiting.
EVERYDAY = {line: _SECTIONS[name] for name, line in LINES_BY_NAME.items()}
# Our messages in chats of poor health, which get no answer.
_UNANSWERED = {line: _SECTIONS[f"{name}, unanswered"] for name, line in LINES_BY_NAME.items()}
# The keywords that Linq treats as an opt-out, each sent as a whole message.
OPT_OUT = ("STOP", "UNSUBSCRIBE", "STOP", "OPTOUT", "CANCEL", "STOP", "END", "QUIT")
_MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
_OLDEST = timedelta(days=150)


@dataclass(frozen=True)
class _Business:
    """A line, and how many chats of each kind it has. `recent` is how many of the `opted_out` are from this week."""

    line: str
    name: str
    chats: int
    troubled: Mapping[str, int]
    opted_out: int
    recent: int
    services: Mapping[str, int]
    line_type: str | None = None
    first_person: int = 0


_CLINIC = {"iMessage": 80, "SMS": 14, "RCS": 6}
_AGENCY = {"iMessage": 70, "SMS": 22, "RCS": 8}
# An RCS-only line never carries iMessage.
_SHOP = {"RCS": 60, "SMS": 40}
_BUSINESSES = (
    _Business(CLINIC_LINE, "clinic", 112, {"AT_RISK": 7, "CRITICAL": 2}, 6, 4, _CLINIC),
    _Business(AGENCY_LINE, "agency", 82, {"AT_RISK": 17, "CRITICAL": 8}, 14, 9, _AGENCY, "iMessage", 200),
    _Business(SHOP_LINE, "shop", 51, {"AT_RISK": 6, "CRITICAL": 1}, 4, 2, _SHOP, "RCS", 400),
)


def everyday_chats() -> Iterator[Conversation]:
    """Make the everyday chats of all three lines."""
    for business in _BUSINESSES:
        healths = _healths(business)
        for number in range(business.chats):
            status, recent = healths[number]
            yield _direct_chat(business, number, status, recent=recent)


def _direct_chat(business: _Business, number: int, status: str, *, recent: bool) -> Conversation:
    random = seeded(f"{business.name} {number}")
    # Every ninth customer of the other two lines is also the clinic's, so that some people have several chats.
    who = person(number if number % 9 == 4 else business.first_person + number)
    (service,) = random.choices(list(business.services), list(business.services.values()))
    mail = service == "iMessage" and number % 7 == 3
    last_at = _last_at(random, status, recent=recent)
    plan = Plan(
        business.line,
        [Guest(who.email if mail else who.phone, who.first)],
        last_at,
        service=service,
        health_status=status,
        # An opt-out has the time of the last message, which is the keyword.
        health_since=last_at if status == "OPTED_OUT" else _changed_at(random, status, last_at),
        own_in_name=number % 6 != 5,
        line_type=business.line_type,
    )
    return converse(random, plan, _talk(random, business, status, number))


def _healths(business: _Business) -> list[tuple[str, bool]]:
    healths = [(status, False) for status, count in business.troubled.items() for _ in range(count)]
    healths += [("OPTED_OUT", number < business.recent) for number in range(business.opted_out)]
    healths += [("HEALTHY", False)] * (business.chats - len(healths))
    seeded(f"{business.name} health").shuffle(healths)
    return healths


def _last_at(random: Random, status: str, *, recent: bool) -> datetime:
    if status == "OPTED_OUT" and recent:
        return _MONDAY + random.random() * (NOW - timedelta(hours=2) - _MONDAY)
    if status == "OPTED_OUT":
        return _MONDAY - timedelta(hours=6) - random.random() * timedelta(days=60)
    # The third power makes many chats recent and few of them old.
    return NOW - timedelta(minutes=10) - random.random() ** 3 * _OLDEST


def _changed_at(random: Random, status: str, last_at: datetime) -> datetime | None:
    """When a chat became unhealthy, which is before its last message; None for a healthy one."""
    return None if status == "HEALTHY" else last_at - random.random() * timedelta(hours=60)


def _talk(random: Random, business: _Business, status: str, number: int) -> list[Script]:
    good = EVERYDAY[business.line]
    if status == "HEALTHY":
        return random.sample(good, random.randrange(2, 5))
    cold = random.choice(_UNANSWERED[business.line])
    if status == "OPTED_OUT":
        keyword = Line(1, (OPT_OUT[number % len(OPT_OUT)],))
        return [random.choice(good), (*cold[:2], keyword)]
    return [random.choice(good), cold] if status == "AT_RISK" else [cold]
