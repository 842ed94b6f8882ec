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

from linq_mcp.settings import DEFAULT_BASE_URL, LOG_LEVELS, Settings, is_loopback, key_flaw, load_settings
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
        pytest.param(PROFILES, {"LINQ_PROFILE": " sandbox "}, "lq-sandbox", "sandbox", id="LINQ_PROFILE with spaces"),
        pytest.param(PROFILES, {"LINQ_PROFILE": ""}, "lq-work", "work", id="blank LINQ_PROFILE"),
        pytest.param(PROFILES, {"LINQ_PROFILE": "${LINQ_PROFILE}"}, "lq-work", "work", id="unfilled LINQ_PROFILE"),
        pytest.param({**PROFILES, "profile": None}, {}, "lq-default", "default", id="no choice"),
        pytest.param({**PROFILES, "profile": ""}, {}, "lq-default", "default", id="empty choice"),
        pytest.param({**PROFILES, "profile": 7}, {}, "lq-default", "default", id="choice of another type"),
        pytest.param(
            {"profiles": {"default": {"token": f" {KEY}\n"}}}, {}, KEY, "default", id="token with white space"
        ),
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


def test_the_home_folder_of_windows(tmp_path: Path) -> None:
    environ = environment(tmp_path, PROFILES)
    assert key_of(load_settings({"USERPROFILE": environ["HOME"]})) == "lq-work"


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


def test_a_key_may_hold_dollars_and_braces() -> None:
    """Only a value that is a placeholder as a whole is unset."""
    assert key_of(load_settings({"LINQ_API_V3_API_KEY": "lq-${x}-1"})) == "lq-${x}-1"


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("/data/contacts.csv", "/data/contacts.csv"),
        (" contacts.vcf ", "contacts.vcf"),
        ("~/my contacts.csv", "/home/ann/my contacts.csv"),
        ("~", "/home/ann"),
        ("~bo/contacts.csv", "~bo/contacts.csv"),
        ("a~/contacts.csv", "a~/contacts.csv"),
        ("$HOME/contacts.csv", "/home/ann/contacts.csv"),
        ("${HOME}/contacts.csv", "/home/ann/contacts.csv"),
        (r"%USERPROFILE%\contacts.csv", "/home/ann/contacts.csv"),
        ('"~/my contacts.csv"', "/home/ann/my contacts.csv"),
        ("'/data/contacts.csv'", "/data/contacts.csv"),
        ("file:///data/my%20contacts.csv", "/data/my contacts.csv"),
        ("file:///C:/Users/ann/contacts.csv", "C:/Users/ann/contacts.csv"),
    ],
)
def test_the_path_of_the_contacts_file(value: str, path: str) -> None:
    assert load_settings({"HOME": "/home/ann", "LINQ_MCP_CONTACTS": value}).contacts == Path(path)


def test_without_a_home_folder_a_tilde_is_just_a_tilde() -> None:
    assert load_settings({"LINQ_MCP_CONTACTS": "~/contacts.csv"}).contacts == Path("~/contacts.csv")


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "/nowhere/at/all"}], ids=["none", "blank", "missing"])
def test_no_key_and_no_home(environ: dict[str, str]) -> None:
    settings = load_settings(environ)
    assert settings.api_key is None
    assert settings.key_source is None
    assert settings.warnings == ()
    assert settings.problem == NoKey()


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


def test_a_profile_that_the_file_names_but_lacks_is_worth_saying(tmp_path: Path) -> None:
    settings = load_settings(environment(tmp_path, {**PROFILES, "profile": "gone"}))
    assert settings.api_key is None
    assert settings.problem == MissingProfile("gone", by_environment=False, known=("default", "work", "sandbox"))


def test_a_named_profile_without_any_file() -> None:
    assert load_settings({"LINQ_PROFILE": "gone"}).problem == MissingProfile("gone", by_environment=True)


