"""Whatever the environment and the config file hold, settings come of it, and never an exception or a leaked key."""

from __future__ import annotations

import dataclasses
import json
import os
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from linq_mcp.settings import DEFAULT_BASE_URL, Settings, is_loopback, load_settings
from linq_mcp.settings.problems import (
    KeyFlaw,
    KeySource,
    LaunchedBy,
    MissingProfile,
    NoKey,
    ProfileWithoutToken,
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

KEY = "lq-test-7f3a9c"
OTHER_KEY = "lq-test-55d01e"

UNREADABLE = SettingsWarning(WarningKind.UNREADABLE_CONFIG_FILE)

PROFILES = {
    "version": 2,
    "profile": "work",
    "profiles": {
        "default": {"token": "lq-default", "partnerId": "p1", "fromPhone": "+12055550101"},
        "work": {"token": "lq-work"},
        "sandbox": {"token": "lq-sandbox"},
    },
    "telemetry": True,
}


def environment(home: Path, config: object = None, **variables: str) -> dict[str, str]:
    """An environment whose home folder has `config` as Linq's config file: JSON, or the very bytes."""
    if config is not None:
        folder = home / ".linq"
        folder.mkdir(mode=0o700, exist_ok=True)
        content = config if isinstance(config, bytes) else json.dumps(config).encode()
        file = folder / "config.json"
        file.touch(mode=0o600)
        file.write_bytes(content)
    return {"HOME": str(home), **variables}


def key_of(settings: Settings) -> str | None:
    return settings.api_key.get_secret_value() if settings.api_key else None


def with_base_url(url: str) -> Settings:
    return load_settings({"LINQ_API_V3_API_KEY": KEY, "LINQ_API_V3_BASE_URL": url})


def test_the_key_of_the_environment() -> None:
    """A key is all that is needed; everything else has a default."""
    settings = load_settings({"LINQ_API_V3_API_KEY": KEY})
    assert key_of(settings) == KEY
    assert settings.key_source is KeySource.ENVIRONMENT
    assert dataclasses.replace(settings, api_key=None, key_source=None) == Settings()


def test_the_environment_goes_before_a_profile(tmp_path: Path) -> None:
    settings = load_settings(environment(tmp_path, PROFILES, LINQ_API_V3_API_KEY=KEY, LINQ_PROFILE="gone"))
    assert (key_of(settings), settings.problem) == (KEY, None)


@pytest.mark.parametrize(
    ("config", "variables", "key", "named"),
    [
        pytest.param(PROFILES, {}, "lq-work", "work", id="the file's own choice"),
        pytest.param(PROFILES, {"LINQ_PROFILE": "sandbox"}, "lq-sandbox", "sandbox", id="LINQ_PROFILE"),
        pytest.param(PROFILES, {"LINQ_PROFILE": "${LINQ_PROFILE}"}, "lq-work", "work", id="unfilled LINQ_PROFILE"),
        pytest.param({**PROFILES, "profile": None}, {}, "lq-default", "default", id="no choice"),
        pytest.param({**PROFILES, "profile": 7}, {}, "lq-default", "default", id="choice of another type"),
        pytest.param(
            b"\xef\xbb\xbf" + json.dumps(PROFILES).encode(), {}, "lq-work", "work", id="with a byte order mark"
        ),
        pytest.param(json.dumps(PROFILES).encode("utf-16"), {}, "lq-work", "work", id="UTF-16"),
    ],
)
def test_the_key_of_a_profile(tmp_path: Path, config: Any, variables: dict[str, str], key: str, named: str) -> None:
    """`LINQ_PROFILE`, else the file's `profile`, else `default`; the source names it."""
    settings = load_settings(environment(tmp_path, config, **variables))
    assert (key_of(settings), settings.problem) == (key, None)
    assert (settings.key_source, settings.profile) == (KeySource.PROFILE, named)
    assert settings.profile_is_set is (variables.get("LINQ_PROFILE", "").strip() == "sandbox")


@pytest.mark.parametrize("unset", ["", "  ", "\t\n", "${user_config.api_key}", " ${user_config.api_key} "])
def test_blank_and_unfilled_mean_unset(tmp_path: Path, unset: str) -> None:
    variables = dict.fromkeys(
        ("LINQ_API_V3_API_KEY", "LINQ_API_V3_BASE_URL", "LINQ_PROFILE", "LINQ_MCP_LOG_LEVEL", "LINQ_MCP_CONTACTS"),
        unset,
    )
    settings = load_settings(environment(tmp_path, PROFILES, **variables))
    assert key_of(settings) == "lq-work"
    assert (settings.base_url, settings.base_url_is_set) == (DEFAULT_BASE_URL, False)
    assert (settings.log_level, settings.problem, settings.warnings) == ("WARNING", None, ())
    assert settings.contacts is None


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("/data/contacts.csv", "/data/contacts.csv"),
        (" contacts.vcf ", "contacts.vcf"),
        ("~/my contacts.csv", "/home/ann/my contacts.csv"),
        ("~bo/contacts.csv", "~bo/contacts.csv"),
        ("$HOME/contacts.csv", "/home/ann/contacts.csv"),
        (r"%USERPROFILE%\contacts.csv", "/home/ann/contacts.csv"),
        ('"~/my contacts.csv"', "/home/ann/my contacts.csv"),
        ("file:///data/my%20contacts.csv", "/data/my contacts.csv"),
    ],
)
def test_the_path_of_the_contacts_file(value: str, path: str) -> None:
    assert load_settings({"HOME": "/home/ann", "LINQ_MCP_CONTACTS": value}).contacts == Path(path)


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"profiles": {', id="cut off"),
        pytest.param(b"[" * 200_000, id="nested without end"),
        pytest.param(b"1" * 100_000, id="a number without end"),
        pytest.param(b'{"profiles":{"default":{"token":"x"}},"pad":"' + b"x" * 2_000_000 + b'"}', id="huge"),
    ],
)
def test_a_config_file_that_is_not_json_is_ignored(tmp_path: Path, config: bytes) -> None:
    settings = load_settings(environment(tmp_path, config))
    assert settings.api_key is None
    assert settings.problem == NoKey()
    assert settings.warnings == (UNREADABLE,)


