"""The page of `linq-mcp board` on the demo account, served by a thread of this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from helpers.piped import SECONDS

from linq_mcp.demo import in_process
from linq_mcp.demo.contacts import demo_contacts
from linq_mcp.server.callers.caller import SettingsClientProvider
from linq_mcp.settings.store import StoreSettings
from linq_mcp.transports.board.app import LIMITS, build_board_app
from linq_mcp.transports.http.run import HttpServer

# The account doesn't change. Answers from older readings would come with a note.
MAX_AGE = 120.0


@contextmanager
def serving_board(tools: tuple[str, ...] = ()) -> Iterator[str]:
    """The page's URL during a `with` block. `tools` are those that are open; if empty, all are."""
    settings = replace(in_process.settings(), tools=tools, store=StoreSettings(max_age=MAX_AGE))
    provider = SettingsClientProvider(lambda: settings, transport=in_process.transport, names=demo_contacts)
    server = HttpServer(build_board_app(provider, "secret"), LIMITS)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}/secret/"
        finally:
            server.should_exit = True
            thread.join(SECONDS)
