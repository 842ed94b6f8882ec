"""Requests of people who have signed in, and the access file that says what is open to them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.linq import KEY
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.requests import Request

from linq_mcp.server.callers.many import AccessFile
from linq_mcp.settings import Settings
from linq_mcp.settings.access_file import read_access_file
from linq_mcp.tools import SEND_TOOLS, TOOLS

ENVIRON = {"OPS_KEY": f"{KEY}-ops", "ACME_KEY": f"{KEY}-acme"}


def signed_in(**members: Any) -> Request:
    """A request whose token has been checked and has these claims."""
    claims = {"iss": "http://127.0.0.1:9000", "sub": "ann", **members}
    token = AccessToken(token="", client_id="a client", scopes=[], subject=claims["sub"], claims=claims)
    return Request({"type": "http", "headers": [], "user": AuthenticatedUser(token)})


def access_to(path: Path, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> AccessFile:
    """The access file at `path`, with the keys of `ENVIRON`."""
    names = [tool.name for tool in (*TOOLS, *SEND_TOOLS)]
    return AccessFile(lambda: read_access_file(path, settings, environ=ENVIRON, known_tools=names), clock=clock)