@pytest.mark.parametrize(
    "config",
    [
        pytest.param([], id="a list"),
        pytest.param({}, id="empty"),
        pytest.param({"profiles": None}, id="profiles null"),
        pytest.param({"profiles": {"default": "token"}}, id="profile a string"),
        pytest.param({"profiles": {"default": {}}}, id="no token"),
        pytest.param({"profiles": {"default": {"token": ""}}}, id="empty token"),
        pytest.param({"profiles": {"default": {"token": 12345}}}, id="token a number"),
        pytest.param({"profiles": {"default": {"token": ["x"]}}}, id="token a list"),
    ],
)
def test_a_config_file_of_another_shape_has_no_key(tmp_path: Path, config: object) -> None:
    settings = load_settings(environment(tmp_path, config))
    assert settings.api_key is None
    assert settings.problem in (NoKey(), ProfileWithoutToken("default"))


def test_a_profile_without_a_token_is_named(tmp_path: Path) -> None:
    """The reader learns which profile was looked at."""
    settings = load_settings(environment(tmp_path, {"profile": "work", "profiles": {"work": {"token": 5}}}))
    assert settings.problem == ProfileWithoutToken("work")


def test_a_named_profile_that_does_not_exist_is_worth_saying(tmp_path: Path) -> None:
    """`LINQ_PROFILE` never falls back to another profile's key; the profiles there are named."""
    settings = load_settings(environment(tmp_path, PROFILES, LINQ_PROFILE="gone"))
    assert settings.api_key is None
    assert settings.problem == MissingProfile("gone", by_environment=True, known=("default", "work", "sandbox"))


@pytest.mark.skipif(os.name == "nt", reason="there are no FIFOs")
def test_a_config_file_that_is_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / ".linq").mkdir(mode=0o700)
    os.mkfifo(tmp_path / ".linq" / "config.json", 0o600)
    settings = load_settings(environment(tmp_path))
    assert settings.api_key is None
    assert settings.warnings == (UNREADABLE,)


posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")


