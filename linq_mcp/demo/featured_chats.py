"""Chats written for the questions that people ask about their messages.

Who is waiting for an answer, and since when (minutes, hours, days)? Which messages failed today (on the agency's line)?
Who wrote about a refund (two people here, and one in the group "Holiday orders")? They also have what is easy to get
wrong: a tapback that is an answer, a tapback that isn't, and a failed message, which is no answer either.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from linq_mcp.demo.conversation import Conversation, Plan, converse, guest
from linq_mcp.demo.dialogues import EVERYDAY
from linq_mcp.demo.lines import AGENCY_LINE, CLINIC_LINE, SHOP_LINE
from linq_mcp.demo.people import person
from linq_mcp.demo.scripts import scripts
from linq_mcp.demo.wire import NOW, seeded

_FIRST_PERSON = 1040


@dataclass(frozen=True)
class _Featured:
    """What was said last, after an everyday dialogue, and how many hours ago."""

    key: str
    line: str
    hours: float
    talk: str
    status: str = "HEALTHY"
    service: str = "iMessage"
    kept: bool = True
    """False for a chat whose messages Linq no longer keeps."""


_FEATURED = (
    # These wait for an answer.
    _Featured(
        "tablets",
        CLINIC_LINE,
        0.07,
        """
> Hi {name}, how do you feel since your visit?
< Much better! Should I keep taking the tablets, or stop now that the fever is gone?
""",
    ),
    _Featured(
        "locked door", CLINIC_LINE, 0.6, "< I'm in front of the clinic and the door is locked. Is there another way in?"
    ),
    _Featured(
        "invoice",
        CLINIC_LINE,
        2.3,
        "< Hello, could you send me the invoice for my October visit? My insurance is asking for it",
        service="SMS",
    ),
    _Featured(
        "rash",
        CLINIC_LINE,
        5,
        """
< The rash is back on my left arm | file:left-arm.heic
< Should I come in, or wait until my appointment on {day}?
""",
    ),
    _Featured("flu shot", CLINIC_LINE, 27, "< Can my son get his flu shot at the same appointment as me?"),
    _Featured(
        "blood test",
        CLINIC_LINE,
        75,
        """
< It has been a week and I still haven't heard about the blood test
< Is something wrong with it?
""",
    ),
    _Featured("offer", AGENCY_LINE, 1.4, "< We'd like to make an offer on 31 Elm Ct. What do you need from us?"),
    _Featured(
        "viewing",
        AGENCY_LINE,
        0.5,
        """
< Is the viewing at 220 Maple St still on for tomorrow?
! It is, at 10:00 am. See you there!
! Yes, tomorrow at 10:00 am. Did this one reach you?
""",
        status="CRITICAL",
    ),
    _Featured(
        "heating",
        AGENCY_LINE,
        8,
        """
< The heating stopped during the night, it's 58 degrees in here
< Can someone come today?
""",
    ),
    _Featured("sellers", AGENCY_LINE, 50, "< Did the sellers say anything yet?"),
    _Featured(
        "call next week",
        AGENCY_LINE,
        170,
        "< I've been thinking about it and would like to sell after all. Could you call me next week?",
        service="SMS",
    ),
    _Featured(
        "hello",
        AGENCY_LINE,
        290,
        """
< Could you tell me what I still owe for November?
< Hello?
""",
        status="AT_RISK",
    ),
    _Featured(
        "plumber",
        AGENCY_LINE,
        15,
        """
< The plumber came and the leak is fixed | tapback:like
< He says the pipe upstairs should be replaced, too. Do you want him to do it now?
""",
    ),
    _Featured("honey", SHOP_LINE, 0.4, "< Is the honey sampler back yet? I need three by {day}", service="RCS"),
    _Featured(
        "broken candles",
        SHOP_LINE,
        4.5,
        """
