"""The settings of the store: where what was read is kept, and for how long it is used."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr

from linq_mcp.settings.paths import read_path, unquoted

STORE_OPTION = "--store"
STORE_VARIABLE = "LINQ_MCP_STORE"
MAX_AGE_VARIABLE = "LINQ_MCP_MAX_AGE"
STORE_DAYS_VARIABLE = "LINQ_MCP_STORE_DAYS"

# What is shown in place of the address of a database.
DATABASE_EXAMPLE = "postgresql://USER:PASSWORD@HOST/DATABASE"

DEFAULT_MAX_AGE = 60.0
# The name of the file where the store is given a folder, as people choose one in the settings of the desktop bundle.
_FILE = "linq-mcp.sqlite"
_DATABASE = re.compile("postgres(ql)?://")
_ADDRESS = re.compile("(?!file:)[A-Za-z][A-Za-z0-9+.-]*://", re.IGNORECASE)
# A name in front that nobody has replaced (`~ann`, `$DATA`) would become a folder of that name.
_UNUSABLE_PATH = re.compile("[~$%]|.*\0", re.DOTALL)
LONGEST_AGE = 86_400
MOST_DAYS = 3650


@dataclass(frozen=True, kw_only=True)
class StoreSettings:
    """`path` is the file in which readings are kept, `url` the PostgreSQL database; without either, they are in memory.

    `by_option` is whether `--store` gave the path. A reading is fresh for `max_age` seconds. What was not read again
    for `days` days is dropped (None: never).
    """

    path: Path | None = None
    by_option: bool = False
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
    return bool(_ADDRESS.match(unquoted(text)))


def read_store(
    value: Callable[[str], str | None], warn: Callable[[str], None], *, option: str | None, home: str | None
) -> StoreSettings:
    """Read the variables by `value`, but for the store where the command line has an `option` for it.

    `warn` is called with the name of each one whose value can't be used. Then the default applies. With unusable days,
    everything is kept in memory: neither for good, nor dropped too early, as Linq may not have it any more.
    """

    def number(name: str, read: Callable[[str], float], lowest: float, highest: float) -> float | None:
        text = value(name)
        if text is None:
            return None
        try:
            found = read(text)
        except ValueError:
            found = -1.0
        if lowest <= found <= highest:
            return found
        warn(name)
        return None

    text = unquoted(option or value(STORE_VARIABLE) or "")
    url = SecretStr(text) if _DATABASE.match(text) else None
    path = read_path(text, home) if text and not is_address(text) else None
    if text and not url and (path is None or _UNUSABLE_PATH.match(str(path))):
        warn(STORE_OPTION if option else STORE_VARIABLE)
        path = None
    # A path that can't be looked at fails when it is opened, which says why.
    with contextlib.suppress(OSError):
        if path and path.is_dir():
            path /= _FILE
    max_age = number(MAX_AGE_VARIABLE, float, 0, LONGEST_AGE)
    days = number(STORE_DAYS_VARIABLE, int, 1, MOST_DAYS)
    if days is None and value(STORE_DAYS_VARIABLE) is not None:
        path = url = None
    return StoreSettings(
        path=path,
        by_option=bool(option),
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
