"""What each client must show: the tools and answers that `.ci/clients` read from the server through a raw pipe.

Imported by the clients' scripts, each of which runs in an environment of its own: the standard library only.
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
    """A call and what the pipe answered: the one text block, and the object in it.

    Of a call that was refused `data` is None, and `text` is what the text begins with.
    """

    tool: str
    arguments: dict[str, Any]
    text: str
    data: dict[str, Any] | None

    def __str__(self) -> str:
        return f"{self.tool} {json.dumps(self.arguments)}"


@dataclass(frozen=True)
class Expected:
    """`command` starts the server; `tools` are as listed, by name, in order."""

    command: list[str]
    instructions: str
    tools: dict[str, dict[str, Any]]
    answers: list[Call]
    refusals: list[Call]
    progress: Call
    strict: Call

    def told(self, client: str, details: str = "", *, answers: int | None = None) -> None:
        """The line a script ends with once everything was as expected; `answers` if not all were asked for."""
        answered = len(self.answers) if answers is None else answers
        counts = f"{len(self.tools)} tools, {answered} answers, {len(self.refusals)} errors"
        sys.stdout.write(f"{client}: {counts}{details}\n")


def read() -> Expected:
    """The file named on the command line."""
    told = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    return Expected(
        command=told["command"],
        instructions=told["instructions"],
        tools={tool["name"]: tool for tool in told["tools"]},
        answers=[Call(**call) for call in told["answers"]],
        refusals=[Call(**call) for call in told["refusals"]],
        progress=Call(**told["progress"]),
        strict=Call(**told["strict"]),
    )


def same(what: object, got: object, wanted: object) -> None:
    """Fail, saying what differs, unless `got` is `wanted`. Members' order in an object does not matter."""
    if got != wanted:
        _end(f"{what}:\n  got    {_shown(got)}\n  wanted {_shown(wanted)}")


def refused(call: Call, *, flagged: bool, text: str) -> None:
    """Fail unless the client shows an error and our words in it."""
    same(f"{call}: shown as an error", flagged, wanted=True)
    if call.text not in text:
        _end(f"{call}: our words are lost:\n  got    {_shown(text)}\n  wanted {_shown(call.text)}")


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """What OpenAI's strict mode makes of an object of plain members: all of them required, no others."""
    return {**schema, "required": list(schema["properties"]), "additionalProperties": False}


def plain(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` without an empty `required`, which is the same as none."""
    return {name: value for name, value in schema.items() if (name, value) != ("required", [])}


@contextmanager
def no_warnings() -> Iterator[None]:
    """Fail on what a client logs or warns of inside; deprecations are between it and its own dependencies."""
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
    """Leave at once: task groups would wrap an exception in pages of traces. The server ends with its input."""
    sys.stderr.write(f"{problem}\n")
    sys.stderr.flush()
    os._exit(1)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions inside of groups."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _shortly(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    for leaf in _leaves(error):
        sys.stderr.write(f"{type(leaf).__name__}: {leaf}\n")


# What a client says is of interest here, not the way through its code.
sys.excepthook = _shortly


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 600 else f"{text[:600]}… ({len(text)} characters)"
