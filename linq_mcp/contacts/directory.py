"""The names of people by their handles. Where the names come from is not decided here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from linq_mcp.handles import read_handle
from linq_mcp.sanitize import HANDLE_LIMIT, clean


@dataclass(frozen=True, slots=True)
class Directory:
    """Names by handle in its normal form. `problems` says which entries of the source could not be used."""

    names: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def name_of(self, handle: str | None) -> str:
        """The name of whoever has that handle, or ""."""
        return self.names.get(normal_handle(handle), "") if handle and self.names else ""


NOBODY = Directory()


def normal_handle(handle: str) -> str:
    """A handle as it is compared; what is no handle is only cleaned."""
    return read_handle(handle) or clean(handle, HANDLE_LIMIT)
