"""The texts for `settings.problems`: the mistake in a setting, and how to fix it where this process was started.

`wording.errors` and the command line use them. No text repeats a key, or a value that might be
one.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import assert_never

from linq_mcp.sanitize import clean
from linq_mcp.settings import (
    BASE_URL_VARIABLE,
    CONFIG_FILE,
    DEFAULT_BASE_URL,
    KEY_EXAMPLE,
    KEY_HEADER,
    KEY_VARIABLE,
    LINES_VARIABLE,
    LOG_LEVELS,
    PROFILE_VARIABLE,
    TOOLS_VARIABLE,
    Settings,
)
from linq_mcp.settings.problems import (
    KeyFlaw,
    KeySource,
    LaunchedBy,
    MissingProfile,
    NoKey,
    NoMatchingRule,
    ProfileWithoutToken,
    SettingsProblem,
    SettingsWarning,
    ToolsThatSend,
    UnknownTools,
    UnsafeConfigFile,
    UnusableBaseUrl,
    UnusableKey,
    UnusableLines,
    UnusableRecipients,
    UrlFlaw,
    WarningKind,
)
from linq_mcp.settings.region import COUNTRY_VARIABLE
from linq_mcp.settings.sending import SEND_TO_VARIABLE, SEND_VARIABLE
from linq_mcp.settings.store import (
    DATABASE_EXAMPLE,
    DEFAULT_MAX_AGE,
    LONGEST_AGE,
    MAX_AGE_VARIABLE,
    MOST_DAYS,
    STORE_DAYS_VARIABLE,
    STORE_OPTION,
    STORE_VARIABLE,
)

SETTINGS_HEADLINES = {
    "no_key": "No Linq API key is set.",
    "odd_key": "The Linq API key can't be used.",
    "base_url": f"{BASE_URL_VARIABLE} can't be used.",
    "lines": "The list of open lines can't be used.",
    "tools": "The list of open tools can't be used.",
    "recipients": f"{SEND_TO_VARIABLE} can't be used.",
    "nothing_open": "Nothing on this server is open to you.",
}

_URL_FLAWS = {
    UrlFlaw.NOT_A_URL: "It is not a URL.",
    UrlFlaw.NOT_HTTP: "It must be a complete http or https URL.",
    UrlFlaw.USER_INFO: "It must not contain a user name or password.",
    UrlFlaw.QUERY: "It must not have a query or a fragment.",
    UrlFlaw.PLAIN_HTTP: (
        "Over plain http the API key would travel unencrypted; use https (http works only to this machine)."
    ),
}
# The values that a setting of the store takes, and the rule until a wrong one is corrected.
_NO_STORE = "until that is corrected, what is read is kept in memory only"
_STORE_SETTINGS = {
    STORE_OPTION: f"takes the path of a file or folder; {_NO_STORE}",
    STORE_VARIABLE: f"takes the path of a file or folder, or a database's address, {DATABASE_EXAMPLE}; {_NO_STORE}",
    STORE_DAYS_VARIABLE: f"takes a number of days, 1 to {MOST_DAYS}; {_NO_STORE}",
    MAX_AGE_VARIABLE: (
        f"takes a number of seconds, 0 to {LONGEST_AGE}; until that is corrected, {DEFAULT_MAX_AGE:g} is used"
    ),
}
_CALLERS_KEY = (
    f"This server reads Linq with each caller's own key: send it in the header {KEY_HEADER} (under `headers` in the "
    "client's configuration of this server), then call again."
)
# Providers name claims of their own after URLs.
_CLAIM_LIMIT, _CLAIMS_SHOWN = 80, 30
_PROTECT = f"chmod go-w {PurePosixPath(CONFIG_FILE).parent} {CONFIG_FILE}"
_HIDE = f"chmod go-r {CONFIG_FILE}"


@dataclass(frozen=True)
class _Place:
    """Where settings are corrected, for one way of starting this process, and what makes a correction count."""

    where: str
    then: str
    who: str = ""
    login: str = "run `linq login` in a terminal"


_PLACES = {
    LaunchedBy.CLIENT: _Place(
        "in the `env` block of this server's entry in the client's configuration", "then restart the client"
    ),
    LaunchedBy.BUNDLE: _Place("in the settings of this extension", "then restart the application"),
    LaunchedBy.TERMINAL: _Place("in this terminal", "then run this command again", login="run `linq login`"),
    LaunchedBy.SERVICE: _Place(
        "in the service's environment",
        "then restart the server",
        "The operator of this server has to ",
        "run `linq login` as the service's user",
    ),
}
# The option, or "", and the field in the settings of the desktop bundle that do the same as a variable.
_SAME = {
    KEY_VARIABLE: ("", "Linq API key"),
    BASE_URL_VARIABLE: ("", "API base URL"),
    LINES_VARIABLE: ("--lines", "Open lines"),
    TOOLS_VARIABLE: ("--tools", "Open tools"),
    SEND_TO_VARIABLE: ("", "Recipients"),
    STORE_VARIABLE: (STORE_OPTION, "Keep what was read"),
    f"{SEND_VARIABLE}=1": ("--allow-send", "Allow sending"),
}


def _remedy(launched_by: LaunchedBy, action: str, variable: str, *others: str) -> str:
    """`action` done to the setting, or one of the `others`, in the words of the place: one sentence."""
    place, (option, field) = _PLACES[launched_by], _SAME[variable]
    if launched_by is LaunchedBy.BUNDLE:
        ways = [f"{action.format(f'`{field}`')} {place.where}", *others]
    else:
        ways = [f"{action.format(variable)} {place.where}", *([f"`{option}`"] if option else []), *others]
    return _sentence(f"{place.who}{', or '.join(ways)}, {place.then}.")


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _give_key(launched_by: LaunchedBy) -> str:
    text = _remedy(launched_by, "set {}", KEY_VARIABLE, _PLACES[launched_by].login)
    if launched_by is LaunchedBy.TERMINAL:
        text += (
            " An assistant's client does not see the variables of this terminal: `linq-mcp config` prints its entry."
        )
    return text


def describe_key_source(source: KeySource | None, profile: str | None) -> str:
    """Where a key came from, as part of a sentence."""
    match source:
        case KeySource.ENVIRONMENT | None:
            return f"the environment variable {KEY_VARIABLE}"
        case KeySource.PROFILE:
            return f"the profile {profile!r} of {CONFIG_FILE}"
        case KeySource.HEADER:
            return f"the header {KEY_HEADER}"
        case KeySource.ACCESS_FILE:
            return "the access file's rule for you"
        case KeySource.DEMO:
            return "the demo account"
        case _:
            assert_never(source)


def describe_store_setting(settings: Settings) -> str:
    """The setting that names the store, as the person gave it."""
    option, field = _SAME[STORE_VARIABLE]
    if settings.launched_by is LaunchedBy.BUNDLE:
        return f"`{field}` {_PLACES[LaunchedBy.BUNDLE].where}"
    return option if settings.store.by_option else STORE_VARIABLE


def how_to_replace_key(source: KeySource | None, launched_by: LaunchedBy) -> str:
    """The remedy for a key from `source` that can't be used or that Linq does not accept."""
    match source:
        case KeySource.HEADER:
            return "Send a valid key in that header."
        case KeySource.ACCESS_FILE:
            return "The operator of this server has to put a valid key where that rule takes it from."
        case KeySource.PROFILE:
            place = _PLACES[launched_by]
            return _sentence(f"{place.who}{place.login}, {place.then}.")
        case _:
            return _remedy(launched_by, "set {} to a valid key", KEY_VARIABLE)


