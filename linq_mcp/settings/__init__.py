"""The environment and `~/.linq/config.json`, read once into one frozen `Settings`.

Nothing here raises: a missing or wrong setting is in `Settings.problem`, so that the server starts and lists its tools,
and each call can say what to fix. No other module reads settings from the environment.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from linq_mcp.region import DEFAULT_REGION, Region
from linq_mcp.settings.config_file import read_token
from linq_mcp.settings.paths import read_path
from linq_mcp.settings.problems import (
    KeyFlaw,
    KeySource,
    LaunchedBy,
    NoKey,
    ScopeProblem,
    SettingsProblem,
    SettingsWarning,
    UnusableBaseUrl,
    UnusableKey,
    UrlFlaw,
    WarningKind,
)
from linq_mcp.settings.region import TIME_ZONE_VARIABLE, read_region
from linq_mcp.settings.scope import read_scope
from linq_mcp.settings.sending import SEND_TO_VARIABLE, SendSettings, read_sending
from linq_mcp.settings.store import STORE_DAYS_VARIABLE, STORE_VARIABLE, StoreSettings, read_store

KEY_VARIABLE = "LINQ_API_V3_API_KEY"
# The header in which callers over HTTP send their own key, if they have one.
KEY_HEADER = "x-linq-api-v3-api-key"
BASE_URL_VARIABLE = "LINQ_API_V3_BASE_URL"
PROFILE_VARIABLE = "LINQ_PROFILE"
LOG_LEVEL_VARIABLE = "LINQ_MCP_LOG_LEVEL"
LOG_SUBJECT_VARIABLE = "LINQ_MCP_LOG_SUBJECT"
CONTACTS_VARIABLE = "LINQ_MCP_CONTACTS"
LINES_VARIABLE = "LINQ_MCP_LINES"
TOOLS_VARIABLE = "LINQ_MCP_TOOLS"
HTTP_TOKEN_VARIABLE = "LINQ_MCP_HTTP_TOKEN"  # noqa: S105 - a name, no token
# The manifest of the desktop bundle sets it to `bundle`; nobody else needs it.
LAUNCHED_BY_VARIABLE = "LINQ_MCP_LAUNCHED_BY"
CONFIG_FILE = "~/.linq/config.json"

DEFAULT_BASE_URL = "https://api.linqapp.com/api/partner"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
# Examples have this where the reader has to fill in a key.
KEY_EXAMPLE = "your key"

# Desktop applications pass an optional setting of a bundle as this literal if it was left empty.
_LEFT_EMPTY = re.compile(r"\$\{user_config\.[^}]*\}")
_UNEXPANDED = re.compile(
    r"\$?\{\{[^{}]*\}\}|\$\{[^}]*\}|\$\([A-Za-z_][A-Za-z0-9_]*\)|\$(env:)?[A-Za-z_][A-Za-z0-9_]*"
    r"|\{([a-z]+:)?[A-Za-z_][A-Za-z0-9_.-]*\}|%[A-Za-z_][A-Za-z0-9_]*%"
)
# A reference that a password manager or a client replaces by the secret: op://vault/item/field, env:NAME.
_REFERENCE = re.compile(r"[a-z][a-z0-9+.-]*://.*|(env|file|secret|vault|keyring|keychain):.*", re.IGNORECASE)
_EXAMPLE_KEY = re.compile(
    r"<[^<>]*>|\[[^][]*\]"
    r"|[\"'`]?((insert|enter|paste|put|your|my|the|a|linq|api|v3|secret|real|example|dummy)[ _-]*)*(key|token)"
    r"([ _-]*here)?[\"'`]?"
    r"|(change|replace|fill)[ _-]*(me|this|in)|(secret|example|placeholder|todo|tbd|none|null|undefined)"
    r"|([a-z]{1,8}[_-])*x{3,64}|\*{3,}|\.{3,}|…",
    re.IGNORECASE,
)
_ASSIGNMENT = re.compile(r"(export +|set +|\$env:)?[A-Za-z_][A-Za-z0-9_]{0,63} *= *+(?!=*$).+")
_LONGEST_KEY = 1000
# Stricter than urlsplit, which finds the host ::1 in `evil.com[::1]`.
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]*)?")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Effective configuration.

    `base_url` ends without `/v3` and without a slash. `profile` is the one that the key came from, if `key_source` is
    `PROFILE`, and `profile_is_set` is whether `LINQ_PROFILE` chose it. `lines` and `tools` are those that are open; if
    empty, all are. `problem` is why no call can be made, if there is a reason; `base_url_problem` and `scope_problem`
    are its parts that do not concern the key. `contacts` is the file with the names of people; whether it can be read
    turns out at the first call. `http_token` is the bearer token that callers of `linq-mcp http` must send when they
    use the server's own key; `http_token_flaw` says why the one that was set can't be used. `sending` is None where
    the server only reads. `region` has the time zone of times and the country of national numbers. `store` is where
    readings are kept.
    """

    api_key: SecretStr | None = None
    key_source: KeySource | None = None
    profile: str | None = None
    profile_is_set: bool = False
    base_url: str = DEFAULT_BASE_URL
    base_url_is_set: bool = False
    log_level: str = "WARNING"
    log_level_is_set: bool = False
    log_subject: bool = False
    contacts: Path | None = None
    http_token: SecretStr | None = None
    http_token_flaw: KeyFlaw | None = None
    lines: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    sending: SendSettings | None = None
    region: Region = DEFAULT_REGION
    store: StoreSettings = field(default_factory=StoreSettings)
    time_zone_is_set: bool = False
    launched_by: LaunchedBy = LaunchedBy.CLIENT
    problem: SettingsProblem | None = None
    base_url_problem: UnusableBaseUrl | None = None
    scope_problem: ScopeProblem | None = None
    warnings: tuple[SettingsWarning, ...] = ()

    @property
    def keyless_problem(self) -> SettingsProblem | None:
        """The problem that blocks all calls, whatever the key."""
        return self.base_url_problem or self.scope_problem


