"""Reads `~/.linq/config.json`, which `linq login` writes: the token of the chosen profile, or why there is none.

Never raises, and never waits for a FIFO or a device in its place.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from linq_mcp.regular_file import open_regular, others_can_write
from linq_mcp.sanitize import clean
from linq_mcp.settings.problems import (
    MissingProfile,
    NoKey,
    ProfileWithoutToken,
    SettingsProblem,
    SettingsWarning,
    UnsafeConfigFile,
    WarningKind,
)

_SIZE_LIMIT = 1_000_000
_PROFILES_SHOWN = 10
_NAME_LIMIT = 40


@dataclass(frozen=True)
class ProfileToken:
    """The token of `profile`, or the `problem` why there is none; `warnings` are about the file."""

    profile: str | None = None
    token: str | None = None
    problem: SettingsProblem | None = None
    warnings: tuple[SettingsWarning, ...] = ()


@dataclass(frozen=True)
class _File:
    content: bytes
    writable: bool  # by other users
    readable: bool


def read_token(home: str | None, wanted: str | None) -> ProfileToken:
    """The token of the profile `wanted`, or else of the one that the file names, or else of `default`."""
    config: object = None
    warnings: tuple[SettingsWarning, ...] = ()
    try:
        file = _read(Path(home) / ".linq" / "config.json") if home else None
        if file and file.writable:
            return ProfileToken(problem=UnsafeConfigFile())
        if file and file.readable:
            warnings = (SettingsWarning(WarningKind.EXPOSED_CONFIG_FILE),)
        config = json.loads(file.content) if file else None
    except (OSError, ValueError, RecursionError):
        warnings = (SettingsWarning(WarningKind.UNREADABLE_CONFIG_FILE),)
    profile, token, problem = _choose(config if isinstance(config, dict) else {}, wanted)
    return ProfileToken(profile, token, problem, warnings)


def _read(path: Path) -> _File | None:
    """The file, and who can change and read it; None if there is none. Raises OSError if it isn't a regular file."""
    try:
        with open_regular(path) as file:
            mode = 0 if os.name == "nt" else os.fstat(file.fileno()).st_mode
            return _File(
                file.read(_SIZE_LIMIT),
                writable=others_can_write(file, path),
                readable=bool(mode & (stat.S_IRGRP | stat.S_IROTH)),
            )
    except (FileNotFoundError, NotADirectoryError):
        return None


def _choose(config: dict[str, Any], wanted: str | None) -> tuple[str, str | None, SettingsProblem | None]:
    profiles = config.get("profiles")
    profiles = profiles if isinstance(profiles, dict) else {}
    named = config.get("profile")
    named = named if isinstance(named, str) else ""
    name = wanted or named or "default"
    shown = clean(name, _NAME_LIMIT)
    profile = profiles.get(name)
    if isinstance(profile, dict):
        token = profile.get("token")
        token = token.strip() if isinstance(token, str) else ""
        return shown, token or None, None if token else ProfileWithoutToken(shown)
    if not (wanted or named):
        return shown, None, NoKey()
    known = tuple(clean(one, _NAME_LIMIT) for one in islice(profiles, _PROFILES_SHOWN))
    return shown, None, MissingProfile(shown, bool(wanted), known, len(profiles) - len(known))
