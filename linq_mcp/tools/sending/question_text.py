"""What a person is told before a message leaves. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from linq_mcp.contacts.directory import Directory
from linq_mcp.rows.message import ME, sender_of, text_of
from linq_mcp.sanitize import clean, quoted
from linq_mcp.tools.base.question import Question
from linq_mcp.tools.sending.gates import ADVICE, Draft
from linq_mcp.tools.sending.message_types import MESSAGE_LIMIT
from linq_mcp.tools.sending.target import Target

if TYPE_CHECKING:
    from linq_mcp.api.models import Message

# Enough to recognise a message by.
_QUOTE_LIMIT = 500


def send_question(target: Target, draft: Draft, directory: Directory, *, answered: Message | None = None) -> Question:
    """The question whether `draft` may go to `target`, with its text to change. `answered` is what it replies to."""
    facts = [
        *_facts(target, directory),
        ("Files", ", ".join(draft.attachments)),
        ("In reply to", _quote(answered, directory) if answered else ""),
        ("Service", f"{draft.service} only" if draft.service else ""),
        ("Effect", draft.effect or ""),
    ]
    return Question(
        subject=target.chat_id or target.recipients[0],
        message=_written("Send this message?", facts, f"Text:\n{draft.text}"),
        text=draft.text,
        text_limit=MESSAGE_LIMIT,
    )


def reaction_question(
    target: Target, message: Message, reaction: str, directory: Directory, *, remove: bool
) -> Question:
    """The question whether `reaction` may be set on `message`, or taken off it."""
    asked = f"Take back the reaction {reaction}?" if remove else f"React with {reaction}?"
    return Question(
        subject=target.chat_id or "",
        message=_written(asked, _facts(target, directory), f"Message: {_quote(message, directory)}"),
        is_message=False,
        yes="Take back" if remove else "React",
        no="Leave it" if remove else "Don't react",
    )


def _facts(target: Target, directory: Directory) -> list[tuple[str, str]]:
    people = [_person(handle, directory) for handle in target.recipients]
    health = target.status or "not reported"
    reputation = f" (reputation: {target.reputation})" if target.reputation else ""
    return [
        ("To", ", ".join(people)),
        ("Group", quoted(target.name) if target.name and target.is_group else ("yes" if target.is_group else "")),
        ("From your line", f"{target.line}{reputation}"),
        ("Chat", "a new one, which this message starts" if target.chat_id is None else ""),
        ("Chat's health", "" if target.chat_id is None else f"{health}. {ADVICE.get(health.casefold(), '')}".strip()),
    ]


def _person(handle: str, directory: Directory) -> str:
    return f"{name} ({handle})" if (name := directory.name_of(handle)) else handle


def _quote(message: Message, directory: Directory) -> str:
    """What `message` says and who wrote it, on one line; nobody knows a message by its id."""
    said, sender = text_of(message), sender_of(message)
    author = "by you" if sender == ME else f"by {_person(sender, directory)}" if sender else "by somebody"
    return f"{quoted(clean(said, _QUOTE_LIMIT)) if said else 'a message without text'}, {author}"


def _written(asked: str, facts: Sequence[tuple[str, str]], end: str) -> str:
    return "\n".join([asked, *(f"{name}: {fact}" for name, fact in facts if fact), end])
