"""What people say in the demo account: short dialogues, by the business of the line they are said on.

In a script a line begins with who speaks: `>` our line, `<` or a digit another participant. `|` parts a
message in pieces: `file:leak.jpg` is an attachment, `https://…` a link, the rest text. Braces are filled in later.
"""

from dataclasses import dataclass

OURS = 0


@dataclass(frozen=True)
class Line:
    """One line of a script; `speaker` is 0 for our own line, else the number of another participant."""

    speaker: int
    pieces: tuple[str, ...]


Script = tuple[Line, ...]


def scripts(source: str) -> tuple[Script, ...]:
    return tuple(tuple(_line(line) for line in block.strip().splitlines()) for block in source.strip().split("\n\n"))


def _line(source: str) -> Line:
    mark, _, words = source.partition(" ")
    speaker = {">": OURS, "<": 1}.get(mark)
    return Line(int(mark) if speaker is None else speaker, tuple(piece.strip() for piece in words.split("|")))


DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
TIMES = ("8:30 am", "9:15 am", "10:00 am", "11:40 am", "1:20 pm", "2:30 pm", "3:45 pm", "4:10 pm", "5:00 pm")
STREETS = ("14 Birch Rd", "220 Maple St", "7 Harbor Ln", "31 Elm Ct", "505 Canal St", "18 Orchard Way")
ITEMS = (
    "pear jam",
    "sourdough starter",
    "oak cutting board",
    "beeswax candles",
    "wool blanket",
    "honey sampler",
)
AGENTS = ("Nadia", "Marcus", "Priya", "Owen")

CLINIC = scripts("""
> Hi {name}, this is Harbor Lane Clinic. You have a visit on {day} at {time}. Reply C to confirm.
< C
> Thank you, you are confirmed. Please arrive ten minutes early.

< Hi, can I move my {day} appointment? I have to pick up my son.
> Of course. We have {time} the same day or 9:15 am on Thursday.
< {time} works
> Done. See you {day} at {time}.
< Thank you so much {agent}

> Your lab results are in and Dr. Lindqvist has looked at them. All values are in the normal range.
< That is a relief, thanks
> You can see the report here: | https://portal.harborlane.example/results/{n}

< Is the clinic open on {day}?
> Yes, from 8 am to 1 pm. Do you need an appointment?
< Just picking up a prescription
> It will be at the front desk under your name, {name}.

< The pharmacy says they never got my refill
> Sorry about that. We just sent it again, order {n}. It should be ready after {time}.
< Got it, thanks

> Hi {name}, how is the knee after {n} exercises? Any pain going down stairs?
< Much better. A little stiff in the morning
> That is expected this week. Keep the ice on for ten minutes after.
< Will do | file:knee-monday.jpg
> Looks good, the swelling is down.

< Do you take my new insurance? | file:card-front.jpg | file:card-back.jpg
> We do. Your copay stays at {n} dollars.
< Perfect

> We are running about 20 minutes late today. No need to hurry, {name}.
< Thanks for telling me! Still in traffic anyway

< My daughter has a fever of 101, should we come in?
> How long has she had it, and is she drinking?
< Since last night. Drinking fine
> Then rest and fluids today. If it is still there tomorrow at {time}, come in, no appointment needed.
< Thank you {agent}

> Flu shots are in. Would you like one at your {day} visit?
< Yes please, both of us
> Noted for two.

< What is the address again?
> {street}, the entrance is around the corner, next to the bakery.
< Found it
""")

