"""How each problem of the settings is worded where it is read, and that no wording is missing."""

from __future__ import annotations

import re
from itertools import product

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
    UnusableRecipients,
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
    UnusableRecipients(),
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


def test_every_problem_is_whole_sentences_in_the_words_of_the_place() -> None:
    """A headline comes first, and nobody is sent to a file, a terminal or a dialog that they do not have."""
    flawed = []
    for problem, launched_by in product(PROBLEMS, LaunchedBy):
        text = format_problem(problem, launched_by)
        whole = text == " ".join(text.split()) and text.endswith(".") and len(text) < 500 and "None" not in text
        misplaced = problem not in CALLERS_OWN and any(word in text for word in FOREIGN[launched_by])
        if not (whole and text.startswith(tuple(SETTINGS_HEADLINES.values()))) or misplaced:
            flawed.append((launched_by, text))
    assert flawed == []


def test_a_callers_own_key_is_fixed_in_the_header() -> None:
    """However the server was started, the caller can only change what they send."""
    texts = [format_problem(problem, LaunchedBy.SERVICE) for problem in CALLERS_OWN]
    assert [
        text for text in texts if "operator" in text or not re.search("x-linq-api-v3-api-key|that header", text)
    ] == []


@pytest.mark.parametrize(
    ("problem", "launched_by", "holds"),
    [
        (NoKey(), LaunchedBy.CLIENT, ("LINQ_API_V3_API_KEY", "`env` block", "restart the client", "`linq login`")),
        (NoKey(), LaunchedBy.BUNDLE, ("`Linq API key` in the settings of this extension", "`linq login`")),
        (NoKey(), LaunchedBy.SERVICE, ("LINQ_API_V3_API_KEY in the service's environment",)),
        (
            UnusableKey(KeySource.ENVIRONMENT, KeyFlaw.EXAMPLE),
            LaunchedBy.CLIENT,
            ("No Linq API key is set. The environment variable LINQ_API_V3_API_KEY still contains", "`your key`"),
        ),
        (
            MissingProfile("gone", by_environment=True, known=("work", "home"), more=3),
            LaunchedBy.CLIENT,
            ("LINQ_PROFILE names the profile 'gone'", "(profiles there: work, home, 3 more)", "Correct the name in"),
        ),
        (
            UnsafeConfigFile(),
            LaunchedBy.TERMINAL,
            ("other users of this computer can change it", "`chmod go-w ~/.linq ~/.linq/config.json`"),
        ),
        (
            UnusableLines(foreign=("+12055550101",)),
            LaunchedBy.TERMINAL,
            ("Not a line of this account: +12055550101.", "LINQ_MCP_LINES in this terminal, or `--lines`"),
        ),
        (
            UnknownTools(("list_chat",), ("list_chats", "get_chat")),
            LaunchedBy.SERVICE,
            ("list_chat is not a tool; did you mean list_chats?", "LINQ_MCP_TOOLS in the service's environment"),
        ),
    ],
)
def test_a_problem_says_what_is_wrong_and_how_to_fix_it(
    problem: SettingsProblem, launched_by: LaunchedBy, holds: tuple[str, ...]
) -> None:
    """Each text has the name of the setting, the mistake, and the next step."""
    text = format_problem(problem, launched_by)
    assert [part for part in holds if part not in text] == []


def test_every_part_of_a_text_has_its_words() -> None:
    """A new source of keys, flaw, or warning without words would fail in front of a user."""
    ends = [how_to_replace_key(source, launched_by) for source in [*KeySource, None] for launched_by in LaunchedBy]
    ends += [describe_flaw(flaw) for flaw in KeyFlaw]
    warnings = [format_warning(SettingsWarning(kind, "LINQ_MCP_STORE_DAYS")) for kind in WarningKind]
    assert [text for text in ends + warnings if not text.endswith(".")] == []
    assert [text for text in warnings if not re.search(r"LINQ_MCP_STORE_DAYS|~/\.linq/config\.json", text)] == []
    assert all(describe_key_source(source, "work") for source in [*KeySource, None])
    assert "`chmod go-r ~/.linq/config.json`" in format_warning(SettingsWarning(WarningKind.EXPOSED_CONFIG_FILE))