def test_names_of_profiles_are_cleaned(tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "profiles": {"\x1b[31m\u202e" + "x" * 500: {}, **{f"p{number}": {} for number in range(5000)}}
    }
    problem = load_settings(environment(tmp_path, config, LINQ_PROFILE="gone\x1b\udc80")).problem
    assert isinstance(problem, MissingProfile)
    assert problem.profile == "gone"
    assert all(name.isprintable() and len(name) <= 40 for name in problem.known)
    assert (len(problem.known), problem.more) == (10, 4991)


def test_a_config_file_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / ".linq" / "config.json").mkdir(parents=True)
    settings = load_settings(environment(tmp_path))
    assert settings.api_key is None
    assert settings.warnings == (UNREADABLE,)


@pytest.mark.skipif(os.name == "nt", reason="there are no FIFOs")
def test_a_config_file_that_is_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / ".linq").mkdir(mode=0o700)
    os.mkfifo(tmp_path / ".linq" / "config.json", 0o600)
    settings = load_settings(environment(tmp_path))
    assert settings.api_key is None
    assert settings.warnings == (UNREADABLE,)


@pytest.mark.skipif(os.name == "nt", reason="there are no devices in the file system")
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/tty"])
def test_a_config_file_that_is_a_device_is_not_read(tmp_path: Path, device: str) -> None:
    (tmp_path / ".linq").mkdir(mode=0o700)
    (tmp_path / ".linq" / "config.json").symlink_to(device)
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


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_config_file_without_permission(tmp_path: Path) -> None:
    environ = environment(tmp_path, PROFILES)
    (tmp_path / ".linq" / "config.json").chmod(0)
    settings = load_settings(environ)
    assert settings.api_key is None
    assert len(settings.warnings) == 1


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("", "utf-8")
    assert load_settings({"HOME": str(tmp_path / "home")}).api_key is None


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


KEY_FORMS: dict[KeyFlaw | None, list[str]] = {
    KeyFlaw.EXAMPLE: [
        *("your key", "YOUR_API_KEY", "<your-linq-api-key>", '"your key"', "your_token", "YOUR_LINQ_API_V3_API_KEY"),
        *("<API_KEY>", "[API_KEY]", "<paste it here>", "changeme", "CHANGE_ME", "replace-me", "insert your key here"),
        *("api_key", "apikey", "my-api-key", "xxxxxxxx", "sk-xxxx", "lq_xxxx", "***", "...", "…", "TODO", "null"),
    ],
    KeyFlaw.UNEXPANDED: [
        *("$LINQ_KEY", "$env:LINQ_KEY", "${LINQ_KEY}", "${input:linq-key}", "${}", "$(LINQ_KEY)", "%LINQ_KEY%"),
        *("{env:LINQ_KEY}", "{LINQ_KEY}", "{{LINQ_KEY}}", "{{ secrets.linq }}", "${{ secrets.LINQ_KEY }}"),
        *("op://Private/Linq/credential", "ref+vault://linq#key", "vault:linq/key", "env:LINQ_KEY"),
    ],
    KeyFlaw.ASSIGNMENT: [
        *(f"LINQ_API_V3_API_KEY={KEY}", f'export LINQ_KEY="{KEY}"', f"$env:LINQ_KEY = {KEY}", f"api_key={KEY}"),
    ],
    KeyFlaw.QUOTES: [f'"{KEY}"', f"'{KEY}'", f'{KEY}"x', f"{KEY}\\"],
    KeyFlaw.CHARACTER: [f"Bearer {KEY}", "", "x" * 1001, f"\ufeff{KEY}"],
    None: [
        *(KEY, "x" * 1000, "12345678", "yourkey-5a1f", "$2b$10$abc", "50%off%", "Zm9vYmFy==", "AB=", "A1=="),
        *("keynote-5a1f", "mytoken5a1f", "todo-5a1f", "5a1f:7b", "a{b}c", "xx-5a1f"),
    ],
}


