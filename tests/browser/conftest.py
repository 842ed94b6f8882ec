"""Fixtures for the tests that look at the board in Chromium.

They need Playwright, a browser, and two packages from npm. `.ci/browser` installs these, says where they are, and runs
the tests; a run without them doesn't collect this folder.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from helpers.piped import SECONDS

from linq_mcp.demo import in_process
from linq_mcp.demo.contacts import demo_contacts
from linq_mcp.server.client_provider import SettingsClientProvider
from linq_mcp.transports.board.app import LIMITS, build_board_app
from linq_mcp.transports.http.run import HttpServer

if TYPE_CHECKING:
    from helpers.view_host import ViewHost
    from helpers.watched_page import Watch
    from playwright.sync_api import Browser, Page

collect_ignore_glob = [] if "LINQ_MCP_BROWSER_TOOLS" in os.environ else ["test_*.py"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from helpers.watched_page import launch  # noqa: PLC0415 - Playwright may be missing
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    with sync_playwright() as playwright:
        running = launch(playwright)
        yield running
        running.close()


@pytest.fixture(scope="session")
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The page on the demo account, served by a thread. A test's parameter names the tools that are open."""
    settings = replace(in_process.settings(), tools=getattr(request, "param", ()))
    provider = SettingsClientProvider(lambda: settings, transport=in_process.transport, names=demo_contacts)
    server = HttpServer(build_board_app(provider, "secret"), LIMITS)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/secret/"
        server.should_exit = True
        thread.join(SECONDS)


@pytest.fixture
def watched(browser: Browser, url: str) -> Iterator[tuple[Page, Watch]]:
    """A page of which everything is checked at the end of the test."""
    from helpers.watched_page import invalid, watched_page  # noqa: PLC0415 - Playwright may be missing

    with watched_page(browser, url, viewport={"width": 1000, "height": 800}) as (page, watch):
        yield page, watch
    assert watch.problems == []
    assert "\n".join(invalid(watch.messages)) == ""


@pytest.fixture
def page(watched: tuple[Page, Watch]) -> Page:
    return watched[0]


@pytest.fixture
def watch(watched: tuple[Page, Watch]) -> Watch:
    return watched[1]


@pytest.fixture
def host(watched: tuple[Page, Watch], url: str) -> ViewHost:
    from helpers.view_host import ViewHost  # noqa: PLC0415 - Playwright may be missing

    host = ViewHost(*watched, url)
    host.start()
    return host