def load_settings(
    environ: Mapping[str, str],
    *,
    launched_by: LaunchedBy | None = None,
    options: Mapping[str, str | None] | None = None,
    known_tools: Collection[str] | None = None,
    send_tools: Collection[str] = (),
    allow_send: bool = False,
) -> Settings:
    """Read `environ` and the config file in the home folder that it names. Never raises.

    Without `launched_by`, it is the bundle if `environ` says so, and otherwise the client. `options` are values from
    the command line that replace `LINQ_MCP_LINES` and `LINQ_MCP_TOOLS`; the names in the latter must be among
    `known_tools`, and not among `send_tools` unless sending is allowed. `allow_send` allows it whatever `environ` says.
    """
    warnings: list[SettingsWarning] = []
    base_url = _value(environ, BASE_URL_VARIABLE, warnings)
    base_url_flaw = None if base_url is None else url_flaw(base_url)
    base_url_problem = UnusableBaseUrl(base_url_flaw) if base_url_flaw else None
    key, key_source, profile, key_problem = _find_key(environ, warnings)
    lines, tools = (_listed(environ, options or {}, name) for name in (LINES_VARIABLE, TOOLS_VARIABLE))
    log_level = _value(environ, LOG_LEVEL_VARIABLE, warnings)
    contacts = _value(environ, CONTACTS_VARIABLE, warnings)
    http_token = environ.get(HTTP_TOKEN_VARIABLE, "").strip()
    http_token_flaw = key_flaw(http_token) if http_token else None
    store = read_store(
        # A placeholder in place of the days would keep everything for ever.
        lambda name: _listed(environ, {}, name) if name == STORE_DAYS_VARIABLE else _value(environ, name, warnings),
        lambda name: warnings.append(SettingsWarning(WarningKind.UNUSABLE_STORE_SETTING, name)),
        option=(options or {}).get(STORE_VARIABLE),
        home=_home(environ),
    )
    if launched_by is None:
        launched_by = LaunchedBy.BUNDLE if environ.get(LAUNCHED_BY_VARIABLE) == "bundle" else LaunchedBy.CLIENT
    region = read_region(
        lambda name: _value(environ, name, warnings),
        lambda name: warnings.append(SettingsWarning(WarningKind.UNUSABLE_REGION, name)),
        use_computers_zone=launched_by is not LaunchedBy.SERVICE,
    )
    sending = read_sending(
        # A placeholder among the lists of what is open would open everything, or everybody.
        lambda name: _listed(environ, {}, name) if name == SEND_TO_VARIABLE else _value(environ, name, warnings),
        lambda name: warnings.append(SettingsWarning(WarningKind.UNUSABLE_SEND_SETTING, name)),
        allowed=allow_send,
        country=region.country,
    )
    scope = read_scope(lines, tools, known_tools, () if sending else send_tools, region.country)
    return Settings(
        api_key=SecretStr(key) if key else None,
        key_source=key_source,
        profile=profile,
        profile_is_set=profile is not None and _value(environ, PROFILE_VARIABLE, []) is not None,
        base_url=DEFAULT_BASE_URL if base_url is None or base_url_flaw else _without_version(base_url),
        base_url_is_set=base_url is not None,
        log_level=_log_level(log_level, warnings),
        log_level_is_set=log_level is not None,
        log_subject=_log_subject(_value(environ, LOG_SUBJECT_VARIABLE, warnings), warnings),
        contacts=read_path(contacts, _home(environ)) if contacts else None,
        http_token=SecretStr(http_token) if http_token and not http_token_flaw else None,
        http_token_flaw=http_token_flaw,
        lines=scope.lines,
        tools=scope.tools,
        sending=sending,
        region=region,
        store=store,
        time_zone_is_set=_value(environ, TIME_ZONE_VARIABLE, []) is not None,
        launched_by=launched_by,
        problem=base_url_problem or scope.problem or key_problem,
        base_url_problem=base_url_problem,
        scope_problem=scope.problem,
        warnings=tuple(warnings),
    )


