"""What each client must show: the tools and answers that `.ci/clients` read from the server through a raw pipe.

Uses the standard library only, because each client's script imports it in an environment of its own.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn


@dataclass(frozen=True)
class Call:
    """A call and the answer that came through the pipe: the text block, and the object it contains.

    For a call that must fail, `data` is None and `text` is how the error begins.
    """

    tool: str
    arguments: dict[str, Any]
    text: str
    data: dict[str, Any] | None

    def __str__(self) -> str:
        return f"{self.tool} {json.dumps(self.arguments)}"


@dataclass(frozen=True)
class Sending:
    """A server that may send: how to start it, its tools by name, and a chat for messages."""

    command: list[str]
    tools: dict[str, dict[str, Any]]
    chat_id: str

    def arguments(self, era: str, said: str) -> dict[str, str]:
        """The arguments of send_message. What the person answers stands at the end of the text: yes or no."""
        return {"chat_id": self.chat_id, "text": f"{era}: {said}"}


@dataclass(frozen=True)
class Expected:
    """`command` starts the server; `tools` maps names to tools in the order of the list."""

    command: list[str]
    instructions: str
    tools: dict[str, dict[str, Any]]
    answers: list[Call]
    refusals: list[Call]
    progress: Call
    strict: Call
    sending: Sending

    def report(self, client: str, details: str = "", *, answers: int | None = None) -> None:
        """Write the line that ends a successful script; `answers` is how many were compared, if not all of them."""
        answered = len(self.answers) if answers is None else answers
        counts = f"{len(self.tools)} tools, {answered} answers, {len(self.refusals)} errors"
        sys.stdout.write(f"{client}: {counts}{details}\n")


def read() -> Expected:
    """Read the file that is named on the command line."""
    expected = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sending = expected["sending"]
    return Expected(
        command=expected["command"],
        instructions=expected["instructions"],
        tools={tool["name"]: tool for tool in expected["tools"]},
        answers=[Call(**call) for call in expected["answers"]],
        refusals=[Call(**call) for call in expected["refusals"]],
        progress=Call(**expected["progress"]),
        strict=Call(**expected["strict"]),
        sending=Sending(
            command=sending["command"],
            tools={tool["name"]: tool for tool in sending["tools"]},
            chat_id=sending["chat_id"],
        ),
    )


def same(what: object, got: object, wanted: object) -> None:
    """Fail and show the difference unless `got` equals `wanted`."""
    if got != wanted:
        _end(f"{what}:\n  got    {_shown(got)}\n  wanted {_shown(wanted)}")


def refused(call: Call, *, flagged: bool, text: str) -> None:
    """Fail unless the client shows an error that contains the server's text."""
    same(f"{call}: shown as an error", flagged, wanted=True)
    if call.text not in text:
        _end(f"{call}: the text of the error is missing:\n  got    {_shown(text)}\n  wanted {_shown(call.text)}")


def answer_of_person(question: str) -> dict[str, Any] | None:
    """What the person who is asked fills in; None if they decline."""
    return {"choice": "Send"} if ": yes" in question else None


def sent(era: str, *, flagged: bool, text: str) -> None:
    """Fail unless the client shows that the message was sent to which the person said yes."""
    same(f"{era} send_message, a yes: {text}: shown as an error", flagged, wanted=False)
    same(f"{era} send_message, a yes: sent", json.loads(text)["sent"], wanted=True)


def not_sent(era: str, *, flagged: bool, text: str, because: str = "The person did not agree.") -> None:
    """Fail unless the client shows that nothing was sent, and why."""
    same(f"{era} send_message: shown as an error", flagged, wanted=True)
    if because not in text or "Nothing was sent." not in text:
        _end(f"{era} send_message: it should not have sent, and say: {because}\n  got    {_shown(text)}")


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema as OpenAI's strict mode has it: every member is required, and no other is allowed."""
    return {**schema, "required": list(schema["properties"]), "additionalProperties": False}


def plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Return `schema` without an empty `required`, which means the same as none."""
    return {name: value for name, value in schema.items() if (name, value) != ("required", [])}


@contextmanager
def no_warnings() -> Iterator[None]:
    """Fail if the client logs a warning or issues one, except for deprecations in its own dependencies."""
    logged: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append(f"{record.name}: {record.getMessage()}")

    keep = Keep(logging.WARNING)
    known = [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    loggers = [logging.root, *(logger for logger in known if not logger.propagate)]
    for logger in loggers:
        logger.addHandler(keep)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield
    finally:
        for logger in loggers:
            logger.removeHandler(keep)
    own = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)
    logged += [str(warning.message) for warning in warned if not issubclass(warning.category, own)]
    same("warnings", logged, [])


def _end(problem: str) -> NoReturn:
    """Exit at once, since task groups would wrap an exception in pages of traces. The server exits with its input."""
    sys.stderr.write(f"{problem}\n")
    sys.stderr.flush()
    os._exit(1)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions inside groups of exceptions."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _shortly(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    for leaf in _leaves(error):
        sys.stderr.write(f"{type(leaf).__name__}: {leaf}\n")


# The message matters here; the client's own stack does not.
sys.excepthook = _shortly


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 600 else f"{text[:600]}… ({len(text)} characters)"
