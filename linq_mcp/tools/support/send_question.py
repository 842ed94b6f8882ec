"""What a person is told before a message leaves. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from linq_mcp.rows.directory import Directory
from linq_mcp.rows.message import TEXT_LIMIT
from linq_mcp.sanitize import clean, quoted
from linq_mcp.tools.support.consent import Question
from linq_mcp.tools.support.send_gates import ADVICE, Draft
from linq_mcp.tools.support.send_param_types import MESSAGE_LIMIT
from linq_mcp.tools.support.send_target import Target

_QUOTE_LIMIT = 500


def send_question(target: Target, draft: Draft, directory: Directory, *, answered: str = "") -> Question:
    """The question whether `draft` may go to `target`, with its text to change. `answered` is what it replies to."""
    facts = [
        *_facts(target, directory),
        ("Files", ", ".join(draft.attachments)),
        ("In reply to", quoted(clean(answered, _QUOTE_LIMIT)) if answered else ""),
        ("Service", f"{draft.service} only" if draft.service else ""),
        ("Effect", draft.effect or ""),
    ]
    return Question(
        subject=target.chat_id or target.recipients[0],
        message=_written("Send this message?", facts, f"Text:\n{draft.text}"),
        text=draft.text,
        text_limit=MESSAGE_LIMIT,
    )


def reaction_question(target: Target, message: str, reaction: str, directory: Directory, *, remove: bool) -> Question:
    """The question whether `reaction` may be set on, or taken off, a message that says `message`."""
    asked = f"Take back the reaction {reaction}?" if remove else f"React with {reaction}?"
    quote = f"Message: {quoted(clean(message, TEXT_LIMIT))}" if message else ""
    return Question(
        subject=target.chat_id or "",
        message=_written(asked, _facts(target, directory), quote),
        text=None,
        yes="Take back" if remove else "React",
        no="Leave it" if remove else "Don't react",
    )


def _facts(target: Target, directory: Directory) -> list[tuple[str, str]]:
    people = [f"{name} ({handle})" if (name := directory.name_of(handle)) else handle for handle in target.recipients]
    health = target.status or "not reported"
    reputation = f" (reputation: {target.reputation})" if target.reputation else ""
    return [
        ("To", ", ".join(people)),
        ("Group", quoted(target.name) if target.name and target.is_group else ("yes" if target.is_group else "")),
        ("From your line", f"{target.line}{reputation}"),
        ("Chat", "a new one, which this message starts" if target.chat_id is None else ""),
        ("Chat's health", "" if target.chat_id is None else f"{health}. {ADVICE.get(health.casefold(), '')}".strip()),
    ]


def _written(asked: str, facts: Sequence[tuple[str, str]], quote: str) -> str:
    return "\n".join([asked, *(f"{name}: {fact}" for name, fact in facts if fact), *([quote] if quote else [])])
