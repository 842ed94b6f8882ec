"""Paths as people paste them into settings."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

_IN_HOME = re.compile(r"(?:~|\$HOME|\$\{HOME\}|%USERPROFILE%|%HOME%)(?:[/\\](.*))?", re.IGNORECASE | re.DOTALL)


def unquoted(value: str) -> str:
    return value.strip("\"'\u201c\u201d")


def read_path(value: str, home: str | None) -> Path:
    """The path `value`, which may be in quotation marks, be a file URL, or begin with the name of the home folder."""
    value = unquoted(value)
    if value.lower().startswith("file://"):
        value = unquote(urlsplit(value).path)
        # On Windows: file:///C:/Users/…
        value = value[1:] if re.match("/[A-Za-z]:", value) else value
    in_home = _IN_HOME.fullmatch(value)
    return Path(home, in_home[1] or "") if in_home and home else Path(value)
