"""Sign-in from end to end: npm's oidc-provider signs people in, and the SDK's own OAuth client brings their tokens.

    python tests/e2e/http/sign_in.py NODE PACKAGES

Nothing is faked: the first refusal, metadata, dynamic registration, the pages for signing in and agreeing, PKCE with
the resource, tokens, calls, and the step up to sending. Prints each outcome, then how many passed and failed.
"""

from __future__ import annotations

import hmac
import json
import re
import sys
import tempfile
import time
import traceback
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anyio
import httpx
import httpx2
import jwt
from conformance import Outcome
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from helpers.generated_account import generated_account
from helpers.running_api import running
from mcp import Client, types
from mcp.client.auth import OAuthClientProvider
from mcp.client.client import ConnectMode
from mcp.client.context import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from processes import Failed, Process, free_port
from pydantic import AnyUrl
from starlette.types import ASGIApp, Receive, Scope, Send

from linq_mcp.demo.account import demo_account
from linq_mcp.demo.api import demo_api
from linq_mcp.demo.lines import SHOP_LINE

ANN, BO, EVE = "ann-4c1e", "bo-77d0", "eve-9b02"
SECONDS = 60
READING, SENDING = "linq:read", "linq:send"
CALLBACK = "http://127.0.0.1:1/callback"
OTHER = "https://other.example.com/mcp"
KEYS = {"ACME_KEY": "lq-sign-in-acme-81f2", "SHOP_KEY": "lq-sign-in-shop-55a0"}
ACCESS = f"""
[[rule]]
claim = "groups"
value = "{ANN}"
key_env = "ACME_KEY"
send = true

[[rule]]
claim = "groups"
value = "{BO}"
key_env = "SHOP_KEY"
lines = ["{SHOP_LINE}"]
tools = ["list_chats", "get_chat"]
"""


