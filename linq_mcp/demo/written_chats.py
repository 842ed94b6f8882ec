"""The chats of the demo account that are written for the questions people ask, and its groups.

Who is waiting for an answer, and since when (minutes, hours, days)? Which messages failed today (on the agency's line)?
Who wrote about a refund (two people, and one in the group "Holiday orders")? They also have what is easy to get wrong:
a tapback that is an answer, a tapback that isn't, and a failed message, which is no answer either.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta

from linq_mcp.demo.conversation import Conversation, Plan, converse, guest
from linq_mcp.demo.everyday_chats import EVERYDAY
from linq_mcp.demo.lines import AGENCY_LINE, CLINIC_LINE, LINES_BY_NAME, SHOP_LINE
from linq_mcp.demo.people import person
from linq_mcp.demo.scripts import sections
from linq_mcp.demo.wire import NOW, seeded

_FIRST_PERSON = 1040
_FIRST_MEMBER = {CLINIC_LINE: 0, AGENCY_LINE: 200, SHOP_LINE: 400}


def direct_chats() -> Iterator[Conversation]:
    """Chats with one person, each after an everyday dialogue; of those with `kept=no` Linq has dropped the messages."""
    for number, (heading, talk) in enumerate(sections("questions")):
        name, options = _read(heading)
        random = seeded(f"featured: {name}")
        plan = _plan(options, [_FIRST_PERSON + number], unhealthy_hours=20)
        made = converse(random, plan, [random.choice(EVERYDAY[plan.line]), *talk])
        if "kept" in options:
            made.messages.clear()
        yield made


def group_chats() -> Iterator[Conversation]:
    """The groups: neighbors, buyers, volunteers, and colleagues, each with its own conversation."""
    for number, (heading, talk) in enumerate(sections("groups")):
        name, options = _read(heading)
        first = _FIRST_MEMBER[LINES_BY_NAME[options["line"]]] + number * 5
        plan = replace(
            _plan(options, range(first, first + int(options["members"])), unhealthy_hours=50),
            name=None if name == "(no name)" else name,
            own_in_name=bool(number % 2),
            is_group=True,
            icon="icon" in options,
        )
        yield converse(seeded(f"group {number}"), plan, talk)


def _read(heading: str) -> tuple[str, dict[str, str]]:
    """The name and the options of a heading such as `invoice | line=clinic hours=2.3 service=SMS`."""
    name, _, options = heading.partition(" | ")
    return name, dict(option.split("=") for option in options.split())


def _plan(options: dict[str, str], people: Iterable[int], *, unhealthy_hours: int) -> Plan:
    """`hours` is how long ago the last message was sent."""
    line, health = LINES_BY_NAME[options["line"]], options.get("health", "HEALTHY")
    last_at = NOW - timedelta(hours=float(options["hours"]))
    return Plan(
        line,
        [guest(person(number)) for number in people],
        last_at,
        service=options.get("service", "iMessage"),
        health_status=health,
        health_since=None if health == "HEALTHY" else last_at - timedelta(hours=unhealthy_hours),
        line_type="RCS" if line == SHOP_LINE else None,
    )
