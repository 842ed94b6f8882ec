"""What is told of each request to Linq to whoever counts them: nothing of its path, its key, or its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class LinqRequest:
    """One attempt. `status` is 0 if no answer arrived; `is_retry` means that the same request was sent before."""

    method: str
    status: int
    seconds: float
    is_retry: bool


Observer: TypeAlias = Callable[[LinqRequest], None]
