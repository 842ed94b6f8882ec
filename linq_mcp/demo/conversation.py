"""Turns scripts into conversations: a chat with its handles, and its messages with their times and delivery.

Times are counted back from the last message. In most chats `updated_at` is close to the last message; in some it is far
from it, because Linq updates chats for other reasons, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from linq_mcp.demo.people import Person
from linq_mcp.demo.scripts import OURS, Line, Script
from linq_mcp.demo.wire import (
    NOW,
    Sending,
    Wire,
    handle,
    health,
    link,
    media,
    message,
    new_id,
    reaction,
    rfc3339,
    text,
)

# The words in braces; `name` is the first guest's, and `n` a number.
_WORDS = {
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"),
    "time": ("8:30 am", "9:15 am", "10:00 am", "11:40 am", "1:20 pm", "2:30 pm", "3:45 pm", "4:10 pm", "5:00 pm"),
    "street": ("14 Birch Rd", "220 Maple St", "7 Harbor Ln", "31 Elm Ct", "505 Canal St", "18 Orchard Way"),
    "item": (
        "pear jam",
        "sourdough starter",
        "oak cutting board",
        "beeswax candle set",
        "wool blanket",
        "honey sampler",
    ),
    "agent": ("Nadia", "Marcus", "Priya", "Owen"),
}
_TAPBACKS = ("love", "like", "like", "laugh", "emphasize", "question", "dislike")
_OWN_TAPBACKS = ("love", "like", "like")
_CHANCE_OF_REACTION = 0.05
_CHANCE_OF_TAPBACK_FOR_CLOSING = 0.4
_CHANCE_OF_ARCHIVED = 0.04
_CHANCE_OF_DOWNGRADE = 0.02
_CHANCE_OF_LATER_UPDATE = 0.08
_CHANCE_OF_EARLIER_UPDATE = 0.04
_STILL_UNDER_WAY = timedelta(minutes=20)
# Recent failures are written in the scripts, so that only one line has any.
_OLD = timedelta(days=2)
_UNANSWERED = {
    "AT_RISK": ("sent", "delivered", "delivered", "failed"),
    "CRITICAL": ("failed", "sent", "sent", "delivered"),
}


@dataclass(frozen=True)
class Guest:
    """Another participant. `service` is set only if it differs from the chat's."""

    address: str
    first: str
    service: str | None = None


def guest(person: Person, *, service: str | None = None) -> Guest:
    """A person as a participant who writes from their phone number."""
    return Guest(person.phone, person.first, service)


@dataclass(frozen=True)
class Plan:
    """Everything that defines a chat except what is said in it."""

    line: str
    guests: Sequence[Guest]
    last_at: datetime
    service: str = "iMessage"
    health_status: str = "HEALTHY"
    health_since: datetime | None = None
    name: str | None = None
    """None means Linq's default, all handles with commas between them; see `own_in_name`."""
    own_in_name: bool = True
    is_group: bool = False
    line_type: str | None = None
    icon: bool = False
    updated_at: datetime | None = None
    """None means a random one."""


@dataclass
class Conversation:
    """A chat and its messages, oldest first."""

    chat: Wire
    messages: list[Wire] = field(default_factory=list)


def converse(random: Random, plan: Plan, scripts: Sequence[Script]) -> Conversation:
    """Make a conversation of these scripts, one after the other, whose last message is at `plan.last_at`."""
    # The first random value, so that a chat keeps its id when its texts change.
    chat_id = new_id(random)
    scripts = [*scripts[:-1], _with_tapback(random, plan, scripts[-1])]
    turns = [(line, words) for script in scripts for words in [_words(random, plan.guests)] for line in script]
    last_answer = max((index for index, (line, _) in enumerate(turns) if line.speaker != OURS), default=-1)
    moments = _moments(random, scripts, plan.last_at)
    conversation = Conversation(_chat(random, chat_id, plan, created_at=moments[0] - timedelta(seconds=5)))
    handles = conversation.chat["handles"]
    others = len(handles) - 1
    for index, (line, words) in enumerate(turns):
        sender = handles[OURS if line.speaker == OURS or not others else 1 + (line.speaker - 1) % others]
        said = [piece for piece in line.pieces if not piece.startswith("tapback:")]
        parts = [_part(random, piece, words) for piece in said]
        # Our first message after theirs was received well; any further one has no reaction from them yet.
        unanswered = index > last_answer and (index == 0 or turns[index - 1][0].speaker == OURS)
        sending = _sending(random, plan, sender, moments[index], failed=line.failed, unanswered=unanswered)
        made = message(random, conversation.chat, sender, parts, sending)
        conversation.messages.append(made)
        parts[0]["reactions"] += [
            reaction(random, handles[OURS], piece.removeprefix("tapback:"))
            for piece in line.pieces
            if piece not in said
        ]
        _react(random, plan, conversation.chat, made)
    return conversation


