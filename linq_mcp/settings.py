"""The environment and `~/.linq/config.json`, read once into one frozen `Settings`.

Nothing here fails: what is missing or wrong is kept as `Settings.problem`, so that the server
starts and lists its tools and each call can say what to mend. Nothing else reads the environment.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from linq_mcp.sanitize import clean

KEY_VARIABLE = "LINQ_API_V3_API_KEY"
BASE_URL_VARIABLE = "LINQ_API_V3_BASE_URL"
PROFILE_VARIABLE = "LINQ_PROFILE"
LOG_LEVEL_VARIABLE = "LINQ_MCP_LOG_LEVEL"
HTTP_TOKEN_VARIABLE = "LINQ_MCP_HTTP_TOKEN"  # noqa: S105 - a name, no token
CONFIG_FILE = "~/.linq/config.json"

DEFAULT_BASE_URL = "https://api.linqapp.com/api/partner"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_NO_KEY = (
    f"No Linq API key is set. Put {KEY_VARIABLE} into the `env` block of this server's entry in the client's "
    "configuration and restart the client, or run `linq login` in a terminal and call again."
)
# A desktop bundle hands over an unset optional setting as this literal.
_UNFILLED = re.compile(r"\$\{[^}]*\}")
# Stricter than urlsplit, which finds the host ::1 in `evil.com[::1]`.
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]*)?")
_CONFIG_FILE_LIMIT = 1_000_000
_PROFILES_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a run of linq-mcp goes by.

    `base_url` ends without `/v3` and without a slash. `key_source` says in words where the key came
    from. `problem` is the text for the user when no call can be made as things stand, else None, and
    `base_url_problem` its part that has nothing to do with a key; `warnings` are texts on settings that were passed
    over. `http_token` is what callers of `linq-mcp http` show when they use the server's own key.
    """

    api_key: SecretStr | None = None
    key_source: str | None = None
    base_url: str = DEFAULT_BASE_URL
    base_url_is_set: bool = False
    log_level: str = "WARNING"
    log_level_is_set: bool = False
    http_token: SecretStr | None = None
    problem: str | None = None
    base_url_problem: str | None = None
    warnings: tuple[str, ...] = field(default=())


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read `environ` and the config file in the home folder that it names. Never raises."""
    warnings: list[str] = []
    base_url, base_url_problem = _base_url(_value(environ, BASE_URL_VARIABLE))
    key, key_source, key_problem = _key(environ, warnings)
    return Settings(
        api_key=SecretStr(key) if key else None,
        key_source=key_source,
        base_url=base_url,
        base_url_is_set=_value(environ, BASE_URL_VARIABLE) is not None,
        log_level_is_set=_value(environ, LOG_LEVEL_VARIABLE) is not None,
        log_level=_log_level(_value(environ, LOG_LEVEL_VARIABLE), warnings),
        http_token=SecretStr(token) if (token := _value(environ, HTTP_TOKEN_VARIABLE)) else None,
        problem=base_url_problem or key_problem,
        base_url_problem=base_url_problem,
        warnings=tuple(warnings),
    )


def is_key(text: str) -> bool:
    """Whether `text` has the form of a key, and so of a header's value."""
    return re.fullmatch(r"[\x21-\x7e]{1,1000}", text) is not None


def is_loopback(base_url: str) -> bool:
    """Whether `base_url` leads to this very machine."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _value(environ: Mapping[str, str], name: str) -> str | None:
    value = environ.get(name, "").strip()
    return None if not value or _UNFILLED.fullmatch(value) else value


def _base_url(value: str | None) -> tuple[str, str | None]:
    if value is None:
        return DEFAULT_BASE_URL, None

    def refuse(why: str) -> tuple[str, str]:
        # The value itself is not repeated: people have pasted keys into it.
        return DEFAULT_BASE_URL, (
            f"{BASE_URL_VARIABLE} can't be used. {why} Unset it to use {DEFAULT_BASE_URL}, or give a URL of that "
            "form, then restart the client."
        )

    try:
        url = urlsplit(value)
        host, _ = url.hostname, url.port
    except ValueError:
        return refuse("It is not a URL.")
    if url.scheme not in ("http", "https") or not host or re.search(r"[^\x21-\x7e]", value):
        return refuse("It must be a whole http or https URL.")
    if "@" in url.netloc:
        return refuse("It must not hold a user name or password.")
    if "?" in value or "#" in value:
        return refuse("It must not have a query or fragment.")
    if not _AUTHORITY.fullmatch(url.netloc):
        return refuse("It must be a whole http or https URL.")
    if url.scheme == "http" and not is_loopback(value):
        return refuse("Plain http would send the API key in the clear; use https (http only to this machine).")
    path = re.sub(r"(/+v3)*/*$", "", url.path)
    return value.removesuffix(url.path) + path, None


def _key(environ: Mapping[str, str], warnings: list[str]) -> tuple[str | None, str | None, str | None]:
    """The key, where it came from, and the problem that leaves no key to use."""
    key = _value(environ, KEY_VARIABLE)
    source = f"the environment variable {KEY_VARIABLE}"
    problem = _NO_KEY
    if key is None:
        key, source, found = _profile_key(environ, warnings)
        problem = f"{_NO_KEY} {found}" if found else _NO_KEY
    if key is None:
        return None, None, problem
    if not is_key(key):
        why = "It has a space, line break or other character no key has"
        return None, None, f"The Linq API key can't be used. {why}. It came from {source}."
    return key, source, None


def _profile_key(environ: Mapping[str, str], warnings: list[str]) -> tuple[str | None, str, str | None]:
    """The token of the chosen profile, where it came from, and what is worth saying when there is none."""
    home = environ.get("HOME") or environ.get("USERPROFILE")
    wanted = _value(environ, PROFILE_VARIABLE)
    config = _config(Path(home) / ".linq" / "config.json", warnings) if home else {}
    profiles = config.get("profiles")
    profiles = profiles if isinstance(profiles, dict) else {}
    chosen = config.get("profile")
    name = wanted or (chosen if isinstance(chosen, str) and chosen else "default")
    source = f"the profile {clean(name, 40)!r} of {CONFIG_FILE}"
    profile = profiles.get(name)
    if not isinstance(profile, dict):
        if wanted or name == chosen:
            shown = [clean(known, 40) for known in islice(profiles, _PROFILES_SHOWN)]
            more = [f"{len(profiles) - len(shown)} more"] if len(profiles) > len(shown) else []
            why = (
                f"{PROFILE_VARIABLE if wanted else CONFIG_FILE} asks for the profile {clean(name, 40)!r}, which "
                f"{CONFIG_FILE} does not have (profiles there: {', '.join([*shown, *more]) or 'none'})."
            )
            return None, source, why
        return None, source, None
    token = profile.get("token")
    token = token.strip() if isinstance(token, str) else ""
    return token or None, source, None if token else f"Found {source}, but it has no token."


def _config(path: Path, warnings: list[str]) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            config = json.loads(file.read(_CONFIG_FILE_LIMIT))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        warnings.append(f"{CONFIG_FILE} could not be read as JSON and was passed over.")
        return {}
    return config if isinstance(config, dict) else {}


def _log_level(value: str | None, warnings: list[str]) -> str:
    if value is None:
        return "WARNING"
    if value.upper() in LOG_LEVELS:
        return value.upper()
    warnings.append(f"{LOG_LEVEL_VARIABLE} must be one of {', '.join(LOG_LEVELS)}; WARNING is used.")
    return "WARNING"