def key_flaw(text: str) -> KeyFlaw | None:
    """Why `text` can't be used as a key or token, and thus as the value of a header; None if it can."""
    if len(text) > _LONGEST_KEY:
        return KeyFlaw.CHARACTER
    if _EXAMPLE_KEY.fullmatch(text):
        return KeyFlaw.EXAMPLE
    if _UNEXPANDED.fullmatch(text) or _REFERENCE.fullmatch(text):
        return KeyFlaw.UNEXPANDED
    if _ASSIGNMENT.fullmatch(text):
        return KeyFlaw.ASSIGNMENT
    # JSON would also escape a backslash, so that the key could not be found and redacted there.
    if re.search(r"[\"'`\\]", text):
        return KeyFlaw.QUOTES
    return None if re.fullmatch(r"[\x21-\x7e]+", text) else KeyFlaw.CHARACTER


def is_loopback(base_url: str) -> bool:
    """Whether `base_url` leads to this machine."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _value(environ: Mapping[str, str], name: str, warnings: list[SettingsWarning]) -> str | None:
    """The value of a variable; None if it is unset, blank, or a placeholder."""
    value = environ.get(name, "").strip()
    if not value or _LEFT_EMPTY.fullmatch(value):
        return None
    if _UNEXPANDED.fullmatch(value):
        warnings.append(SettingsWarning(WarningKind.PLACEHOLDER, name))
        return None
    return value


def _listed(environ: Mapping[str, str], options: Mapping[str, str | None], name: str) -> str | None:
    """A list that narrows what is open. A placeholder or a blank option would open everything: they are kept."""
    if (given := options.get(name)) is not None:
        return given
    value = environ.get(name, "").strip()
    return None if _LEFT_EMPTY.fullmatch(value) else value or None


def _home(environ: Mapping[str, str]) -> str | None:
    return environ.get("HOME") or environ.get("USERPROFILE")


def url_flaw(value: str) -> UrlFlaw | None:
    """Why `value` can't be the URL of a service to which secrets go; None if it can."""
    try:
        url = urlsplit(value)
        host, _ = url.hostname, url.port
    except ValueError:
        return UrlFlaw.NOT_A_URL
    if url.scheme not in ("http", "https") or not host or re.search(r"[^\x21-\x7e]", value):
        return UrlFlaw.NOT_HTTP
    if "@" in url.netloc:
        return UrlFlaw.USER_INFO
    if "?" in value or "#" in value:
        return UrlFlaw.QUERY
    if not _AUTHORITY.fullmatch(url.netloc):
        return UrlFlaw.NOT_HTTP
    return UrlFlaw.PLAIN_HTTP if url.scheme == "http" and not is_loopback(value) else None


def _without_version(base_url: str) -> str:
    path = urlsplit(base_url).path
    address = base_url.removesuffix(path)
    while path != (shorter := path.rstrip("/").removesuffix("/v3")):
        path = shorter
    return address + path


def _find_key(
    environ: Mapping[str, str], warnings: list[SettingsWarning]
) -> tuple[str | None, KeySource | None, str | None, SettingsProblem | None]:
    """The key, its source, and its profile, or the reason why there is no usable key."""
    key = environ.get(KEY_VARIABLE, "").strip()
    if _LEFT_EMPTY.fullmatch(key):
        key = ""
    flaw = key_flaw(key) if key else None
    if key and flaw is None:
        return key, KeySource.ENVIRONMENT, None, None
    if flaw not in (None, KeyFlaw.EXAMPLE, KeyFlaw.UNEXPANDED):
        return None, None, None, UnusableKey(KeySource.ENVIRONMENT, flaw)
    found = read_token(_home(environ), _value(environ, PROFILE_VARIABLE, warnings))
    warnings += found.warnings
    if found.token is None:
        placeholder = UnusableKey(KeySource.ENVIRONMENT, flaw) if flaw else None
        return None, None, None, placeholder if placeholder and found.problem == NoKey() else found.problem
    if flaw:
        warnings.append(SettingsWarning(WarningKind.PLACEHOLDER, KEY_VARIABLE))
    if flaw := key_flaw(found.token):
        return None, None, None, UnusableKey(KeySource.PROFILE, flaw, found.profile)
    return found.token, KeySource.PROFILE, found.profile, None


def _log_level(value: str | None, warnings: list[SettingsWarning]) -> str:
    if value is None:
        return "WARNING"
    if value.upper() in LOG_LEVELS:
        return value.upper()
    warnings.append(SettingsWarning(WarningKind.UNKNOWN_LOG_LEVEL, LOG_LEVEL_VARIABLE))
    return "WARNING"


def _log_subject(value: str | None, warnings: list[SettingsWarning]) -> bool:
    # A typo must not leave an operator without the audit that they asked for.
    if value not in (None, "0", "1"):
        warnings.append(SettingsWarning(WarningKind.UNKNOWN_LOG_SUBJECT, LOG_SUBJECT_VARIABLE))
    return value not in (None, "0")
