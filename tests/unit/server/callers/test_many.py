"""Who has signed in, which rule is for them, and that rules are read again."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import anyio
import pytest
from helpers.linq import KEY, Canned
from helpers.signed_in import access_to, signed_in
from helpers.streamable_http import with_key
from pydantic import SecretStr

from linq_mcp.contacts.directory import NOBODY
from linq_mcp.errors import SettingsError
from linq_mcp.server.callers.many import AccessFile, SignInClientProvider, usable_claims
from linq_mcp.settings import Settings, load_settings
from linq_mcp.settings.access_file import AccessFileError, AccessRules
from linq_mcp.settings.problems import NoMatchingRule, UnusableLines
from linq_mcp.settings.sending import STRICTEST

RULES = """
[[rule]]
claim = "groups"
value = "ops"
key_env = "OPS_KEY"
contacts = true

[[rule]]
claim = "org"
value = "acme"
key_env = "ACME_KEY"
tools = ["list_chats"]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "access.toml"
    path.write_text(RULES, "utf-8")
    return path


def provider(path: Path, settings: Settings | None = None) -> SignInClientProvider:
    settings = settings or Settings()
    return SignInClientProvider(settings, access_to(path, settings), transport=Canned(lambda _: pytest.fail("asked")))


def test_the_first_rule_that_matches_decides(path: Path) -> None:
    found = provider(path)
    both = found.caller(signed_in(groups=["ops"], org="acme")).settings
    assert (both.api_key, both.tools) == (SecretStr(f"{KEY}-ops"), ())
    second = found.caller(signed_in(org="acme")).settings
    assert (second.api_key, second.tools) == (SecretStr(f"{KEY}-acme"), ("list_chats",))


async def test_whoever_no_rule_is_for_can_do_nothing(path: Path) -> None:
    found = provider(path, Settings(api_key=SecretStr(KEY), sending=STRICTEST))
    caller = found.caller(signed_in(groups=["sales"], org="other", level=5, aud="this server"))
    assert caller.settings.problem == NoMatchingRule(("groups", "org", "sub"))
    assert (caller.settings.api_key, caller.settings.sending) == (None, None)
    with pytest.raises(SettingsError) as refused:
        await found.client(caller)
    assert refused.value.problem == caller.settings.problem


@pytest.mark.parametrize("request_", [None, with_key(KEY)], ids=["no request", "nobody signed in"])
async def test_without_a_sign_in_there_is_nothing(path: Path, request_: Any) -> None:
    found = provider(path, Settings(api_key=SecretStr(KEY)))
    caller = found.caller(request_)
    assert caller.key == ""
    with pytest.raises(SettingsError):
        await found.client(caller)


async def test_a_wrong_setting_of_the_server_is_everybodys_problem(path: Path) -> None:
    """A list of lines that can't be used opens nothing to anybody, whether or not a rule is for them."""
    found = provider(path, load_settings({"LINQ_MCP_LINES": "garbage"}))
    for request in (signed_in(org="acme"), signed_in(org="other")):
        assert found.caller(request).settings.problem == UnusableLines()


def test_a_caller_is_known_by_subject_and_issuer(path: Path) -> None:
    found = provider(path)
    ann = found.caller(signed_in(org="acme"))
    assert ann.id == found.caller(signed_in(org="other", exp=1)).id
    others = [signed_in(sub="bo", org="acme"), signed_in(iss="https://id.example.com", org="acme")]
    assert len({ann.id, *(found.caller(other).id for other in others)}) == 3


async def test_callers_share_no_connections_even_with_one_key(path: Path) -> None:
    found = provider(path)
    ann, bo = [await found.client(found.caller(signed_in(sub=sub, org="acme"))) for sub in ("ann", "bo")]
    assert ann._http is not bo._http
    assert await found.client(found.caller(signed_in(org="acme"))) is ann
    await found.aclose()
    assert ann._http.is_closed


async def test_names_are_shown_by_rule(path: Path, tmp_path: Path) -> None:
    names = anyio.Path(tmp_path / "names.csv")
    await names.write_text("+12052532136,Ann Adler", "utf-8")
    found = provider(path, Settings(contacts=tmp_path / "names.csv"))
    ops, acme, other = (found.caller(signed_in(**claims)) for claims in ({"groups": ["ops"]}, {"org": "acme"}, {}))
    assert (await found.directory(ops)).name_of("+12052532136") == "Ann Adler"
    assert await found.directory(acme) == await found.directory(other) == NOBODY
    without = provider(path)
    assert await without.directory(without.caller(signed_in(groups=["ops"]))) == NOBODY


# Rules that change


class Rules:
    """Rules that a test changes: an `AccessFile` over them, and a clock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 0.0
        self.access = access_to(path, Settings(), clock=lambda: self.now)

    def tools_of_acme(self) -> tuple[str, ...] | None:
        rule = self.access.rule_for({"org": "acme"})
        return rule.settings.tools if rule else None

    def write(self, text: str) -> None:
        """Replace the file, and let the time pass after which a change is noticed."""
        self.path.write_text(text, "utf-8")
        self.now += 1


def test_the_file_is_read_again_when_it_has_changed(path: Path) -> None:
    rules = Rules(path)
    assert rules.tools_of_acme() == ("list_chats",)
    path.write_text(RULES.replace("list_chats", "get_chat"), "utf-8")
    rules.now += 0.9
    assert rules.tools_of_acme() == ("list_chats",)
    rules.now += 0.1
    assert rules.tools_of_acme() == ("get_chat",)
    rules.write(RULES.replace("acme", "nobody"))
    assert rules.tools_of_acme() is None


def test_a_broken_file_leaves_the_last_rules_in_force(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rules = Rules(path)
    for _ in range(3):
        rules.write(RULES.replace("tools", "tool"))
        assert rules.tools_of_acme() == ("list_chats",)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    (record,) = [record for record in warnings if "stay in force" in record.getMessage()]
    assert record.getMessage() == (
        "the rules from before stay in force: in the access file, rule 2: tool is not a key; did you mean tools?"
    )
    path.unlink()
    rules.now += 1
    assert rules.tools_of_acme() == ("list_chats",)
    rules.write(RULES.replace("list_chats", "get_chat"))
    assert rules.tools_of_acme() == ("get_chat",)


def test_a_file_that_is_broken_at_first_is_not_used(path: Path) -> None:
    path.write_text("garbage", "utf-8")
    with pytest.raises(AccessFileError):
        Rules(path)


def test_files_are_read_only_when_they_have_changed(path: Path) -> None:
    reads = 0
    now = 0.0
    whole = access_to(path, Settings())._rules

    def read() -> AccessRules:
        nonlocal reads
        reads += 1
        return whole

    access = AccessFile(read, clock=lambda: now)
    for _ in range(100):
        now += 0.5
        assert access.rule_for({"org": "acme"})
    assert reads == 1


def test_the_claims_that_a_rule_could_name() -> None:
    """Members of claims are named as rules name them; values never are."""
    claims = {"sub": "ann", "aud": "x", "exp": 5, "realm_access": {"roles": ["ops"]}, "a": {"b": {"c": {"d": "deep"}}}}
    assert usable_claims(claims) == ("realm_access.roles", "sub")
