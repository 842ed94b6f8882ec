"""The ASGI application of `linq-mcp board`: a page that hosts the board's view, beside the MCP server that it calls.

The page's path is a secret, which is also the bearer token of the MCP server. The view does not learn it: it runs in a
sandboxed frame with an opaque origin and no network, and everything that it asks for passes the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib.resources import files

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from linq_mcp.server.callers.caller import ClientProvider
from linq_mcp.server.view import board_html
from linq_mcp.transports.http.app import build_app
from linq_mcp.transports.http.config import HttpConfig, HttpLimits, is_allowed_host
from linq_mcp.transports.http.middleware import AllowedHostMiddleware

# Nobody waits for the calls of a page whose server was stopped.
LIMITS = HttpLimits(stop_seconds=0)
_SCRIPTS = ("page.js", "host.js", "mcp.js")
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; frame-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
# The policy of MCP Apps (2026-01-26) for a view that declares no origins, without `'self'`, because it is one file.
VIEW_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; media-src data:; "
    "connect-src 'none'; frame-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "sandbox allow-scripts"
)


def build_board_app(provider: ClientProvider, secret: str) -> Starlette:
    """The page at `/<secret>/`, the view at `/view`, and MCP at `/mcp` for callers that know the secret."""
    config = HttpConfig(own_key=True, token=SecretStr(secret), limits=LIMITS)
    mcp = build_app(provider, config)
    page = {
        f"/{secret}/": _file("page.html", "text/html"),
        f"/{secret}/page.css": _file("page.css", "text/css"),
        **{f"/{secret}/{name}": _file(name, "text/javascript") for name in _SCRIPTS},
        "/view": _response(board_html(provider.caller(None).settings.key_source), "text/html", VIEW_POLICY),
    }

    async def send(request: Request) -> Response:
        return page[request.url.path]

    middleware = [Middleware(AllowedHostMiddleware, partial(is_allowed_host, config))]
    app = Starlette(
        # Nothing but /mcp reaches the MCP application, whose access log would show the page's path.
        routes=[
            *(Route(path, send, methods=["GET"], middleware=middleware) for path in page),
            Route(config.path, mcp),
        ],
        lifespan=mcp.router.lifespan_context,
    )
    app.state = mcp.state
    app.router.redirect_slashes = False
    return app


def _file(name: str, media_type: str) -> Response:
    return _response(files(__package__).joinpath(name).read_text(encoding="utf-8"), media_type, _PAGE_POLICY)


def _response(text: str, media_type: str, policy: str) -> Response:
    headers: Mapping[str, str] = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(text, media_type=media_type, headers=headers)
