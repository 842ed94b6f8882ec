"""Whatever the environment and the config file hold, settings come of it, and never an exception or a leaked key."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest

from linq_mcp.settings import DEFAULT_BASE_URL, LOG_LEVELS, Settings, is_loopback, load_settings

KEY = "lq-test-7f3a9c"
OTHER_KEY = "lq-test-55d01e"

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
        (folder / "config.json").write_bytes(content)
    return {"HOME": str(home), **variables}


def key_of(settings: Settings) -> str | None:
    return settings.api_key.get_secret_value() if settings.api_key else None


def with_base_url(url: str) -> Settings:
    return load_settings({"LINQ_API_V3_API_KEY": KEY, "LINQ_API_V3_BASE_URL": url})


def test_the_key_of_the_environment() -> None:
    """A key is all that is needed; everything else has a default."""
    settings = load_settings({"LINQ_API_V3_API_KEY": KEY})
    assert key_of(settings) == KEY
    assert settings.key_source == "the environment variable LINQ_API_V3_API_KEY"
    assert dataclasses.replace(settings, api_key=None, key_source=None) == Settings()


def test_the_environment_goes_before_a_profile(tmp_path: Path) -> None:
    """Also when `LINQ_PROFILE` asks for a profile that does not exist: it is not needed."""
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
    ],
)
def test_the_key_of_a_profile(tmp_path: Path, config: Any, variables: dict[str, str], key: str, named: str) -> None:
    """`LINQ_PROFILE`, else the file's `profile`, else `default`; the source names it."""
    settings = load_settings(environment(tmp_path, config, **variables))
    assert (key_of(settings), settings.problem) == (key, None)
    assert settings.key_source == f"the profile '{named}' of ~/.linq/config.json"


def test_the_home_folder_of_windows(tmp_path: Path) -> None:
    """Without `HOME`, `USERPROFILE` is asked."""
    environ = environment(tmp_path, PROFILES)
    assert key_of(load_settings({"USERPROFILE": environ["HOME"]})) == "lq-work"


@pytest.mark.parametrize("unset", ["", "  ", "\t\n", "${user_config.api_key}", " ${user_config.api_key} ", "${}"])
def test_blank_and_unfilled_mean_unset(tmp_path: Path, unset: str) -> None:
    """What a desktop bundle sends for an optional setting that was left out is no setting."""
    variables = dict.fromkeys(
        ("LINQ_API_V3_API_KEY", "LINQ_API_V3_BASE_URL", "LINQ_PROFILE", "LINQ_MCP_LOG_LEVEL"), unset
    )
    settings = load_settings(environment(tmp_path, PROFILES, **variables))
    assert key_of(settings) == "lq-work"
    assert (settings.base_url, settings.base_url_is_set) == (DEFAULT_BASE_URL, False)
    assert (settings.log_level, settings.problem, settings.warnings) == ("WARNING", None, ())


def test_a_key_may_hold_dollars_and_braces() -> None:
    """Only a value that is a placeholder as a whole is unset."""
    assert key_of(load_settings({"LINQ_API_V3_API_KEY": "lq-${x}-1"})) == "lq-${x}-1"


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "/nowhere/at/all"}], ids=["none", "blank", "missing"])
def test_no_key_and_no_home(environ: dict[str, str]) -> None:
    """The problem names the variable, `linq login` and the client's `env` block."""
    settings = load_settings(environ)
    assert settings.api_key is None
    assert settings.key_source is None
    assert settings.warnings == ()
    assert settings.problem is not None
    assert settings.problem.startswith("No Linq API key is set.")
    for hint in ("LINQ_API_V3_API_KEY", "`linq login`", "`env` block"):
        assert hint in settings.problem


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"profiles": {', id="cut off"),
        pytest.param(b"token=abc", id="another format"),
        pytest.param(b"\xff\xfe\x00\xd8\xd8", id="not UTF-8"),
        pytest.param(b'{"profiles":{"default":{"token":"\xe9"}}}', id="Latin-1"),
        pytest.param(b"[" * 200_000, id="nested without end"),
        pytest.param(b"1" * 100_000, id="a number without end"),
        pytest.param(b'{"profiles":{"default":{"token":"x"}},"pad":"' + b"x" * 2_000_000 + b'"}', id="huge"),
    ],
)
def test_a_config_file_that_is_no_json_is_passed_over(tmp_path: Path, config: bytes) -> None:
    """It means no key here, and a warning says why."""
    settings = load_settings(environment(tmp_path, config))
    assert settings.api_key is None
    assert settings.problem is not None
    assert settings.problem.startswith("No Linq API key is set.")
    assert settings.warnings == ("~/.linq/config.json could not be read as JSON and was passed over.",)


