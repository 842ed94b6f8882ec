"""The texts for `settings.problems`: what is wrong with a setting, and how to fix it where this process was started.

The errors of calls (`error_messages`) and the command line use them. No text repeats a key, or a value that might be
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
    UrlFlaw,
    WarningKind,
)
from linq_mcp.settings.sending import SEND_VARIABLE

SETTINGS_HEADLINES = {
    "no_key": "No Linq API key is set.",
    "odd_key": "The Linq API key can't be used.",
    "base_url": f"{BASE_URL_VARIABLE} can't be used.",
    "lines": "The list of open lines can't be used.",
    "tools": "The list of open tools can't be used.",
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
_CALLERS_KEY = (
    f"This server reads Linq with each caller's own key: send it in the header {KEY_HEADER} (under `headers` in the "
    "client's configuration of this server), then call again."
)
# Providers name claims of their own after URLs.
_CLAIM_LIMIT, _CLAIMS_SHOWN = 80, 30
_PROTECT = f"chmod go-w {PurePosixPath(CONFIG_FILE).parent} {CONFIG_FILE}"
_HIDE = f"chmod go-r {CONFIG_FILE}"


@dataclass(frozen=True, kw_only=True)
class _Remedies:
    """How to fix each kind of problem, for one way of starting this process."""

    give_key: str
    replace_key: str
    log_in_again: str
    correct_base_url: str
    correct_scope: str
    allow_send: str
    after_chmod: str


_ENV_BLOCK = "the `env` block of this server's entry in the client's configuration"
_REMEDIES = {
    LaunchedBy.CLIENT: _Remedies(
        give_key=(
            f"Put {KEY_VARIABLE} into {_ENV_BLOCK} and restart the client, or run `linq login` in a terminal and call "
            "again."
        ),
        replace_key=f"Put a valid key into {_ENV_BLOCK}, then restart the client.",
        log_in_again="Run `linq login` in a terminal, then restart the client.",
        correct_base_url=(
            f"Correct it in {_ENV_BLOCK}, or remove it there to use {DEFAULT_BASE_URL}, then restart the client."
        ),
        correct_scope=(
            "Correct {variable} in {env_block}, or `{option}` in the `args` of that entry, then restart the client."
        ),
        allow_send=(
            f"Allow it with {SEND_VARIABLE}=1 in {_ENV_BLOCK}, or `--allow-send` in the `args` of that entry, or take "
            "them out of the list, then restart the client."
        ),
        after_chmod="call again",
    ),
    LaunchedBy.BUNDLE: _Remedies(
        give_key=(
            "Enter your key as `Linq API key` in the settings of this extension, or run `linq login` in a terminal and "
            "call again."
        ),
        replace_key="Enter a valid key as `Linq API key` in the settings of this extension.",
        log_in_again="Run `linq login` in a terminal, then restart the application.",
        correct_base_url=(
            f"Correct `API base URL` in the settings of this extension, or leave it empty to use {DEFAULT_BASE_URL}."
        ),
        correct_scope="Correct `{field}` in the settings of this extension.",
        allow_send="Turn on `Allow sending` in the settings of this extension, or take them out of `Open tools` there.",
        after_chmod="call again",
    ),
    LaunchedBy.TERMINAL: _Remedies(
        give_key=(
            f"Run `linq login`, or set {KEY_VARIABLE} in this terminal, then run this command again. An assistant's "
            "client does not see what this terminal sets: `linq-mcp config` prints where its key goes."
        ),
        replace_key=f"Set {KEY_VARIABLE} to a valid key in this terminal, then run this command again.",
        log_in_again="Run `linq login`, then run this command again.",
        correct_base_url=f"Correct it, or unset it to use {DEFAULT_BASE_URL}, then run this command again.",
        correct_scope="Correct `{option}`, or {variable} in this terminal, then run this command again.",
        allow_send="Add `--allow-send`, or take them out of the list, then run this command again.",
        after_chmod="run this command again",
    ),
    LaunchedBy.SERVICE: _Remedies(
        give_key=(
            f"Whoever runs this server has to set {KEY_VARIABLE} in the service's environment and restart the server."
        ),
        replace_key=(
            f"Whoever runs this server has to set {KEY_VARIABLE} to a valid key in the service's environment and "
            "restart the server."
        ),
        log_in_again="Whoever runs this server has to run `linq login` as the service's user and restart the server.",
        correct_base_url=(
            f"Whoever runs this server has to correct it, or unset it to use {DEFAULT_BASE_URL}, in the service's "
            "environment and restart the server."
        ),
        correct_scope=(
            "Whoever runs this server has to correct `{option}`, or {variable} in the service's environment, and "
            "restart the server, or, where people sign in, the access file's rule for you."
        ),
        allow_send=(
            "Whoever runs this server has to add `--allow-send`, or take them out of the list, and restart the server."
        ),
        after_chmod="call again",
    ),
}


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


def how_to_replace_key(source: KeySource | None, launched_by: LaunchedBy) -> str:
    """What to do about a key from `source` that can't be used or that Linq does not accept."""
    match source:
        case KeySource.HEADER:
            return "Send a valid key in that header."
        case KeySource.ACCESS_FILE:
            return "Whoever runs this server has to put a valid key where that rule takes it from."
        case KeySource.PROFILE:
            return _REMEDIES[launched_by].log_in_again
        case _:
            return _REMEDIES[launched_by].replace_key


