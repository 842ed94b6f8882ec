"""The long group conversation of the demo account, "Team Discussion": 400 messages.

Its last day has every kind of part, reaction, and effect that Linq documents, as they would occur on a working day.
"""

from datetime import UTC, datetime, timedelta
from random import Random

from linq_mcp.demo.conversation import Conversation, Guest, Plan, converse, guest
from linq_mcp.demo.people import person
from linq_mcp.demo.scripts import Line, Script, sections
from linq_mcp.demo.wire import NOW, Wire, reaction, rfc3339, seeded, text

# An example in the documents has this id, so it must not change.
TEAM_CHAT_ID = "0b8f2c4e-5d3a-4f6b-9c7e-1a2b3c4d5e6f"
TEAM_MESSAGES = 400
_OLD = timedelta(days=2)

_SECTIONS = dict(sections("team"))
_THREADS = _SECTIONS["threads"]
(_LAST_DAY,) = _SECTIONS["last day"]


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
    late = day["Checked in at the kiosk too"]
    late["reconciled_at"] = rfc3339(datetime.fromisoformat(late["created_at"]) + timedelta(hours=1))


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