@posix
@pytest.mark.parametrize(("file", "folder"), [(0o620, 0o700), (0o602, 0o700), (0o600, 0o720), (0o600, 0o777)])
def test_a_config_file_that_others_may_change_is_refused(tmp_path: Path, file: int, folder: int) -> None:
    """Its key could be somebody else's, and a wrong account is worse than none."""
    environ = environment(tmp_path, PROFILES)
    (tmp_path / ".linq" / "config.json").chmod(file)
    (tmp_path / ".linq").chmod(folder)
    settings = load_settings(environ)
    assert settings.api_key is None
    assert settings.problem == UnsafeConfigFile()
    assert load_settings({**environ, "LINQ_API_V3_API_KEY": KEY}).problem is None


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_config_file_that_others_may_read_is_warned_of(tmp_path: Path, mode: int) -> None:
    environ = environment(tmp_path, PROFILES)
    assert load_settings(environ).warnings == ()
    (tmp_path / ".linq" / "config.json").chmod(mode)
    settings = load_settings(environ)
    assert key_of(settings) == "lq-work"
    assert settings.warnings == (SettingsWarning(WarningKind.EXPOSED_CONFIG_FILE),)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(f"{KEY} {OTHER_KEY}", id="two keys"),
        pytest.param(f"Bearer {KEY}", id="with the header's word"),
        pytest.param(f"{KEY}\r\nX-Evil: 1", id="line break"),
        pytest.param(f"{KEY}\u200b", id="zero width"),
        pytest.param(f"{KEY}\x00", id="NUL"),
        pytest.param(f"{KEY}é", id="not ASCII"),
    ],
)
@pytest.mark.parametrize("place", ["environment", "profile"])
def test_a_key_no_header_can_carry(tmp_path: Path, key: str, place: str) -> None:
    config = {"profiles": {"default": {"token": key}}} if place == "profile" else None
    settings = load_settings(environment(tmp_path, config, **({} if config else {"LINQ_API_V3_API_KEY": key})))
    assert settings.api_key is None
    source = (KeySource.PROFILE, KeyFlaw.CHARACTER, "default") if config else (KeySource.ENVIRONMENT, KeyFlaw.CHARACTER)
    assert settings.problem == UnusableKey(*source)
    assert KEY not in repr(settings)


@pytest.mark.parametrize(("text", "flaw"), [("your key", KeyFlaw.EXAMPLE), ("%LINQ_KEY%", KeyFlaw.UNEXPANDED)])
def test_a_placeholder_gives_way_to_a_profile(tmp_path: Path, text: str, flaw: KeyFlaw) -> None:
    variables = {"LINQ_API_V3_API_KEY": text}
    assert load_settings(variables).problem == UnusableKey(KeySource.ENVIRONMENT, flaw)
    settings = load_settings(environment(tmp_path, PROFILES, **variables))
    assert (key_of(settings), settings.problem) == ("lq-work", None)
    assert settings.warnings == (SettingsWarning(WarningKind.PLACEHOLDER, "LINQ_API_V3_API_KEY"),)
    gone = load_settings(environment(tmp_path, PROFILES, LINQ_PROFILE="gone", **variables))
    assert isinstance(gone.problem, MissingProfile)


@pytest.mark.parametrize("name", ["LINQ_API_V3_BASE_URL", "LINQ_PROFILE", "LINQ_MCP_LOG_LEVEL", "LINQ_MCP_CONTACTS"])
@pytest.mark.parametrize("value", ["$NAME", "${NAME}", "%NAME%"])
def test_an_unexpanded_variable_is_ignored_with_a_warning(tmp_path: Path, name: str, value: str) -> None:
    """The default holds, as if the setting had been left out."""
    settings = load_settings(environment(tmp_path, PROFILES, **{name: value}))
    assert (settings.problem, settings.profile, settings.log_level) == (None, "work", "WARNING")
    assert (settings.base_url, settings.base_url_is_set) == (DEFAULT_BASE_URL, False)
    assert settings.warnings == (SettingsWarning(WarningKind.PLACEHOLDER, name),)


@pytest.mark.parametrize(
    ("token", "flaw"),
    [("", None), ("s3cret", None), ("$TOKEN", KeyFlaw.UNEXPANDED), ("\udcff\udcfe", KeyFlaw.CHARACTER)],
)
def test_the_http_token(token: str, flaw: KeyFlaw | None) -> None:
    settings = load_settings({"LINQ_MCP_HTTP_TOKEN": token})
    assert settings.http_token_flaw is flaw
    assert (settings.http_token is not None) is (token == "s3cret")