def _with_tapback(random: Random, plan: Plan, script: Script) -> Script:
    """Sometimes replace the closing remark by a tapback, if the service has tapbacks."""
    closes = script[-1].closing and plan.service == "iMessage"
    if not closes or random.random() > _CHANCE_OF_TAPBACK_FOR_CLOSING:
        return script
    *before, last = script[:-1]
    tapback = f"tapback:{random.choice(_OWN_TAPBACKS)}"
    return (*before, replace(last, pieces=(*last.pieces, tapback)))


def _moments(random: Random, scripts: Sequence[Script], last_at: datetime) -> list[datetime]:
    at = last_at
    moments: list[datetime] = []
    for script in reversed(scripts):
        for line, before in zip(reversed(script), (*reversed(script[:-1]), None), strict=True):
            moments.append(at)
            at -= timedelta(minutes=_minutes_before(random, line, before), seconds=random.randrange(60))
        at -= timedelta(hours=random.randrange(20, 200), minutes=random.randrange(60))
    moments.reverse()
    return moments


def _minutes_before(random: Random, line: Line, before: Line | None) -> int:
    # Without an answer, we wrote again after some days; a failed message was sent again at once.
    waited = before is not None and line.speaker == before.speaker == OURS and not before.failed
    return random.randrange(1500, 5000) if waited else random.randrange(1, 25)


def _chat(random: Random, chat_id: str, plan: Plan, created_at: datetime) -> Wire:
    own = handle(random, plan.line, service=plan.service, joined_at=created_at, is_me=True)
    if plan.line_type:
        own["line_type"] = plan.line_type
    handles = [own] + [
        handle(random, guest.address, service=guest.service or plan.service, joined_at=created_at)
        for guest in plan.guests
    ]
    named = handles if plan.own_in_name else handles[1:]
    chat: Wire = {
        "id": chat_id,
        "created_at": rfc3339(created_at),
        "display_name": plan.name or ", ".join(one["handle"] for one in named),
        "handles": handles,
        "health_status": health(plan.health_status, max(plan.health_since or created_at, created_at)),
        "is_archived": random.random() < _CHANCE_OF_ARCHIVED,
        "is_group": plan.is_group,
        "updated_at": rfc3339(plan.updated_at or _updated_at(random, plan, created_at)),
        "service": plan.service,
    }
    if plan.is_group:
        icon = f"https://cdn.linqapp.com/group-icons/{new_id(random)}.png"
        chat["group_chat_icon"] = icon if plan.icon else None
    return chat


def _updated_at(random: Random, plan: Plan, created_at: datetime) -> datetime:
    chance = random.random()
    if chance < _CHANCE_OF_LATER_UPDATE:
        return plan.last_at + random.random() * (NOW - timedelta(minutes=5) - plan.last_at)
    if chance < _CHANCE_OF_LATER_UPDATE + _CHANCE_OF_EARLIER_UPDATE:
        return created_at + random.random() * (plan.last_at - created_at)
    return plan.last_at + timedelta(seconds=random.randrange(90))


def _words(random: Random, guests: Sequence[Guest]) -> dict[str, object]:
    chosen = {name: random.choice(words) for name, words in _WORDS.items()}
    return {"name": guests[0].first if guests else "there", **chosen, "n": random.randrange(12, 60)}


def _part(random: Random, piece: str, words: dict[str, object]) -> Wire:
    if piece.startswith("file:"):
        return media(random, piece.removeprefix("file:"))
    said = piece.format_map(words)
    return link(said) if said.startswith("https://") else text(said)


def _sending(random: Random, plan: Plan, sender: Wire, at: datetime, *, failed: bool, unanswered: bool) -> Sending:
    """The delivery of a message. That of an unanswered one depends on the health of its chat.

    Sometimes Apple downgrades a single message of an iMessage chat to SMS, which has no read receipts.
    """
    if not sender["is_me"]:
        return Sending(at, "received")
    if failed:
        return Sending(at, "failed")
    reads = plan.service == "iMessage"
    if reads and not plan.is_group and random.random() < _CHANCE_OF_DOWNGRADE:
        return Sending(at, "delivered", "SMS")
    if plan.health_status == "HEALTHY" and at == plan.last_at and NOW - at < _STILL_UNDER_WAY:
        return Sending(at, random.choice(("pending", "sent")))
    if not unanswered:
        return Sending(at, "read" if reads else "delivered")
    fates = [
        fate for fate in _UNANSWERED.get(plan.health_status, ("delivered",)) if fate != "failed" or NOW - at > _OLD
    ]
    return Sending(at, random.choice(fates))


def _react(random: Random, plan: Plan, chat: Wire, made: Wire) -> None:
    """Sometimes let another participant react to a message, if the service has reactions.

    Our own reactions are written in the scripts, because one to their latest message counts as an answer.
    """
    if plan.service != "iMessage" or random.random() > _CHANCE_OF_REACTION:
        return
    others = [one for one in chat["handles"] if one["handle"] != made["from"] and not one["is_me"]]
    if others:
        made["parts"][0]["reactions"].append(reaction(random, random.choice(others), random.choice(_TAPBACKS)))