@pytest.mark.parametrize(
    "config",
    [
        pytest.param([], id="a list"),
        pytest.param("text", id="a string"),
        pytest.param(5, id="a number"),
        pytest.param({}, id="empty"),
        pytest.param({"profiles": None}, id="profiles null"),
        pytest.param({"profiles": []}, id="profiles a list"),
        pytest.param({"profiles": "default"}, id="profiles a string"),
        pytest.param({"profiles": {"default": "token"}}, id="profile a string"),
        pytest.param({"profiles": {"default": None}}, id="profile null"),
        pytest.param({"profiles": {"default": {}}}, id="no token"),
        pytest.param({"profiles": {"default": {"token": ""}}}, id="empty token"),
        pytest.param({"profiles": {"default": {"token": " \n"}}}, id="blank token"),
        pytest.param({"profiles": {"default": {"token": None}}}, id="token null"),
        pytest.param({"profiles": {"default": {"token": 12345}}}, id="token a number"),
        pytest.param({"profiles": {"default": {"token": ["x"]}}}, id="token a list"),
    ],
)
def test_a_config_file_of_another_shape_has_no_key(tmp_path: Path, config: object) -> None:
    """JSON of any shape is read without an exception."""
    settings = load_settings(environment(tmp_path, config))
    assert settings.api_key is None
    assert settings.problem is not None
    assert settings.problem.startswith("No Linq API key is set.")


def test_a_profile_without_a_token_is_named(tmp_path: Path) -> None:
    """The reader learns which profile was looked at."""
    settings = load_settings(environment(tmp_path, {"profile": "work", "profiles": {"work": {"token": 5}}}))
    assert settings.problem is not None
    assert "the profile 'work' of ~/.linq/config.json, but it has no token" in settings.problem


def test_a_named_profile_that_does_not_exist_is_worth_saying(tmp_path: Path) -> None:
    """`LINQ_PROFILE` never falls back to another profile's key; the profiles there are named."""
    settings = load_settings(environment(tmp_path, PROFILES, LINQ_PROFILE="gone"))
    assert settings.api_key is None
    assert settings.problem is not None
    assert "LINQ_PROFILE" in settings.problem
    assert "default, work, sandbox" in settings.problem


def test_a_profile_that_the_file_names_but_lacks_is_worth_saying(tmp_path: Path) -> None:
    """The file's own `profile` names a profile, too."""
    settings = load_settings(environment(tmp_path, {**PROFILES, "profile": "gone"}))
    assert settings.api_key is None
    assert settings.problem is not None
    assert "gone" in settings.problem


def test_a_named_profile_without_any_file() -> None:
    """There are none to name."""
    settings = load_settings({"LINQ_PROFILE": "gone"})
    assert settings.problem is not None
    assert "(profiles there: none)" in settings.problem


def test_names_of_profiles_are_cleaned(tmp_path: Path) -> None:
    """The file's text reaches the reader without escapes and without end."""
    config: dict[str, Any] = {
        "profiles": {"\x1b[31m\u202e" + "x" * 500: {}, **{f"p{number}": {} for number in range(5000)}}
    }
    settings = load_settings(environment(tmp_path, config, LINQ_PROFILE="gone"))
    assert settings.problem is not None
    assert settings.problem.isprintable()
    assert len(settings.problem) < 2000


