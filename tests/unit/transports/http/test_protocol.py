"""The parts of uvicorn and h11 that the server's own HTTP connection is built on, which neither promises to keep."""

from __future__ import annotations

import asyncio
from importlib.metadata import version

import pytest
import uvicorn
from packaging.version import Version
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from linq_mcp.transports.http.config import HttpLimits
from linq_mcp.transports.http.protocol import BoundedProtocol, bounded_protocol

# The last versions with which tests/e2e/http/test_connections.py was run. Run it with a newer one, then write it here.
TRIED = {"uvicorn": "0.54", "h11": "0.16"}
USED = ("conn", "cycle", "connections", "transport", "loop")
REPLACED = (
    "connection_made",
    "data_received",
    "on_response_complete",
    "pause_writing",
    "resume_writing",
    "connection_lost",
    "shutdown",
)


@pytest.mark.parametrize("package", TRIED)
def test_no_newer_version_than_those_that_were_tried(package: str) -> None:
    """A new one may drop a deadline without an error, and a server without it can be kept busy by anyone."""
    assert Version(version(package)).release[:2] <= Version(TRIED[package]).release


async def test_what_the_connection_uses_of_uvicorn_is_there() -> None:
    config = uvicorn.Config(Starlette(), http=bounded_protocol(HttpLimits()), ws="none", log_config=None)
    connection = config.http(config, ServerState(), {}, asyncio.get_running_loop())  # type: ignore[operator, call-arg]  # a class
    assert isinstance(connection, BoundedProtocol)
    assert [name for name in USED if not hasattr(connection, name)] == []
    assert [name for name in REPLACED if not callable(getattr(H11Protocol, name, None))] == []
    assert {name for name in vars(BoundedProtocol) if not name.startswith("_")} - set(REPLACED) == {"drop"}
