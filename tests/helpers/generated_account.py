"""Accounts of any size on the demo's lines, for tests of scale: 100,000 chats in seconds.

They have every health status, groups, addresses of both kinds and shared participants, but nothing worth reading.
"""

from collections.abc import Sequence
from datetime import timedelta
from random import Random

from helpers.demo_lines import LINES

from linq_mcp.demo.account import DemoAccount
from linq_mcp.demo.lines import phone_numbers
from linq_mcp.demo.wire import NOW, Sending, Wire, handle, health, message, new_id, rfc3339, seeded, text

_SPAN = timedelta(days=400)
_GROUP_EVERY = 12
_EMAIL_EVERY = 11
_PEOPLE_PER_CHAT = 0.4
_HEALTH = {"HEALTHY": 88, "AT_RISK": 7, "CRITICAL": 3, "OPTED_OUT": 2}
# The first chats hold one of each, so that small accounts do too.
_FIRST_HEALTH = ("HEALTHY", "AT_RISK", "CRITICAL", "OPTED_OUT")
_SERVICES = {"iMessage": 70, "SMS": 20, "RCS": 10}
_TEXTS = (
    "Is it still on?",
    "Yes, see you then.",
    "Running late",
    "No problem",
    "Here is the address",
    "Thank you!",
)


def generated_account(chats: int, *, seed: int = 0, messages_in_first: int = 0) -> DemoAccount:
    """Make an account of that many chats.

    People write in several chats each. Only the first chat has messages, as many as asked for;
    100,000 chats take some seconds and about 200 MB.
    """
    made = _chats(LINES, chats, seed)
    messages = {made[0]["id"]: _messages(made[0], messages_in_first, seed)} if made else {}
    return DemoAccount(chats=made, messages=messages, phone_numbers=phone_numbers())


def _chats(lines: Sequence[str], count: int, seed: int) -> list[Wire]:
    """Make the chats, most recently updated first, on these lines in turn."""
    random = seeded(f"generated {count} {seed}")
    step = _SPAN / max(count, 1)
    joined_at = NOW - _SPAN - timedelta(days=30)
    # Our own handles repeat in every chat of a line; sharing them halves the memory.
    own = {
        (line, service): handle(random, line, service=service, joined_at=joined_at, is_me=True)
        for line in lines
        for service in _SERVICES
    }
    services = random.choices(list(_SERVICES), list(_SERVICES.values()), k=count)
    statuses = random.choices(list(_HEALTH), list(_HEALTH.values()), k=count)
    statuses[: len(_FIRST_HEALTH)] = _FIRST_HEALTH[:count]
    people = max(2, int(count * _PEOPLE_PER_CHAT))
    chats: list[Wire] = []
    for number in range(count):
        service = services[number]
        is_group = number % _GROUP_EVERY == _GROUP_EVERY - 1
        size = min(people, random.randrange(2, 7)) if is_group else 1
        addresses = {_address(random.randrange(people)): None for _ in range(size)}
        handles = [own[lines[number % len(lines)], service]]
        handles += [handle(random, one, service=service, joined_at=joined_at) for one in addresses]
        status = "HEALTHY" if is_group and statuses[number] == "OPTED_OUT" else statuses[number]
        updated_at = NOW - number * step
        chats.append(
            {
                "id": new_id(random),
                "created_at": rfc3339(joined_at + timedelta(days=number * 37 % _SPAN.days)),
                "display_name": f"Group {number}" if is_group else ", ".join(one["handle"] for one in handles),
                "handles": handles,
                "health_status": health(status, updated_at - timedelta(hours=number % 200)),
                "is_archived": False,
                "is_group": is_group,
                "updated_at": rfc3339(updated_at),
                "service": service,
            }
        )
    return chats


def _messages(chat: Wire, count: int, seed: int) -> list[Wire]:
    """Make that many messages of one chat, a minute apart, the last when the chat was last updated."""
    random = seeded(f"generated messages {count} {seed}")
    return [_message(random, chat, number, count) for number in range(count)]


def _message(random: Random, chat: Wire, number: int, count: int) -> Wire:
    sender = chat["handles"][number % len(chat["handles"])]
    status = random.choice(("read", "delivered", "sent", "failed")) if sender["is_me"] else "received"
    said = text(f"{_TEXTS[number % len(_TEXTS)]} ({number})")
    at = NOW - timedelta(minutes=count - 1 - number)
    return message(random, chat, sender, [said], Sending(at, status))


def _address(number: int) -> str:
    if number % _EMAIL_EVERY == 0:
        return f"person{number}@example.com"
    # 555 numbers beyond the few kept for fiction, as a hundred thousand people need more.
    return f"+1{200 + number // 10_000:03}555{number % 10_000:04}"