< Half of my candles arrived broken | file:broken-candles.jpg
< I'd rather have a refund than new ones, if that's OK
""",
        service="RCS",
    ),
    _Featured("delivery", SHOP_LINE, 11, "< Do you deliver to Orchard Way, or is that too far?", service="SMS"),
    _Featured(
        "sesame", SHOP_LINE, 33, "< Does any of your bread have sesame in it? My nephew is allergic", service="RCS"
    ),
    _Featured("gray blanket", SHOP_LINE, 96, "< Can I still change the color of the blanket to gray?", service="RCS"),
    # These have their answer, the last four by a tapback.
    _Featured(
        "charged twice",
        CLINIC_LINE,
        40,
        """
< Hi, you charged my card twice for my visit on the 9th. When do I get a refund for the second one?
> So sorry, {name}! We sent the money back this morning. It takes three to five days.
< Thank you for sorting it out so quickly
> Thank you for telling us.
""",
    ),
    _Featured(
        "wrist",
        CLINIC_LINE,
        1.2,
        """
< Good morning, is Dr. Lindqvist in today?
> She is, until 4:10 pm. Is it for you, {name}?
< For my son. He fell off his bike and his wrist is swollen | file:wrist.heic
> That looks sore. Can he move his fingers?
< Yes, but it hurts when he turns his hand
> Please come at 1:20 pm, then. We will start with an X-ray.
< On our way. Thank you!
> See you soon. Keep the wrist raised until then.
""",
    ),
    _Featured(
        "prescription",
        CLINIC_LINE,
        1.9,
        """
> Your prescription is at the front desk, {name}. We are here until 6.
< Great, I'll pick it up after work | tapback:like
""",
    ),
    _Featured("signed", AGENCY_LINE, 6, "< Just signed. Thank you for everything! | tapback:love"),
    _Featured("new neighbors", AGENCY_LINE, 46, "< The new neighbors brought us a pie | file:pie.heic | tapback:laugh"),
    _Featured(
        "parking",
        AGENCY_LINE,
        21,
        """
> The visitor's space is number 12, {name}.
< Found it, thanks | tapback:like
""",
    ),
    # These have messages of ours that failed today.
    _Featured(
        "open house",
        AGENCY_LINE,
        0.9,
        "! Hi {name}, Sunday's open house at 18 Orchard Way begins at 1:00 pm. Will you come?",
        status="CRITICAL",
    ),
    _Featured(
        "moved viewing",
        AGENCY_LINE,
        2.7,
        "! {name}, your viewing moved to {day} at {time}. Does that still work for you?",
        status="CRITICAL",
    ),
    _Featured(
        "price drop",
        AGENCY_LINE,
        6.5,
        """
! Hi {name}, 14 Birch Rd is 12,000 dollars cheaper since this morning.
! Hi {name}, did my message about 14 Birch Rd reach you?
""",
        status="CRITICAL",
    ),
    _Featured(
        "survey",
        AGENCY_LINE,
        9.2,
        "! Hi {name}, how did you like the apartment on Canal St?",
        status="CRITICAL",
        service="SMS",
    ),
    # Linq no longer keeps the messages of these.
    _Featured("expired clinic", CLINIC_LINE, 600, "< Thanks again!", kept=False),
    _Featured("expired shop", SHOP_LINE, 900, "< Thanks again!", service="RCS", kept=False),
)


def featured_chats() -> Iterator[Conversation]:
    """Make the featured chats."""
    for number, featured in enumerate(_FEATURED):
        random = seeded(f"featured: {featured.key}")
        who = person(_FIRST_PERSON + number)
        last_at = NOW - timedelta(hours=featured.hours)
        plan = Plan(
            featured.line,
            [guest(who)],
            last_at,
            service=featured.service,
            health_status=featured.status,
            health_since=last_at - timedelta(hours=20) if featured.status != "HEALTHY" else None,
            line_type="RCS" if featured.line == SHOP_LINE else None,
        )
        earlier = random.choice(EVERYDAY[featured.line])
        made = converse(random, plan, [earlier, *scripts(featured.talk)])
        if not featured.kept:
            made.messages.clear()
        yield made
