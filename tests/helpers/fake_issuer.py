"""An identity provider with real keys, as a transport: it publishes them, and signs what a test wants signed."""

from __future__ import annotations

import json
import time
from functools import cache
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER = "http://127.0.0.1:9000"
PUBLIC_URL = "https://mcp.example.com/mcp"
JWKS_URL = f"{ISSUER}/jwks"

Json = dict[str, Any]


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The RSA key of that name; it takes long to make one."""
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def public_jwk(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, key_id: str | None, **members: Any) -> Json:
    """The public half of `key` as the issuer publishes it."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        jwk = RSAAlgorithm.to_jwk(public, as_dict=True)
    else:
        jwk = ECAlgorithm.to_jwk(public, as_dict=True)
    return {**jwk, **({"kid": key_id} if key_id else {}), **members}


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    """The public half of `key`, as somebody would use it as a secret."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def claims(**members: Any) -> Json:
    """What an access token of the issuer says; a member that is None is left out."""
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": PUBLIC_URL, "sub": "ann", "iat": now, "exp": now + 300, "client_id": "a client"}
    return {name: value for name, value in (usual | members).items() if value is not None}


def signed(
    payload: Json | None = None,
    *,
    key: Any = None,
    algorithm: str = "RS256",
    key_id: str | None = "one",
    typ: str = "at+jwt",
    **members: Any,
) -> str:
    """A token, by the issuer's first key unless another is given; `members` are claims."""
    headers = {"typ": typ, **({"kid": key_id} if key_id else {})}
    return jwt.encode(payload or claims(**members), key or rsa_key("one"), algorithm, headers=headers)


class FakeIssuer(httpx.AsyncBaseTransport):
    """Answers as the issuer does. Its `keys`, its discovery `document` and any of its `answers` can be changed."""

    def __init__(self) -> None:
        self.keys: list[Any] = [public_jwk(rsa_key("one"), "one", use="sig", alg="RS256")]
        self.document: Json = {"issuer": ISSUER, "jwks_uri": JWKS_URL}
        self.answers: dict[str, httpx.Response] = {}
        self.stopped = False
        self.requests: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        self.requests.append(url)
        if self.stopped:
            raise httpx.ConnectError("refused")
        known = {
            f"{ISSUER}/.well-known/openid-configuration": self.document,
            JWKS_URL: {"keys": self.keys},
        }
        found = self.answers.get(url) or (
            httpx.Response(200, content=json.dumps(known[url])) if url in known else httpx.Response(404)
        )
        # Unread, as from a socket.
        return httpx.Response(found.status_code, headers=found.headers, stream=found.stream)

    @property
    def fetches(self) -> int:
        """How often the keys were asked for."""
        return self.requests.count(JWKS_URL)
