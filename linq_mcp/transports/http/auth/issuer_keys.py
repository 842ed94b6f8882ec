"""The keys with which an issuer signs tokens, as it publishes them: OpenID Connect Discovery or RFC 8414, and RFC 7517.

They are fetched when they are first needed, and kept. An unknown key id, and their age, let them be fetched anew, at
most once a minute; while that fails, those from before go on serving.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx

from linq_mcp import __version__
from linq_mcp.settings import is_loopback

logger = logging.getLogger(__name__)

_MAX_BYTES = 256 * 1024
_FETCH_SECONDS = 10.0
# A key that the issuer withdraws is trusted at most this long.
_MAX_AGE_SECONDS = 3600.0
_AT_MOST_EVERY_SECONDS = 60.0
# Until there are keys at all.
_RETRY_SECONDS = 5.0
_SIGNING_TYPES = frozenset({"RSA", "EC", "OKP"})

Key = Mapping[str, Any]


class IssuerUnavailable(Exception):
    """The issuer's keys can't be fetched. The text says why, for the log."""


class IssuerKeys:
    """The keys of `issuer`. `transport` replaces the network, and `clock` the time, for tests."""

    def __init__(
        self,
        issuer: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._transport = transport
        self._clock = clock
        self._keys: list[Key] = []
        self._fetched_at = -_MAX_AGE_SECONDS
        self._next_fetch = clock()
        self._failure = ""
        self._fetching = anyio.Lock()

    async def find(self, key_id: str | None) -> Key | None:
        """The key with that id; without an id, the only key. None if the issuer publishes no such key.

        Raises `IssuerUnavailable` if that can't be said because the last fetch failed.
        """
        key = self._find(key_id)
        if key is None or (self._clock() - self._fetched_at > _MAX_AGE_SECONDS and not self._fetching.locked()):
            await self.refresh()
            key = self._find(key_id)
        if key is None and self._failure:
            raise IssuerUnavailable(self._failure)
        return key

    async def refresh(self) -> None:
        """Fetch the keys, unless that was tried a short time ago. Never raises; a failure is logged."""
        async with self._fetching:
            if self._clock() < self._next_fetch:
                return
            try:
                with anyio.fail_after(_FETCH_SECONDS):
                    self._keys = await self._fetch()
                self._fetched_at = self._clock()
                self._failure = ""
                logger.info("keys read from %s: %d", self._issuer, len(self._keys))
            except IssuerUnavailable as error:
                self._failure = str(error)
            except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, ImportError, ValueError) as error:
                # The text of these may hold a proxy's password.
                self._failure = f"it can't be reached ({type(error).__name__})"
            if self._failure:
                logger.warning("the keys of %s can't be read: %s", self._issuer, self._failure)
            self._next_fetch = self._clock() + (_AT_MOST_EVERY_SECONDS if self._keys else _RETRY_SECONDS)

    def _find(self, key_id: str | None) -> Key | None:
        found = [key for key in self._keys if key_id is None or key.get("kid") == key_id]
        # Without an id, several keys would have to be tried one after the other.
        return found[0] if found and (key_id is not None or len(found) == 1) else None

    async def _fetch(self) -> list[Key]:
        async with httpx.AsyncClient(
            transport=self._transport,
            timeout=_FETCH_SECONDS / 2,
            follow_redirects=False,
            trust_env=not is_loopback(self._issuer),
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": _USER_AGENT},
        ) as client:
            document = await self._discover(client)
            address = document.get("jwks_uri")
            if not isinstance(address, str) or not _is_secure(address):
                raise IssuerUnavailable("its discovery document has no jwks_uri that is an https URL")
            published = (await _json(client, address)).get("keys")
        listed = published if isinstance(published, list) else []
        keys = [usable for key in listed if isinstance(key, dict) and _is_signing_key(usable := _without_nulls(key))]
        if not keys:
            raise IssuerUnavailable(f"{address} has no public key for signatures")
        return keys

    async def _discover(self, client: httpx.AsyncClient) -> Mapping[str, Any]:
        url = urlsplit(self._issuer)
        path = url.path.rstrip("/")
        try:
            document = await _json(client, f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        except IssuerUnavailable:
            metadata = f"{url.scheme}://{url.netloc}/.well-known/oauth-authorization-server{path}"
            document = await _json(client, metadata)
        if (named := document.get("issuer")) != self._issuer:
            said = f"says that the issuer is {named!r:.200}" if isinstance(named, str) else "names no issuer"
            raise IssuerUnavailable(f"its discovery document {said}, and --issuer must be the same to the letter")
        return document


_USER_AGENT = f"linq-mcp/{__version__}"


def _is_secure(url: str) -> bool:
    """Whether `url` is an https one, or http to this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url)))


async def _json(client: httpx.AsyncClient, url: str) -> Mapping[str, Any]:
    """The JSON object at `url`. Raises `IssuerUnavailable` if there is something else, or more than a little."""
    body = bytearray()
    async with client.stream("GET", url) as response:
        if response.status_code != httpx.codes.OK:
            raise IssuerUnavailable(f"{url} answered {response.status_code}")
        # Raw, so that nothing is decompressed.
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > _MAX_BYTES:
                raise IssuerUnavailable(f"{url} answered with more than {_MAX_BYTES // 1024} KiB")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise IssuerUnavailable(f"{url} answered with something else than a JSON object")
    return document


def _without_nulls(key: Key) -> Key:
    """Some providers write null for what a key does not say."""
    return {name: value for name, value in key.items() if value is not None}


def _is_signing_key(key: Key) -> bool:
    kind, operations = key.get("kty"), key.get("key_ops", ["verify"])
    return (
        isinstance(kind, str)
        and kind in _SIGNING_TYPES
        and key.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
    )
