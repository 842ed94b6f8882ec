"""What was sent through the demo API: kept beside the account, which others share, for as long as the API lives.

It answers as Linq documents it: a key that was used gets its first answer again, people who opted out or are blocked,
and a line in trouble are refused, and a message is delivered a little later: each time it is read, by one step.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from linq_mcp.demo.account import DemoAccount
from linq_mcp.demo.lines import AGENCY_LINE
from linq_mcp.demo.people import person
from linq_mcp.demo.wire import Sending, Wire, handle, health, message, new_id, reaction, rfc3339, seeded

BLOCKED = person(4).phone
LIMITED_LINE = AGENCY_LINE
_PROGRESS = {"pending": "sent", "sent": "delivered"}
_LONGEST_TEXT = 10_000


class ApiError(Exception):
    """Raised to refuse a request as Linq does, with this status, code, and message."""

    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text


class Outbox:
    """The messages sent so far. `chats` are those that were opened by one, `messages` all of them by chat.

    `reacted` are the account's messages as they look with the reactions that were set here.
    """

    def __init__(self, account: DemoAccount) -> None:
        self._account = account
        self._random = seeded("sent messages")
        self._answers: dict[str, Wire] = {}
        self.chats: dict[str, Wire] = {}
        self.reacted: dict[str, Wire] = {}
        self.messages: defaultdict[str, list[Wire]] = defaultdict(list)

    def send(self, chat: Wire, given: Any) -> Wire:
        """Take the message `given` into `chat`. Raises `ApiError`."""
        parts, key = _checked(given)
        if key in self._answers:
            return self._answers[key]
        own = next((one for one in chat["handles"] if one.get("is_me")), None)
        others = [one["handle"] for one in chat["handles"] if not one.get("is_me")]
        if own is None or own.get("status", "active") != "active":
            raise ApiError(409, 2013, "Chat is unavailable")
        if own["handle"] == LIMITED_LINE:
            raise ApiError(403, 2027, "This phone number can't send messages at the moment")
        if not chat.get("is_group"):
            self._check_person(others)
        if not self.messages[chat["id"]] and chat["id"] in self.chats and any(_has_link(part) for part in parts):
            raise ApiError(400, 1005, "The first message of a chat can't contain a link")
        sent = message(self._random, chat, own, parts, Sending(datetime.now(UTC), "pending"))
        self.messages[chat["id"]].append(sent)
        # A copy, as what was answered stays as it was while the message makes its way.
        answer = {"chat_id": chat["id"], "message": dict(sent)}
        if key:
            self._answers[key] = answer
        return answer

    def open_chat(self, line: str, to: str, given: Any) -> Wire:
        """Open a chat by its first message. Raises `ApiError`."""
        _, key = _checked(given)
        known = self._answers.get(key, {}).get("chat_id")
        now = datetime.now(UTC)
        service = "iMessage"
        chat = self.chats.get(known or "") or {
            "id": new_id(self._random),
            "display_name": to,
            "handles": [
                handle(self._random, line, service=service, joined_at=now, is_me=True),
                handle(self._random, to, service=service, joined_at=now),
            ],
            "health_status": health("HEALTHY", now),
            "is_group": False,
            "is_archived": False,
            "service": service,
            "created_at": rfc3339(now),
            "updated_at": rfc3339(now),
        }
        self.chats[chat["id"]] = chat
        try:
            sent = self.send(chat, given)
        except ApiError:
            del self.chats[chat["id"]]
            raise
        return {"chat": {**chat, "message": sent["message"]}}

    def progress(self, sent: Wire) -> None:
        """Let a message that was sent here go one step further."""
        status = _PROGRESS.get(sent["delivery_status"])
        if status and any(one is sent for one in self.messages[sent["chat_id"]]):
            now = rfc3339(datetime.now(UTC))
            sent.update(delivery_status=status, updated_at=now, **{f"{status}_at": now})
            sent["is_delivered"] = status == "delivered"

    def react(self, target: Wire, chat: Wire, given: Any) -> None:
        """Set a reaction of the account's own line on a message, or take it off. Raises `ApiError`."""
        if not isinstance(given, dict) or given.get("operation") not in ("add", "remove"):
            raise ApiError(400, 1005, "operation must be add or remove")
        kind, emoji = given.get("type"), given.get("custom_emoji")
        if not isinstance(kind, str) or (kind == "custom") != isinstance(emoji, str):
            raise ApiError(400, 1005, "type must be a reaction, and custom_emoji goes with custom")
        own = next(one for one in chat["handles"] if one.get("is_me"))
        is_sent_here = any(one is target for one in self.messages[chat["id"]])
        if not is_sent_here:
            # The account's own messages are shared with others.
            target = self.reacted.setdefault(target["id"], deepcopy(target))
        reactions = target["parts"][0]["reactions"]
        kept = [one for one in reactions if not (one["is_me"] and (one["type"], one["custom_emoji"]) == (kind, emoji))]
        added = [reaction(self._random, own, kind, custom_emoji=emoji)] if given["operation"] == "add" else []
        reactions[:] = [*kept, *added]

    @cached_property
    def _opted_out(self) -> set[str]:
        return {
            one["handle"]
            for chat in self._account.chats
            if (chat.get("health_status") or {}).get("status") == "OPTED_OUT"
            for one in chat["handles"]
            if not one.get("is_me")
        }

    def _check_person(self, others: Sequence[str]) -> None:
        if self._opted_out & set(others):
            raise ApiError(403, 2024, "Recipient has opted out")
        if BLOCKED in others:
            raise ApiError(403, 2026, "Recipient is blocked")


def _checked(given: Any) -> tuple[list[Wire], str]:
    """The parts of a message and its idempotency key, "" if it has none."""
    if not isinstance(given, Mapping) or not isinstance(parts := given.get("parts"), list):
        raise ApiError(400, 1001, "message.parts is required")
    if not parts or not all(isinstance(part, dict) for part in parts):
        raise ApiError(400, 1008, "parts must have objects")
    for part in parts:
        value = part.get("value")
        if part.get("type") == "text" and not (isinstance(value, str) and 1 <= len(value) <= _LONGEST_TEXT):
            raise ApiError(400, 1005, f"text must have 1 to {_LONGEST_TEXT} characters")
        if part.get("type") == "media" and not str(part.get("url")).startswith("https://"):
            raise ApiError(400, 1005, "url must be an https URL")
    return [{"reactions": [], **part} for part in parts], str(given.get("idempotency_key") or "")


def _has_link(part: Wire) -> bool:
    return part.get("type") == "link" or "://" in str(part.get("value"))
