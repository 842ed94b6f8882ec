"""How a tool asks a person before it acts: it puts a `Question` and goes on with the `Consent`, if there is one.

A tool runs up to the question, and, once somebody has agreed, again from its beginning: so everything that it checks
before it acts holds at that moment, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, TypeAlias

from pydantic import Field, PlainValidator, WithJsonSchema, create_model

from linq_mcp.tools.base.parameters import InvalidArgument, ToolArguments

CONFIRM_TOKEN = "confirm_token"  # noqa: S105 - an argument's name
_TOKEN_LIMIT = 2000


def _token(value: Any) -> str:
    if isinstance(value, str) and len(value) <= _TOKEN_LIMIT and value.isprintable():
        return value.strip()
    raise InvalidArgument(f"takes the `{CONFIRM_TOKEN}` of an earlier answer, unchanged")


ConfirmToken: TypeAlias = Annotated[str, PlainValidator(_token), WithJsonSchema({"type": "string"})]
"""The `confirm_token` of an earlier answer."""


def with_confirm_token(arguments: type[ToolArguments]) -> type[ToolArguments]:
    """`arguments` with the token of a second call, for servers where such a call can confirm."""
    description = "Only for the second call, where an answer had one: the same arguments and its confirm_token."
    token: Any = (ConfirmToken | None, Field(None, description=description))
    return create_model(
        arguments.__name__, __base__=arguments, __module__=arguments.__module__, **{CONFIRM_TOKEN: token}
    )


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a person is asked.

    `message` says in whole what is about to happen, `text` is the part of it that they may change, if any, of at most
    `text_limit` characters. `yes` and `no` are the choices. `subject` is the chat, or the person without one.
    `is_message` says that a message leaves, which counts by the hour.
    """

    subject: str
    message: str
    is_message: bool = True
    text: str | None = None
    text_limit: int = 10_000
    yes: str = "Send"
    no: str = "Don't send"

    def fingerprint(self) -> str:
        """The same for the same question only."""
        return sha256(repr(self).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Consent:
    """Somebody's agreement: `text` is what they want sent, and `nonce` is unlike that of any other agreement."""

    nonce: str
    text: str | None
    confirmed_by: str


class ConsentNeeded(Exception):
    """Not an error: `require_consent` ends a run with it that must not go on before `question` is answered."""

    def __init__(self, question: Question) -> None:
        super().__init__("a person has to agree first")
        self.question = question


Ask = Callable[[Question], Consent]


def require_consent(question: Question) -> Consent:
    """The `Ask` of a run to which nobody has agreed yet."""
    raise ConsentNeeded(question)
