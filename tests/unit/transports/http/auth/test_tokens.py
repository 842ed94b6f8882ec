"""Which tokens are accepted: those of the issuer, for this server, now, signed with a key that the issuer publishes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from helpers.fake_issuer import (
    ISSUER,
    PUBLIC_URL,
    FakeIssuer,
    claims,
    ec_key,
    public_jwk,
    public_pem,
    rsa_key,
    signed,
)
from jwt.utils import base64url_encode
from mcp.server.auth.provider import AccessToken

from linq_mcp.transports.http.auth.issuer_keys import IssuerKeys
from linq_mcp.transports.http.auth.tokens import AccessTokenVerifier, InvalidToken

UNPUBLISHED = "The token is signed with a key that the issuer does not publish."


async def verified(token: str, issuer: FakeIssuer | None = None) -> AccessToken:
    keys = IssuerKeys(ISSUER, transport=issuer or FakeIssuer())
    return await AccessTokenVerifier(ISSUER, PUBLIC_URL, keys).verify(token)


async def refused(token: str, issuer: FakeIssuer | None = None) -> str:
    """Why the token is not accepted."""
    with pytest.raises(InvalidToken) as invalid:
        await verified(token, issuer)
    return str(invalid.value)


def from_now(members: dict[str, Any]) -> dict[str, Any]:
    """The claims, with each time counted from this moment."""
    times = {name: int(time.time()) + members[name] for name in ("exp", "nbf", "iat") if type(members.get(name)) is int}
    return members | times


async def test_what_a_token_says_is_kept_and_the_token_is_not() -> None:
    token = await verified(signed(groups=["ops"], scope="linq:read linq:send"))
    assert (token.subject, token.client_id, token.token) == ("ann", "a client", "")
    assert token.scopes == ["linq:read", "linq:send"]
    assert token.claims is not None
    assert token.claims["groups"] == ["ops"]


@pytest.mark.parametrize(
    ("members", "scopes"),
    [
        ({"scp": "a b"}, ["a", "b"]),
        ({"scp": ["a", 1, "b"]}, ["a", "b"]),
        ({"scope": 5}, []),
        ({"scope": "x\u00a0a  b"}, ["b"]),
        ({"scp": ['a"b', "a b", "a\r\nX: y", "\u7528", "", "b"]}, ["b"]),
        ({}, []),
    ],
    ids=["Entra", "Okta", "nonsense", "other spaces", "no scopes", "none"],
)
async def test_scopes_are_read_as_providers_write_them(members: dict[str, Any], scopes: list[str]) -> None:
    """Nobody has a scope that is not there, and each can be repeated in a header."""
    assert (await verified(signed(**members))).scopes == scopes


@pytest.mark.parametrize(
    "members",
    [
        {"exp": -57},
        {"nbf": 57},
        {"iat": 57},
        {"aud": ["another", PUBLIC_URL]},
        {"aud": f"{PUBLIC_URL}/"},
    ],
    ids=["expired a moment ago", "valid in a moment", "made in a moment", "several audiences", "a slash at the end"],
)
async def test_accepted(members: dict[str, Any]) -> None:
    """Clocks differ by up to a minute, and the audience may be one of several."""
    assert (await verified(signed(**from_now(members)))).subject == "ann"


async def test_a_token_says_when_it_expires() -> None:
    """What goes on after a call ends with the token."""
    expires = int(time.time()) + 90
    assert (await verified(signed(exp=expires))).expires_at == expires


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "JWT"])
async def test_the_types_of_access_tokens(typ: str) -> None:
    assert await verified(signed(typ=typ))


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"exp": -62}, "The token has expired."),
        ({"nbf": 65}, "The token is not valid yet."),
        ({"iat": 65}, "The token is not valid yet."),
        ({"aud": "https://other.example.com/mcp"}, "The token is for another audience."),
        ({"aud": "https://mcp.example.com"}, "The token is for another audience."),
        ({"aud": []}, "The token has no claim aud."),
        ({"aud": None}, "The token has no claim aud."),
        ({"iss": "http://127.0.0.1:9001"}, "The token is from another issuer."),
        ({"iss": f"{ISSUER}/"}, "The token is from another issuer."),
        ({"iss": None}, "The token has no claim iss."),
        ({"exp": None}, "The token has no claim exp."),
        ({"sub": None}, "The token has no claim sub."),
        ({"sub": " "}, "The token's claim sub is empty."),
        ({"sub": 7}, "The token can't be checked with the key that it names."),
        ({"exp": "soon"}, "The token can't be checked with the key that it names."),
        ({"cnf": {"jkt": "x"}}, "The token is bound to a key of the client, which this server can't check."),
    ],
    ids=str,
)
async def test_refused_for_what_it_says(members: dict[str, Any], reason: str) -> None:
    assert await refused(signed(**from_now(members))) == reason


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (lambda: signed(typ="JWT", aud="a client", nonce="n"), "The token is for another audience."),
        (lambda: signed(typ="JWT", nonce="n"), "The token is an ID token, not an access token."),
        (lambda: signed(typ="JWT", at_hash="h"), "The token is an ID token, not an access token."),
        (lambda: signed(claims(typ="ID"), typ="JWT"), "The token is an ID token, not an access token."),
        (lambda: signed(typ="JWT", token_use="id"), "The token is an ID token, not an access token."),
        (lambda: signed(typ="logout+jwt"), "The token is not an access token."),
    ],
    ids=["its audience is the client", "nonce", "at_hash", "Keycloak", "Cognito", "another kind"],
)
async def test_an_id_token_is_no_access_token(token: Callable[[], str], reason: str) -> None:
    assert await refused(token()) == reason


def unsigned() -> str:
    return jwt.encode(claims(), "", algorithm="none", headers={"kid": "one", "typ": "at+jwt"})


def signed_with_the_public_key() -> str:
    """PyJWT would not make one."""
    algorithm = jwt.get_algorithm_by_name("HS256")
    payload = signed().split(".")[1]
    head = base64url_encode(b'{"alg":"HS256","typ":"at+jwt","kid":"one"}').decode()
    content = f"{head}.{payload}"
    return f"{content}.{base64url_encode(algorithm.sign(content.encode(), public_pem(rsa_key('one')))).decode()}"


def tampered() -> str:
    header, _, signature = signed().split(".")
    return ".".join([header, signed(sub="bo").split(".")[1], signature])


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (unsigned, "The token is not signed with an asymmetric algorithm."),
        (signed_with_the_public_key, "The token is not signed with an asymmetric algorithm."),
        (lambda: signed(key="s" * 64, algorithm="HS256"), "The token is not signed with an asymmetric algorithm."),
        (lambda: signed(key=rsa_key("two")), "The token's signature is wrong."),
        (tampered, "The token's signature is wrong."),
        (
            lambda: signed(key=rsa_key("two"), key_id="two"),
            "The token is signed with a key that the issuer does not publish.",
        ),
        (lambda: signed(algorithm="RS384"), UNPUBLISHED),
        (lambda: signed(key=ec_key(), algorithm="ES256"), UNPUBLISHED),
        (lambda: "a.b.c", "The token is not a JWT."),
        (lambda: "", "The token is not a JWT."),
        (lambda: "lq-a-key-of-linq", "The token is not a JWT."),
    ],
    ids=[
        "alg none",
        "HS256 with the public key as secret",
        "HS256",
        "another key under the same id",
        "claims of another token",
        "unknown key id",
        "another algorithm",
        "another kind of key",
        "three dots",
        "empty",
        "opaque",
    ],
)
async def test_refused_for_its_signature(token: Callable[[], str], reason: str) -> None:
    assert await refused(token()) == reason


async def test_another_kind_of_key_is_not_used() -> None:
    """A key of another type is not tried, even where the issuer does not say which algorithm its keys are for."""
    issuer = FakeIssuer()
    issuer.keys = [public_jwk(ec_key(), "one")]
    assert await refused(signed(), issuer) == UNPUBLISHED
    issuer.keys = [public_jwk(rsa_key("one"), "one")]
    assert await refused(signed(key=ec_key(), algorithm="ES256"), issuer) == UNPUBLISHED


async def test_a_short_key_is_not_trusted() -> None:
    issuer = FakeIssuer()
    short = rsa_key("short", 1024)
    issuer.keys = [public_jwk(short, "one")]
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = signed(key=short)
    assert await refused(token, issuer) == "The token is signed with a key that is too short."


async def test_what_a_token_calls_critical_is_not_ignored() -> None:
    token = jwt.encode(claims(), rsa_key("one"), "RS256", headers={"kid": "one", "crit": ["x"], "x": 1})
    assert await refused(token)


async def test_elliptic_curves_are_as_good() -> None:
    issuer = FakeIssuer()
    issuer.keys = [public_jwk(ec_key(), "ec"), *issuer.keys]
    assert await verified(signed(key=ec_key(), algorithm="ES256", key_id="ec"), issuer)
    assert await verified(signed(), issuer)


OTHER, ONE = rsa_key("two"), rsa_key("one")


@pytest.mark.parametrize(
    ("published", "token"),
    [
        ([public_jwk(ONE, "one", alg="PS256"), public_jwk(ONE, "one", alg="RS256")], {}),
        ([public_jwk(OTHER, "one"), public_jwk(ONE, "one")], {}),
        ([public_jwk(ec_key(), "ec"), public_jwk(ONE, "one")], {"key_id": None}),
        ([public_jwk(OTHER, "two"), public_jwk(ONE, "one")], {"key_id": None}),
        ([public_jwk(OTHER, None), public_jwk(ONE, None)], {"key_id": "one"}),
        ([public_jwk(ONE, None)], {"key_id": None, "algorithm": "PS256"}),
    ],
    ids=[
        "an id for two algorithms",
        "an id for two keys",
        "no id, one fits",
        "no id, two fit",
        "no ids published",
        "no id at all",
    ],
)
async def test_keys_that_share_an_id_or_have_none(published: list[Any], token: dict[str, Any]) -> None:
    issuer = FakeIssuer()
    issuer.keys = published
    assert await verified(signed(**token), issuer)
    assert await refused(signed(key=rsa_key("three"), **token), issuer) == "The token's signature is wrong."


async def test_only_some_keys_are_tried() -> None:
    """A token without a key id costs at most eight checks of a signature."""
    issuer = FakeIssuer()
    issuer.keys = [*(public_jwk(OTHER, f"{number}") for number in range(8)), public_jwk(ONE, "one")]
    assert await refused(signed(key_id=None), issuer) == "The token's signature is wrong."
    assert await verified(signed(), issuer)


ENTRA = {"aud": "1111", "scp": "mcp.read", "ver": "2.0", "azp": "web"}
KEYCLOAK = {"aud": ["account", PUBLIC_URL], "azp": "web", "nonce": "n", "session_state": "s"}
COGNITO = {"aud": None, "client_id": "4abc", "token_use": "access", "scope": "linq/read"}


@pytest.mark.parametrize(
    ("audience", "members"),
    [
        (["1111"], ENTRA),
        (["api://1111", "1111"], ENTRA),
        (PUBLIC_URL, {**KEYCLOAK, "typ": "Bearer"}),
        (["4abc"], COGNITO),
        (PUBLIC_URL, {**COGNITO, "aud": PUBLIC_URL}),
        (["api://default"], {"aud": "api://default", "cid": "web", "scp": ["openid", "linq.read"]}),
        (["https://linq.example.com"], {"aud": ["https://linq.example.com", "https://x.auth0.com/userinfo"]}),
    ],
    ids=["Entra", "Entra, either form", "Keycloak", "Cognito", "Cognito with a resource", "Okta", "Auth0"],
)
async def test_access_tokens_as_identity_providers_issue_them(
    audience: str | list[str], members: dict[str, Any]
) -> None:
    keys = IssuerKeys(ISSUER, transport=FakeIssuer())
    assert await AccessTokenVerifier(ISSUER, audience, keys).verify(signed(claims(**members), typ="JWT"))


@pytest.mark.parametrize(
    ("audience", "members"),
    [
        (PUBLIC_URL, ENTRA),
        (["1111"], {"aud": PUBLIC_URL}),
        (["4abc"], {**COGNITO, "client_id": "another"}),
        (["4abc"], {**COGNITO, "token_use": "id"}),
        (["4abc"], {**COGNITO, "token_use": None}),
        (["4abc"], {**COGNITO, "aud": "another"}),
        (PUBLIC_URL, {**KEYCLOAK, "typ": "ID"}),
        (PUBLIC_URL, {**KEYCLOAK, "typ": "Bearer", "at_hash": "h"}),
        (PUBLIC_URL, KEYCLOAK),
    ],
    ids=range(9),
)
async def test_tokens_for_others_and_id_tokens_are_refused_at_every_provider(
    audience: str | list[str], members: dict[str, Any]
) -> None:
    """An audience that was set replaces the public URL. A client id counts only in an access token without `aud`."""
    keys = IssuerKeys(ISSUER, transport=FakeIssuer())
    with pytest.raises(InvalidToken, match=r"audience|claim aud|an ID token"):
        await AccessTokenVerifier(ISSUER, audience, keys).verify(signed(claims(**members), typ="JWT"))