@pytest.mark.parametrize(
    ("given", "base_url"),
    [
        ("https://api.linqapp.com/api/partner", "https://api.linqapp.com/api/partner"),
        ("https://api.linqapp.com/api/partner/v3", "https://api.linqapp.com/api/partner"),
        (" https://api.example.com \n", "https://api.example.com"),
        ("https://api.example.com/v33", "https://api.example.com/v33"),
        ("https://v3", "https://v3"),
        ("HTTPS://API.example.com", "HTTPS://API.example.com"),
        ("https://[2001:db8::1]:8443/v3", "https://[2001:db8::1]:8443"),
    ],
)
def test_base_url_forms(given: str, base_url: str) -> None:
    settings = with_base_url(given)
    assert (settings.base_url, settings.base_url_is_set, settings.problem) == (base_url, True, None)
    assert key_of(settings) == KEY


@pytest.mark.parametrize(
    "url",
    [
        "http://api.linqapp.com/api/partner",
        "http://127.0.0.1.evil.com",
        "http://localhost.evil.com",
        "http://0.0.0.0:8765",
        "http://[::]:8765",
        "http://10.0.0.1",
        "http://169.254.169.254",
        "http://127.1",
        "http://2130706433",
        "http://0x7f000001",
        "http://127.0.0.1\\.evil.com",
    ],
)
def test_plain_http_to_elsewhere_is_refused(url: str) -> None:
    """The key would travel in the clear."""
    settings = with_base_url(url)
    assert settings.problem == settings.base_url_problem
    assert settings.problem in (UnusableBaseUrl(UrlFlaw.PLAIN_HTTP), UnusableBaseUrl(UrlFlaw.NOT_HTTP))
    assert settings.base_url == DEFAULT_BASE_URL
    assert not is_loopback(url)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://ann:secret-word@api.example.com", id="user and password"),
        pytest.param("http://localhost@evil.com", id="loopback as user"),
        pytest.param("https://api.example.com/v3?x=secret-word", id="query"),
        pytest.param("http://localhost#@evil.com", id="loopback before a fragment"),
        pytest.param("api.linqapp.com/api/partner", id="no scheme"),
        pytest.param("https://api.example.com:99999", id="port too high"),
        pytest.param("http://[::1].evil.com", id="loopback address before a name"),
        pytest.param("https://api.example.com/\nHost: evil", id="line break"),
        pytest.param("https://ex\u0430mple.com", id="not ASCII"),
        pytest.param(KEY, id="a key pasted here"),
        pytest.param(f"https://{KEY}@api.linqapp.com", id="a key as user"),
    ],
)
def test_base_urls_that_cannot_be_used(url: str) -> None:
    """The default is kept; the value, which may hold a secret, is not."""
    settings = with_base_url(url)
    assert isinstance(settings.problem, UnusableBaseUrl)
    assert settings.problem == settings.base_url_problem
    assert "secret-word" not in repr(settings)
    assert KEY not in repr(settings)
    assert settings.base_url == DEFAULT_BASE_URL


@pytest.mark.parametrize("url", ["https://ann:secret-word@api.example.com", "https://ann@h", "https://@h"])
def test_a_user_name_in_the_base_url_is_named(url: str) -> None:
    assert with_base_url(url).problem == UnusableBaseUrl(UrlFlaw.USER_INFO)


def test_the_key_is_in_no_text_of_the_settings(tmp_path: Path) -> None:
    config = {"profile": KEY, "profiles": {"default": {"token": OTHER_KEY}}, "telemetry": KEY}
    cases = [
        {"LINQ_API_V3_API_KEY": KEY},
        {"LINQ_API_V3_API_KEY": KEY, "LINQ_API_V3_BASE_URL": "http://evil.com", "LINQ_MCP_LOG_LEVEL": KEY},
        {"LINQ_API_V3_API_KEY": f"{KEY} {KEY}"},
        environment(tmp_path, {"profiles": config["profiles"]}),
    ]
    for environ in cases:
        settings = load_settings(environ)
        for text in (repr(settings), str(settings), str(dataclasses.asdict(settings)), f"{settings!r}"):
            assert KEY not in text
            assert OTHER_KEY not in text


