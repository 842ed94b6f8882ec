"""What a person is asked before a message leaves. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from unicodedata import bidirectional

from linq_mcp.contacts.directory import Directory, normal_handle
from linq_mcp.rows.message import ME, sender_of, text_of
from linq_mcp.sanitize import clean, quoted
from linq_mcp.tools.base.question import Question
from linq_mcp.tools.sending.gates import ADVICE, Draft
from linq_mcp.tools.sending.message_types import MESSAGE_LIMIT
from linq_mcp.tools.sending.target import Target

if TYPE_CHECKING:
    from linq_mcp.api.models import Message

# Enough to recognise a message, a file and a group by. What others wrote must leave room for the rest.
_QUOTE_LIMIT, _URL_LIMIT, _NAME_LIMIT = 200, 100, 80
_ISOLATE, _END_OF_ISOLATE = "\u2068", "\u2069"
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})


def send_question(
    target: Target,
    draft: Draft,
    directory: Directory,
    *,
    silent: Sequence[str] = (),
    answered: Message | None = None,
) -> Question:
    """The question whether `draft` may go to `target`, with its text to change.

    `silent` are the recipients who never wrote in the chat, `answered` is the message that the draft replies to.
    """
    facts = [
        *_facts(target, directory),
        ("Never wrote here", ", ".join(_person(handle, directory) for handle in silent) if target.chat_id else ""),
        ("Files", ", ".join(clean(url, _URL_LIMIT) for url in draft.attachments)),
        ("In reply to", _quote(answered, directory) if answered else ""),
        ("Service", f"{draft.service} only" if draft.service else ""),
        ("Effect", draft.effect or ""),
    ]
    return Question(
        subject=target.chat_id or normal_handle(target.recipients[0]),
        message=_written("Send this message?", draft.text, facts),
        text=draft.text,
        text_limit=MESSAGE_LIMIT,
    )


def reaction_question(
    target: Target, message: Message, reaction: str, directory: Directory, *, remove: bool
) -> Question:
    """The question whether `reaction` may be set on `message`, or taken off it."""
    asked = (
        f"Take back the reaction {reaction} to this message?" if remove else f"React with {reaction} to this message?"
    )
    return Question(
        subject=target.chat_id or "",
        message=_written(asked, _quote(message, directory), _facts(target, directory)),
        is_message=False,
        yes="Take back" if remove else "React",
        no="Leave it" if remove else "Don't react",
    )


def _facts(target: Target, directory: Directory) -> list[tuple[str, str]]:
    people = [_person(handle, directory) for handle in target.recipients]
    if target.unreadable:
        people.append(
            "somebody whose handle can't be read"
            if target.unreadable == 1
            else f"{target.unreadable} people whose handles can't be read"
        )
    health = target.status or "not reported"
    reputation = f" (reputation: {target.reputation})" if target.reputation else ""
    group = _isolated(quoted(clean(target.name, _NAME_LIMIT))) if target.name else "yes"
    return [
        ("From your line", f"{target.line}{reputation}"),
        ("To", ", ".join(people)),
        ("Group", group if target.is_group else ""),
        ("Chat", "a new one, which this message starts" if target.chat_id is None else ""),
        ("Chat's health", "" if target.chat_id is None else f"{health}. {ADVICE.get(health.casefold(), '')}".strip()),
    ]


def _person(handle: str, directory: Directory) -> str:
    name = directory.name_of(handle)
    return f"{_isolated(name)} ({_isolated(handle)})" if name else _isolated(handle)


def _isolated(text: str) -> str:
    """`text`, kept from reordering its surroundings if it has letters that are written from right to left."""
    if text.isascii() or not any(bidirectional(character) in _RIGHT_TO_LEFT for character in text):
        return text
    return f"{_ISOLATE}{text}{_END_OF_ISOLATE}"


def _quote(message: Message, directory: Directory) -> str:
    """What `message` says and who wrote it, on one line; nobody knows a message by its id."""
    said, sender = text_of(message), sender_of(message)
    author = "by you" if sender == ME else f"by {_person(sender, directory)}" if sender else "by somebody"
    return f"{_isolated(quoted(clean(said, _QUOTE_LIMIT))) if said else 'a message without text'}, {author}"


def _written(asked: str, text: str, facts: Sequence[tuple[str, str]]) -> str:
    """The question with `text` first, marked line by line, so that none of its lines passes for one of the facts."""
    marked = (f"> {line}" for line in text.split("\n"))
    return "\n".join([asked, *marked, *(f"{name}: {fact}" for name, fact in facts if fact)])
