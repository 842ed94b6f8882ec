"""The names of people by their handles. Where the names come from is not decided here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from linq_mcp.handles import read_handle
from linq_mcp.sanitize import HANDLE_LIMIT, clean


@dataclass(frozen=True, slots=True)
class Directory:
    """Names by handle in its normal form.

    `source` says what they were read from, `problems` which entries of it could not be used, and `missing` what is
    amiss with all of it. `found` is whether the names that were asked for are known: True, False, both, or neither yet.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    source: str = ""
    missing: str = ""
    found: set[bool] = field(default_factory=set, compare=False)

    def name_of(self, handle: str | None) -> str:
        """The name of whoever has that handle, or ""."""
        if not handle or not (self.names or self.missing):
            return ""
        name = self.names.get(normal_handle(handle), "")
        self.found.add(bool(name))
        return name


NOBODY = Directory()


def normal_handle(handle: str) -> str:
    """A handle as it is compared; what is no handle is only cleaned."""
    return read_handle(handle) or clean(handle, HANDLE_LIMIT)
