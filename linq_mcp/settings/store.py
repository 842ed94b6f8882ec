"""The settings of the store: where what was read is kept, and for how long it is used."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr

STORE_VARIABLE = "LINQ_MCP_STORE"
MAX_AGE_VARIABLE = "LINQ_MCP_MAX_AGE"
STORE_DAYS_VARIABLE = "LINQ_MCP_STORE_DAYS"

# What is shown in place of the address of a database.
DATABASE_EXAMPLE = "postgresql://USER:PASSWORD@HOST/DATABASE"

DEFAULT_MAX_AGE = 60.0
# The name of the file where the store is given a folder, as people choose one in the settings of the desktop bundle.
_FILE = "linq-mcp.sqlite"
_DATABASE = re.compile("postgres(ql)?://")
_ADDRESS = re.compile("[A-Za-z][A-Za-z0-9+.-]*://")
_LONGEST_AGE = 86_400.0
_MOST_DAYS = 3650


@dataclass(frozen=True, kw_only=True)
class StoreSettings:
    """`path` is the file in which readings are kept, `url` the PostgreSQL database; without either, they are in memory.

    A reading is fresh for `max_age` seconds. What was not read again for `days` days is dropped (None: never).
    """

    path: Path | None = None
    url: SecretStr | None = None
    max_age: float = DEFAULT_MAX_AGE
    days: int | None = None

    @property
    def lasts(self) -> bool:
        """Whether what is kept outlives the process."""
        return bool(self.path or self.url)

    def in_memory(self) -> StoreSettings:
        return replace(self, path=None, url=None)


def is_address(text: str) -> bool:
    """Whether `text` is the address of a server, which may hold a password, rather than a path."""
    return bool(_ADDRESS.match(text))


def read_store(value: Callable[[str], str | None], warn: Callable[[str], None]) -> StoreSettings:
    """The settings, of which `value` gives those that are set, by name; `warn` is given the names of unusable ones."""

    def number(name: str, lowest: float, highest: float) -> float | None:
        text = value(name)
        if text is None:
            return None
        try:
            found = float(text)
        except ValueError:
            found = -1.0
        if lowest <= found <= highest:
            return found
        warn(name)
        return None

    text = value(STORE_VARIABLE)
    url = SecretStr(text) if text and _DATABASE.match(text) else None
    if text and is_address(text) and not url:
        warn(STORE_VARIABLE)
        text = None
    path = Path(text).expanduser() if text and not url else None
    if path and path.is_dir():
        path /= _FILE
    max_age = number(MAX_AGE_VARIABLE, 0, _LONGEST_AGE)
    days = number(STORE_DAYS_VARIABLE, 1, _MOST_DAYS)
    return StoreSettings(
        path=path,
        url=url,
        max_age=DEFAULT_MAX_AGE if max_age is None else max_age,
        days=None if days is None else int(days),
    )


def store_variables(store: StoreSettings) -> dict[str, str]:
    """The variables to set for the same store: those whose values are not the default. A password has to be put in."""
    values = {
        # A client may start its servers in any folder.
        STORE_VARIABLE: str(store.path.absolute()) if store.path else DATABASE_EXAMPLE if store.url else "",
        MAX_AGE_VARIABLE: f"{store.max_age:g}" if store.max_age != DEFAULT_MAX_AGE else "",
        STORE_DAYS_VARIABLE: str(store.days or ""),
    }
    return {name: value for name, value in values.items() if value}
