"""The answer that shows a file: its facts as text, and the file as a block of its own."""

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


Shown: TypeAlias = Image | Audio


class FileAnswer(dict[str, Any]):
    """The members of a tool's result, and the file if it is `shown`. A text is a member."""

    def __init__(self, facts: Mapping[str, Any], shown: Shown | None = None) -> None:
        super().__init__(facts)
        self.shown = shown
