"""The groups of the demo account: neighbors, buyers, volunteers, and colleagues, each with its own conversation."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from linq_mcp.demo.conversation import Conversation, Plan, converse, guest
from linq_mcp.demo.lines import AGENCY_LINE, CLINIC_LINE, SHOP_LINE
from linq_mcp.demo.people import person
from linq_mcp.demo.scripts import scripts
from linq_mcp.demo.wire import NOW, seeded

_FIRST_PERSON = {CLINIC_LINE: 0, AGENCY_LINE: 200, SHOP_LINE: 400}


@dataclass(frozen=True)
class _Group:
    name: str | None
    line: str
    members: int
    hours: float
    """How long ago the last message was sent."""
    talk: str
    service: str = "iMessage"
    status: str = "HEALTHY"
    icon: bool = False


_GROUPS = (
    _Group(
        "Front desk",
        CLINIC_LINE,
        4,
        0.9,
        """
1 Who has the key to the supply room?
2 It is in the drawer under the scanner
1 Found it, thanks

3 The card reader says no to every second card
> I ordered a new one, it comes {day}.
4 Until then, turning it off and on helps
> Thank you all for your patience with it.
""",
        icon=True,
    ),
    _Group(
        "Night shift swap",
        CLINIC_LINE,
        5,
        9,
        """
1 Could anyone take my Thursday night? My sister is getting married
2 I can, if you take my Sunday
1 Deal!
> Swapped in the rota. Congratulations to your sister!

4 Looking for someone for Monday night
5 I'm free
> Noted, thank you both.
""",
    ),
    _Group(
        "Back school, Thursdays",
        CLINIC_LINE,
        7,
        31,
        """
> Back school starts at 6 pm this Thursday, room 3. Please bring a towel.
2 Can I join a week late?
> Of course.

1 My lower back thanks all of you
3 Day two of stretching and I can tie my shoes again
> That is what we like to hear! Next time: lifting boxes the right way.
""",
        status="AT_RISK",
    ),
    _Group(
        None,
        CLINIC_LINE,
        3,
        16,
        """
1 Hi, this is about Mom's appointment on {day}. I added my brother
2 Hi, that's me. Can we both come in with her?
> Certainly. The room has two chairs for family.
1 And does she have to fast?
> Only water after midnight, please.
""",
    ),
    _Group(
        "Physio intake",
        CLINIC_LINE,
        3,
        210,
        """
1 Three new patients for {day}, two knees and a shoulder
2 I take the shoulder
3 Knees are mine
> Thank you, they are in the calendar.
""",
        service="SMS",
    ),
    _Group(
        None,
        CLINIC_LINE,
        4,
        1400,
        """
> Thank you for coming to the first aid course. The photos are here. | file:first-aid-course.jpg | file:first-aid.mp4
1 I look like I know what I'm doing!
3 When is the next one?
> In spring. We will write to this group.
""",
    ),
    _Group(
        "Maple Street buyers",
        AGENCY_LINE,
        4,
        2.1,
        """
> Welcome, everyone. Four of you asked about 220 Maple St, so we show it to all of you together.
1 Thanks! Is the garden part of it?
> It is, up to the old fence.
3 And the roof? The listing says 1998
> Renewed in 2015. The papers are here. | file:220-maple-roof.pdf

2 What did the house next door sell for?
> 415,000 in May, with one bedroom less.
4 We walked down Maple Street last night, it's very quiet
1 The basement looked damp in one photo | file:basement-corner.jpg
> That was the old washing machine. The inspector measures it on {day}.
2 Then we'll wait for the report before we bid
> Very sensible. You will all have it the same hour.
""",
        status="CRITICAL",
        icon=True,
    ),
    _Group(
        "Open house Sunday",
        AGENCY_LINE,
        6,
        5.6,
        """
> Open house on Sunday from 1 to 3 pm, 18 Orchard Way. Please park along the orchard, not in the drive.
2 We'll be there at 1
4 Us too, with a stroller. Are there steps?
> One at the front door, none at the back.

1 Is it still on if it snows?
5 Could we come at noon instead? Our train leaves at 2
""",
        status="AT_RISK",
    ),
    _Group(
        "14 Birch Rd renovation",
        AGENCY_LINE,
        3,
        13,
        """
1 The kitchen tiles are in | file:kitchen-tiles.heic
2 They look better than in the shop
> The owners will love these.

3 Electrician needs the power off on {day} from 9 to 11
1 Fine, we paint upstairs then
> I told the neighbors.
""",
        icon=True,
    ),
    _Group(
        None,
        AGENCY_LINE,
        5,
        58,
        """
> Hello all, I have put the five of you together because you share the driveway at 31 Elm Ct.
2 Good idea
3 Who pays for the snow plow this year?
> It is in the fee, like last year.
""",
        status="CRITICAL",
    ),
    _Group(
        "Keys",
        AGENCY_LINE,
        2,
        120,
        """
1 Left the keys to 505 Canal St in the lockbox
> Got them, thank you.

2 The key to the mailbox sticks. Do we have a second one?
""",
    ),
    _Group(
        "Holiday orders",
        SHOP_LINE,
        4,
        1.7,
        """
> Hi all! Orders for the holidays close on December 12. Collect them here or at the market.
1 Two honey samplers and a blanket for us, please
3 One wreath, as every year
> Both noted.

2 Since the wreath workshop is cancelled, will we get a refund or a voucher?
> Whichever you like better. Everyone who paid hears from us by {day}.
4 A voucher for me, please
> You have it, thank you.
""",
        service="RCS",
        icon=True,
    ),
    _Group(
        "Vendor table 9",
        SHOP_LINE,
        3,
        40,
        """
1 Who brings the awning on Saturday?
2 Me, but I need help with the poles
> I can be there at 6:30.
3 I bring coffee
> Then nothing can go wrong.
""",
        service="SMS",
        status="AT_RISK",
    ),
    _Group(
        "Bread for beginners",
        SHOP_LINE,
        6,
        66,
        """
> Your starters are three days old now. Do they bubble?
1 Mine climbed out of the jar | file:starter-escape.jpg
4 Mine sleeps. Is the kitchen too cold?
> Put it on top of the fridge over night.

3 First loaf! | file:first-loaf.jpg
5 That crust!
2 Which flour did you use?
""",
        service="RCS",
    ),
    _Group(
        None,
        SHOP_LINE,
        2,
        300,
        """
1 We'd like to give Grandpa the oak cutting board together. Can you split the bill?
> Sure, half each. The engraving is on us.
2 Wonderful. Engrave "Head chef", please
> It will be ready on {day}.
""",
        service="SMS",
    ),
)


def group_chats() -> Iterator[Conversation]:
    """Make the groups."""
    for number, group in enumerate(_GROUPS):
        first = _FIRST_PERSON[group.line] + number * 5
        last_at = NOW - timedelta(hours=group.hours)
        plan = Plan(
            group.line,
            [guest(person(first + member)) for member in range(group.members)],
            last_at,
            service=group.service,
            health_status=group.status,
            health_since=last_at - timedelta(hours=50) if group.status != "HEALTHY" else None,
            name=group.name,
            own_in_name=bool(number % 2),
            is_group=True,
            line_type="RCS" if group.line == SHOP_LINE else None,
            icon=group.icon,
        )
        yield converse(seeded(f"group {number}"), plan, scripts(group.talk))
