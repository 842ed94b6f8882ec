"""The problems that settings can have, and the sources of a key. `wording.settings` has the texts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class LaunchedBy(Enum):
    """Who started this process, which determines where its settings are to be fixed."""

    CLIENT = auto()  # an MCP client, with the entry in its configuration
    BUNDLE = auto()  # a desktop application with an installed bundle, for which it shows settings
    TERMINAL = auto()  # a person who ran a command such as `linq-mcp doctor`
    SERVICE = auto()  # the operator of `linq-mcp http`


class KeySource(Enum):
    """Where a Linq API key came from."""

    ENVIRONMENT = auto()
    PROFILE = auto()  # of ~/.linq/config.json
    HEADER = auto()  # of the HTTP request
    ACCESS_FILE = auto()  # or what it names
    DEMO = auto()  # the embedded demo account


class KeyFlaw(Enum):
    """Why a text can't be a key or token."""

    EXAMPLE = auto()  # `your key`, as in the examples, or another word in its place
    UNEXPANDED = auto()  # ${NAME} or another reference to the value
    ASSIGNMENT = auto()  # NAME=value
    QUOTES = auto()
    CHARACTER = auto()  # a space, a line break, or anything else that an HTTP header can't contain


class UrlFlaw(Enum):
    """Why a text can't be the base URL that the key is sent to."""

    NOT_A_URL = auto()
    NOT_HTTP = auto()
    USER_INFO = auto()
    QUERY = auto()
    PLAIN_HTTP = auto()  # to another machine


@dataclass(frozen=True)
class NoKey:
    """There is no key in the environment and the config file, or, with `in_header`, in the request's header."""

    in_header: bool = False


@dataclass(frozen=True)
class UnusableKey:
    """The value in the place of a key can't be a key. `profile` is set for `KeySource.PROFILE`."""

    source: KeySource
    flaw: KeyFlaw
    profile: str | None = None


@dataclass(frozen=True)
class MissingProfile:
    """The config file does not have the profile that `LINQ_PROFILE`, or else the file itself, names.

    `known` are the profiles that it has, and `more` is how many others are not listed.
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
    """Other users of this computer can change the config file, so its key may not be the user's own."""


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


@dataclass(frozen=True)
class ToolsThatSend:
    """The list of open tools names some that send, which are there only where sending is allowed."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class NoMatchingRule:
    """No rule of the access file is for this caller. `claims` are those of theirs that a rule could name."""

    claims: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnusableRecipients:
    """The list of people whom one may write to is empty, or has an entry that is none of what it takes."""


ScopeProblem = UnusableLines | UnknownTools | ToolsThatSend
SettingsProblem = (
    NoKey
    | UnusableKey
    | MissingProfile
    | ProfileWithoutToken
    | UnsafeConfigFile
    | UnusableBaseUrl
    | NoMatchingRule
    | UnusableRecipients
    | ScopeProblem
)


class WarningKind(Enum):
    """Why a setting was ignored or needs attention."""

    PLACEHOLDER = auto()
    UNKNOWN_LOG_LEVEL = auto()
    UNKNOWN_LOG_SUBJECT = auto()
    UNUSABLE_REGION = auto()  # a time zone or a country
    UNREADABLE_CONFIG_FILE = auto()
    UNUSABLE_SEND_SETTING = auto()
    UNUSABLE_STORE_SETTING = auto()
    EXPOSED_CONFIG_FILE = auto()  # other users can read it


@dataclass(frozen=True)
class SettingsWarning:
    """A flaw in the settings that does not prevent calls. `variable` is the environment variable, or option, if any."""

    kind: WarningKind
    variable: str | None = None

    @property
    def must_be_mended(self) -> bool:
        """Whether a stricter rule than the wanted one applies, or what should last does not."""
        return self.kind in (WarningKind.UNUSABLE_SEND_SETTING, WarningKind.UNUSABLE_STORE_SETTING)