def format_problem(problem: SettingsProblem, launched_by: LaunchedBy) -> str:
    """The whole text: a headline, what is wrong, and how to fix it."""
    remedies = _REMEDIES[launched_by]
    match problem:
        case NoKey():
            headline, what, remedy = "no_key", "", _CALLERS_KEY if problem.in_header else remedies.give_key
        case UnusableKey(flaw=KeyFlaw.EXAMPLE | KeyFlaw.UNEXPANDED):
            headline, what = "no_key", _flawed_key(problem)
            remedy = _CALLERS_KEY if problem.source is KeySource.HEADER else remedies.give_key
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
            remedy = f"Correct the name in {names_it}, or do this instead: {remedies.give_key}"
        case ProfileWithoutToken():
            headline, remedy = "no_key", remedies.give_key
            what = f"The profile {problem.profile!r} of {CONFIG_FILE} has no token."
        case UnsafeConfigFile():
            headline, remedy = (
                "no_key",
                f"Check that the key in it is yours, run `{_PROTECT}`, then {remedies.after_chmod}.",
            )
            what = f"{CONFIG_FILE} is not used, because other users of this computer can change it."
        case UnusableBaseUrl():
            # The value itself is not repeated, because people have pasted keys into it.
            headline, what, remedy = "base_url", _URL_FLAWS[problem.flaw], remedies.correct_base_url
        case UnusableLines():
            headline, what = "lines", "It takes your own numbers in E.164 form: +12052535597,+13343284472."
            if problem.foreign:
                what = f"Not a line of this account: {', '.join(problem.foreign)}."
            remedy = _corrected_scope(remedies, LINES_VARIABLE, "--lines", "Open lines")
        case UnknownTools():
            headline, what = "tools", _unknown_tools(problem)
            remedy = _corrected_scope(remedies, TOOLS_VARIABLE, "--tools", "Open tools")
        case ToolsThatSend():
            headline, remedy = "tools", remedies.allow_send
            what = f"It names tools that send, and sending is not allowed: {', '.join(problem.names)}."
        case NoMatchingRule():
            headline, remedy = "nothing_open", "Whoever runs this server can add a rule for one of them."
            names = [clean(name, _CLAIM_LIMIT) for name in problem.claims[:_CLAIMS_SHOWN]]
            claims = ", ".join(names) or "none"
            what = f"No rule of its access file matches your sign-in, which has these claims: {claims}."
        case _:
            assert_never(problem)
    return " ".join(filter(None, (SETTINGS_HEADLINES[headline], what, remedy)))


def _corrected_scope(remedies: _Remedies, variable: str, option: str, field: str) -> str:
    return remedies.correct_scope.format(variable=variable, option=option, field=field, env_block=_ENV_BLOCK)


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
            return "contains the name of a variable ($NAME, ${NAME} or %NAME%) instead of its value."
        case KeyFlaw.QUOTES:
            return "contains quotation marks or a backslash; enter the value without them."
        case KeyFlaw.CHARACTER:
            return f"contains a space, a line break or another character that no {noun} has."
        case _:
            assert_never(flaw)


def _flawed_key(problem: UnusableKey) -> str:
    where = describe_key_source(problem.source, problem.profile)
    return f"{where[0].upper()}{where[1:]} {describe_flaw(problem.flaw)}"


def format_warning(warning: SettingsWarning) -> str:
    """One sentence about a setting that was ignored or needs attention."""
    match warning.kind:
        case WarningKind.PLACEHOLDER:
            return f"{warning.variable} contains a placeholder that was not replaced by a value; it is ignored."
        case WarningKind.UNKNOWN_LOG_LEVEL:
            return f"{warning.variable} must be one of {', '.join(LOG_LEVELS)}; WARNING is used."
        case WarningKind.UNUSABLE_SEND_SETTING:
            return f"{warning.variable} has a value that can't be used; what applies is the strictest rule."
        case WarningKind.UNREADABLE_CONFIG_FILE:
            return f"{CONFIG_FILE} can't be read as a JSON file; it is ignored."
        case WarningKind.EXPOSED_CONFIG_FILE:
            return f"{CONFIG_FILE} holds a Linq API key that other users of this computer can read; run `{_HIDE}`."
        case _:
            assert_never(warning.kind)