def test_placeholders_of_every_usual_form_are_named() -> None:
    flaws = {text: key_flaw(text) for texts in KEY_FORMS.values() for text in texts}
    assert flaws == {text: flaw for flaw, texts in KEY_FORMS.items() for text in texts}


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
    ("value", "given", "launched_by"),
    [
        ("", None, LaunchedBy.CLIENT),
        ("bundle", None, LaunchedBy.BUNDLE),
        ("anything else", None, LaunchedBy.CLIENT),
        ("bundle", LaunchedBy.SERVICE, LaunchedBy.SERVICE),
    ],
)
def test_who_launched_it(value: str, given: LaunchedBy | None, launched_by: LaunchedBy) -> None:
    assert load_settings({"LINQ_MCP_LAUNCHED_BY": value}, launched_by=given).launched_by is launched_by


@pytest.mark.parametrize(
    ("given", "base_url"),
    [
        ("https://api.linqapp.com/api/partner", "https://api.linqapp.com/api/partner"),
        ("https://api.linqapp.com/api/partner/", "https://api.linqapp.com/api/partner"),
        ("https://api.linqapp.com/api/partner/v3", "https://api.linqapp.com/api/partner"),
        ("https://api.linqapp.com/api/partner/v3/", "https://api.linqapp.com/api/partner"),
        ("https://api.linqapp.com/api/partner//v3//", "https://api.linqapp.com/api/partner"),
        (" https://api.example.com \n", "https://api.example.com"),
        ("https://api.example.com/v3", "https://api.example.com"),
        ("https://api.example.com/v33", "https://api.example.com/v33"),
        ("https://api.example.com/my-v3", "https://api.example.com/my-v3"),
        ("https://v3", "https://v3"),
        ("https://v3/", "https://v3"),
        ("HTTPS://API.example.com", "HTTPS://API.example.com"),
        ("https://api.example.com:8443/partner", "https://api.example.com:8443/partner"),
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
        "http://localhost",
        "http://localhost:8765/v3",
        "http://LOCALHOST:8765",
        "http://127.0.0.1:8765",
        "http://127.1.2.3",
        "http://[::1]:8765",
    ],
)
def test_plain_http_to_this_machine(url: str) -> None:
    assert with_base_url(url).problem is None
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.linqapp.com/api/partner",
        "http://127.0.0.1.evil.com",
        "http://localhost.evil.com",
        "http://evil-localhost",
        "http://localhost.:80",
        "http://0.0.0.0:8765",
        "http://[::]:8765",
        "http://10.0.0.1",
        "http://192.168.0.1",
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
        pytest.param("ftp://api.example.com", id="ftp"),
        pytest.param("javascript:alert(1)", id="javascript"),
        pytest.param("api.linqapp.com/api/partner", id="no scheme"),
        pytest.param("https://", id="no host"),
        pytest.param("https://api.example.com:99999", id="port too high"),
        pytest.param("https://[::1", id="bracket open"),
        pytest.param("http://[::1].evil.com", id="loopback address before a name"),
        pytest.param("https://api.exa mple.com", id="space"),
        pytest.param("https://api.example.com/\nHost: evil", id="line break"),
        pytest.param("https://ex\u0430mple.com", id="not ASCII"),
        pytest.param("\x00", id="NUL"),
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


@pytest.mark.parametrize(
    "url",
    ["https://api.linqapp.com", "https://10.0.0.1", "https://127.0.0.1.evil.com", "http://0.0.0.0", "garbage", ""],
)
def test_not_this_machine(url: str) -> None:
    assert not is_loopback(url)


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


@pytest.mark.parametrize("level", LOG_LEVELS)
def test_log_levels(level: str) -> None:
    for given in (level, level.lower(), f" {level.title()} "):
        settings = load_settings({"LINQ_MCP_LOG_LEVEL": given})
        assert (settings.log_level, settings.warnings) == (level, ())


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


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().base_url = "https://evil.com"  # type: ignore[misc]  # it must be refused


def test_the_process_environment_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LINQ_API_V3_API_KEY", KEY)
    monkeypatch.setenv("HOME", environment(tmp_path, PROFILES)["HOME"])
    assert load_settings({}).api_key is None


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


