"""The API of an account, served on the loopback interface while a test runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from starlette.types import ASGIApp

from linq_mcp.demo.serve import base_url, listen, make_server


@contextmanager
def running(app: ASGIApp) -> Iterator[str]:
    """Serve in a background thread during a `with` block, whose value is the base URL."""
    with listen(0) as listening:
        server = make_server(app)
        thread = Thread(target=server.run, kwargs={"sockets": [listening]}, name="linq-demo-api", daemon=True)
        thread.start()
        try:
            yield base_url(listening)
        finally:
            server.should_exit = True
            thread.join(10)
