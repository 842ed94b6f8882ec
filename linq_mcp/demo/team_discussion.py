"""The long group conversation of the demo account, "Team Discussion": 400 messages.

Its last day has every kind of part, reaction, and effect that Linq documents, as they would occur on a working day.
"""

from datetime import UTC, datetime, timedelta
from random import Random

from linq_mcp.demo.conversation import Conversation, Guest, Plan, converse, guest
from linq_mcp.demo.people import person
from linq_mcp.demo.scripts import Line, Script, script, scripts
from linq_mcp.demo.wire import NOW, Wire, reaction, rfc3339, seeded, text

# An example in the documents has this id, so it must not change.
TEAM_CHAT_ID = "0b8f2c4e-5d3a-4f6b-9c7e-1a2b3c4d5e6f"
TEAM_MESSAGES = 400
_OLD = timedelta(days=2)

_THREADS = scripts("""
1 Morning all. Who opens on {day}?
2 Me, from 7:30
3 I can take the afternoon
> Thank you both. The rota is updated.

4 The printer at the front desk is out again
1 Did you try the other tray?
4 That was it. Sorry, printer
5 Every single week

> The numbers for {day}: {n} visits, 3 no-shows.
2 Best {day} this month
6 The reminders at {time} really help

3 Can someone cover {time} on {day}? Dentist, of all things
5 I can
3 You are the best, {name} owes you a coffee too

1 Photo of the new waiting room | file:waiting-room.heic
2 So much light!
4 Are those the chairs we said no to?
1 They are comfier than they look

6 Delivery for {street} came to us by mistake, {n} boxes
> Please keep them dry, I will call the driver.
6 They are in the back hall

2 Draft of the holiday hours | file:holiday-hours.pdf
1 Reads well. The 24th should say until noon
2 Fixed
> Approved, it goes on the website {day}.

5 Is the staff lunch still on for {day}?
3 Yes, {time}, the soup place
4 I can bring dessert
5 Then I am in

> Please answer messages on this line within the hour, also when it is only a thank you.
1 Will do
6 Noted

4 Room 3 is cold
> Someone comes {day} at {time}.
4 Wearing my coat until then

1 Do we have a form in Spanish for new patients?
2 On the shared drive, folder {n}
1 Found it, gracias

3 A patient told me they got our text twice
> Thanks, I will look into it. | https://status.harborlane.example/incidents/{n}
3 They were nice about it

2 Birthday on {day}! Guess whose
5 {name}!!
6 I knew there was a reason for the balloons
1 Cake at {time}, act surprised

6 Parking on {street} is closed all {day}
> I will add it to the reminders.
4 Good catch
""")

_LAST_DAY = script("""
> Good morning team. The line was flagged overnight, please hold all reminders from this thread.
1 Flagged how?
> Too many messages nobody answered. The guide is here: | https://docs.linqapp.com/guides/chats/chat-health
2 So no texts to the list today?
> Answer whoever writes, start nothing new.
3 Understood
4 I have the sheet of who to call instead | file:call-list.csv
5 I can take A to K
6 Then L to Z is mine
1 Voice note with the script for the calls | file:call-script.m4a
> Perfect. Before and after of the sign, while we are here: | file:sign-before.jpg | file:sign-after.jpg
2 The second one!
3 Second
4 Lunch poll is up, please vote
> New intake form, tap to try it
5 Worked on my phone
6 Checked in at the kiosk too
> Holiday hours: we close at 1 pm on the 24th.
1 And the 26th?
> The 26th we are closed.
2 We did it, {n} calls before lunch!
> Congratulations everyone!
3 Same time tomorrow?
> Yes. I will report back tonight.
""")


def team_discussion(line: str, last_at: datetime) -> Conversation:
    """The chat, on this line. It has been CRITICAL for almost three weeks."""
    random = seeded("Team Discussion")
    members = [person(number) for number in (600, 613, 626, 639, 652, 665)]
    guests = [guest(member) for member in members]
    guests[1] = Guest(members[1].email, members[1].first)
    guests[5] = guest(members[5], service="SMS")
    plan = Plan(
        line,
        guests,
        last_at,
        name="Team Discussion",
        health_status="CRITICAL",
        health_since=datetime(2026, 11, 1, tzinfo=UTC),
        is_group=True,
        icon=True,
        updated_at=last_at,
    )
    made = converse(random, plan, [*_threads(random, TEAM_MESSAGES - len(_LAST_DAY)), _LAST_DAY])
    made.chat["id"] = TEAM_CHAT_ID
    for message in made.messages:
        message["chat_id"] = TEAM_CHAT_ID
    _decorate(random, made)
    return made


