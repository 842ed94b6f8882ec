"""What may be sent, and to whom: each rule a pure function that raises where it forbids a message."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from linq_mcp.contacts.directory import normal_handle
from linq_mcp.errors import ArgumentsError, NotSent, NotSentError
from linq_mcp.settings.sending import SendSettings

ADVICE = {
    "healthy": "Linq's advice: send normally.",
    "at_risk": "Linq's advice: slow down, wait for a reply, and vary what you write.",
    "critical": "Linq's advice: pause this chat, because messages probably don't arrive.",
}
_NAMED = 3
# What a phone shows as a link, with or without its scheme.
_LINK = re.compile(r"\bhttps?://\S|\bwww\.\S|(?<=[a-z0-9-])\.[a-z]{2,24}/\S", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A message as the tool was asked to send it."""

    text: str
    attachments: Sequence[str] = ()
    reply_to: str | None = None
    service: str | None = None
    effect: str | None = None


def check_content(draft: Draft, *, is_first: bool) -> None:
    """Linq's rules for what is in a message; `is_first` means that the chat has none yet."""
    problems = []
    only_imessage = [name for name, given in (("effect", draft.effect), ("reply_to", draft.reply_to)) if given]
    if only_imessage and draft.service not in (None, "iMessage"):
        problems.append(f"`{only_imessage[0]}` works in iMessage only; leave out either it or `messaging_service`.")
    if is_first:
        problems += [f"`{name}` can't be used in the first message of a chat; leave it out." for name in only_imessage]
        if _LINK.search(draft.text):
            problems.append(
                "`text` contains a link, which Linq refuses in the first message of a chat. Write without one first."
            )
        if draft.attachments:
            problems.append(
                "Linq advises against `attachments` in the first message of a chat, so linq-mcp sends none there. "
                "Write without files first."
            )
    if problems:
        raise ArgumentsError(problems)


def check_health(status: str | None, *, allow_critical: bool, person: str = "") -> None:
    """OPTED_OUT is refused always, CRITICAL unless the operator allows it.

    `status` is that of the chat, or, with a `person`, that of some other chat with them, on whatever line.
    """
    match (status or "").casefold():
        case "opted_out":
            marked = f"a chat with {person}" if person else "the chat"
            raise NotSentError(
                NotSent.OPTED_OUT,
                f"Linq marks {marked} OPTED_OUT, and linq-mcp never writes to people who opted out. Don't try another "
                "chat or line: an opt-out holds for all of them until the person writes again.",
            )
        case "critical" if not allow_critical:
            whose = f"The health of a chat with {person}" if person else "Its health"
            raise NotSentError(
                NotSent.CRITICAL,
                f"{whose} is CRITICAL: messages probably don't arrive, and sending more puts the line at risk. "
                "linq-mcp doesn't write to such chats unless the operator allows it (LINQ_MCP_SEND_CRITICAL=1). Wait "
                "until they write, as Linq advises.",
            )


def check_recipients(
    recipients: Sequence[str], rules: SendSettings, *, silent: Sequence[str] = (), unreadable: int = 0
) -> None:
    """Each person whom the message reaches must be among those whom the operator allows.

    `silent` are those of them who never wrote in the chat, and `unreadable` is how many handles there can't be read.
    """
    if rules.anyone:
        return
    if unreadable:
        people = "1 participant" if unreadable == 1 else f"{unreadable} participants"
        raise NotSentError(
            NotSent.NOT_PERMITTED,
            f"The handle of {people} can't be read, so they may be people whom the operator does not allow "
            "(LINQ_MCP_SEND_TO).",
        )
    if rules.recipients is None:
        if silent:
            raise NotSentError(
                NotSent.NOT_PERMITTED,
                "The operator allows answers only (LINQ_MCP_SEND_TO=known), and there is no message from "
                f"{_some(silent)} to answer. Let them write first, as Linq advises; only the operator can allow more.",
            )
        return
    strangers = [handle for handle in recipients if not _is_listed(handle, rules.recipients)]
    if strangers or not recipients:
        raise NotSentError(
            NotSent.NOT_PERMITTED,
            "The operator's list of recipients (LINQ_MCP_SEND_TO) does not include "
            f"{_some(strangers) or 'anybody in this chat'}. Don't try another chat or address; only the operator can "
            "change the list.",
        )


def _some(handles: Sequence[str]) -> str:
    more = f" and {len(handles) - _NAMED} more" if len(handles) > _NAMED else ""
    return ", ".join(handles[:_NAMED]) + more


def _is_listed(handle: str, listed: Collection[str]) -> bool:
    normal = normal_handle(handle)
    return normal in listed or ("@" in normal and f"@{normal.rpartition('@')[2]}" in listed)
