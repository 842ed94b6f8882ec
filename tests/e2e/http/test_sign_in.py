"""Sign-in over HTTP: who is let in, what they are told, and that two people see what is theirs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio.lowlevel
import httpx
import pytest
from helpers.fake_issuer import ISSUER, PUBLIC_URL, FakeIssuer, signed
from helpers.generated_account import generated_account
from helpers.linq import KEY, ByKey, Recorded
from helpers.piped import text_of
from helpers.recording_api import RecordingApi, demo_chat
from helpers.signed_in import access_to
from helpers.streamable_http import MODERN, call, eras, posted, result_of, serving
from starlette.applications import Starlette

from linq_mcp.demo.api import DEMO_BASE_URL, DEMO_KEY
from linq_mcp.demo.lines import CLINIC_LINE, SHOP_LINE
from linq_mcp.server.callers.many import SignInClientProvider
from linq_mcp.settings import Settings
from linq_mcp.settings.sending import STRICTEST, SendSettings
from linq_mcp.tools import SEND_TOOLS, TOOLS
from linq_mcp.transports.http.app import build_app
from linq_mcp.transports.http.auth.challenge import SignIn, SignInConfig, validate_sign_in
from linq_mcp.transports.http.config import HttpConfig
from linq_mcp.wording.errors import HEADLINES

METADATA = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
ACCESS = f"""
[[rule]]
claim = "groups"
value = "ops"
key_env = "OPS_KEY"
send = true

[[rule]]
claim = "org"
value = "acme"
key_env = "ACME_KEY"
lines = ["{SHOP_LINE}"]
tools = ["list_chats", "get_chat"]