def test_a_config_file_that_is_a_folder(tmp_path: Path) -> None:
    """What cannot be opened is passed over."""
    (tmp_path / ".linq" / "config.json").mkdir(parents=True)
    settings = load_settings(environment(tmp_path))
    assert settings.api_key is None
    assert len(settings.warnings) == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_config_file_without_permission(tmp_path: Path) -> None:
    """A file of someone else's is passed over."""
    environ = environment(tmp_path, PROFILES)
    (tmp_path / ".linq" / "config.json").chmod(0)
    settings = load_settings(environ)
    assert settings.api_key is None
    assert len(settings.warnings) == 1


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    """No folder below it can be opened; that is no exception."""
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
        pytest.param(f"{KEY}\ud83d", id="half an emoji"),
    ],
)
@pytest.mark.parametrize("place", ["environment", "profile"])
def test_a_key_no_header_can_carry(tmp_path: Path, key: str, place: str) -> None:
    """It is said, with its source and without the key, before anything is sent."""
    config = {"profiles": {"default": {"token": key}}} if place == "profile" else None
    settings = load_settings(environment(tmp_path, config, **({} if config else {"LINQ_API_V3_API_KEY": key})))
    assert settings.api_key is None
    assert settings.problem is not None
    assert ("~/.linq/config.json" if config else "LINQ_API_V3_API_KEY") in settings.problem
    assert KEY not in repr(settings)


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
    """With and without `/v3` and slashes, it is the same base."""
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
    """Nothing leaves the machine, so nothing is sent in the clear."""
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
    assert settings.problem is not None
    assert "https" in settings.problem
    assert settings.base_url == DEFAULT_BASE_URL
    assert not is_loopback(url)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://ann:secret-word@api.example.com", id="user and password"),
        pytest.param("https://ann@api.example.com", id="user"),
        pytest.param("https://:secret-word@api.example.com", id="password"),
        pytest.param("https://@api.example.com", id="empty user"),
        pytest.param("http://localhost@evil.com", id="loopback as user"),
        pytest.param("https://api.example.com/v3?x=secret-word", id="query"),
        pytest.param("https://api.example.com/v3#secret-word", id="fragment"),
        pytest.param("https://api.example.com/v3?", id="empty query"),
        pytest.param("https://api.example.com/v3#", id="empty fragment"),
        pytest.param("http://localhost#@evil.com", id="loopback before a fragment"),
        pytest.param("ftp://api.example.com", id="ftp"),
        pytest.param("file:///etc/hosts", id="file"),
        pytest.param("javascript:alert(1)", id="javascript"),
        pytest.param("api.linqapp.com/api/partner", id="no scheme"),
        pytest.param("//api.linqapp.com", id="no scheme, slashes"),
        pytest.param("https:/api.linqapp.com", id="one slash"),
        pytest.param("https://", id="no host"),
        pytest.param("https:///v3", id="no host, a path"),
        pytest.param("https://:443", id="a port alone"),
        pytest.param("https://api.example.com:port", id="port a word"),
        pytest.param("https://api.example.com:99999", id="port too high"),
        pytest.param("https://[::1", id="bracket open"),
        pytest.param("https://[::1]]", id="bracket twice"),
        pytest.param("http://[::1].evil.com", id="loopback address before a name"),
        pytest.param("http://evil.com[::1]", id="loopback address behind a name"),
        pytest.param("https://api.exa mple.com", id="space"),
        pytest.param("https://api.example.com/\nHost: evil", id="line break"),
        pytest.param("https://ex\u0430mple.com", id="not ASCII"),
        pytest.param("https://example.com/\ud83d", id="half an emoji"),
        pytest.param("garbage", id="garbage"),
        pytest.param("\x00", id="NUL"),
        pytest.param(KEY, id="a key pasted here"),
        pytest.param(f"https://{KEY}@api.linqapp.com", id="a key as user"),
    ],
)
def test_base_urls_that_cannot_be_used(url: str) -> None:
    """The problem names the variable and what is valid; the value, which may hold a secret, is not repeated."""
    settings = with_base_url(url)
    assert settings.problem is not None
    assert "LINQ_API_V3_BASE_URL" in settings.problem
    assert DEFAULT_BASE_URL in settings.problem
    assert "secret-word" not in repr(settings)
    assert KEY not in repr(settings)
    assert settings.base_url == DEFAULT_BASE_URL


@pytest.mark.parametrize(
    "url",
    ["https://api.linqapp.com", "https://10.0.0.1", "https://127.0.0.1.evil.com", "http://0.0.0.0", "garbage", ""],
)
def test_not_this_machine(url: str) -> None:
    """Only names and addresses that cannot lead elsewhere count."""
    assert not is_loopback(url)


@pytest.mark.parametrize("url", ["https://ann:secret-word@api.example.com", "https://ann@h", "https://@h"])
def test_a_user_name_in_the_base_url_is_told(url: str) -> None:
    """It is a whole URL, so the reader learns what else is wrong with it."""
    assert "user name or password" in (with_base_url(url).problem or "")


def test_the_key_is_in_no_text_of_the_settings(tmp_path: Path) -> None:
    """Neither shown, nor printed, nor in a problem or warning, wherever it stands."""
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
    """Any of logging's names, in any case, with spaces around."""
    for given in (level, level.lower(), f" {level.title()} "):
        settings = load_settings({"LINQ_MCP_LOG_LEVEL": given})
        assert (settings.log_level, settings.warnings) == (level, ())


@pytest.mark.parametrize("given", ["LOUD", "10", "NOTSET", "WARN", "x" * 10_000, "\x1b[31m"])
def test_an_unknown_log_level_is_passed_over(given: str) -> None:
    """WARNING is used, and a warning says what is valid without repeating the value."""
    settings = load_settings({"LINQ_MCP_LOG_LEVEL": given})
    assert settings.log_level == "WARNING"
    (warning,) = settings.warnings
    assert warning == f"LINQ_MCP_LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}; WARNING is used."


def test_settings_are_frozen() -> None:
    """One value for the whole run."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().base_url = "https://evil.com"  # type: ignore[misc]  # it must be refused


def test_the_process_environment_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only the mapping that is given counts."""
    monkeypatch.setenv("LINQ_API_V3_API_KEY", KEY)
    monkeypatch.setenv("HOME", environment(tmp_path, PROFILES)["HOME"])
    assert load_settings({}).api_key is None