AGENCY = scripts("""
< Hi, is {street} still available?
> It is! I can show it {day} at {time}. Would that suit you?
< Yes. Is there parking?
> Two spaces behind the house. See you {day}. - {agent}

> Here is the listing for {street}: | https://listings.canalhomes.example/{n}
< Love the kitchen
< What are they asking?
> They are at 4{n},000. There is some room.

> The inspection report for {street} came in. | file:inspection.pdf
< Anything scary?
> The roof has five good years left. The water heater is the only thing I would ask them to replace.
< Ok let us ask

< We are at the door, nobody is here?
> Two minutes away, sorry, {name}! The bridge was up.
< No worries

> Congratulations, {name}! They accepted your offer on {street}.
< !!!!
< I am crying in the office
> You earned it. Papers will be in your mail by {time}.

< There is a leak under the sink | file:leak.mov
> Thanks for the video. A plumber can be there {day} at {time}.
< Great. I will leave the key with {agent}

> Could you send me the signed page when you have a minute?
< Here you go | file:signature-page.pdf
> Received, thank you.

< Would they take a dog?
> One dog is fine, with a deposit of {n} dollars.
< She is small and very lazy | file:biscuit.heic
> Biscuit is approved.

< How far is {street} from the school?
> Eleven minutes on foot, I walked it on {day}.
""")

SHOP = scripts("""
< Hi! Do you have the {item} in stock?
> We do, {n} left. Shall I put one aside for you?
< Yes please, I will come by {day}
> It is at the counter under {name}.

> Your order #{n}81 is packed and leaves today. | https://track.pearandpine.example/{n}81
< Amazing, thank you
< The last one came without a scratch

< One of the jars arrived cracked :( | file:cracked-jar.jpg
> Oh no, so sorry, {name}. A new one leaves {day}, no need to send this one back.
< That is kind of you

> We will be at the market on {day} until {time}. Your {item} comes along.
< See you there

< Can you gift wrap the {item}?
> Yes, brown paper and a ribbon, 3 dollars.
< Do it. The card should say "From all of us at {street}"

> The {item} is back! You asked us to tell you.
< Yay, two please
> Two it is. Pick up or post?
< Post, same address

< Are you open on {day}?
> 10 to 6, and until 8 before the holidays.

< Any chance of a workshop in December?
> {day} the 12th at {time}, bread for beginners. Six places left.
< Put us down for two
> Done. Bring an apron and a jar.
""")

# Nobody answers these: the openers of chats that fare badly.
UNANSWERED = {
    "clinic": scripts("""
> Hi {name}, it has been a year since your last check-up. Reply YES and we will find you a time.
> Just checking in, {name}. We have openings on {day}.
> Last reminder from Harbor Lane Clinic: {day} at {time} is still free.
"""),
    "agency": scripts("""
> Hi {name}, {agent} from Canal Homes. Are you thinking of selling {street}?
> We have a buyer who would pay in cash. Can we talk {day}?
> Prices on your street went up {n} percent. Shall I send you the numbers?
> {name}, a quick yes or no would help me a lot.

> Hi {name}, new homes near you from 3{n},000. | https://listings.canalhomes.example/new
> Did you see the list? Two of them are gone already.
> Open house {day} at {time}, {street}. Can I count on you?
"""),
    "shop": scripts("""
> Hi {name}, 20% off the {item} until {day} with the code PEAR20.
> Only {n} left, {name}!
> We saved you one {item}. | https://pearandpine.example/sale
"""),
}

# Said when nothing else comes: one of Linq's own opt-out keywords as the whole message.
OPT_OUT = ("STOP", "UNSUBSCRIBE", "STOP", "OPTOUT", "CANCEL", "STOP", "END", "QUIT")

GROUPS = scripts("""
> Hello everyone, this is the thread for {street}. Keys, times and photos go here.
1 Thanks! Hi all
2 Can we see it {day}?
> {day} at {time} is free.
1 Works for us
3 Same here

1 Who brings the table on {day}?
2 I can, if someone has a van
3 Van is yours, {time}?
> I will open the gate.
2 Thank you!

1 Photos from {day} | file:group-photo.heic | file:table.jpg
2 Oh these are lovely
3 The light!
> May we put the second one on the website?
1 Of course

2 Running {n} minutes late, sorry
1 No hurry, coffee is on
> We have not started either.

> Reminder: {day} at {time}, {street}.
3 See you there
1 I can't make it this time
2 We will save you some {item}

1 What do I owe for the {item}?
> {n} dollars each, cash or card.
2 I paid for both of us
1 Legend
""")

BY_BUSINESS = {"clinic": CLINIC, "agency": AGENCY, "shop": SHOP}