[[rule]]
claim = "sub"
value = "bo"
key_env = "OPS_KEY"
send = true
"""


@pytest.fixture
def issuer() -> FakeIssuer:
    return FakeIssuer()


@pytest.fixture
def linq() -> Recorded:
    """Linq with an account for each of the two keys."""
    return Recorded(ByKey({f"{KEY}-ops": generated_account(12), f"{KEY}-acme": generated_account(40)}))


Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def serve(tmp_path: Path, issuer: FakeIssuer, linq: Recorded) -> Serve:
    """Opens the server; `scopes` and `send_scope` are what it asks for, `sending` whether it allows that."""
    path = tmp_path / "access.toml"
    path.write_text(ACCESS, "utf-8")

    def app(
        *,
        sending: SendSettings | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        audit: bool = False,
        **scopes: Any,
    ) -> Starlette:
        settings = Settings(base_url=DEMO_BASE_URL, sending=sending)
        provider = SignInClientProvider(settings, access_to(path, settings), transport=transport or linq)
        config = validate_sign_in(SignInConfig(issuer=ISSUER, public_url=PUBLIC_URL, **scopes))
        hosts = HttpConfig(allowed_hosts=[config.public_host], audit=audit)
        return build_app(provider, hosts, SignIn(config, transport=issuer))

    return lambda **options: serving(app(**options), "https://mcp.example.com")


def as_(request: dict[str, Any], token: str | None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    return {**request, "headers": {**request["headers"], **headers}}


# Who is let in


async def test_whoever_has_no_token_learns_where_to_get_one(serve: Serve, linq: Recorded) -> None:
    async with serve(scopes=["linq:read"]) as client:
        response = await client.post("/mcp", **posted("modern", "tools/list"))
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == f'Bearer scope="linq:read", resource_metadata="{METADATA}"'
        assert response.json()["error_description"].startswith(f"An access token from {ISSUER} is needed.")
        token = signed(scope="linq:read")
        for authorization in ("Basic YTpi", "Bearer", "Bearer ", token, f"Basic {token}"):
            refused = await client.post("/mcp", headers={**MODERN, "Authorization": authorization})
            assert refused.status_code == 401
    assert linq.requests == []


async def test_a_bad_token_is_refused_with_the_reason(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "linq_mcp")
    async with serve() as client:
        response = await client.post("/mcp", **as_(posted("modern", "tools/list"), signed(aud="https://other.example")))
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == (
        f'Bearer error="invalid_token", error_description="The token is for another audience.", '
        f'resource_metadata="{METADATA}"'
    )
    assert "a token was refused: The token is for another audience." in caplog.text


async def test_a_token_without_a_scope_is_not_enough(serve: Serve) -> None:
    """The challenge names all that are needed, so that the next token has them."""
    async with serve(scopes=["linq:read", "linq:more"]) as client:
        few = await client.post("/mcp", **as_(posted("modern", "tools/list"), signed(scope="linq:more other")))
        assert few.status_code == 403
        assert few.headers["WWW-Authenticate"] == (
            'Bearer error="insufficient_scope", error_description="The token lacks the scope linq:read.", '
            f'scope="linq:read linq:more", resource_metadata="{METADATA}"'
        )
        enough = await client.post("/mcp", **as_(posted("modern", "tools/list"), signed(scope="linq:read linq:more")))
        assert enough.status_code == 200


@pytest.mark.parametrize(
    "path",
    [f"/.well-known/oauth-protected-resource{rest}" for rest in ("/mcp", "/mcp/", "", "/")],
)
async def test_the_metadata_says_who_signs_in(serve: Serve, path: str) -> None:
    """The metadata is served as it was configured, without a token, and to web pages, too."""
    async with serve(scopes=["linq:read"], send_scope="linq:send") as client:
        response = await client.get(path, headers={"Origin": "https://app.example.com"})
        asked = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "GET"}
        allowed = await client.options(
            path, headers={**asked, "Access-Control-Request-Headers": "mcp-protocol-version"}
        )
    assert response.json() == {
        "resource": PUBLIC_URL,
        "authorization_servers": [ISSUER],
        "scopes_supported": ["linq:read", "linq:send"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Linq conversations",
    }
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert allowed.status_code == 200


async def test_keys_that_were_read_serve_while_the_issuer_is_stopped(serve: Serve, issuer: FakeIssuer) -> None:
    issuer.stopped = True
    async with serve() as client:
        response = await client.post("/mcp", **as_(posted("modern", "tools/list"), signed()))
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
        assert "can't read the keys of its identity provider" in response.json()["error_description"]
        assert "WWW-Authenticate" not in response.headers
    issuer.stopped = False
    async with serve() as client:
        assert (await client.post("/mcp", **as_(posted("modern", "tools/list"), signed()))).status_code == 200
        issuer.stopped = True
        assert (await client.post("/mcp", **as_(posted("modern", "tools/list"), signed()))).status_code == 200


async def test_keys_are_read_before_anybody_comes(serve: Serve, issuer: FakeIssuer) -> None:
    issuer.document = {"issuer": "https://other.example.com", "jwks_uri": f"{ISSUER}/jwks"}
    async with serve():
        while not issuer.requests:
            await anyio.lowlevel.checkpoint()


# What they may


@eras
async def test_two_people_see_accounts_lines_and_tools_of_their_own(serve: Serve, era: str) -> None:
    ann, cy = signed(sub="ann", groups=["sales", "ops"]), signed(sub="cy", org="acme")
    async with serve() as client:

        async def ask(request: dict[str, Any], token: str) -> dict[str, Any]:
            return result_of(await client.post("/mcp", **as_(request, token)))

        listed = [await ask(posted(era, "tools/list"), token) for token in (ann, cy)]
        chats = [
            (await ask(call(era, "list_chats", {"limit": 100}), token))["structuredContent"]["chats"]
            for token in (ann, cy)
        ]
        closed = await client.post("/mcp", **as_(call(era, "list_inbox"), cy))
    assert [tool["name"] for tool in listed[0]["tools"]] == [tool.name for tool in TOOLS]
    assert [tool["name"] for tool in listed[1]["tools"]] == ["list_chats", "get_chat"]
    assert all(each.get("cacheScope", "private") == "private" for each in listed)
    assert len(chats[0]) == 12
    assert len({chat["line"] for chat in chats[0]}) > 1
    assert {chat["line"] for chat in chats[1]} == {SHOP_LINE}
    assert not {chat["id"] for chat in chats[0]} & {chat["id"] for chat in chats[1]}
    assert closed.json()["error"]["message"] == "Unknown tool: list_inbox. The tools are: list_chats, get_chat."


@eras
@pytest.mark.parametrize("streamed", [False, True])
async def test_whoever_no_rule_is_for_is_told_which_claims_they_have(
    serve: Serve, linq: Recorded, era: str, streamed: bool
) -> None:
    asked = call(era, "list_chats")
    if streamed:
        asked["json"]["params"].setdefault("_meta", {})["progressToken"] = "p"
    async with serve() as client:
        response = await client.post("/mcp", **as_(asked, signed(sub="eve", email="eve@example.com", groups=["none"])))
    line = next(line for line in response.text.splitlines() if '"result"' in line)
    result = json.loads(line.removeprefix("data: "))["result"]
    assert result["isError"] is True
    assert text_of(result) == (
        f"{HEADLINES['nothing_open']} No rule of its access file matches your sign-in, which has these claims: "
        "client_id, email, groups, sub. The operator of this server can add a rule for one of them."
    )
    assert linq.requests == []


@eras
@pytest.mark.parametrize("streamed", [False, True])
async def test_the_caller_is_known_however_they_are_answered(serve: Serve, era: str, streamed: bool) -> None:
    asked = call(era, "summarize_chat_health")
    if streamed:
        asked["json"]["params"].setdefault("_meta", {})["progressToken"] = "p"
    async with serve() as client:
        response = await client.post("/mcp", **as_(asked, signed(sub="bo")))
    assert response.headers["Content-Type"].startswith("text/event-stream" if streamed else "application/json")
    assert '"scanned":12' in response.text


async def test_the_token_and_the_header_of_a_key_stay_here(serve: Serve, linq: Recorded) -> None:
    """Linq gets the key of the rule, and nothing that the caller sent."""
    token = signed(sub="bo")
    asked = as_(call("modern", "list_chats"), token)
    asked["headers"]["x-linq-api-v3-api-key"] = "another-key"
    async with serve() as client:
        assert result_of(await client.post("/mcp", **asked))["structuredContent"]["chats"]
    (request,) = linq.requests
    assert request.headers["Authorization"] == f"Bearer {KEY}-ops"
    assert token not in str(request.headers) + str(request.url)
    assert "another-key" not in str(request.headers)


# Sending


def instructions_of(response: httpx.Response) -> str:
    return str(result_of(response)["instructions"])


@eras
async def test_sending_is_by_rule(serve: Serve, era: str) -> None:
    """Tools and instructions are those of the caller; without the server's switch, no rule opens it."""
    introduction = posted(
        era, "server/discover" if era == "modern" else "initialize", INITIALIZE if era == "legacy" else {}
    )
    sends = {tool.name for tool in SEND_TOOLS}
    ann, cy = signed(groups=["ops"]), signed(sub="cy", org="acme")
    async with serve(sending=STRICTEST) as client:
        lists = [result_of(await client.post("/mcp", **as_(posted(era, "tools/list"), token))) for token in (ann, cy)]
        introduced = [instructions_of(await client.post("/mcp", **as_(introduction, token))) for token in (ann, cy)]
        refused = await client.post("/mcp", **as_(call(era, "send_message"), cy))
    offered = [{tool["name"] for tool in listed["tools"]} for listed in lists]
    assert sends <= offered[0]
    assert not sends & offered[1]
    assert "send_message" in introduced[0]
    assert "cannot send" in introduced[1]
    assert refused.json()["error"]["message"].startswith("Unknown tool: send_message.")
    async with serve() as client:
        listed = result_of(await client.post("/mcp", **as_(posted(era, "tools/list"), ann)))
    assert not sends & {tool["name"] for tool in listed["tools"]}


INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
SEND = {"chat_id": demo_chat(line=CLINIC_LINE)["id"], "text": "Hello"}


@eras
async def test_sending_takes_its_scope(serve: Serve, era: str) -> None:
    async with serve(sending=STRICTEST, scopes=["linq:read"], send_scope="linq:send") as client:
        token = signed(groups=["ops"], scope="linq:read email")
        refused = await client.post("/mcp", **as_(call(era, "send_message", SEND), token))
        read = await client.post("/mcp", **as_(call(era, "list_chats"), token))
        more = signed(groups=["ops"], scope="linq:read linq:send")
        passed = await client.post("/mcp", **as_(call(era, "send_message", SEND), more))
    assert (refused.status_code, read.status_code, passed.status_code) == (403, 200, 200)
    assert refused.headers["WWW-Authenticate"] == (
        'Bearer error="insufficient_scope", error_description="The token lacks the scope linq:send.", '
        f'scope="linq:read email linq:send", resource_metadata="{METADATA}"'
    )


PREFIXED = "api://1111/linq.read", "api://1111/linq.send"


@pytest.mark.parametrize(
    ("asked", "held", "passes"),
    [
        ("api://1111/linq.read", "linq.read", True),
        ("api://1111/linq.read", "api://1111/linq.read", True),
        ("linq.read", f"{PUBLIC_URL}/linq.read", True),
        ("linq.read", f"api://{PUBLIC_URL}/linq.read", True),
        ("linq.read", "api://other/linq.read", False),
        ("api://1111/linq.read", "api://2222/linq.read", False),
        ("api://1111/linq.read", "1111/linq.read read", False),
        ("linq:read", "linq:reader", False),
    ],
)
async def test_a_scope_with_and_without_the_prefix_of_its_api(
    serve: Serve, asked: str, held: str, passes: bool
) -> None:
    """Entra's clients have to ask for `api://ID/scope`, and its tokens have the scope alone."""
    async with serve(scopes=[asked]) as client:
        response = await client.post("/mcp", **as_(posted("modern", "tools/list"), signed(scope=None, scp=held)))
    assert response.status_code == (200 if passes else 403)