@pytest.mark.parametrize("given", ["LOUD", "10", "NOTSET", "WARN", "x" * 10_000, "\x1b[31m"])
def test_an_unknown_log_level_is_ignored(given: str) -> None:
    settings = load_settings({"LINQ_MCP_LOG_LEVEL": given})
    assert settings.log_level == "WARNING"
    assert settings.warnings == (SettingsWarning(WarningKind.UNKNOWN_LOG_LEVEL, "LINQ_MCP_LOG_LEVEL"),)


@pytest.mark.parametrize(
    ("given", "name"),
    [("America/New_York", "America/New_York"), (" europe/berlin ", "Europe/Berlin"), ("utc", "UTC"), ("GMT", "UTC")],
)
def test_a_time_zone_is_read_by_its_name(given: str, name: str) -> None:
    for launched_by in LaunchedBy:
        settings = load_settings({"LINQ_MCP_TIME_ZONE": given}, launched_by=launched_by)
        assert (settings.region.zone_name, settings.warnings) == (name, ())


def test_without_a_time_zone_it_is_the_computers_and_utc_for_a_team(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server on stdio runs where its user is; nobody knows where those of a team's server are."""
    monkeypatch.setattr("tzlocal.get_localzone", lambda: ZoneInfo("Asia/Tokyo"))
    assert load_settings({}).region.zone_name == "Asia/Tokyo"
    assert load_settings({}, launched_by=LaunchedBy.SERVICE).region.zone_name == "UTC"


def test_a_computer_that_does_not_know_its_time_zone_has_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> ZoneInfo:
        return ZoneInfo("Local/Nowhere")

    monkeypatch.setattr("tzlocal.get_localzone", fail)
    assert load_settings({}).region.zone_name == "UTC"


@pytest.mark.parametrize("given", ["Berlin", "+02:00", "../../etc/passwd", "/etc/localtime", "CEST", "x" * 10_000])
def test_an_unknown_time_zone_is_ignored(given: str) -> None:
    settings = load_settings({"LINQ_MCP_TIME_ZONE": given})
    assert settings.region.zone_name == "UTC"
    assert settings.warnings == (SettingsWarning(WarningKind.UNUSABLE_REGION, "LINQ_MCP_TIME_ZONE"),)


def test_the_country_is_that_of_every_number_in_the_settings() -> None:
    settings = load_settings(
        {
            "LINQ_MCP_COUNTRY": "uk",
            "LINQ_MCP_LINES": "020 7123 4560; +44 (0)20 7123 4561",
            "LINQ_MCP_SEND": "1",
            "LINQ_MCP_SEND_TO": "020 7123 4567, Ann@Example.com, @Example.org, 40404",
        }
    )
    assert settings.warnings == ()
    assert settings.region.country == "GB"
    assert settings.lines == ("+442071234560", "+442071234561")
    assert settings.sending is not None
    assert settings.sending.recipients == frozenset({"+442071234567", "ann@example.com", "@example.org", "40404"})


@pytest.mark.parametrize("given", ["USA", "1", "+1", "Germany"])
def test_a_country_that_is_no_code_is_ignored(given: str) -> None:
    settings = load_settings({"LINQ_MCP_COUNTRY": given, "LINQ_MCP_LINES": "205 253 5597"})
    assert settings.region.country is None
    assert settings.warnings == (SettingsWarning(WarningKind.UNUSABLE_REGION, "LINQ_MCP_COUNTRY"),)
    assert settings.problem == UnusableLines()


# What is open

LINES, TOOLS = "LINQ_MCP_LINES", "LINQ_MCP_TOOLS"
KNOWN = ("list_chats", "get_chat")


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ("+12055550101", ("+12055550101",)),
        ("+12055550101,+13345550102", ("+12055550101", "+13345550102")),
        (" +1 (205) 555-0101 ;\n001 334 555 0102,, +12055550101,", ("+12055550101", "+13345550102")),
    ],
)
def test_open_lines_are_read_as_people_write_them(given: str, lines: tuple[str, ...]) -> None:
    settings = load_settings({"LINQ_API_V3_API_KEY": KEY, LINES: given})
    assert (settings.lines, settings.problem) == (lines, None)


