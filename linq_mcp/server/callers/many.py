"""Callers over HTTP who read accounts of their own: by the Linq key that they send, or by a rule of the access file.

The transport has checked the access tokens of those who sign in. Nothing here knows where a token came from.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from pydantic import SecretStr

from linq_mcp.contacts.directory import NOBODY, Directory
from linq_mcp.contacts.file import ContactsFile
from linq_mcp.server.callers.caller import Caller, caller_id
from linq_mcp.server.callers.pool import ClientPool
from linq_mcp.settings import KEY_HEADER, Settings, key_flaw
from linq_mcp.settings.access_file import AccessFileError, AccessRules, Rule
from linq_mcp.settings.problems import KeySource, NoKey, NoMatchingRule, UnusableKey

if TYPE_CHECKING:
    import httpx
    from starlette.requests import Request

    from linq_mcp.api.client import LinqApi

logger = logging.getLogger(__name__)

# How often the files are looked at, at most.
_CHECK_SECONDS = 1.0
# Claims that say nothing about a person, so no rule would name them.
_TECHNICAL = frozenset({"aud", "iss", "jti", "nonce", "typ"})


class AccessFile:
    """The rules of the access file, which are read again when it or a file with a key has changed.

    Raises `AccessFileError` if they can't be read at first. After that, a file that can't be used leaves the last rules
    in force, and is logged.
    """

    def __init__(self, read: Callable[[], AccessRules], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._checked_at = clock()
        self._failure = ""
        self._rules = self._read_rules()

    def rule_for(self, claims: Mapping[str, Any]) -> Rule | None:
        """The first rule that matches; None if there is none, so that nothing is open."""
        now = self._clock()
        if now - self._checked_at >= _CHECK_SECONDS:
            self._checked_at = now
            self._refresh()
        return next((rule for rule in self._rules.rules if rule.matches(claims)), None)

    def _refresh(self) -> None:
        if not self._failure and self._rules.is_current():
            return
        try:
            self._rules = self._read_rules()
            self._failure = ""
        except AccessFileError as error:
            if str(error) != self._failure:
                self._failure = str(error)
                logger.warning("the rules from before stay in force: %s", error)

    def _read_rules(self) -> AccessRules:
        rules = self._read()
        logger.info("rules read from the access file: %d", len(rules.rules))
        for what in rules.exposed:
            logger.warning("every user of this computer can read %s (chmod o-r)", what)
        return rules


class _ManyCallers:
    """A client for each caller: their connections and keys are never another caller's."""

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None) -> None:
        self._settings = settings
        self._pool = ClientPool(transport=transport)
        self._contacts = ContactsFile(settings.contacts, settings.region.country) if settings.contacts else None

    async def client(self, caller: Caller, /) -> LinqApi:
        return await self._pool.client(caller.id, caller.settings)

    async def directory(self, caller: Caller, /) -> Directory:
        return await self._contacts.directory() if self._contacts and caller.settings.contacts else NOBODY

    async def aclose(self) -> None:
        await self._pool.aclose()


class HeaderClientProvider(_ManyCallers):
    """Takes the Linq key of each call from a header of its request.

    The contacts file is the operator's, so these callers, who read accounts of their own, get no names from it.
    """

    def __init__(self, settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        problem = settings.keyless_problem or NoKey(in_header=True)
        keyless = replace(settings, api_key=None, key_source=KeySource.HEADER, contacts=None, problem=problem)
        super().__init__(keyless, transport)

    def caller(self, request: Request | None, /) -> Caller:
        key = request.headers.get(KEY_HEADER, "").strip() if request else ""
        if not key:
            return Caller(caller_id(None), self._settings)
        flaw = key_flaw(key)
        problem = self._settings.keyless_problem or (UnusableKey(KeySource.HEADER, flaw) if flaw else None)
        secret = SecretStr(key)
        return Caller(caller_id(secret), replace(self._settings, api_key=secret, problem=problem))


class SignInClientProvider(_ManyCallers):
    """Takes the Linq key of each call from the rule of `access` that is for its caller, who has signed in."""

    def __init__(
        self, settings: Settings, access: AccessFile, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        problem = settings.keyless_problem or NoMatchingRule()
        super().__init__(replace(settings, api_key=None, key_source=KeySource.ACCESS_FILE, problem=problem), transport)
        self._access = access

    def caller(self, request: Request | None, /) -> Caller:
        user = request.scope.get("user") if request else None
        if not isinstance(user, AuthenticatedUser):
            return Caller(caller_id(None), self._settings)
        claims, subject = user.access_token.claims or {}, user.access_token.subject or ""
        # A subject is unique with its issuer only.
        id_ = sha256(json.dumps([claims.get("iss"), subject]).encode()).hexdigest()
        email = claims.get("email")
        name = f"{subject} {email}" if isinstance(email, str) else subject
        if rule := self._access.rule_for(claims):
            return Caller(id_, rule.settings, name)
        problem = self._settings.keyless_problem or NoMatchingRule(usable_claims(claims))
        return Caller(id_, replace(self._settings, sending=None, contacts=None, problem=problem), name)


def usable_claims(claims: Mapping[str, Any], *, levels: int = 3) -> tuple[str, ...]:
    """The names of those claims that a rule could go by, such as `groups` and `realm_access.roles`."""
    names = []
    for name, value in claims.items():
        if isinstance(value, Mapping) and levels > 1:
            names += [f"{name}.{inner}" for inner in usable_claims(value, levels=levels - 1)]
        elif name not in _TECHNICAL and isinstance(value, str | list):
            names.append(name)
    return tuple(sorted(names))
