"""The keys with which an issuer signs tokens, as it publishes them: OpenID Connect Discovery or RFC 8414, and RFC 7517.

They are fetched when they are first needed, and kept. They are fetched again, at most once a minute, when they are an
hour old and when a token names an unknown key; while that fails, the last keys stay in use.
"""

from __future__ import annotations

import json
import logging
import time
import zlib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx

from linq_mcp import __version__
from linq_mcp.api.http_client import certificate_error
from linq_mcp.api.proxies import proxy_for
from linq_mcp.settings import is_loopback

logger = logging.getLogger(__name__)

_MAX_BYTES = 256 * 1024
_FETCH_SECONDS = 10.0
# Fetch keys again that are older than this.
_MAX_AGE_SECONDS = 3600.0
_AT_MOST_EVERY_SECONDS = 60.0
# Until there are keys at all.
_RETRY_SECONDS = 5.0
# By the beginning of an algorithm's name.
_KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
# Signatures are checked with at most so many keys for one token.
_MOST_CANDIDATES = 8
_TOO_MUCH = f"{{}} answered with more than {_MAX_BYTES // 1024} KiB"
# For `zlib`: detect the format by its first bytes.
_GZIP_OR_ZLIB = 47

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

    async def find(self, key_id: str | None, algorithm: str) -> list[Key]:
        """The published keys that may have signed a token with this key id and `alg`; several may share an id.

        Raises `IssuerUnavailable` if there is none, and the last fetch failed.
        """
        keys = self._find(key_id, algorithm)
        if not keys or (self._clock() - self._fetched_at > _MAX_AGE_SECONDS and not self._fetching.locked()):
            await self.refresh()
            keys = self._find(key_id, algorithm)
        if not keys and self._failure:
            raise IssuerUnavailable(self._failure)
        return keys

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
                # The text of others may hold a proxy's password.
                if (refused := certificate_error(error)) is not None:
                    cause = f"its certificate can't be trusted, {refused.verify_message}; see SSL_CERT_FILE"
                else:
                    cause = type(error).__name__
                self._failure = f"it can't be reached ({cause})"
            if self._failure:
                logger.warning("the keys of %s can't be read: %s", self._issuer, self._failure)
            self._next_fetch = self._clock() + (_AT_MOST_EVERY_SECONDS if self._keys else _RETRY_SECONDS)

    def _find(self, key_id: str | None, algorithm: str) -> list[Key]:
        fitting = [key for key in self._keys if _fits(key, algorithm)]
        named = [key for key in fitting if key_id is None or key.get("kid") == key_id]
        # Some issuers put ids into tokens, but not into their published keys.
        return (named or [key for key in fitting if "kid" not in key])[:_MOST_CANDIDATES]

    async def _fetch(self) -> list[Key]:
        document = await self._discover()
        address = document.get("jwks_uri")
        if not isinstance(address, str) or not _is_secure(address):
            raise IssuerUnavailable("its discovery document has no jwks_uri that is an https URL")
        published = (await self._json(address)).get("keys")
        listed = published if isinstance(published, list) else []
        keys = [usable for key in listed if isinstance(key, dict) and _is_signing_key(usable := _without_nulls(key))]
        if not keys:
            raise IssuerUnavailable(f"{address} has no public key for signatures")
        return keys

    async def _discover(self) -> Mapping[str, Any]:
        url = urlsplit(self._issuer)
        path = url.path.rstrip("/")
        try:
            document = await self._json(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        except IssuerUnavailable:
            metadata = f"{url.scheme}://{url.netloc}/.well-known/oauth-authorization-server{path}"
            document = await self._json(metadata)
        if (named := document.get("issuer")) != self._issuer:
            said = f"says that the issuer is {named!r:.200}" if isinstance(named, str) else "names no issuer"
            raise IssuerUnavailable(f"its discovery document {said}, and --issuer must be the same to the letter")
        return document

    async def _json(self, url: str) -> Mapping[str, Any]:
        """The JSON object at `url`. Raises `IssuerUnavailable` if there is something else, or more than a little."""
        body = bytearray()
        async with self._opened(url) as client, client.stream("GET", url) as response:
            if response.status_code != httpx.codes.OK:
                raise IssuerUnavailable(f"{url} answered {response.status_code}")
            # Raw, so that the size is known before anything is decompressed.
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise IssuerUnavailable(_TOO_MUCH.format(url))
        try:
            document = json.loads(_decompressed(body, response.headers.get("Content-Encoding", ""), url))
        except (ValueError, RecursionError, zlib.error):
            document = None
        if not isinstance(document, dict):
            raise IssuerUnavailable(f"{url} answered with something else than a JSON object")
        return document

    def _opened(self, url: str) -> httpx.AsyncClient:
        proxy = None if self._transport or is_loopback(url) else proxy_for(url)
        return httpx.AsyncClient(
            transport=self._transport,
            timeout=_FETCH_SECONDS / 2,
            follow_redirects=False,
            proxy=proxy,
            # The certificates of the environment, but not its proxies, which httpx reads by itself otherwise.
            verify=httpx.create_ssl_context() if self._transport is None else True,
            trust_env=False,
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": _USER_AGENT},
        )


_USER_AGENT = f"linq-mcp/{__version__}"


def _is_secure(url: str) -> bool:
    """Whether `url` is an https one, or http to this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url)))


def _decompressed(body: bytearray, encoding: str, url: str) -> bytes | bytearray:
    """Caches compress answers for clients that did not ask for it."""
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    content = zlib.decompressobj(_GZIP_OR_ZLIB).decompress(body, _MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise IssuerUnavailable(_TOO_MUCH.format(url))
    return content


def _without_nulls(key: Key) -> Key:
    """Some providers write null for members that a key does not have."""
    return {name: value for name, value in key.items() if value is not None}


def _fits(key: Key, algorithm: str) -> bool:
    """Whether a key of this type can have signed with `algorithm`."""
    return bool(key["kty"] == _KEY_TYPES[algorithm[:2]] and key.get("alg", algorithm) == algorithm)


def _is_signing_key(key: Key) -> bool:
    kind, operations = key.get("kty"), key.get("key_ops", ["verify"])
    return (
        isinstance(kind, str)
        and kind in _KEY_TYPES.values()
        and key.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
    )
