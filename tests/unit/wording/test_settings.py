"""How each problem of the settings is worded where it is read, and that no wording is missing."""

from __future__ import annotations

import pytest

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
from linq_mcp.wording.settings import (
    SETTINGS_HEADLINES,
    describe_flaw,
    describe_key_source,
    format_problem,
    format_warning,
    how_to_replace_key,
)

PROBLEMS: list[SettingsProblem] = [
    NoKey(),
    NoKey(in_header=True),
    *(UnusableKey(source, flaw, "work") for source in KeySource for flaw in KeyFlaw),
    MissingProfile("gone", by_environment=True, known=("work",), more=3),
    MissingProfile("gone", by_environment=False),
    ProfileWithoutToken("work"),
    UnsafeConfigFile(),
    *map(UnusableBaseUrl, UrlFlaw),
    UnusableLines(),
    UnusableLines(foreign=("+12055550101",)),
    UnknownTools((), ("list_chats", "get_chat")),
    UnknownTools(("list_chat", "get_money"), ("list_chats", "get_chat")),
    ToolsThatSend(("send_message",)),
    NoMatchingRule(("groups", "sub")),
]
# Words that only make sense to a reader somewhere else.
FOREIGN = {
    LaunchedBy.CLIENT: ("extension", "this terminal", "service"),
    LaunchedBy.BUNDLE: ("`env` block", "this terminal", "service", "the client's"),
    LaunchedBy.TERMINAL: ("extension", "service", "restart", "call again"),
    LaunchedBy.SERVICE: ("extension", "this terminal", "`env` block", "the client's"),
}
CALLERS_OWN = [problem for problem in PROBLEMS if problem == NoKey(in_header=True)] + [
    problem for problem in PROBLEMS if isinstance(problem, UnusableKey) and problem.source is KeySource.HEADER
]
launchers = pytest.mark.parametrize("launched_by", LaunchedBy, ids=lambda launched_by: launched_by.name)


@launchers
@pytest.mark.parametrize("problem", PROBLEMS, ids=repr)
def test_every_problem_reads_as_sentences(problem: SettingsProblem, launched_by: LaunchedBy) -> None:
    """A headline first, then whole sentences on one line."""
    text = format_problem(problem, launched_by)
    assert text.startswith(tuple(SETTINGS_HEADLINES.values()))
    assert text == " ".join(text.split())
    assert text.endswith(".")
    assert "None" not in text
    assert len(text) < 500


@launchers
@pytest.mark.parametrize("problem", [one for one in PROBLEMS if one not in CALLERS_OWN], ids=repr)
def test_the_remedy_is_in_the_words_of_the_place(problem: SettingsProblem, launched_by: LaunchedBy) -> None:
    """Nobody is sent to a file, a terminal or a dialog that they do not have."""
    text = format_problem(problem, launched_by)
    assert [word for word in FOREIGN[launched_by] if word in text] == []


@pytest.mark.parametrize("problem", CALLERS_OWN, ids=repr)
def test_a_callers_own_key_is_fixed_in_the_header(problem: SettingsProblem) -> None:
    """However the server was started, the caller can only change what they send."""
    text = format_problem(problem, LaunchedBy.SERVICE)
    assert "x-linq-api-v3-api-key" in text or "that header" in text
    assert "Whoever runs" not in text


