"""The access file: which rule is for whom, what it opens, and what is said of one that can't be used."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from helpers.linq import KEY
from pydantic import SecretStr

from linq_mcp.settings import Settings
from linq_mcp.settings.access_file import AccessFileError, AccessRules, read_access_file
from linq_mcp.settings.problems import KeySource, UnusableBaseUrl, UrlFlaw
from linq_mcp.settings.sending import STRICTEST

ENVIRON = {"ACME_LINQ_KEY": f" {KEY}\n", "EXAMPLE": "your key", "EMPTY": " "}
TOOLS = ("list_chats", "get_chat", "send_message")
RULE = '[[rule]]\nclaim = "org"\nvalue = "acme"\nkey_env = "ACME_LINQ_KEY"\n'
BY_FILE = '[[rule]]\nclaim = "org"\nvalue = "acme"\nkey_file = "acme"\n'
SHOP, CLINIC = "+12052535597", "+13343284472"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access.toml"


def read(path: Path, text: str, settings: Settings | None = None) -> AccessRules:
    path.write_text(text, "utf-8")
    return read_access_file(
        path, settings or Settings(), environ=ENVIRON, known_tools=TOOLS, send_tools=["send_message"]
    )


def refused(path: Path, text: str, settings: Settings | None = None) -> str:
    with pytest.raises(AccessFileError) as error:
        read(path, text, settings)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_rule_with_everything(path: Path) -> None:
    """The key is the variable's, and only what the rule names is open with it."""
    server = Settings(api_key=SecretStr("the server's own"), contacts=Path("names.csv"), sending=STRICTEST)
    (rule,) = read(
        path,
        f'{RULE}lines = ["+1 (205) 253-5597"]\ntools = ["get_chat", "list_chats"]\nsend = true\ncontacts = true\n',
        server,
    ).rules
    settings = rule.settings
    assert settings.api_key == SecretStr(KEY)
    assert settings.key_source is KeySource.ACCESS_FILE
    assert (settings.lines, settings.tools) == ((SHOP,), ("get_chat", "list_chats"))
    assert settings.sending is STRICTEST
    assert settings.contacts == Path("names.csv")
    assert settings.problem is None


def test_what_a_rule_does_not_name_is_not_open(path: Path) -> None:
    server = Settings(contacts=Path("names.csv"), sending=STRICTEST, lines=(SHOP,), tools=("list_chats",))
    (rule,) = read(path, RULE, server).rules
    assert (rule.settings.sending, rule.settings.contacts) == (None, None)
    assert (rule.settings.lines, rule.settings.tools) == ((SHOP,), ("list_chats",))


def test_a_rule_only_narrows(path: Path) -> None:
    server = Settings(lines=(SHOP,), tools=("list_chats",))
    text = f'{RULE}lines = ["{CLINIC}", "{SHOP}"]\ntools = ["get_chat", "list_chats"]\nsend = true\ncontacts = true'
    (rule,) = read(path, text, server).rules
    assert (rule.settings.lines, rule.settings.tools) == ((SHOP,), ("list_chats",))
    assert (rule.settings.sending, rule.settings.contacts) == (None, None)


def test_what_is_wrong_with_the_server_is_so_for_every_rule(path: Path) -> None:
    problem = UnusableBaseUrl(UrlFlaw.NOT_A_URL)
    (rule,) = read(path, RULE, Settings(problem=problem, base_url_problem=problem)).rules
    assert rule.settings.problem == problem


def test_a_key_from_a_file(path: Path) -> None:
    (path.parent / "acme").write_text(f"{KEY}\n", "utf-8")
    (rule,) = read(path, '[[rule]]\nclaim = "org"\nvalue = "acme"\nkey_file = "acme"').rules
    assert rule.settings.api_key == SecretStr(KEY)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_with_a_byte_order_mark(path: Path, encoding: str) -> None:
    """Notepad and PowerShell put one before the rules and before a key."""
    (path.parent / "acme").write_text(f"{KEY}\r\n", encoding)
    path.write_text('[[rule]]\nclaim = "org"\nvalue = "acme"\nkey_file = "acme"', encoding)
    (rule,) = read_access_file(path, Settings(), environ={}, known_tools=TOOLS).rules
    assert rule.settings.api_key == SecretStr(KEY)


