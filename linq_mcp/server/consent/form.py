"""The form in which a question reaches a person, and what the answer to it means: pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp import types

from linq_mcp.errors import NotSent, NotSentError
from linq_mcp.sanitize import clean
from linq_mcp.tools.base.question import Question

NO_ANSWER_IN_TIME = "They did not answer the question in time."
# Unlike an empty form, one with a required field is not accepted by hosts that answer for their user.
_CHOICE, _TEXT = "choice", "text"


def form_of(question: Question) -> types.ElicitRequestFormParams:
    """The question as MCP's form: a required choice, and the text if it may be changed."""
    properties: dict[str, Any] = {
        _CHOICE: {"type": "string", "title": "Your decision", "enum": [question.yes, question.no]}
    }
    if question.text is not None:
        properties[_TEXT] = {
            "type": "string",
            "title": "Text (you may change it)",
            "default": question.text,
            "minLength": 1,
            "maxLength": question.text_limit,
        }
    schema = {"type": "object", "properties": properties, "required": [_CHOICE]}
    return types.ElicitRequestFormParams(message=question.message, requested_schema=schema)


def agreed_text(question: Question, answer: types.ElicitResult | None) -> str | None:
    """The text that the person wants sent. Raises `NotSentError` unless the answer says yes to the question.

    An `answer` of None is one that did not come in time.
    """
    if answer is None:
        raise NotSentError(NotSent.DECLINED, NO_ANSWER_IN_TIME)
    if answer.action == "cancel":
        raise NotSentError(NotSent.DECLINED, "The question was closed without an answer, by them or by the client.")
    if answer.action == "decline":
        raise NotSentError(NotSent.DECLINED, "They declined.")
    content: Mapping[str, Any] = answer.content or {}
    if content.get(_CHOICE) == question.no:
        raise NotSentError(NotSent.DECLINED, f"They chose “{question.no}”.")
    if content.get(_CHOICE) != question.yes:
        raise NotSentError(NotSent.INVALID_CONSENT, "The client's answer lacks the required choice.")
    if question.text is None:
        return None
    # Hosts may leave out a field that the person did not touch.
    text = content.get(_TEXT, question.text)
    # What nobody would see is no text.
    if not isinstance(text, str) or not 0 < len(text) <= question.text_limit or not clean(text, None):
        raise NotSentError(
            NotSent.INVALID_CONSENT, f"The text in the answer must have 1 to {question.text_limit:,} characters."
        )
    return text