@pytest.mark.parametrize(
    "given",
    ["2055550101", "+12055550101,the other", "${LINES}", "$LINES", "%LINES%", ",", ";\n", "*", "all", "+1", f"{KEY}"],
)
def test_a_list_of_lines_with_a_mistake_opens_nothing(given: str) -> None:
    """Ignoring a list, or a part of it, would open more or less than was meant, and nobody would notice."""
    settings = load_settings({"LINQ_API_V3_API_KEY": KEY, LINES: given, TOOLS: "list_chats"}, known_tools=KNOWN)
    assert settings.problem == settings.scope_problem == settings.keyless_problem == UnusableLines()
    assert (settings.lines, settings.tools) == ((), ())


def test_open_tools_are_read_by_name() -> None:
    settings = load_settings({"LINQ_API_V3_API_KEY": KEY, TOOLS: "get_chat, list_chats,get_chat,"}, known_tools=KNOWN)
    assert (settings.tools, settings.problem) == (("get_chat", "list_chats"), None)


@pytest.mark.parametrize(
    ("given", "names"),
    [("list_chats,list_chat", ("list_chat",)), (KEY, ()), ("$TOOLS", ()), (",", ()), ("List_Chats", ("List_Chats",))],
)
def test_a_list_of_tools_with_a_mistake_opens_nothing(given: str, names: tuple[str, ...]) -> None:
    settings = load_settings({"LINQ_API_V3_API_KEY": KEY, TOOLS: given}, known_tools=KNOWN)
    assert settings.problem == settings.scope_problem == UnknownTools(names, KNOWN)
    assert (settings.lines, settings.tools) == ((), ())


@pytest.mark.parametrize("allowed", [False, True])
def test_a_tool_that_sends_is_open_only_where_sending_is_allowed(*, allowed: bool) -> None:
    """Without the switch the list would quietly be shorter than it says, or empty."""
    environ = {"LINQ_API_V3_API_KEY": KEY, TOOLS: "get_chat,send"}
    load = partial(load_settings, known_tools=(*KNOWN, "send"), send_tools=("send",))
    settings = load(environ, allow_send=allowed)
    if allowed:
        assert (settings.tools, settings.problem) == (("get_chat", "send"), None)
    else:
        assert settings.problem == settings.scope_problem == ToolsThatSend(("send",))
    assert load({**environ, TOOLS: "get_chat"}).problem is None


def test_options_come_before_variables() -> None:
    environ = {"LINQ_API_V3_API_KEY": KEY, LINES: "+12055550101", TOOLS: "list_chats"}
    given = load_settings(environ, options={LINES: "+13345550102", TOOLS: None}, known_tools=KNOWN)
    assert (given.lines, given.tools) == (("+13345550102",), ("list_chats",))
    assert load_settings(environ, options={LINES: ""}, known_tools=KNOWN).problem == UnusableLines()
    assert load_settings(environ, options={TOOLS: " "}, known_tools=KNOWN).problem == UnknownTools((), KNOWN)


def test_a_mistake_in_the_scope_is_told_before_a_missing_key() -> None:
    settings = load_settings({LINES: "x", "LINQ_API_V3_BASE_URL": "garbage"})
    assert settings.problem == settings.keyless_problem == UnusableBaseUrl(UrlFlaw.NOT_HTTP)
    assert load_settings({LINES: "x"}).problem == UnusableLines()


def test_a_store_that_is_a_folder_gets_a_file_in_it(tmp_path: Path) -> None:
    """The settings of the desktop bundle let people choose a folder."""
    file = tmp_path / "linq-mcp.sqlite"
    for given in (tmp_path, file):
        assert load_settings({"LINQ_MCP_STORE": str(given)}).store.path == file
    # As on the command line, which stands above the environment.
    assert load_settings({"LINQ_MCP_STORE": "elsewhere"}, options={"LINQ_MCP_STORE": str(tmp_path)}).store.path == file


def test_a_store_may_be_a_database() -> None:
    """Its address, with a password in it, shows in no representation of the settings."""
    settings = load_settings({"LINQ_MCP_STORE": "postgresql://linq:a-password@db.example.com/linq"})
    assert settings.store.lasts
    assert settings.store.path is None
    assert "a-password" not in repr(settings)
    assert not settings.store.in_memory().lasts
