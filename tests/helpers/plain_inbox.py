"""Who waits and what came last, computed the plain way from an account's data."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from helpers.reading_accounts import at, status

Wire = dict[str, Any]


def sent(message: Wire) -> datetime:
    return at(message["sent_at"] or message["created_at"])


def last(messages: list[Wire]) -> Wire | None:
    """The latest; of several of that second the one that stands last."""
    return max(reversed(messages), key=sent, default=None)


def waits(chat: Wire, messages: list[Wire]) -> tuple[datetime, int] | None:
    """Since when and with how many messages somebody waits for an answer."""
    own = next(handle for handle in chat["handles"] if handle["is_me"])
    if status(chat) == "OPTED_OUT" or own["status"] == "left":
        return None
    unanswered: list[Wire] = []
    for message in sorted(messages, key=sent):
        if not message["is_from_me"]:
            unanswered.append(message)
        elif message["delivery_status"] != "failed":
            unanswered = []
    if not unanswered or any(r["is_me"] for part in unanswered[-1]["parts"] for r in part["reactions"]):
        return None
    return sent(unanswered[0]), len(unanswered)