async def test_a_challenge_asks_for_scopes_as_clients_must(serve: Serve) -> None:
    """A scope that the token has without its prefix is asked for with it; without, Entra would not know it."""
    read, send = PREFIXED
    async with serve(sending=STRICTEST, scopes=[read], send_scope=send) as client:
        token = signed(groups=["ops"], scp="linq.read email")
        refused = await client.post("/mcp", **as_(call("modern", "send_message", SEND), token))
        more = signed(groups=["ops"], scp="linq.read linq.send")
        passed = await client.post("/mcp", **as_(call("modern", "send_message", SEND), more))
    assert f'scope="{read} email {send}"' in refused.headers["WWW-Authenticate"]
    assert passed.status_code == 200


@pytest.mark.parametrize("audit", [False, True])
async def test_an_audit_names_who_called(serve: Serve, audit: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "linq_mcp")
    async with serve(audit=audit) as client:
        token = signed(sub="bo", email="bo@example.com")
        await client.post("/mcp", **as_(call("modern", "list_chats", {"from": SHOP_LINE}), token))
    assert (f'subject="bo bo@example.com" line={SHOP_LINE}' in caplog.text) is audit
    assert ("bo@example.com" in caplog.text) is audit


@pytest.mark.parametrize("names", [("list_chats", "send_message"), ("send_message", "list_chats")])
async def test_a_name_that_comes_twice_gets_nobody_past_the_scope(serve: Serve, names: tuple[str, str]) -> None:
    """The tool that is called is the one whose scope was looked at."""
    asked = call("legacy", "NAME", SEND)
    body = json.dumps(asked["json"]).replace('"name": "NAME"', ", ".join(f'"name": "{name}"' for name in names))
    headers = as_(asked, signed(groups=["ops"], scope="linq:read"))["headers"]
    async with serve(sending=STRICTEST, send_scope="linq:send") as client:
        response = await client.post("/mcp", content=body, headers=headers)
    if names[-1] == "send_message":
        assert response.status_code == 403
    else:
        # It was list_chats that refused the arguments.
        assert "chat_id" in text_of(result_of(response))


@pytest.mark.parametrize("name", [["send_message"], {"send_message": 1}, 5, None])
async def test_what_is_no_name_is_refused_as_such(serve: Serve, name: Any) -> None:
    asked = call("legacy", "NAME", SEND)
    asked["json"]["params"]["name"] = name
    async with serve(sending=STRICTEST, send_scope="linq:send") as client:
        response = await client.post("/mcp", **as_(asked, signed(groups=["ops"])))
    assert response.json()["error"]["code"] == -32602


async def test_the_question_to_one_can_not_be_answered_by_another(serve: Serve) -> None:
    api = RecordingApi()
    asked = call("modern", "send_message", SEND)
    asked["json"]["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = {"elicitation": {"form": {}}}

    class AnyKey(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            request.headers["Authorization"] = f"Bearer {DEMO_KEY}"
            return await api.handle_async_request(request)

    ann, bo = signed(sub="ann", groups=["ops"]), signed(sub="bo")
    async with serve(sending=STRICTEST, transport=AnyKey()) as client:
        question = result_of(await client.post("/mcp", **as_(asked, ann)))
        asked["json"]["params"] |= {
            "inputResponses": {"consent": {"action": "accept", "content": {"choice": "Send"}}},
            "requestState": question["requestState"],
        }
        foreign = await client.post("/mcp", **as_(asked, bo))
        assert foreign.json()["error"]["code"] == -32602
        assert api.posts == []
        answered = result_of(await client.post("/mcp", **as_(asked, ann)))
    assert answered["structuredContent"]["sent"] is True
    assert api.texts == ["Hello"]


# What can't be started


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"issuer": "http://id.example.com"}, "--issuer takes an https URL such as https://id.example.com"),
        ({"issuer": "id.example.com"}, "--issuer takes an https URL"),
        ({"issuer": "https://id.example.com?x=1"}, "without a query, a fragment, or a user name, not 'https://id"),
        ({"issuer": "https://a:b@id.example.com"}, "--issuer takes an https URL"),
        ({"issuer": "https://id.example.com:port"}, "--issuer takes an https URL"),
        ({"public_url": 'https://mcp.example.com/"mcp"'}, "--public-url takes an https URL"),
        ({"public_url": "http://mcp.example.com/mcp"}, "--public-url takes an https URL"),
        ({"public_url": "https://mcp.example.com"}, "--public-url needs the path of the MCP endpoint"),
        ({"public_url": "https://mcp.example.com/"}, "--public-url needs the path of the MCP endpoint"),
        ({"public_url": "https://mcp.example.com/mcp/"}, "--public-url needs the path of the MCP endpoint"),
        ({"scopes": ["a b"]}, "a scope has no spaces"),
        ({"send_scope": 'a"'}, "a scope has no spaces"),
        ({"scopes": [""]}, "a scope has no spaces"),
    ],
    ids=str,
)
def test_refuses_to_start(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        validate_sign_in(SignInConfig(**{"issuer": ISSUER, "public_url": PUBLIC_URL, **changes}))
