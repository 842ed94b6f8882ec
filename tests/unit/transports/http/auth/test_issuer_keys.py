"""When the keys of an issuer are fetched, from where, and what happens while they can't be."""

from __future__ import annotations

import gzip
import json
import ssl
import zlib
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from helpers.fake_issuer import ISSUER, JWKS_URL, FakeIssuer, public_jwk, rsa_key
from helpers.virtual_time import Clock

from linq_mcp.transports.http.auth.issuer_keys import IssuerKeys, IssuerUnavailable

DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"
RFC_8414 = f"{ISSUER}/.well-known/oauth-authorization-server"


@pytest.fixture
def issuer() -> FakeIssuer:
    return FakeIssuer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(issuer: FakeIssuer, clock: Clock) -> IssuerKeys:
    return IssuerKeys(ISSUER, transport=issuer, clock=clock)


async def why_unavailable(keys: IssuerKeys) -> str:
    with pytest.raises(IssuerUnavailable) as unavailable:
        await keys.find("one", "RS256")
    return str(unavailable.value)


async def test_they_are_fetched_once_however_many_ask(keys: IssuerKeys, issuer: FakeIssuer) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(keys.find, "one", "RS256")
    assert await keys.find("one", "RS256")
    assert issuer.requests == [DISCOVERY, JWKS_URL]


async def test_an_unknown_key_is_looked_for_at_most_once_a_minute(
    keys: IssuerKeys, issuer: FakeIssuer, clock: Clock
) -> None:
    """A new key serves soon, and nobody can make this server ask all the time."""
    assert await keys.find("one", "RS256")
    issuer.keys.append(public_jwk(rsa_key("two"), "two"))
    clock.now += 59
    assert await keys.find("two", "RS256") == []
    assert issuer.fetches == 1
    clock.now += 1
    assert await keys.find("two", "RS256")
    for number in range(50):
        assert await keys.find(f"unknown {number}", "RS256") == []
    assert issuer.fetches == 2


async def test_a_key_that_was_withdrawn_serves_for_an_hour_at_most(
    keys: IssuerKeys, issuer: FakeIssuer, clock: Clock
) -> None:
    assert await keys.find("one", "RS256")
    issuer.keys = [public_jwk(rsa_key("two"), "two")]
    clock.now += 3600
    assert await keys.find("one", "RS256")
    clock.now += 1
    assert await keys.find("one", "RS256") == []
    assert await keys.find("two", "RS256")


async def test_a_stopped_issuer_stops_nobody_who_is_known(
    keys: IssuerKeys, issuer: FakeIssuer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The keys from before serve for as long as it takes; whether another one is good can't be said."""
    assert await keys.find("one", "RS256")
    issuer.stopped = True
    clock.now += 100_000
    assert await keys.find("one", "RS256")
    with pytest.raises(IssuerUnavailable):
        await keys.find("two", "RS256")
    assert "can't be reached (ConnectError)" in caplog.text
    issuer.stopped = False
    issuer.keys.append(public_jwk(rsa_key("two"), "two"))
    clock.now += 60
    assert await keys.find("two", "RS256")


async def test_a_certificate_that_is_not_trusted_is_named(clock: Clock) -> None:
    """An issuer inside a company often has one of the company's own authority, which nobody else can guess."""

    def refused(request: httpx.Request) -> httpx.Response:
        untrusted = ssl.SSLCertVerificationError("with whatever else")
        untrusted.verify_message = "unable to get local issuer certificate"
        raise httpx.ConnectError("failed") from untrusted

    keys = IssuerKeys(ISSUER, transport=httpx.MockTransport(refused), clock=clock)
    why = await why_unavailable(keys)
    assert why.endswith("can't be trusted, unable to get local issuer certificate; see SSL_CERT_FILE)")


async def test_nobody_waits_for_an_issuer_who_hangs_if_their_key_is_known(clock: Clock) -> None:
    begun, go_on = anyio.Event(), anyio.Event()

    class Hanging(FakeIssuer):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if self.stopped:
                begun.set()
                await go_on.wait()
            return await super().handle_async_request(request)

    issuer = Hanging()
    keys = IssuerKeys(ISSUER, transport=issuer, clock=clock)
    assert await keys.find("one", "RS256")
    issuer.stopped = True
    clock.now += 4000
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keys.find, "one", "RS256")
        await begun.wait()
        with anyio.fail_after(5):
            assert await keys.find("one", "RS256")
        go_on.set()


