"""Accounts in which people talk in every chat, for tests of what is read across all of them.

Everything that counts there occurs: runs of messages, answers, failures, reactions, files, messages of one second,
messages that Linq recovered late, chats without messages, chats left and opted out of, chats of several pages.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

from helpers.generated_account import generated_account

from linq_mcp.demo.account import DemoAccount
from linq_mcp.demo.wire import NOW, Wire, rfc3339

SPAN = timedelta(days=20)
_WORDS = ("Is it still on?", "I want a refund", "Thank you!", "A Refund, please", "Running late", "ok")
_STATUSES = ("delivered", "delivered", "read", "sent", "queued", "failed")


def talking_account(chats: int, *, seed: int = 0) -> DemoAccount:
    """Make an account of that many chats, all with messages of the last 20 days but for some that have none."""
    account = generated_account(chats, seed=seed)
    for number, chat in enumerate(account.chats):
        # Handles are shared between chats there.
        chat["handles"] = [dict(handle) for handle in chat["handles"]]
        random = Random(f"{seed} {number}")
        if number % 17 == 5:
            _own(chat)["status"] = "left"
        # Of some, Linq does not say when they were created.
        created = NOW - timedelta(hours=number * 101 % (24 * 25))
        chat["created_at"] = None if number % 19 == 4 else rfc3339(created)
        account.messages[chat["id"]] = _messages(chat, random, number)
    return account


def _own(chat: Wire) -> Wire:
    own: Wire = next(handle for handle in chat["handles"] if handle["is_me"])
    return own


def _messages(chat: Wire, random: Random, number: int) -> list[Wire]:
    count = 0 if number % 13 == 7 else 130 if number % 29 == 3 else random.randrange(1, 9)
    seconds = sorted(random.randrange(int(SPAN.total_seconds())) for _ in range(count))
    # Some share their second.
    seconds = [seconds[index - 1] if index and random.random() < 0.2 else at for index, at in enumerate(seconds)]
    times = sorted(NOW - SPAN + timedelta(seconds=at) for at in seconds)
    others = [handle for handle in chat["handles"] if not handle["is_me"]]
    messages = [_message(chat, random, f"{number}-{index}", at, others) for index, at in enumerate(times)]
    # Linq lists a message that it recovered late among those of that later time.
    return sorted(messages, key=lambda message: datetime.fromisoformat(message["created_at"]))


def _message(chat: Wire, random: Random, name: str, at: datetime, others: list[Wire]) -> Wire:
    own = random.random() < 0.45
    sender = _own(chat) if own else random.choice(others)
    reactions = [{"type": "love", "is_me": True, "handle": _own(chat)}] if not own and random.random() < 0.15 else []
    parts: list[dict[str, Any]] = [{"type": "text", "value": random.choice(_WORDS), "reactions": reactions}]
    if random.random() < 0.1:
        parts.append({"type": "media", "id": f"file-{name}", "filename": "a.jpg", "reactions": []})
    if random.random() < 0.04 and not reactions:
        parts = []
    recovered = min(NOW, at + timedelta(hours=random.randrange(1, 90)))
    listed = recovered if not own and random.random() < 0.06 else at
    return {
        "id": f"{random.getrandbits(32):08x}-{name}",
        "chat_id": chat["id"],
        "service": chat["service"],
        "from": sender["handle"],
        "from_handle": sender,
        "parts": parts,
        "is_from_me": own,
        "delivery_status": random.choice(_STATUSES) if own else "received",
        "created_at": rfc3339(listed),
        "updated_at": rfc3339(listed),
        "sent_at": rfc3339(at),
    }