class Form(HTMLParser):
    """The form on a page: where it is sent, and its fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form" and not self.action:
            self.action = given.get("action") or ""
        if tag == "input" and (name := given.get("name")):
            self.fields[name] = given.get("value") or ""


@dataclass
class Person:
    """Somebody at a browser, and what their client has stored: registration and tokens."""

    name: str
    registrations: int = 0
    agreed_to: list[str] = field(default_factory=list)
    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None
    _callback: str = ""

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info
        self.registrations += 1

    async def open(self, url: str) -> None:
        """Follow the pages from `url` on, sign in and agree, until the browser would go to the client."""
        self.agreed_to.append(dict(parse_qsl(urlsplit(url).query)).get("scope", ""))
        async with httpx.AsyncClient(trust_env=False, timeout=SECONDS) as browser:
            response = await browser.get(url)
            for _ in range(20):
                if location := response.headers.get("location"):
                    target = str(response.url.join(location))
                    if target.startswith(CALLBACK):
                        self._callback = target
                        return
                    response = await browser.get(target)
                    continue
                form = Form(response.raise_for_status().text)
                filled = {**form.fields, **({"login": self.name, "password": "any"} if "login" in form.fields else {})}
                response = await browser.post(str(response.url.join(form.action)), data=filled)
        raise Failed(f"{self.name} was led around in circles")

    async def called_back(self) -> AuthorizationCodeResult:
        """What the browser brought to the client."""
        given = dict(parse_qsl(urlsplit(self._callback).query))
        if "code" not in given:
            raise Failed(f"{self.name} came back with {given}")
        return AuthorizationCodeResult(code=given["code"], state=given.get("state"), iss=given.get("iss"))


@dataclass
class Loop:
    """The server, its issuer, and the people who use them."""

    url: str
    issuer_url: str
    access: Path
    server: Process
    issuer: Process
    accounts: dict[str, set[str]]
    people: dict[str, Person] = field(default_factory=dict)

    def person(self, name: str) -> Person:
        return self.people.setdefault(name, Person(name))

    @asynccontextmanager
    async def connected(self, name: str, mode: ConnectMode = "auto") -> AsyncIterator[Client]:
        """The client of that person, which signs them in when it is refused."""
        person = self.person(name)
        auth = OAuthClientProvider(
            self.url,
            OAuthClientMetadata(redirect_uris=[AnyUrl(CALLBACK)], client_name="the SDK's client"),
            person,
            redirect_handler=person.open,
            callback_handler=person.called_back,
        )
        async with httpx2.AsyncClient(auth=auth, trust_env=False, timeout=SECONDS) as http:
            transport = streamable_http_client(self.url, http_client=http)
            async with Client(transport, mode=mode, elicitation_callback=agree, read_timeout_seconds=30) as client:
                yield client

    def check_account(self, chats: list[dict[str, Any]], key: str) -> None:
        """Fail unless there are chats, all of them of the account with that key."""
        if not chats or not {chat["id"] for chat in chats} <= self.accounts[key]:
            raise Failed(f"{len(chats)} chats, not all of the account with {key}")

    async def post(self, token: str | None) -> httpx.Response:
        """A request with that token, or without one."""
        headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        async with httpx.AsyncClient(trust_env=False, timeout=SECONDS) as http:
            return await http.post(self.url, json=body, headers=headers)

    async def token_of(self, name: str, *, resource: str, scope: str) -> dict[str, Any]:
        """What the issuer gives that person's client for such a request, which the SDK would not make."""
        person = self.person(name)
        assert person.client is not None
        verifier = "v" * 64
        query = {
            "client_id": person.client.client_id,
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": scope,
            "resource": resource,
            "code_challenge": _base64url(sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        await person.open(str(httpx.URL(f"{self.issuer_url}/auth", params=query)))
        code = (await person.called_back()).code
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": verifier,
            "resource": resource,
            "client_id": person.client.client_id,
            "client_secret": person.client.client_secret,
        }
        async with httpx.AsyncClient(trust_env=False, timeout=SECONDS) as http:
            answer = await http.post(f"{self.issuer_url}/token", data=asked)
        given = answer.json()
        if "access_token" not in given:
            raise Failed(f"the issuer gave no token: {given}")
        return dict(given)


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


async def agree(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
    """The person's answer to the question whether to send."""
    del context
    if not isinstance(params, types.ElicitRequestFormParams):
        raise Failed(f"asked by {params}")
    return types.ElicitResult(action="accept", content={"choice": "Send"})


def same(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise Failed(f"{what}: {found!r:.500} instead of {expected!r:.500}")


async def chats_of(client: Client) -> list[dict[str, Any]]:
    """The first page of the account's chats."""
    result = await client.call_tool("list_chats", {"limit": 100})
    if result.is_error or not isinstance(result.structured_content, dict):
        raise Failed(f"list_chats: {result.content}")
    return list(result.structured_content["chats"])


# What is tested, in this order


async def refusal(loop: Loop) -> str:
    """Without a token the server says where to sign in, and the metadata there says with whom."""
    response = await loop.post(None)
    same("status", response.status_code, 401)
    found = re.search(r'resource_metadata="([^"]+)"', response.headers["WWW-Authenticate"])
    if not found:
        raise Failed(response.headers["WWW-Authenticate"])
    async with httpx.AsyncClient(trust_env=False, timeout=SECONDS) as http:
        metadata = (await http.get(found[1])).json()
    same("resource", metadata["resource"], loop.url)
    same("authorization_servers", metadata["authorization_servers"], [loop.issuer_url])
    return found[1]


async def first(loop: Loop) -> str:
    """Ann registers, signs in, and sees her company's account, in the current protocol."""
    async with loop.connected(ANN) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        chats = await chats_of(client)
        protocol = client.protocol_version
    loop.check_account(chats, "ACME_KEY")
    if "send_message" not in tools:
        raise Failed(f"no send_message among {tools}")
    same("registrations", loop.person(ANN).registrations, 1)
    return f"{protocol}, {len(chats)} chats, {len(tools)} tools, agreed to {loop.person(ANN).agreed_to}"


async def second(loop: Loop) -> str:
    """Bo, at the same time and in the older protocol, sees one line of another account, and two tools."""
    async with loop.connected(ANN) as ann, loop.connected(BO, "legacy") as bo:
        tools = [tool.name for tool in (await bo.list_tools()).tools]
        for _ in range(5):
            chats = {ANN: await chats_of(ann), BO: await chats_of(bo)}
            loop.check_account(chats[ANN], "ACME_KEY")
            loop.check_account(chats[BO], "SHOP_KEY")
        protocol = bo.protocol_version
    same("bo's tools", tools, ["list_chats", "get_chat"])
    same("bo's lines", {chat["line"] for chat in chats[BO]}, {SHOP_LINE})
    return f"{protocol}, {len(chats[BO])} of {len(loop.accounts['SHOP_KEY'])} chats"


async def nobody(loop: Loop) -> str:
    """Eve can sign in, but no rule is for her: she is told which claims she has."""
    async with loop.connected(EVE) as client:
        result = await client.call_tool("list_chats", {})
    (block,) = result.content
    if not result.is_error or not isinstance(block, types.TextContent) or "groups" not in block.text:
        raise Failed(str(result))
    return block.text


async def step_up(loop: Loop) -> str:
    """Sending needs another scope, for which the client asks when it is refused; then the person is asked, too."""
    ann = loop.person(ANN)
    before = len(ann.agreed_to)
    async with loop.connected(ANN) as client:
        inbox = await client.call_tool("list_inbox", {"waiting": True, "health_status": ["HEALTHY"], "limit": 1})
        assert isinstance(inbox.structured_content, dict)
        arguments = {"chat_id": inbox.structured_content["chats"][0]["id"], "text": "We will call you back today."}
        sent = await client.call_tool("send_message", arguments)
    if not isinstance(sent.structured_content, dict) or not sent.structured_content.get("sent"):
        raise Failed(f"send_message: {sent.content}")
    same("confirmed by", sent.structured_content["confirmed_by"], "person")
    asked = [{READING, SENDING} <= set(scopes.split()) for scopes in ann.agreed_to[before:]]
    same("asked once for both scopes", asked, [True])
    same("registrations", ann.registrations, 1)
    return f"agreed to {ann.agreed_to}"


async def id_token(loop: Loop) -> str:
    """An ID token of the same person is refused."""
    given = await loop.token_of(ANN, resource=loop.url, scope=f"openid {READING}")
    response = await loop.post(given["id_token"])
    same("status", response.status_code, 401)
    same("with the access token", (await loop.post(given["access_token"])).status_code, 200)
    return str(response.json()["error_description"])


async def foreign_audience(loop: Loop) -> str:
    """A token that the same issuer gave the same person for another service is refused."""
    given = await loop.token_of(ANN, resource=OTHER, scope=READING)
    response = await loop.post(given["access_token"])
    same("status", response.status_code, 401)
    same("reason", response.json()["error_description"], "The token is for another audience.")
    return str(response.json()["error_description"])


async def missing_scope(loop: Loop) -> str:
    """A token without the scope that every call needs is not enough."""
    given = await loop.token_of(ANN, resource=loop.url, scope=SENDING)
    response = await loop.post(given["access_token"])
    same("status", response.status_code, 403)
    return str(response.headers["WWW-Authenticate"])


async def forged(loop: Loop) -> str:
    """With the issuer's own key, so that nothing but one detail is wrong with each token."""
    tokens = loop.person(ANN).tokens
    assert tokens is not None
    given = jwt.decode(tokens.access_token, options={"verify_signature": False})
    private = jwt.PyJWK.from_json((loop.access.parent / "key.json").read_text("utf-8")).key
    assert isinstance(private, rsa.RSAPrivateKey)

    def signed(key_id: str = "one", key: rsa.RSAPrivateKey = private, **members: Any) -> str:
        return jwt.encode({**given, **members}, key, "RS256", headers={"kid": key_id, "typ": "at+jwt"})

    now = int(time.time())
    header = {"alg": "HS256", "typ": "at+jwt", "kid": "one"}
    parts = [json.dumps(header).encode(), json.dumps(given).encode()]
    text = ".".join(_base64url(part) for part in parts)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    cases = {
        "unchanged": (signed(), 200),
        "expired a moment ago": (signed(exp=now - 55), 200),
        "expired": (signed(exp=now - 65), 401),
        "valid in a moment": (signed(nbf=now + 55), 200),
        "not yet valid": (signed(nbf=now + 70), 401),
        "another issuer": (signed(iss="https://id.evil.example"), 401),
        "unknown key id": (signed("two"), 401),
        "another key": (signed(key=rsa.generate_private_key(65537, 2048)), 401),
        "alg none": (jwt.encode(given, "", "none", headers={"kid": "one", "typ": "at+jwt"}), 401),
        "HS256 with the public key": (f"{text}.{_base64url(hmac.digest(public, text.encode(), 'sha256'))}", 401),
    }
    for name, (token, status) in cases.items():
        same(name, (await loop.post(token)).status_code, status)
    return ", ".join(f"{name} {status}" for name, (_, status) in cases.items())


async def changed_rules(loop: Loop) -> str:
    """A change of the access file counts within seconds; a mistake in it changes nothing."""
    async with loop.connected(BO) as client:
        await anyio.Path(loop.access).write_text(ACCESS.replace("[[rule]]", "[[rules]]"), "utf-8")
        await anyio.sleep(1.5)
        same("tools while the file is broken", len((await client.list_tools()).tools), 2)
    # Another client: this one may keep the list for a minute.
    await anyio.Path(loop.access).write_text(ACCESS.replace('"get_chat"', '"get_message"'), "utf-8")
    await anyio.sleep(1.5)
    async with loop.connected(BO) as client:
        same("tools", [tool.name for tool in (await client.list_tools()).tools], ["list_chats", "get_message"])
    return "the rules from before stayed in force while the file was broken"


async def stopped_issuer(loop: Loop) -> str:
    """While the issuer is stopped, those who have signed in go on."""
    loop.issuer.stop()
    async with loop.connected(ANN) as client:
        chats = await chats_of(client)
    loop.issuer.start()
    loop.check_account(chats, "ACME_KEY")
    return f"{len(chats)} chats"


async def secrets(loop: Loop) -> str:
    """The server's log holds no token, key, name of a person, or code."""
    said = loop.server.said()
    access_tokens = [person.tokens.access_token for person in loop.people.values() if person.tokens]
    for secret in (*access_tokens, *KEYS.values(), "eyJ", *loop.people, "call you back"):
        if secret in said:
            raise Failed(f"the log holds {secret[:12]}")
    return f"{len(said.splitlines())} lines"


TESTS: list[Callable[[Loop], Awaitable[str]]] = [
    refusal,
    first,
    second,
    nobody,
    step_up,
    id_token,
    foreign_audience,
    missing_scope,
    forged,
    changed_rules,
    stopped_issuer,
    secrets,
]


@contextmanager
def opened(node: str, packages: Path) -> Iterator[Loop]:
    """Two accounts at one Linq, an issuer, and the server, all on loopback."""
    accounts = {KEYS["ACME_KEY"]: demo_account(), KEYS["SHOP_KEY"]: generated_account(60)}
    apis: dict[bytes, ASGIApp] = {
        f"Bearer {key}".encode(): demo_api(account, key=key) for key, account in accounts.items()
    }

    async def linq(scope: Scope, receive: Receive, send: Send) -> None:
        await apis[dict(scope["headers"])[b"authorization"]](scope, receive, send)

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="linq-mcp-")))
        access = folder / "access.toml"
        access.write_text(ACCESS, "utf-8")
        issuer_port, port = free_port(), free_port()
        url, issuer_url = f"http://127.0.0.1:{port}/mcp", f"http://127.0.0.1:{issuer_port}"
        command = [node, str(Path(__file__).with_name("issuer.mjs")), str(packages), str(issuer_port), url]
        issuer = Process("issuer", command, issuer_port, folder, healthz=False)
        options = ["--issuer", issuer_url, "--public-url", url, "--access", str(access)]
        command = [sys.executable, "-m", "linq_mcp", "--allow-send", "http", "--port", str(port)]
        command += ["--key-from", "sign-in", *options, "--scope", READING, "--send-scope", SENDING]
        env = {**KEYS, "LINQ_API_V3_BASE_URL": stack.enter_context(running(linq)), "LINQ_MCP_LOG_LEVEL": "DEBUG"}
        server = Process("server", command, port, folder, env)
        for process in (issuer, server):
            stack.callback(process.end)
            process.start()
        ids = {name: {chat["id"] for chat in accounts[key].chats} for name, key in KEYS.items()}
        yield Loop(url, issuer_url, access, server, issuer, ids)


