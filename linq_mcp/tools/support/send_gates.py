"""What may be sent, and to whom: each rule a pure function that raises where it forbids a message."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from linq_mcp.errors import ArgumentsError, NotSent, NotSentError
from linq_mcp.rows.directory import normal_handle
from linq_mcp.settings.sending import SendSettings

ADVICE = {
    "healthy": "Linq's advice: send normally.",
    "at_risk": "Linq's advice: slow down, wait for a reply, and don't send the same words again.",
    "critical": "Linq's advice: pause this chat, because its messages probably don't arrive.",
}
# What a phone shows as a link, with or without its scheme.
_LINK = re.compile(r"\bhttps?://\S|\bwww\.\S|\b[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,24}/\S", re.IGNORECASE)


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
        problems.append(f"`{only_imessage[0]}` exists in iMessage only; leave it or `service` out.")
    if is_first:
        problems += [f"`{name}` can't be in the first message of a chat; leave it out." for name in only_imessage]
        if _LINK.search(draft.text):
            problems.append(
                "`text` has a link, and Linq refuses links in the first message of a chat: write first without one."
            )
        if draft.attachments:
            problems.append("`attachments` can't be in the first message of a chat: write first without files.")
    if problems:
        raise ArgumentsError(problems)


def check_health(status: str | None, *, allow_critical: bool) -> None:
    """OPTED_OUT is refused always, CRITICAL unless the operator allows it."""
    match (status or "").casefold():
        case "opted_out":
            raise NotSentError(
                NotSent.OPTED_OUT,
                "They have opted out in this chat. Do not try another chat or line: it holds for all of them until "
                "they write again.",
            )
        case "critical" if not allow_critical:
            raise NotSentError(
                NotSent.CRITICAL,
                "Its health is CRITICAL: messages probably do not arrive, and more of them endanger the line. Linq "
                "advises to wait until they write. The operator can allow it with LINQ_MCP_SEND_CRITICAL=1.",
            )


def check_recipients(recipients: Collection[str], rules: SendSettings, *, have_written: bool) -> None:
    """Everybody whom the message reaches must be among those whom the operator allows."""
    if rules.anyone:
        return
    if rules.recipients is None:
        if not have_written:
            raise NotSentError(
                NotSent.NOT_PERMITTED,
                "They have never written in this chat, and the operator allows answers only (LINQ_MCP_SEND_TO=known). "
                "Linq, too, advises to let people write first.",
            )
        return
    strangers = [handle for handle in recipients if not _is_listed(handle, rules.recipients)]
    if strangers or not recipients:
        raise NotSentError(
            NotSent.NOT_PERMITTED,
            f"{', '.join(strangers[:3]) or 'Nobody'} is not on the operator's list of recipients (LINQ_MCP_SEND_TO).",
        )


def _is_listed(handle: str, listed: Collection[str]) -> bool:
    normal = normal_handle(handle)
    return normal in listed or ("@" in normal and f"@{normal.rpartition('@')[2]}" in listed)
