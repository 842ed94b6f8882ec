"""Sign-in: this server as an OAuth 2.1 resource server, whose callers bring an access token of the company's issuer.

The answer to a request without a token, and the metadata (RFC 9728), say where people sign in. What a caller may do is
decided elsewhere, by the claims; they are in the ASGI scope's `user`, where the SDK's own middleware puts them.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.routes import cors_middleware
from mcp.types.jsonrpc import JSONRPCMessage, JSONRPCRequest
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from linq_mcp.settings import url_flaw
from linq_mcp.transports.http.auth.issuer_keys import IssuerKeys, IssuerUnavailable
from linq_mcp.transports.http.auth.tokens import AccessTokenVerifier, InvalidToken
from linq_mcp.transports.http.config import with_and_without_slash
from linq_mcp.transports.http.middleware import MESSAGE

logger = logging.getLogger(__name__)

_METADATA = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, kw_only=True)
class SignInConfig:
    """Who signs callers in, and which tokens count.

    Clients call this server by `public_url`. Tokens must come from `issuer`, for one of the `audiences` (the public URL
    if there are none), and with all `scopes`; those for a tool that sends need `send_scope`, too, if there is one.
    """

    issuer: str
    public_url: str
    audiences: Sequence[str] = ()
    scopes: Sequence[str] = ()
    send_scope: str | None = None

    @property
    def public_host(self) -> str:
        """The host, and the port if there is one, by which clients call this server."""
        return urlsplit(self.public_url).netloc

    @property
    def metadata_path(self) -> str:
        """Where the metadata is: the path of `public_url` comes after the well-known one."""
        return _METADATA + urlsplit(self.public_url).path

    @property
    def all_scopes(self) -> list[str]:
        """Every scope that some call needs."""
        return [*self.scopes, *([self.send_scope] if self.send_scope else [])]

    def holds(self, scopes: Collection[str], scope: str) -> bool:
        """Whether a token's `scopes` include `scope`, with or without the prefix of its API.

        At Entra, clients ask for `api://ID/mcp.read`, and tokens have `mcp.read`; at Cognito both have a prefix.
        """
        prefixes = [prefix for name in self.audiences or [self.public_url] for prefix in (name, f"api://{name}")]
        forms = [scope, scope.rpartition("/")[2]] if "/" in scope else [f"{prefix}/{scope}" for prefix in prefixes]
        return any(form in scopes for form in (scope, *forms))


def validate_sign_in(config: SignInConfig) -> SignInConfig:
    """`config`, if tokens can be checked safely with it. Raises ValueError with the reason in one line."""
    for option, url, example in (
        ("--issuer", config.issuer, "https://id.example.com"),
        ("--public-url", config.public_url, "https://mcp.example.com/mcp"),
    ):
        # Both are quoted in headers.
        if url_flaw(url) or '"' in url or "\\" in url:
            raise ValueError(
                f"{option} takes an https URL such as {example} (http only to this machine), without a query, a "
                f"fragment, or a user name, not {url!r}"
            )
    if not all(name.strip() for name in config.audiences):
        raise ValueError("--audience takes the value of the tokens' claim aud, such as api://linq-mcp")
    path = urlsplit(config.public_url).path
    if not path.strip("/") or path.endswith("/"):
        raise ValueError("--public-url needs the path of the MCP endpoint, such as https://mcp.example.com/mcp")
    for scope in config.all_scopes:
        if not scope or any(character in ' "\\' or not " " < character < "\x7f" for character in scope):
            raise ValueError(f"a scope has no spaces, quotation marks or backslashes: {scope!r}")
    return config


class SignIn:
    """The middlewares and routes of sign-in. `transport` replaces the network to the issuer, for tests."""

    def __init__(self, config: SignInConfig, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.config = config
        self.keys = IssuerKeys(config.issuer, transport=transport)
        self._challenges = _Challenges(config)
        self._verifier = AccessTokenVerifier(config.issuer, config.audiences or config.public_url, self.keys)

    def routes(self) -> list[Route]:
        """The metadata, at the address that RFC 9728 makes from the public URL, and at the root."""
        metadata = {
            "resource": self.config.public_url,
            "authorization_servers": [self.config.issuer],
            "bearer_methods_supported": ["header"],
            "resource_name": "Linq conversations",
            **({"scopes_supported": self.config.all_scopes} if self.config.all_scopes else {}),
        }

        async def answer(_: Request) -> Response:
            return JSONResponse(metadata, headers={"Cache-Control": "public, max-age=3600"})

        # Clients in browsers read it, too.
        endpoint = cors_middleware(answer, ["GET", "OPTIONS"])
        return [
            Route(path, endpoint=endpoint, methods=["GET", "OPTIONS"])
            for named in dict.fromkeys((self.config.metadata_path, _METADATA))
            for path in with_and_without_slash(named)
        ]

    def on_headers(self) -> list[Middleware]:
        """The middleware that comes before the body is read."""
        return [Middleware(SignInMiddleware, self._verifier, self._challenges, self.config)]

    def on_message(self, sending_tools: Collection[str]) -> list[Middleware]:
        """The middleware that comes after the message is parsed."""
        if not self.config.send_scope:
            return []
        return [Middleware(SendScopeMiddleware, self._challenges, self.config, sending_tools)]


class SignInMiddleware:
    """Requires an access token with all scopes, and adds its claims to the ASGI scope, as `user`."""

    def __init__(
        self, app: ASGIApp, verifier: AccessTokenVerifier, challenges: _Challenges, config: SignInConfig
    ) -> None:
        self._app = app
        self._verifier = verifier
        self._challenges = challenges
        self._config = config

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        refusal: Response | None = None
        user: AuthenticatedUser | None = None
        if scheme.lower() != "bearer" or not token.strip():
            refusal = self._challenges.no_token()
        else:
            try:
                user = AuthenticatedUser(await self._verifier.verify(token.strip()))
            except InvalidToken as invalid:
                logger.info("a token was refused: %s", invalid)
                refusal = self._challenges.invalid_token(str(invalid))
            except IssuerUnavailable:
                refusal = _UNAVAILABLE
        config = self._config
        if user and (missing := [scope for scope in config.scopes if not config.holds(user.scopes, scope)]):
            refusal = self._challenges.insufficient_scope(config.scopes, missing)
        if refusal:
            await refusal(scope, receive, send)
        else:
            await self._app({**scope, "user": user}, receive, send)


class SendScopeMiddleware:
    """Requires the scope of sending for a call of one of `tools`. Clients then ask the person for it and call again."""

    def __init__(self, app: ASGIApp, challenges: _Challenges, config: SignInConfig, tools: Collection[str]) -> None:
        self._app = app
        self._challenges = challenges
        self._config = config
        self._tools = tools

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        held, config = scope["user"].scopes, self._config
        send_scope = config.send_scope or ""
        if _called_tool(scope[MESSAGE]) in self._tools and not config.holds(held, send_scope):
            # Ask for the token's present scopes too: the new token replaces it.
            others = [name for name in held if not any(config.holds([name], scope) for scope in config.scopes)]
            needed = list(dict.fromkeys([*config.scopes, *others, send_scope]))
            await self._challenges.insufficient_scope(needed, [send_scope])(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _called_tool(message: JSONRPCMessage) -> str:
    """The name of the tool that `message` calls; "" if it calls none, or if the name is not a string."""
    if not isinstance(message, JSONRPCRequest) or message.method != "tools/call":
        return ""
    name = (message.params or {}).get("name")
    return name if isinstance(name, str) else ""


class _Challenges:
    """The answers to callers without the right token: RFC 6750, with `resource_metadata` (RFC 9728)."""

    def __init__(self, config: SignInConfig) -> None:
        url = urlsplit(config.public_url)
        self._metadata_url = f"{url.scheme}://{url.netloc}{config.metadata_path}"
        self._issuer = config.issuer
        self._scopes = config.scopes

    def no_token(self) -> Response:
        why = f"An access token from {self._issuer} is needed. Clients that know OAuth get one by themselves."
        # No `error`: that is for requests with a token.
        return self._refusal(401, "invalid_token", why, self._scopes, says_error=False)

    def invalid_token(self, why: str) -> Response:
        return self._refusal(401, "invalid_token", why, self._scopes)

    def insufficient_scope(self, needed: Sequence[str], missing: Collection[str]) -> Response:
        why = f"The token lacks the scope {' '.join(sorted(missing))}."
        return self._refusal(403, "insufficient_scope", why, needed)

    def _refusal(
        self, status: int, error: str, why: str, scopes: Sequence[str], *, says_error: bool = True
    ) -> Response:
        parameters = {
            **({"error": error, "error_description": why} if says_error else {}),
            **({"scope": " ".join(scopes)} if scopes else {}),
            "resource_metadata": self._metadata_url,
        }
        challenge = ", ".join(f'{name}="{value}"' for name, value in parameters.items())
        return JSONResponse(
            {"error": error, "error_description": why},
            status_code=status,
            headers={"WWW-Authenticate": f"Bearer {challenge}"},
        )


_UNAVAILABLE = JSONResponse(
    {
        "error": "temporarily_unavailable",
        "error_description": (
            "This server can't check tokens at the moment, because it can't read the keys of its identity provider. "
            "Its log says why. Try again in a few seconds."
        ),
    },
    status_code=503,
    headers={"Retry-After": "5"},
)