def format_problem(problem: SettingsProblem, launched_by: LaunchedBy) -> str:
    """The whole text: a headline, the mistake, and how to fix it."""
    match problem:
        case NoKey():
            headline, what, remedy = "no_key", "", _CALLERS_KEY if problem.in_header else _give_key(launched_by)
        case UnusableKey(flaw=KeyFlaw.EXAMPLE | KeyFlaw.UNEXPANDED):
            headline, what = "no_key", _flawed_key(problem)
            remedy = _CALLERS_KEY if problem.source is KeySource.HEADER else _give_key(launched_by)
        case UnusableKey():
            headline, what = "odd_key", _flawed_key(problem)
            remedy = how_to_replace_key(problem.source, launched_by)
        case MissingProfile():
            names_it = PROFILE_VARIABLE if problem.by_environment else CONFIG_FILE
            known = [*problem.known, *([f"{problem.more} more"] if problem.more else [])]
            what = (
                f"{names_it} names the profile {problem.profile!r}, which {CONFIG_FILE} does not have (profiles there: "
                f"{', '.join(known) or 'none'})."
            )
            headline = "no_key"
            remedy = f"Correct the name in {names_it}, or choose another key. {_give_key(launched_by)}"
        case ProfileWithoutToken():
            headline, remedy = "no_key", _give_key(launched_by)
            what = f"The profile {problem.profile!r} of {CONFIG_FILE} has no token."
        case UnsafeConfigFile():
            again = "run this command again" if launched_by is LaunchedBy.TERMINAL else "call again"
            headline, remedy = "no_key", f"Check that the key in it is yours, run `{_PROTECT}`, then {again}."
            what = f"{CONFIG_FILE} is not used, because other users of this computer can change it."
        case UnusableBaseUrl():
            # The value itself is not repeated, because people have pasted keys into it.
            headline, what = "base_url", _URL_FLAWS[problem.flaw]
            remedy = _remedy(launched_by, "correct {}", BASE_URL_VARIABLE, f"remove it to use {DEFAULT_BASE_URL}")
        case UnusableLines():
            headline, what = "lines", "It takes your own numbers in E.164 form: +12052535597,+13343284472."
            if problem.foreign:
                what = f"Not a line of this account: {', '.join(problem.foreign)}."
            remedy = _correct(launched_by, LINES_VARIABLE)
        case UnknownTools():
            headline, what = "tools", _unknown_tools(problem)
            remedy = _correct(launched_by, TOOLS_VARIABLE)
        case ToolsThatSend():
            headline = "tools"
            remedy = _remedy(launched_by, "allow it with {}", f"{SEND_VARIABLE}=1", "take them out of the list")
            what = f"It names tools that send, and sending is not allowed: {', '.join(problem.names)}."
        case UnusableRecipients():
            headline, remedy = "recipients", _correct(launched_by, SEND_TO_VARIABLE)
            what = "It takes known, * or a list of numbers in E.164 form, email addresses and @domains."
        case NoMatchingRule():
            headline, remedy = "nothing_open", "The operator of this server can add a rule for one of them."
            names = [clean(name, _CLAIM_LIMIT) for name in problem.claims[:_CLAIMS_SHOWN]]
            claims = ", ".join(names) or "none"
            what = f"No rule of its access file matches your sign-in, which has these claims: {claims}."
        case _:
            assert_never(problem)
    return " ".join(filter(None, (SETTINGS_HEADLINES[headline], what, remedy)))


