"""What a conversation's messages say about who waits for whom: pure functions over the turns of one chat."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from linq_mcp.rows.chat import health_status, is_active, own_line
from linq_mcp.rows.message import timestamp
from linq_mcp.search import fold

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat, Message

_FAILED = "failed"
_OPTED_OUT = "OPTED_OUT"
# Linq takes a whole message for an opt-out in capitals only, but "opt out" in any case.
_KEYWORD = re.compile(r"STOP(?:ALL| ALL)?|UNSUBSCRIBE|CANCEL|END|QUIT|START|UNSTOP|SUBSCRIBE|(?i:OPT[ -]?(?:OUT|IN))")
# `Liked “See you at 5”`: a few words or an emoji, and then a whole message.
_TAPBACK = re.compile(r"([^“”\"„«»]{1,40})[“\"„«](.+)[”\"“»]", re.DOTALL)
_TAPBACK_WORDS = 5
_LONGEST_QUOTED = 2000


class Turn(NamedTuple):
    """The facts about a message that matter here.

    `at` is in seconds since 1970, 0 if unknown; `tapped_back`: you reacted to it. `text` is all of it, or "".
    """

    at: float
    own: bool
    delivery_status: str = ""
    tapped_back: bool = False
    text: str = ""

    @property
    def answers(self) -> bool:
        """Whether you sent it and it did not fail."""
        return self.own and self.delivery_status != _FAILED


def turn_of(message: Message) -> Turn:
    """`message` as a turn."""
    parts = message.parts or []
    return Turn(
        at=timestamp(message),
        own=bool(message.is_from_me),
        delivery_status=(message.delivery_status or "").casefold(),
        tapped_back=any(reaction.is_me for part in parts for reaction in part.reactions or []),
        text=(parts[0].value or "") if len(parts) == 1 and parts[0].type == "text" else "",
    )


def in_order(turns: Sequence[Turn], *, oldest_first: bool) -> list[Turn]:
    """`turns` oldest first, from the order in which Linq listed them."""
    return sorted(turns if oldest_first else reversed(turns), key=lambda turn: turn.at)


@dataclass(frozen=True, slots=True)
class Wait:
    """Somebody waits for an answer: since when (seconds since 1970), with how many messages."""

    since: float
    messages: int


def can_wait(chat: Chat) -> bool:
    """Whether anybody can wait for an answer in `chat`: not after an opt-out, nor in a chat that you have left."""
    line = own_line(chat)
    return (health_status(chat) or "").upper() != _OPTED_OUT and (line is None or is_active(line))


def waiting(turns: Sequence[Turn]) -> Wait | None:
    """Who waits at the end of `turns`, oldest first: the messages of others after your last word.

    A message of yours that failed is not an answer. Your reaction to their latest message is one. A tapback that came
    as text, an opt-out or opt-in, and a message of an unknown time wait for none.
    """
    theirs = [turn for turn in takewhile(lambda turn: not turn.answers, reversed(turns)) if not turn.own]
    if not theirs or theirs[0].tapped_back:
        return None
    tapbacks = _tapbacks(theirs, turns)
    unanswered = [
        turn
        for turn in theirs
        if turn.at > 0 and turn.text not in tapbacks and not _KEYWORD.fullmatch(turn.text.strip())
    ]
    if not unanswered or unanswered[0].tapped_back:
        return None
    return Wait(since=unanswered[-1].at, messages=len(unanswered))


def _tapbacks(theirs: Sequence[Turn], turns: Sequence[Turn]) -> set[str]:
    """The texts of `theirs` that are only tapbacks, as SMS has them: each quotes one of the `turns`."""
    quotes = {turn.text: quoted for turn in theirs if (quoted := _quoted(turn.text))}
    if not quotes:
        return set()
    said = {fold(turn.text) for turn in turns if turn.text and turn.text not in quotes}
    return {text for text, quoted in quotes.items() if fold(quoted) in said}


def _quoted(text: str) -> str:
    """What `text` quotes if it is a few words and then a quotation, or ""."""
    found = _TAPBACK.fullmatch(text.strip()) if 2 < len(text) <= _LONGEST_QUOTED else None
    return found[2].strip() if found and len(found[1].split()) <= _TAPBACK_WORDS else ""


def replies(turns: Sequence[Turn], since: float) -> list[tuple[float, float]]:
    """When you sent each reply, and how many seconds it took.

    They are counted from the first message of a run of theirs to your first message after it. Runs that began before
    `since` are left out.
    """
    found = []
    began: float | None = None
    for turn in turns:
        if not turn.own:
            began = turn.at if began is None else began
        elif turn.answers:
            if began is not None and began >= since:
                found.append((turn.at, turn.at - began))
            began = None
    return found