@pytest.mark.parametrize("value", ["", "  ", "${user_config.lines}"])
def test_a_list_that_was_left_empty_narrows_nothing(value: str) -> None:
    """A desktop bundle passes every setting that it has."""
    settings = load_settings({"LINQ_API_V3_API_KEY": KEY, LINES: value, TOOLS: value}, known_tools=KNOWN)
    assert (settings.lines, settings.tools, settings.problem, settings.warnings) == ((), (), None, ())


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


@pytest.mark.parametrize("given", ["~/kept.db", "$HOME/kept.db", '"~/kept.db"', "“~/kept.db”", "file://{home}/kept.db"])
def test_the_path_of_a_store_is_read_as_people_paste_it(given: str, tmp_path: Path) -> None:
    """The home folder is the one of the variables, as for the contacts file."""
    given = given.replace("{home}", str(tmp_path))
    for environ, options in (({"LINQ_MCP_STORE": given}, {}), ({}, {"LINQ_MCP_STORE": given})):
        settings = load_settings({"HOME": str(tmp_path), **environ}, options=options)
        assert settings.store.path == tmp_path / "kept.db"
        assert settings.store.by_option is bool(options)
        assert settings.warnings == ()


@pytest.mark.parametrize("given", ["~nosuchuser/kept.db", "$DATA/kept.db", "%APPDATA%\\kept.db", "file:///kept%00.db"])
def test_a_store_that_no_path_leads_to(given: str, tmp_path: Path) -> None:
    """No folder called `$DATA` is made in the folder in which the server happens to run."""
    for environ, options, name in (
        ({"LINQ_MCP_STORE": given}, {}, "LINQ_MCP_STORE"),
        ({}, {"LINQ_MCP_STORE": given}, "--store"),
    ):
        settings = load_settings({"HOME": str(tmp_path), **environ}, options=options)
        assert not settings.store.lasts
        assert settings.warnings == (SettingsWarning(WarningKind.UNUSABLE_STORE_SETTING, name),)


def test_a_store_that_cannot_be_looked_at_keeps_nothing_from_starting(tmp_path: Path) -> None:
    """The first question says that it can't be opened."""
    assert load_settings({"LINQ_MCP_STORE": str(tmp_path / ("x" * 300))}).store.lasts


@pytest.mark.parametrize("given", ["abc", "${DAYS}", "0", "3651", "nan", "1.5"])
def test_with_unusable_days_nothing_is_kept_on_disk(given: str) -> None:
    """A mistake keeps no messages for ever, and drops none."""
    settings = load_settings({"LINQ_MCP_STORE": "s.sqlite", "LINQ_MCP_STORE_DAYS": given})
    assert not settings.store.lasts
    assert settings.warnings == (SettingsWarning(WarningKind.UNUSABLE_STORE_SETTING, "LINQ_MCP_STORE_DAYS"),)
    assert load_settings({"LINQ_MCP_STORE_DAYS": "${user_config.store_days}"}).store.days is None


def test_a_store_may_be_a_database() -> None:
    """Its address, with a password in it, shows in no representation of the settings."""
    settings = load_settings({"LINQ_MCP_STORE": "postgresql://linq:a-password@db.example.com/linq"})
    assert settings.store.lasts
    assert settings.store.path is None
    assert "a-password" not in repr(settings)
    assert not settings.store.in_memory().lasts


def test_the_address_of_a_database_may_be_in_quotation_marks() -> None:
    """It would be the path of a file, which is shown, with its password."""
    settings = load_settings({"LINQ_MCP_STORE": '"postgresql://linq:a-password@db.example.com/linq"'})
    assert settings.store.url
    assert settings.store.url.get_secret_value() == "postgresql://linq:a-password@db.example.com/linq"
    assert settings.store.path is None


@pytest.mark.parametrize("address", ["mysql://linq:pw@db/linq", "postgresql+psycopg://linq:pw@db/linq"])
def test_the_address_of_another_database_is_no_file(address: str) -> None:
    settings = load_settings({"LINQ_MCP_STORE": address})
    assert not settings.store.lasts
    assert [warning.variable for warning in settings.warnings] == ["LINQ_MCP_STORE"]
