"""The rules for what may be sent, and to whom, by tables of cases."""

from __future__ import annotations

import pytest

from linq_mcp.errors import ArgumentsError, NotSent, NotSentError
from linq_mcp.settings.sending import SendSettings
from linq_mcp.tools.sending.gates import Draft, check_content, check_health, check_recipients

ANA, BEN, MAIL = "+12055550101", "+12055550102", "Ana@Example.com"
REPLY = "69a37c7d-af4f-4b5e-af42-e28e98ce873a"


@pytest.mark.parametrize("status", ["OPTED_OUT", "opted_out"])
@pytest.mark.parametrize("allow_critical", [True, False])
def test_an_opt_out_is_refused_always(status: str, *, allow_critical: bool) -> None:
    with pytest.raises(NotSentError) as refused:
        check_health(status, allow_critical=allow_critical)
    assert refused.value.reason is NotSent.OPTED_OUT


@pytest.mark.parametrize("status", ["CRITICAL", "critical"])
def test_critical_is_refused_unless_allowed(status: str) -> None:
    check_health(status, allow_critical=True)
    with pytest.raises(NotSentError, match="LINQ_MCP_SEND_CRITICAL=1") as refused:
        check_health(status, allow_critical=False)
    assert refused.value.reason is NotSent.CRITICAL


@pytest.mark.parametrize("status", ["HEALTHY", "AT_RISK", "SOMETHING_NEW", None])
def test_other_health_is_for_the_person_to_judge(status: str | None) -> None:
    check_health(status, allow_critical=False)


KNOWN, ANYONE = SendSettings(), SendSettings(anyone=True)
LISTED = SendSettings(recipients=frozenset({ANA, "@example.com"}))
NOBODY = SendSettings(recipients=frozenset())


@pytest.mark.parametrize(
    ("rules", "recipients", "silent", "unreadable", "allowed"),
    [
        (KNOWN, [ANA], [], 0, True),
        (KNOWN, [ANA], [ANA], 0, False),
        (KNOWN, [ANA, BEN], [], 0, True),
        # One member's message does not open a group for another one.
        (KNOWN, [ANA, BEN], [BEN], 0, False),
        (KNOWN, [ANA], [], 1, False),
        (ANYONE, [ANA], [ANA], 0, True),
        (ANYONE, [ANA], [], 1, True),
        (LISTED, [ANA], [ANA], 0, True),
        (LISTED, [ANA], [], 1, False),
        (LISTED, [BEN], [], 0, False),
        (LISTED, [MAIL], [MAIL], 0, True),
        (LISTED, ["ana@notexample.com"], [], 0, False),
        (LISTED, ["ana@sub.example.com"], [], 0, False),
        (LISTED, [ANA, MAIL], [], 0, True),
        (LISTED, [ANA, BEN], [], 0, False),
        (LISTED, [], [], 0, False),
        (NOBODY, [ANA], [], 0, False),
        # The network takes these for other domains and mailboxes.
        (SendSettings(recipients=frozenset({"@strasse.de"})), ["ann@straße.de"], [], 0, False),
        (SendSettings(recipients=frozenset({"annk@example.com"})), ["ann\u212a@example.com"], [], 0, False),
        (SendSettings(recipients=frozenset({"@xn--strae-oqa.de"})), ["Ann@STRAßE.de"], [], 0, True),
    ],
)
def test_recipients(
    rules: SendSettings, recipients: list[str], silent: list[str], unreadable: int, *, allowed: bool
) -> None:
    if allowed:
        check_recipients(recipients, rules, silent=silent, unreadable=unreadable)
        return
    with pytest.raises(NotSentError, match="LINQ_MCP_SEND_TO") as refused:
        check_recipients(recipients, rules, silent=silent, unreadable=unreadable)
    assert refused.value.reason is NotSent.NOT_PERMITTED


@pytest.mark.parametrize(
    ("draft", "is_first", "problems"),
    [
        (Draft(text="Hello"), True, []),
        (Draft(text="Hello. How are you?"), True, []),
        (Draft(text="See https://example.com"), False, []),
        (Draft(text="See https://example.com"), True, ["text"]),
        (Draft(text="See WWW.example.com"), True, ["text"]),
        (Draft(text="See example.com/a"), True, ["text"]),
        (Draft(text="It is 3/4 done, or 1.5"), True, []),
        (Draft(text="Hi", attachments=("https://example.com/a.jpg",)), False, []),
        (Draft(text="Hi", attachments=("https://example.com/a.jpg",)), True, ["attachments"]),
        (Draft(text="Hi", effect="confetti"), False, []),
        (Draft(text="Hi", effect="confetti", reply_to=REPLY), True, ["effect", "reply_to"]),
        (Draft(text="Hi", effect="confetti", service="iMessage"), False, []),
        (Draft(text="Hi", effect="confetti", service="SMS"), False, ["effect"]),
        (Draft(text="Hi", reply_to=REPLY, service="RCS"), False, ["reply_to"]),
    ],
)
def test_content(draft: Draft, problems: list[str], *, is_first: bool) -> None:
    """Each problem names the argument that it is about."""
    if not problems:
        check_content(draft, is_first=is_first)
        return
    with pytest.raises(ArgumentsError) as refused:
        check_content(draft, is_first=is_first)
    assert [problem.split("`")[1] for problem in refused.value.problems] == problems
