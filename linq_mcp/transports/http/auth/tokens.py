"""Checks access tokens: JWTs (RFC 9068) of one issuer for one audience, by the keys that the issuer publishes.

The audience must be this server (RFC 8707), so tokens for other services, and ID tokens, are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from mcp.server.auth.provider import AccessToken

from linq_mcp.transports.http.auth.issuer_keys import IssuerKeys, Key

# Asymmetric ones only: with HS256, anyone who knows the public key could sign.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY_SECONDS = 60
_SHORTEST_RSA_BITS = 2048
_TYPES = frozenset({"at+jwt", "application/at+jwt", "jwt"})
# By RFC 6749: visible ASCII, but for quotation marks and backslashes.
_SCOPE = re.compile(r"[!#-\[\]-~]+")
_REASONS = {
    jwt.ExpiredSignatureError: "The token has expired.",
    jwt.ImmatureSignatureError: "The token is not valid yet.",
    jwt.InvalidIssuerError: "The token is from another issuer.",
    jwt.InvalidAudienceError: "The token is for another audience.",
}


class InvalidToken(Exception):
    """The token can't be accepted. The text is one sentence and says why."""


class AccessTokenVerifier:
    """Accepts the tokens of `issuer` that are for `audience`: this server's public URL, or one of several names."""

    def __init__(self, issuer: str, audience: str | Sequence[str], keys: IssuerKeys) -> None:
        self._issuer = issuer
        # Some clients put a slash at the end of the URL.
        self._audiences = [audience, f"{audience}/"] if isinstance(audience, str) else list(audience)
        self._keys = keys

    async def verify(self, token: str) -> AccessToken:
        """The subject, scopes, and claims of a valid token. Raises `InvalidToken`, and `IssuerUnavailable`."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise InvalidToken("The token is not a JWT.") from None
        algorithm, kind, key_id = header.get("alg"), header.get("typ", "JWT"), header.get("kid")
        if algorithm not in ALGORITHMS:
            raise InvalidToken("The token is not signed with an asymmetric algorithm.")
        if not isinstance(kind, str) or kind.lower() not in _TYPES:
            raise InvalidToken("The token is not an access token.")
        keys = await self._keys.find(key_id if isinstance(key_id, str) else None, algorithm)
        claims = self._verified(token, keys, algorithm)
        if kind.lower() == "jwt" and _is_id_token(claims):
            raise InvalidToken("The token is an ID token, not an access token.")
        if not claims["sub"].strip():
            # An empty subject would make all such callers one for rate limits and consent.
            raise InvalidToken("The token's claim sub is empty.")
        if "cnf" in claims:
            raise InvalidToken("The token is bound to a key of the client, which this server can't check.")
        return AccessToken(
            # The token is not needed any more, and is never passed on.
            token="",
            client_id=_text(claims, "client_id") or _text(claims, "azp"),
            scopes=_scopes(claims),
            expires_at=int(claims["exp"]),
            subject=claims["sub"],
            claims=claims,
        )

    def _verified(self, token: str, keys: Sequence[Key], algorithm: str) -> dict[str, Any]:
        """The claims, by the first of `keys` that has signed the token."""
        failure = InvalidToken("The token is signed with a key that the issuer does not publish.")
        for key in keys:
            try:
                return self._decoded(token, key, algorithm)
            except jwt.MissingRequiredClaimError as error:
                raise InvalidToken(f"The token has no claim {error.claim}.") from None
            except jwt.InvalidSignatureError:
                failure = InvalidToken("The token's signature is wrong.")
            except jwt.PyJWTError as error:
                reason = next((text for kind, text in _REASONS.items() if isinstance(error, kind)), None)
                failure = InvalidToken(reason or "The token can't be checked with the key that it names.")
                if reason:
                    break
        raise failure

    def _decoded(self, token: str, key: Key, algorithm: str) -> dict[str, Any]:
        public = jwt.PyJWK.from_dict(dict(key), algorithm)
        if isinstance(public.key, RSAPublicKey) and public.key.key_size < _SHORTEST_RSA_BITS:
            raise InvalidToken("The token is signed with a key that is too short.")
        claims: dict[str, Any] = jwt.decode(
            token,
            public,
            algorithms=[algorithm],
            issuer=self._issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "sub"], "verify_aud": False},
        )
        self._check_audience(claims)
        return claims

    def _check_audience(self, claims: Mapping[str, Any]) -> None:
        """Cognito's access tokens have no `aud`; there it is the client that must be one of the audiences."""
        audience = claims.get("aud")
        if audience is None and claims.get("token_use") == "access":
            audience = claims.get("client_id")
        if not audience:
            raise jwt.MissingRequiredClaimError("aud")
        named = audience if isinstance(audience, list) else [audience]
        if not any(name in self._audiences for name in named):
            raise jwt.InvalidAudienceError


def _is_id_token(claims: Mapping[str, Any]) -> bool:
    """Whether the claims are those of an ID token. Keycloak and Cognito say it in members of their own.

    Keycloak's access tokens had the nonce of the sign-in, too, until version 25.
    """
    if claims.keys() & {"at_hash", "c_hash"} or claims.get("typ") == "ID" or claims.get("token_use") == "id":
        return True
    return "nonce" in claims and claims.get("typ") != "Bearer" and claims.get("token_use") != "access"


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    """The scopes: `scope` in the standard, `scp` at Entra and Okta; a text with spaces in between, or a list.

    Anything that can't be a scope is left out, because challenges repeat the others in a header.
    """
    given = claims.get("scope", claims.get("scp", ""))
    items = given.split(" ") if isinstance(given, str) else given
    if not isinstance(items, list):
        return []
    return [item for item in items if isinstance(item, str) and _SCOPE.fullmatch(item)]


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""