async def outcomes(loop: Loop) -> AsyncIterator[Outcome]:
    """Yield each outcome as soon as it is known."""
    for test in TESTS:
        name = test.__name__.replace("_", " ")
        try:
            with anyio.fail_after(SECONDS):
                yield Outcome("ok", f"{name}: {await test(loop)}")
        except Exception as error:  # noqa: BLE001 - whatever a client raises is an outcome
            yield Outcome("FAILED", f"{name}: {''.join(traceback.format_exception(error))}")


async def run(node: str, packages: Path) -> bool:
    """Print every outcome; return whether all are well."""
    begun = time.monotonic()
    counts: Counter[str] = Counter()
    with opened(node, packages) as loop:
        async for outcome in outcomes(loop):
            counts[outcome.status] += 1
            sys.stdout.write(f"{outcome}\n")
            sys.stdout.flush()
        if counts["FAILED"]:
            sys.stdout.write(f"the server's log ends with:\n{loop.server.said()[-3000:]}\n")
    sys.stdout.write(f"sign-in: done after {time.monotonic() - begun:.0f} s\n")
    sys.stdout.write(f"{counts['ok']} passed, {counts['FAILED']} failed\n")
    return not counts["FAILED"]


if __name__ == "__main__":
    sys.exit(not anyio.run(run, sys.argv[1], Path(sys.argv[2])))