def _correct(launched_by: LaunchedBy, variable: str) -> str:
    by_rule = ["correct the access file's rule for you"] if launched_by is LaunchedBy.SERVICE else []
    return _remedy(launched_by, "correct {}", variable, *by_rule)


def _unknown_tools(problem: UnknownTools) -> str:
    nearest = [get_close_matches(name.lower(), problem.known, n=1) for name in problem.names]
    named = [
        f"{name} is not a tool{f'; did you mean {near[0]}?' if near else '.'}"
        for name, near in zip(problem.names, nearest, strict=True)
    ]
    if named and all(nearest):
        return " ".join(named)
    return " ".join([*named, f"It takes names of tools: {', '.join(problem.known)}."])


def describe_flaw(flaw: KeyFlaw, noun: str = "key") -> str:
    """Why a value can't be used as a key or token: the end of a sentence that begins with where the value is."""
    match flaw:
        case KeyFlaw.EXAMPLE:
            return f"still contains a placeholder, such as `{KEY_EXAMPLE}`."
        case KeyFlaw.UNEXPANDED:
            return "contains a reference (such as $NAME, {env:NAME} or op://…) instead of the value it stands for."
        case KeyFlaw.ASSIGNMENT:
            return f"contains a name and an equals sign before the {noun}; enter the {noun} alone."
        case KeyFlaw.QUOTES:
            return "contains quotation marks or a backslash; enter the value without them."
        case KeyFlaw.CHARACTER:
            return f"contains a space, a line break or another character that no {noun} has."
        case _:
            assert_never(flaw)


def _flawed_key(problem: UnusableKey) -> str:
    where = describe_key_source(problem.source, problem.profile)
    return _sentence(f"{where} {describe_flaw(problem.flaw)}")


def format_warning(warning: SettingsWarning) -> str:
    """One sentence about a setting that was ignored or needs attention."""
    match warning.kind:
        case WarningKind.PLACEHOLDER:
            return f"{warning.variable} contains a placeholder that was not replaced by a value; it is ignored."
        case WarningKind.UNKNOWN_LOG_LEVEL:
            return f"{warning.variable} must be one of {', '.join(LOG_LEVELS)}; WARNING is used."
        case WarningKind.UNKNOWN_LOG_SUBJECT:
            return f"{warning.variable} must be 0 or 1; 1 is used."
        case WarningKind.UNUSABLE_REGION:
            example = "US" if warning.variable == COUNTRY_VARIABLE else "America/New_York"
            return f"{warning.variable} takes a value such as {example}; the one that is set is ignored."
        case WarningKind.UNUSABLE_STORE_SETTING:
            return f"{warning.variable} {_STORE_SETTINGS[warning.variable or STORE_VARIABLE]}."
        case WarningKind.UNUSABLE_SEND_SETTING:
            rule = "nothing is sent" if warning.variable == SEND_TO_VARIABLE else "the strictest rule applies"
            return f"{warning.variable} has a value that can't be used; until that is corrected, {rule}."
        case WarningKind.UNREADABLE_CONFIG_FILE:
            return f"{CONFIG_FILE} can't be read as a JSON file; it is ignored."
        case WarningKind.EXPOSED_CONFIG_FILE:
            return f"{CONFIG_FILE} holds a Linq API key that other users of this computer can read; run `{_HIDE}`."
        case _:
            assert_never(warning.kind)