@pytest.mark.parametrize(
    ("claims", "matches"),
    [
        ({"org": "acme"}, True),
        ({"org": ["other", "acme"]}, True),
        ({"org": "acme "}, False),
        ({"org": "ACME"}, False),
        ({"org": "acme,other"}, False),
        ({"org": {"acme": True}}, False),
        ({"org": None}, False),
        ({"org": [["acme"]]}, False),
        ({"org": ["/acme"]}, True),
        ({"org": ["/other/acme", "//acme", "acme/"]}, False),
        ({"org": "/acme"}, False),
        ({"organisation": "acme"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_a_claim_is_the_value_or_a_list_that_holds_it(path: Path, claims: dict[str, Any], matches: bool) -> None:
    (rule,) = read(path, RULE).rules
    assert rule.matches(claims) is matches


@pytest.mark.parametrize(
    ("name", "claims", "matches"),
    [
        ("realm_access.roles", {"realm_access": {"roles": ["acme"]}}, True),
        ("resource_access.my.app.roles", {"resource_access": {"my.app": {"roles": ["acme"]}}}, True),
        ("https://example.com/roles", {"https://example.com/roles": ["acme"]}, True),
        ("cognito:groups", {"cognito:groups": ["acme"]}, True),
        ("a.b", {"a.b": ["other"], "a": {"b": ["acme"]}}, False),
        ("realm_access.roles", {"realm_access": ["roles", "acme"]}, False),
        ("realm_access.roles", {"realm_access": {"roles": {"acme": True}}}, False),
        ("realm_access.", {"realm_access": {"": "acme"}}, True),
        ("realm_access", {"realm_access": {"roles": ["acme"]}}, False),
    ],
    ids=str,
)
def test_a_claim_may_be_the_member_of_another(path: Path, name: str, claims: dict[str, Any], matches: bool) -> None:
    """A dot leads into a claim, unless the whole name is that of a claim."""
    (rule,) = read(path, RULE.replace('"org"', f'"{name}"')).rules
    assert rule.matches(claims) is matches


@pytest.mark.parametrize(
    ("claims", "matches"),
    [
        ({}, True),
        ({"email_verified": True}, True),
        ({"email_verified": "true"}, True),
        ({"email_verified": False}, False),
        ({"email_verified": "false"}, False),
        ({"email_verified": None}, False),
        ({"email_verified": [True]}, False),
    ],
    ids=str,
)
def test_an_address_that_nobody_has_verified_opens_nothing(path: Path, claims: Any, matches: bool) -> None:
    (rule,) = read(path, RULE.replace("org", "email").replace("acme", "ann@example.com")).rules
    assert rule.matches({"email": "ann@example.com", **claims}) is matches


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no [[rule]]"),
        ("[rule]\nclaim = 'org'", "each rule begins with [[rule]]"),
        ("rule = [1]", "each rule begins with [[rule]]"),
        (RULE.replace("[[rule]]", "[[rules]]"), "rules is not a key; did you mean rule?"),
        (f"{RULE}line = ['{SHOP}']", "rule 1: line is not a key; did you mean lines?"),
        (f"{RULE}{RULE}colour = 1", "rule 2: colour is not a key; it can be claim, value, key_env,"),
        (f'{RULE}"{KEY}" = 1', "rule 1: one name is not a key"),
        ("[[rule]]\nvalue = 'acme'\nkey_env = 'ACME_LINQ_KEY'", "rule 1: claim is missing"),
        ("[[rule]]\nclaim = 'org'\nkey_env = 'ACME_LINQ_KEY'", "rule 1: value is missing"),
        (RULE.replace('"acme"', '""'), "rule 1: value takes the text that the claim must be or hold"),
        (RULE.replace('"acme"', "5"), "rule 1: value takes the text that the claim must be or hold"),
        (RULE.replace('key_env = "ACME_LINQ_KEY"\n', ""), "rule 1: it needs either key_env or key_file"),
        (f'{RULE}key_file = "acme"', "rule 1: it needs either key_env or key_file"),
        (RULE.replace("ACME_LINQ_KEY", KEY), "rule 1: the variable that key_env names is empty or not set"),
        (RULE.replace("ACME_LINQ_KEY", "EMPTY"), "rule 1: the variable that key_env names is empty or not set"),
        (RULE.replace("ACME_LINQ_KEY", "EXAMPLE"), "rule 1: the variable that key_env names holds something else"),
        (RULE.replace('key_env = "ACME_LINQ_KEY"', 'key_file = "none"'), "key_file names can't be read: No such file"),
        (RULE.replace('key_env = "ACME_LINQ_KEY"', 'key_file = "."'), "rule 1: the file that key_file names can't"),
        (RULE.replace('key_env = "ACME_LINQ_KEY"', 'key_file = "access.toml"'), "key_file names holds something else"),
        (f'{RULE}lines = "{SHOP}"', 'rule 1: lines takes a list of your numbers, such as ["+12052535597"]'),
        (f"{RULE}lines = []", "rule 1: lines takes a list of your numbers"),
        (f"{RULE}lines = ['205 253 5597']", "rule 1: lines takes a list of your numbers"),
        (f"{RULE}lines = [12052535597]", "rule 1: lines takes a list of your numbers"),
        (f"{RULE}tools = ['list_chat']", "rule 1: list_chat is not a tool; did you mean list_chats?"),
        (f"{RULE}tools = ['{KEY}']", "rule 1: one name is not a tool; it can be list_chats, get_chat,"),
        (f"{RULE}tools = []", 'rule 1: tools takes a list of tools, such as ["list_chats"]'),
        (f"{RULE}send = 1", "rule 1: send takes true or false"),
        (f"{RULE}contacts = 'yes'", "rule 1: contacts takes true or false"),
        ("[[rule]", "the access file is not valid TOML: Expected ']]' at the end of an array declaration (at line 1"),
        ("\udcff", "the access file is not valid TOML: it is not UTF-8"),
        ("#" * 300_000, "the access file is larger than 256 KiB"),
        (f"{RULE}{RULE}x = 1\ny = 2\n{RULE}a = 1\nb = 2\nc = 3\nd = 4", "; 1 more"),
    ],
)
def test_a_mistake_is_named_with_its_rule(path: Path, text: str, says: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(AccessFileError) as error:
        read_access_file(path, Settings(), environ=ENVIRON, known_tools=TOOLS)
    assert says in str(error.value)
    assert KEY not in str(error.value)


def test_a_list_that_leaves_nothing_opens_nothing(path: Path) -> None:
    server = Settings(lines=(SHOP,), tools=("list_chats",))
    assert f"none of its lines is open on this server, which opens {SHOP}" in refused(
        path, f"{RULE}lines = ['{CLINIC}']", server
    )
    assert "none of its tools is open on this server, which opens list_chats" in refused(
        path, f"{RULE}tools = ['get_chat']", server
    )


def test_a_tool_that_sends_needs_a_rule_that_sends(path: Path) -> None:
    text = f"{RULE}tools = ['list_chats', 'send_message']\n"
    assert "rule 1: send_message is there only with send = true" in refused(path, text)
    assert read(path, f"{text}send = true").rules[0].settings.tools == ("list_chats", "send_message")


def test_there_must_be_a_file(path: Path) -> None:
    with pytest.raises(AccessFileError, match="the access file can't be read: No such file or directory"):
        read_access_file(path, Settings(), environ={}, known_tools=TOOLS)


def test_a_change_of_any_file_is_noticed(path: Path) -> None:
    key = path.parent / "acme"
    key.write_text(KEY, "utf-8")
    rules = read(path, '[[rule]]\nclaim = "org"\nvalue = "acme"\nkey_file = "acme"')
    assert rules.is_current()
    key.write_text(f"{KEY}-2", "utf-8")
    assert not rules.is_current()
    key.write_text(KEY, "utf-8")
    rules = read(path, path.read_text("utf-8"))
    path.unlink()
    assert not rules.is_current()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("name", ["access.toml", "acme"], ids=["rules", "key"])
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666], ids=oct)
def test_a_file_that_others_can_write_is_refused(path: Path, name: str, mode: int) -> None:
    """Whoever can write the file could give themselves a rule, or another account."""
    (path.parent / "acme").write_text(KEY, "utf-8")
    path.write_text(BY_FILE, "utf-8")
    (path.parent / name).chmod(mode)
    with pytest.raises(AccessFileError, match=r"can be changed by other users, or .*\(chmod go-w\)"):
        read_access_file(path, Settings(), environ={}, known_tools=TOOLS)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_a_file_in_a_folder_that_others_can_write_is_refused(path: Path) -> None:
    path.write_text(RULE, "utf-8")
    path.parent.chmod(0o777)
    with pytest.raises(AccessFileError, match="replaced in its folder: take their right to write away from both"):
        read_access_file(path, Settings(), environ=ENVIRON, known_tools=TOOLS)
    path.parent.chmod(0o1777)
    assert read_access_file(path, Settings(), environ=ENVIRON, known_tools=TOOLS).rules


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_a_file_that_everybody_can_read_is_named(path: Path) -> None:
    key = path.parent / "acme"
    key.write_text(KEY, "utf-8")
    path.write_text(BY_FILE, "utf-8")
    for file, mode in ((path, 0o640), (key, 0o644)):
        file.chmod(mode)
    assert read_access_file(path, Settings(), environ={}, known_tools=TOOLS).exposed == (
        "the file that key_file names",
    )
    key.chmod(0o640)
    assert read_access_file(path, Settings(), environ={}, known_tools=TOOLS).exposed == ()
