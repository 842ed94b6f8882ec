"""An answer that shows a file: what there is to say about it, as in any answer, and the file as a client shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Image:
    data: bytes
    mime_type: str


@dataclass(frozen=True, slots=True)
class Audio:
    data: bytes
    mime_type: str


@dataclass(frozen=True, slots=True)
class Link:
    """Where a file is that is not shown."""

    url: str
    name: str
    mime_type: str
    size: int | None


Shown: TypeAlias = Image | Audio | Link


class FileAnswer(dict[str, Any]):
    """The members of a tool's result, and the file as it is `shown`, unless it is text, which is a member."""

    def __init__(self, facts: Mapping[str, Any], shown: Shown | None = None) -> None:
        super().__init__(facts)
        self.shown = shown