async def test_without_keys_it_is_asked_every_few_seconds(
    keys: IssuerKeys, issuer: FakeIssuer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that starts before its issuer lets people in soon after, and logs one line for each attempt."""
    issuer.stopped = True
    for _ in range(10):
        assert await why_unavailable(keys) == "it can't be reached (ConnectError)"
    assert len(caplog.records) == len(issuer.requests) == 1
    issuer.stopped = False
    clock.now += 5
    assert await keys.find("one", "RS256")


async def test_discovery_by_either_standard(keys: IssuerKeys, issuer: FakeIssuer) -> None:
    issuer.answers = {DISCOVERY: httpx.Response(404), RFC_8414: httpx.Response(200, json=issuer.document)}
    assert await keys.find("one", "RS256")
    assert issuer.requests == [DISCOVERY, RFC_8414, JWKS_URL]


async def test_null_says_nothing(keys: IssuerKeys, issuer: FakeIssuer) -> None:
    issuer.keys = [public_jwk(rsa_key("one"), "one", use=None, alg=None, key_ops=None)]
    (found,) = await keys.find("one", "RS256")
    assert not {"use", "alg", "key_ops"} & set(found)


async def test_the_addresses_of_an_issuer_with_a_path(issuer: FakeIssuer) -> None:
    with pytest.raises(IssuerUnavailable):
        await IssuerKeys(f"{ISSUER}/realms/acme/", transport=issuer).find("one", "RS256")
    assert issuer.requests == [
        f"{ISSUER}/realms/acme/.well-known/openid-configuration",
        f"{ISSUER}/.well-known/oauth-authorization-server/realms/acme",
    ]


def published(*keys: Any) -> httpx.Response:
    return httpx.Response(200, json={"keys": keys})


def encoded(content: bytes, encoding: str = "gzip") -> httpx.Response:
    """An answer that says it is compressed; httpx itself does not look at it."""
    return httpx.Response(200, headers={"Content-Encoding": encoding}, stream=httpx.ByteStream(content))


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("X-GZIP", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
)
async def test_answers_may_be_compressed(
    keys: IssuerKeys, issuer: FakeIssuer, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    """Caches do that although the server asks for plain text."""
    for url, document in ((DISCOVERY, issuer.document), (JWKS_URL, {"keys": issuer.keys})):
        issuer.answers[url] = encoded(compress(json.dumps(document).encode()), encoding)
    assert await keys.find("one", "RS256")


HUGE = json.dumps({"keys": [], "padding": "x" * 300_000})


@pytest.mark.parametrize(
    ("document", "answers", "reason"),
    [
        ({"issuer": f"{ISSUER}/", "jwks_uri": JWKS_URL}, {}, "'http://127.0.0.1:9000/', and --issuer must be the same"),
        ({"issuer": "https://id.evil.example", "jwks_uri": JWKS_URL}, {}, "'https://id.evil.example', and --issuer"),
        ({"jwks_uri": JWKS_URL}, {}, "names no issuer"),
        ({"issuer": ISSUER}, {}, "has no jwks_uri that is an https URL"),
        ({"issuer": ISSUER, "jwks_uri": "http://keys.example.com"}, {}, "has no jwks_uri that is an https URL"),
        ({"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"}, {}, "has no jwks_uri that is an https URL"),
        ({"issuer": ISSUER, "jwks_uri": "https://[::1"}, {}, "has no jwks_uri that is an https URL"),
        (None, {JWKS_URL: httpx.Response(302, headers={"Location": "http://127.0.0.1:1/"})}, "answered 302"),
        (None, {DISCOVERY: httpx.Response(301, headers={"Location": "http://127.0.0.1:1/"})}, "answered 404"),
        (None, {JWKS_URL: httpx.Response(200, content=HUGE)}, "answered with more than 256 KiB"),
        (None, {JWKS_URL: encoded(gzip.compress(bytes(5_000_000)))}, "answered with more than 256 KiB"),
        (None, {JWKS_URL: encoded(b"{}")}, "something else than a JSON object"),
        (None, {JWKS_URL: encoded(gzip.compress(b"{}")[:12])}, "something else than a JSON object"),
        (None, {JWKS_URL: httpx.Response(200, content=b"<html>")}, "something else than a JSON object"),
        (None, {JWKS_URL: httpx.Response(200, content=b"[" * 100_000)}, "something else than a JSON object"),
        (None, {JWKS_URL: httpx.Response(200, content=b"[]")}, "something else than a JSON object"),
        (None, {JWKS_URL: httpx.Response(200, json={"keys": 5})}, "has no public key for signatures"),
        (
            None,
            {JWKS_URL: httpx.Response(200, json={"keys": [None, {"kty": "oct", "kid": "one", "k": "czM"}]})},
            "no pu",
        ),
        (None, {JWKS_URL: httpx.Response(200, json={"keys": [{"kty": "RSA", "kid": "one", "use": "enc"}]})}, "no pub"),
        (None, {JWKS_URL: httpx.Response(200, json={"keys": [{"kty": "RSA", "kid": "a", "key_ops": ["sign"]}]})}, "no"),
        (
            None,
            {
                JWKS_URL: httpx.Response(
                    200, json={"keys": [{"kty": ["RSA"]}, {"kty": {}}, {"kty": "RSA", "key_ops": 3}]}
                )
            },
            "no public key",
        ),
        (None, {JWKS_URL: httpx.Response(503)}, f"{JWKS_URL} answered 503"),
    ],
)
async def test_answers_that_can_not_be_used(
    keys: IssuerKeys, issuer: FakeIssuer, document: Any, answers: dict[str, httpx.Response], reason: str
) -> None:
    issuer.document = document or issuer.document
    issuer.answers = answers
    assert reason in await why_unavailable(keys)
    assert not any("127.0.0.1:1/" in url or "example" in url for url in issuer.requests)
