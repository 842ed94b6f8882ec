"""Callers who have signed in: the access file says which key their calls use, and what is open to them.

The transport has checked their access token before. Nothing here knows where it came from.
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

from linq_mcp.contacts.directory import NOBODY, Directory
from linq_mcp.contacts.file import ContactsFile
from linq_mcp.server.callers.caller import Caller, caller_id
from linq_mcp.server.callers.pool import ClientPool
from linq_mcp.settings import Settings
from linq_mcp.settings.access_file import AccessFileError, AccessRules, Rule
from linq_mcp.settings.problems import KeySource, NoMatchingRule

if TYPE_CHECKING:
    import httpx
    from starlette.requests import Request

    from linq_mcp.api.client import LinqApi
    from linq_mcp.api.observer import Observer

logger = logging.getLogger(__name__)

# How often the files are looked at, at most.
_CHECK_SECONDS = 1.0
# These say nothing about a person, so no rule would name them.
_TECHNICAL = frozenset({"aud", "iss", "jti", "nonce", "typ"})


class Access:
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
        return rules


class SignInClientProvider:
    """One client for each caller who has signed in, with the key that the access file has for them."""

    def __init__(
        self,
        settings: Settings,
        access: Access,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._settings = replace(
            settings,
            api_key=None,
            key_source=KeySource.ACCESS_FILE,
            problem=settings.keyless_problem or NoMatchingRule(),
        )
        self._access = access
        self._pool = ClientPool(transport=transport, observer=observer)
        self._contacts = ContactsFile(settings.contacts) if settings.contacts else None

    def caller(self, request: Request | None, /) -> Caller:
        user = request.scope.get("user") if request else None
        if not isinstance(user, AuthenticatedUser):
            return Caller(caller_id(None), self._settings)
        claims = user.access_token.claims or {}
        # A subject is unique with its issuer only.
        id_ = sha256(json.dumps([claims.get("iss"), user.access_token.subject]).encode()).hexdigest()
        if rule := self._access.rule_for(claims):
            return Caller(id_, rule.settings)
        usable = (name for name, value in claims.items() if name not in _TECHNICAL and isinstance(value, str | list))
        problem = self._settings.keyless_problem or NoMatchingRule(tuple(sorted(usable)))
        return Caller(id_, replace(self._settings, sending=None, contacts=None, problem=problem))

    async def client(self, caller: Caller, /) -> LinqApi:
        return await self._pool.client(caller.id, caller.settings)

    async def directory(self, caller: Caller, /) -> Directory:
        return await self._contacts.directory() if self._contacts and caller.settings.contacts else NOBODY

    async def aclose(self) -> None:
        await self._pool.aclose()
