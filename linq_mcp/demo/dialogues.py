"""What people write to a clinic, a housing agency, and a shop. No everyday dialogue ends with someone waiting."""

from linq_mcp.demo.lines import AGENCY_LINE, CLINIC_LINE, SHOP_LINE
from linq_mcp.demo.scripts import scripts

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
TIMES = ("8:30 am", "9:15 am", "10:00 am", "11:40 am", "1:20 pm", "2:30 pm", "3:45 pm", "4:10 pm", "5:00 pm")
STREETS = ("14 Birch Rd", "220 Maple St", "7 Harbor Ln", "31 Elm Ct", "505 Canal St", "18 Orchard Way")
ITEMS = (
    "pear jam",
    "sourdough starter",
    "oak cutting board",
    "beeswax candle set",
    "wool blanket",
    "honey sampler",
)
AGENTS = ("Nadia", "Marcus", "Priya", "Owen")

CLINIC = scripts("""
> Hi {name}, this is Harbor Lane Clinic. You have a visit on {day} at {time}. Reply C to confirm.
< C
> Thank you, you are confirmed. Please arrive ten minutes early.

< Hi, can I move my {day} appointment? I have to pick up my son.
> Of course. We have {time} the same day or 9:15 am the day after.
< {time} works
> Done. See you {day} at {time}.
< Thank you so much {agent}
* You're welcome!

> Your lab results are in and Dr. Lindqvist has looked at them. All values are in the normal range.
< That is a relief, thanks
> You can see the report here: | https://portal.harborlane.example/results/{n}

< Is the clinic open on {day}?
> Yes, from 8 am to 1 pm. Do you need an appointment?
< Just picking up a prescription
> It will be at the front desk under your name, {name}.

< The pharmacy says they never got my prescription
> Sorry about that. We just sent it again. It should be ready after {time}.
< Got it, thanks
* Any time, {name}.

> Hi {name}, how is the knee after two weeks of exercises? Any pain going down stairs?
< Much better. A little stiff in the morning
> That is expected this week. Keep the ice on for ten minutes after.
< Will do | file:knee-monday.jpg
> Looks good, the swelling is down.

< Do you take my new insurance? | file:card-front.jpg | file:card-back.jpg
> We do. Your copay stays at {n} dollars.
< Perfect
* Great, see you soon.

> We are running about 20 minutes late today. No need to hurry, {name}.
< Thanks for telling me! Still in traffic anyway
* Drive safely!

< My daughter has a fever of 101, should we come in?
> How long has she had it, and is she drinking?
< Since last night. Drinking fine
> Then rest and fluids today. If it is still there tomorrow at {time}, come in, no appointment needed.
< Thank you {agent}
* I hope she feels better soon.

> Flu shots are in. Would you like one at your {day} visit?
< Yes please, both of us
> Noted for two.

< What is the address again?
> 7 Harbor Ln, the entrance is around the corner, next to the bakery.
< Found it
* See you in a minute.
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
< OK, let us ask
* I'll write to them today.

< We are at the door, nobody is here?
> Two minutes away, sorry, {name}! The bridge was up.
< No worries
* Parking now.

> Congratulations, {name}! They accepted your offer on {street}.
< !!!!
< I am crying in the office
> You earned it. The papers will be in your mail by {time}.

< There is a leak under the sink | file:leak.mov
> Thanks for the video. A plumber can be there {day} at {time}.
< Great. I will leave the key with {agent}
* Perfect.

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
* Glad to hear it!

< One of the jars arrived cracked :( | file:cracked-jar.jpg
> Oh no, so sorry, {name}. A new one leaves {day}, no need to send this one back.
< That is kind of you
* Enjoy it!

> We will be at the market on {day} until {time}, and the {item} comes along.
< See you there
* Looking forward to it!

< Can you gift wrap the {item}?
> Yes, brown paper and a ribbon, 3 dollars.
< Do it. The card should say "From all of us at {street}"
* Lovely, consider it done.

> The {item} is back! You asked us to tell you.
< Yay, two please
> Two it is. Pick up or post?
< Post, same address
* On their way tomorrow.

< Are you open on {day}?
> 10 to 6, and until 8 before the holidays.

< Any chance of a workshop in December?
> Saturday the 12th at {time}, bread for beginners. Six places left.
< Put us down for two
> Done. Bring an apron and a jar.
""")

EVERYDAY = {CLINIC_LINE: CLINIC, AGENCY_LINE: AGENCY, SHOP_LINE: SHOP}

# Our messages in chats of poor health, which get no answer.
UNANSWERED = {
    CLINIC_LINE: scripts("""
> Hi {name}, it has been a year since your last check-up. Reply YES and we will find you a time.
> Just checking in, {name}. We have openings on {day}.
> Last reminder from Harbor Lane Clinic: {day} at {time} is still free.
"""),
    AGENCY_LINE: scripts("""
> Hi {name}, {agent} from Canal Homes. Are you thinking of selling {street}?
> We have a buyer who would pay in cash. Can we talk {day}?
> Prices on your street went up {n} percent. Shall I send you the numbers?
> {name}, a quick yes or no would help me a lot.

> Hi {name}, new homes near you from 3{n},000. | https://listings.canalhomes.example/new
> Did you see the list? Two of them are gone already.
> Open house {day} at {time}, {street}. Can I count on you?
"""),
    SHOP_LINE: scripts("""
> Hi {name}, 20% off the {item} until {day} with the code PEAR20.
> Only {n} left, {name}!
> We saved you one {item}. | https://pearandpine.example/sale
"""),
}

# The keywords that Linq treats as an opt-out, each sent as a whole message.
OPT_OUT = ("STOP", "UNSUBSCRIBE", "STOP", "OPTOUT", "CANCEL", "STOP", "END", "QUIT")
