"""What can be wrong with the settings, and where a key came from, as values. `server.settings_messages` words them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class LaunchedBy(Enum):
    """Who started this process, which decides where its settings are mended."""

    CLIENT = auto()  # an MCP client, from the entry in its configuration
    BUNDLE = auto()  # a desktop application, from an installed bundle and the settings it shows for it
    TERMINAL = auto()  # a person who ran a command such as `linq-mcp doctor`
    SERVICE = auto()  # whoever operates `linq-mcp http`


class KeySource(Enum):
    """Where a Linq API key came from."""

    ENVIRONMENT = auto()
    PROFILE = auto()  # of ~/.linq/config.json
    HEADER = auto()  # of the HTTP request
    DEMO = auto()  # the embedded demo account


class KeyFlaw(Enum):
    """Why a text is not a key."""

    EXAMPLE = auto()  # `your key`, as in the examples
    UNEXPANDED = auto()  # $NAME, ${NAME} or %NAME%
    QUOTES = auto()
    CHARACTER = auto()  # a space, a line break, anything else that an HTTP header can't carry


class UrlFlaw(Enum):
    """Why a text is not a base URL that a key may be sent to."""

    NOT_A_URL = auto()
    NOT_HTTP = auto()
    USER_INFO = auto()
    QUERY = auto()
    PLAIN_HTTP = auto()  # to another machine


@dataclass(frozen=True)
class NoKey:
    """There is no key where one was looked for: in the environment and the config file, or in the request's header."""

    in_header: bool = False


@dataclass(frozen=True)
class UnusableKey:
    """There is a key, but it can't be one. `profile` is set for `KeySource.PROFILE`."""

    source: KeySource
    flaw: KeyFlaw
    profile: str | None = None


@dataclass(frozen=True)
class MissingProfile:
    """The config file lacks the profile that was asked for by `LINQ_PROFILE`, or else by the file itself.

    `known` are the profiles it has, of which `more` are left out.
    """

    profile: str
    by_environment: bool
    known: tuple[str, ...] = ()
    more: int = 0


@dataclass(frozen=True)
class ProfileWithoutToken:
    """The chosen profile of the config file has no token."""

    profile: str


@dataclass(frozen=True)
class UnsafeConfigFile:
    """Other users of this computer may change the config file, so that its key may be theirs."""


@dataclass(frozen=True)
class UnusableBaseUrl:
    """The base URL can't be used."""

    flaw: UrlFlaw


@dataclass(frozen=True)
class UnusableLines:
    """The list of open lines is empty, or has something else than E.164 numbers in it, or `foreign` ones.

    Those are not of the account, which only a request can tell.
    """

    foreign: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnknownTools:
    """The list of open tools is empty or holds names that no tool has: `names`, as far as they may be repeated."""

    names: tuple[str, ...]
    known: tuple[str, ...]


ScopeProblem = UnusableLines | UnknownTools
SettingsProblem = (
    NoKey | UnusableKey | MissingProfile | ProfileWithoutToken | UnsafeConfigFile | UnusableBaseUrl | ScopeProblem
)


class WarningKind(Enum):
    """Why a setting was ignored or deserves attention."""

    PLACEHOLDER = auto()
    UNKNOWN_LOG_LEVEL = auto()
    UNREADABLE_CONFIG_FILE = auto()
    EXPOSED_CONFIG_FILE = auto()  # other users may read it


@dataclass(frozen=True)
class SettingsWarning:
    """Something about the settings that does not keep a call from being made. `variable` is set where it is one."""

    kind: WarningKind
    variable: str | None = None