def _threads(random: Random, count: int) -> list[Script]:
    """Threads with this many lines in total, whose speakers are shifted so that they vary."""
    chosen: list[Script] = []
    while count > 0:
        shift = random.randrange(6)
        thread = tuple(
            Line(line.speaker and 1 + (line.speaker + shift) % 6, line.pieces)
            for line in random.choice(_THREADS)[:count]
        )
        chosen.append(thread)
        count -= len(thread)
    return chosen


def _decorate(random: Random, made: Conversation) -> None:
    """Add reactions, replies, effects, cards, an edit, and failures to messages of the last day, by their text."""
    own, one, two, three, four, five, six = made.chat["handles"]
    day = {said: message for message in made.messages[-len(_LAST_DAY) :] for said in [_said(message)]}

    flagged = day["Good morning team. The line was flagged overnight, please hold all reminders from this thread."]
    flagged["parts"][0]["reactions"] = [
        reaction(random, one, "emphasize"),
        reaction(random, two, "question"),
        reaction(random, three, "dislike"),
    ]
    _reply(day["Flagged how?"], flagged)

    signs = day["Perfect. Before and after of the sign, while we are here:"]
    signs["parts"][2]["reactions"] = [
        reaction(random, two, "love"),
        reaction(random, three, "like"),
        reaction(random, four, "custom", custom_emoji="\N{PEAR}"),
        reaction(random, five, "sticker"),
    ]
    _reply(day["The second one!"], signs, part=2)
    _reply(day["Second"], signs, part=2)

    day["Lunch poll is up, please vote"]["parts"] = [
        {
            "type": "imessage_app",
            "app": {
                "bundle_id": "com.example.lunchvote.MessagesExtension",
                "name": "Lunch Vote",
                "team_id": "A1B2C3D4E5",
            },
            "layout": {"caption": "Where do we eat?", "subcaption": "3 votes so far"},
            "url": "https://lunchvote.example/p/81",
            "fallback_text": "Lunch poll: where do we eat? 3 votes so far",
            "reactions": [reaction(random, six, "laugh")],
        }
    ]
    day["New intake form, tap to try it"]["parts"].append(
        {
            "type": "app_clip",
            "value": "https://appclip.example/intake",
            "title": "Harbor Lane intake",
            "description": "Fill in the form before your visit",
            "image_url": "https://cdn.linqapp.com/clips/intake.png",
            "reactions": [],
        }
    )
    # Linq has no field for an edit: the message has the new text, and only `updated_at` shows that it was changed.
    edited = day["Holiday hours: we close at 1 pm on the 24th."]
    edited["updated_at"] = rfc3339(datetime.fromisoformat(edited["created_at"]) + timedelta(minutes=4))

    day["Congratulations everyone!"]["effect"] = {"name": "confetti", "type": "screen"}
    day["The 26th we are closed."]["effect"] = {"name": "slam", "type": "bubble"}
    day["The 26th we are closed."]["parts"][0]["text_decorations"] = [{"range": [16, 22], "style": "bold"}]
    _mention(day["Understood"], own)
    _unsent(day["Yes. I will report back tonight."], "queued")
    # Not today, because only the agency's line has failures today.
    before = [m for m in made.messages if m["is_from_me"] and datetime.fromisoformat(m["created_at"]) < NOW - _OLD]
    _unsent(before[-1], "failed")
    day["Checked in at the kiosk too"]["reconciled_at"] = rfc3339(
        datetime.fromisoformat(day["Checked in at the kiosk too"]["created_at"]) + timedelta(hours=1)
    )


def _said(message: Wire) -> str:
    return str(message["parts"][0].get("value", message["parts"][0].get("filename")))


def _reply(message: Wire, to: Wire, part: int = 0) -> None:
    message["reply_to"] = {"message_id": to["id"], "part_index": part}


def _unsent(message: Wire, status: str) -> None:
    message.update(delivery_status=status, is_delivered=False, is_read=False)
    message.update(sent_at=None, delivered_at=None, read_at=None)


def _mention(message: Wire, who: Wire) -> None:
    said = "@Harbor Lane understood"
    message["parts"] = [
        text(said) | {"mentions": [{"handle": who["handle"], "is_me": bool(who["is_me"]), "range": [0, 12]}]}
    ]