@pytest.mark.parametrize(
    ("problem", "launched_by", "holds"),
    [
        (NoKey(), LaunchedBy.CLIENT, ("LINQ_API_V3_API_KEY", "`env` block", "restart the client", "`linq login`")),
        (NoKey(), LaunchedBy.BUNDLE, ("`Linq API key` in the settings of this extension", "`linq login`")),
        (NoKey(), LaunchedBy.TERMINAL, ("LINQ_API_V3_API_KEY in this terminal", "`linq login`", "linq-mcp config")),
        (NoKey(), LaunchedBy.SERVICE, ("LINQ_API_V3_API_KEY in the service's environment",)),
        (
            UnusableKey(KeySource.ENVIRONMENT, KeyFlaw.EXAMPLE),
            LaunchedBy.CLIENT,
            ("No Linq API key is set. The environment variable LINQ_API_V3_API_KEY still contains", "`your key`"),
        ),
        (
            UnusableKey(KeySource.ENVIRONMENT, KeyFlaw.UNEXPANDED),
            LaunchedBy.SERVICE,
            ("No Linq API key is set.", "$NAME, ${NAME} or %NAME%"),
        ),
        (
            UnusableKey(KeySource.PROFILE, KeyFlaw.QUOTES, "work"),
            LaunchedBy.CLIENT,
            ("The Linq API key can't be used. The profile 'work' of ~/.linq/config.json contains quotation marks",),
        ),
        (UnusableKey(KeySource.HEADER, KeyFlaw.CHARACTER), LaunchedBy.SERVICE, ("The header x-linq-api-v3-api-key",)),
        (
            MissingProfile("gone", by_environment=True, known=("work", "home"), more=3),
            LaunchedBy.CLIENT,
            ("LINQ_PROFILE names the profile 'gone'", "(profiles there: work, home, 3 more)", "Correct the name in"),
        ),
        (
            MissingProfile("gone", by_environment=False),
            LaunchedBy.CLIENT,
            ("~/.linq/config.json names the profile 'gone'", "(profiles there: none)"),
        ),
        (
            UnsafeConfigFile(),
            LaunchedBy.TERMINAL,
            ("other users of this computer can change it", "`chmod go-w ~/.linq ~/.linq/config.json`"),
        ),
        (
            UnusableBaseUrl(UrlFlaw.PLAIN_HTTP),
            LaunchedBy.CLIENT,
            ("LINQ_API_V3_BASE_URL can't be used.", "use https", "https://api.linqapp.com/api/partner"),
        ),
        (
            UnusableLines(),
            LaunchedBy.CLIENT,
            ("It takes your own numbers in E.164 form", "LINQ_MCP_LINES in the `env` block", "`--lines` in the `args`"),
        ),
        (
            UnusableLines(foreign=("+12055550101",)),
            LaunchedBy.TERMINAL,
            ("Not a line of this account: +12055550101.", "`--lines`, or LINQ_MCP_LINES in this terminal"),
        ),
        (UnusableLines(), LaunchedBy.BUNDLE, ("`Open lines` in the settings of this extension",)),
        (
            UnknownTools(("list_chat",), ("list_chats", "get_chat")),
            LaunchedBy.SERVICE,
            ("list_chat is not a tool; did you mean list_chats?", "LINQ_MCP_TOOLS in the service's environment"),
        ),
        (
            ToolsThatSend(("send_message", "react_to_message")),
            LaunchedBy.CLIENT,
            ("sending is not allowed: send_message, react_to_message.", "LINQ_MCP_SEND=1 in the `env` block"),
        ),
        (
            ToolsThatSend(("send_message",)),
            LaunchedBy.BUNDLE,
            ("`Allow sending` in the settings of this extension", "`Open tools`"),
        ),
        (
            UnknownTools(("list_chat", "xyz"), ("list_chats", "get_chat")),
            LaunchedBy.BUNDLE,
            ("xyz is not a tool. It takes names of tools: list_chats, get_chat.", "`Open tools`"),
        ),
    ],
)
def test_a_problem_says_what_is_wrong_and_how_to_fix_it(
    problem: SettingsProblem, launched_by: LaunchedBy, holds: tuple[str, ...]
) -> None:
    """The words that readers need."""
    text = format_problem(problem, launched_by)
    assert [part for part in holds if part not in text] == []


@launchers
@pytest.mark.parametrize("source", [*KeySource, None], ids=str)
def test_a_rejected_key_has_a_source_and_a_remedy(source: KeySource | None, launched_by: LaunchedBy) -> None:
    """For every way a key can have come."""
    assert describe_key_source(source, "work").isprintable()
    assert how_to_replace_key(source, launched_by).endswith(".")


@pytest.mark.parametrize("kind", WarningKind, ids=lambda kind: kind.name)
def test_every_warning_is_one_sentence(kind: WarningKind) -> None:
    """That names the variable or the file."""
    text = format_warning(SettingsWarning(kind, "LINQ_MCP_LOG_LEVEL"))
    assert "LINQ_MCP_LOG_LEVEL" in text or "~/.linq/config.json" in text
    assert text.endswith(".")


def test_a_file_that_others_can_read_comes_with_the_command() -> None:
    """It can be pasted."""
    assert "`chmod go-r ~/.linq/config.json`" in format_warning(SettingsWarning(WarningKind.EXPOSED_CONFIG_FILE))


@pytest.mark.parametrize("flaw", KeyFlaw, ids=lambda flaw: flaw.name)
def test_every_flaw_ends_a_sentence(flaw: KeyFlaw) -> None:
    """After the name of what has it."""
    assert describe_flaw(flaw).endswith(".")
