"""What the operator allows of sending, and how a slip in it is read: as the strictest rule."""

from __future__ import annotations

import pytest

from linq_mcp.settings import load_settings
from linq_mcp.settings.problems import SettingsWarning, UnusableRecipients, WarningKind
from linq_mcp.settings.sending import Confirm, SendSettings, sending_variables
from linq_mcp.wording.settings import format_warning

KEYS = "a" * 32, "b" * 32


def sending(environ: dict[str, str], *, allow_send: bool = True) -> SendSettings | None:
    settings = load_settings(environ, allow_send=allow_send)
    assert settings.warnings == ()
    return settings.sending


@pytest.mark.parametrize("value", ["", "0", "false", "no", "off", "${user_config.send}"])
def test_sending_is_off(value: str) -> None:
    assert sending({"LINQ_MCP_SEND": value, "LINQ_MCP_SEND_TO": "*"}, allow_send=False) is None


@pytest.mark.parametrize("value", ["1", "true", "True", "yes", "on"])
def test_sending_is_on(value: str) -> None:
    assert sending({"LINQ_MCP_SEND": value}, allow_send=False) == SendSettings()


def test_the_switch_allows_what_the_environment_does_not() -> None:
    assert sending({}) == SendSettings()


@pytest.mark.parametrize(
    ("variable", "value", "rules"),
    [
        ("LINQ_MCP_SEND_TO", "known", SendSettings()),
        ("LINQ_MCP_SEND_TO", "*", SendSettings(anyone=True)),
        (
            "LINQ_MCP_SEND_TO",
            "+12055550101, Ana@Example.com,@example.org,",
            SendSettings(recipients=frozenset({"+12055550101", "ana@example.com", "@example.org"})),
        ),
        (
            "LINQ_MCP_SEND_TO",
            "+1 (205) 555-0101; 001.205.555.0102\n262966",
            SendSettings(recipients=frozenset({"+12055550101", "+12055550102", "262966"})),
        ),
        ("LINQ_MCP_SEND_TO", "${user_config.send_to}", SendSettings()),
        ("LINQ_MCP_SEND_LIMIT", "5", SendSettings(limit=5)),
        ("LINQ_MCP_SEND_LIMIT", "0", SendSettings(limit=0)),
        ("LINQ_MCP_SEND_CRITICAL", "1", SendSettings(allow_critical=True)),
        ("LINQ_MCP_CONFIRM", "person", SendSettings()),
        ("LINQ_MCP_CONFIRM", "second-call", SendSettings(confirm=Confirm.SECOND_CALL)),
    ],
)
def test_rules(variable: str, value: str, rules: SendSettings) -> None:
    assert sending({variable: value}) == rules
    assert sending(sending_variables(rules), allow_send=False) == rules


@pytest.mark.parametrize(
    ("variable", "value", "rules"),
    [
        ("LINQ_MCP_SEND_LIMIT", "many", SendSettings()),
        ("LINQ_MCP_SEND_LIMIT", "-1", SendSettings()),
        ("LINQ_MCP_SEND_LIMIT", "1001", SendSettings()),
        ("LINQ_MCP_SEND_CRITICAL", "perhaps", SendSettings()),
        ("LINQ_MCP_CONFIRM", "never", SendSettings()),
        ("LINQ_MCP_STATE_KEY", "too short", SendSettings()),
        ("LINQ_MCP_STATE_KEY", f"{KEYS[0]},short", SendSettings()),
    ],
)
def test_a_slip_is_named_and_read_strictly(variable: str, value: str, rules: SendSettings) -> None:
    settings = load_settings({variable: value}, allow_send=True)
    assert settings.sending == rules
    assert settings.warnings == (SettingsWarning(WarningKind.UNUSABLE_SEND_SETTING, variable),)
    assert all(variable in format_warning(warning) for warning in settings.warnings)


@pytest.mark.parametrize(
    "value", ["everybody", "+12055550101,Ana", "2055550101", "ana@example", ",", ";", "${SEND_TO}", "+1205555010l"]
)
def test_recipients_that_can_not_be_read_close_sending(value: str) -> None:
    """A list with one entry less would let the reader believe in it, and the default would let others be written to."""
    settings = load_settings({"LINQ_MCP_SEND_TO": value}, allow_send=True)
    assert settings.sending
    assert settings.sending.problem == UnusableRecipients()
    (warning,) = settings.warnings
    assert "nothing is sent" in format_warning(warning)
    assert settings.problem != UnusableRecipients()


def test_a_switch_that_can_not_be_read_is_off() -> None:
    settings = load_settings({"LINQ_MCP_SEND": "maybe"})
    assert settings.sending is None
    assert settings.warnings == (SettingsWarning(WarningKind.UNUSABLE_SEND_SETTING, "LINQ_MCP_SEND"),)


def test_several_state_keys_rotate() -> None:
    read = sending({"LINQ_MCP_STATE_KEY": ",".join(KEYS)})
    assert read
    assert [key.get_secret_value() for key in read.state_keys] == list(KEYS)
    assert "aaa" not in repr(read)
