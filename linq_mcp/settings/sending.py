"""The operator's rules for sending. Without `--allow-send` or `LINQ_MCP_SEND=1`, nothing is sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from pydantic import SecretStr

from linq_mcp.handles import read_domain, read_handle
from linq_mcp.settings.problems import UnusableRecipients
from linq_mcp.settings.scope import listed

SEND_VARIABLE = "LINQ_MCP_SEND"
SEND_TO_VARIABLE = "LINQ_MCP_SEND_TO"
SEND_LIMIT_VARIABLE = "LINQ_MCP_SEND_LIMIT"
SEND_CRITICAL_VARIABLE = "LINQ_MCP_SEND_CRITICAL"
CONFIRM_VARIABLE = "LINQ_MCP_CONFIRM"
STATE_KEY_VARIABLE = "LINQ_MCP_STATE_KEY"

DEFAULT_LIMIT = 30
STATE_KEY_BYTES = 32
_MOST_AN_HOUR = 1000
_ANYONE, _KNOWN = "*", "known"
_ON = frozenset({"1", "true", "yes", "on"})
_OFF = frozenset({"0", "false", "no", "off"})
_DOMAIN = re.compile(r"@[^\s@]{1,190}\.[^\s@.]{1,63}")


class Confirm(Enum):
    """What happens where a client has no way to ask a person."""

    PERSON = "person"  # nothing is sent
    SECOND_CALL = "second-call"  # a preview, and a token with which a second call sends


@dataclass(frozen=True, kw_only=True)
class SendSettings:
    """The operator's rules for sending.

    `recipients` are handles and `@domains` in lower case; None stands for `known`, which is everybody who has written
    in the chat. `anyone` lifts that. With a `problem` nothing is sent. `limit` is how many messages may leave in an
    hour; None lifts all limits. The first of `state_keys` seals what a client carries between two calls, and each of
    them opens it.
    """

    recipients: frozenset[str] | None = None
    anyone: bool = False
    problem: UnusableRecipients | None = None
    limit: int | None = DEFAULT_LIMIT
    allow_critical: bool = False
    confirm: Confirm = Confirm.PERSON
    state_keys: tuple[SecretStr, ...] = ()


STRICTEST = SendSettings()


def read_sending(
    value: Callable[[str], str | None],
    refuse: Callable[[str], None],
    *,
    allowed: bool = False,
    country: str | None = None,
) -> SendSettings | None:
    """Read the variables by `value`; None unless sending is `allowed` or the environment allows it.

    Numbers without a country code are of `country`. `refuse` is called with each variable whose value can't be used.
    Then the strictest rule applies: the default, or, for the list of recipients, that nothing is sent.
    """

    def is_on(name: str) -> bool:
        given = (value(name) or "0").lower()
        if given not in _ON | _OFF:
            refuse(name)
        return given in _ON

    if not is_on(SEND_VARIABLE) and not allowed:
        return None
    to = value(SEND_TO_VARIABLE) or "known"
    recipients = None if to.lower() in (_ANYONE, _KNOWN) else _recipients(to, country)
    problem = UnusableRecipients() if recipients == [] or None in (recipients or ()) else None
    if problem:
        refuse(SEND_TO_VARIABLE)
    return SendSettings(
        anyone=to == _ANYONE,
        recipients=None if recipients is None else frozenset(filter(None, recipients)),
        problem=problem,
        limit=_limit(value(SEND_LIMIT_VARIABLE), refuse),
        allow_critical=is_on(SEND_CRITICAL_VARIABLE),
        confirm=_confirm(value(CONFIRM_VARIABLE), refuse),
        state_keys=_state_keys(value(STATE_KEY_VARIABLE), refuse),
    )


def sending_variables(sending: SendSettings) -> dict[str, str]:
    """The variables to set for the same rules: those whose values are not the default, but for the secret."""
    recipients = _ANYONE if sending.anyone else ",".join(sorted(sending.recipients)) if sending.recipients else ""
    values = {
        SEND_VARIABLE: "1",
        SEND_TO_VARIABLE: recipients,
        SEND_LIMIT_VARIABLE: "" if sending.limit in (None, DEFAULT_LIMIT) else str(sending.limit),
        SEND_CRITICAL_VARIABLE: "1" if sending.allow_critical else "",
        CONFIRM_VARIABLE: sending.confirm.value if sending.confirm is not Confirm.PERSON else "",
    }
    return {name: value for name, value in values.items() if value}


def _recipients(given: str, country: str | None) -> list[str | None]:
    """The entries of the list as handles are compared; None for one that can't be read."""
    return [_domain(entry[1:]) if _DOMAIN.fullmatch(entry) else read_handle(entry, country) for entry in listed(given)]


def _domain(given: str) -> str | None:
    domain = read_domain(given)
    return f"@{domain}" if domain else None


def _limit(given: str | None, refuse: Callable[[str], None]) -> int:
    if given is None:
        return DEFAULT_LIMIT
    if re.fullmatch("[0-9]{1,4}", given) and int(given) <= _MOST_AN_HOUR:
        return int(given)
    refuse(SEND_LIMIT_VARIABLE)
    return DEFAULT_LIMIT


def _confirm(given: str | None, refuse: Callable[[str], None]) -> Confirm:
    try:
        return Confirm((given or "person").lower())
    except ValueError:
        refuse(CONFIRM_VARIABLE)
        return Confirm.PERSON


def _state_keys(given: str | None, refuse: Callable[[str], None]) -> tuple[SecretStr, ...]:
    keys = list(dict.fromkeys(key.strip() for key in (given or "").split(",") if key.strip()))
    if all(len(key.encode()) >= STATE_KEY_BYTES for key in keys):
        return tuple(map(SecretStr, keys))
    refuse(STATE_KEY_VARIABLE)
    return ()
