"""Fixtures for the tests that look at the board in Chromium.

They need Playwright, a browser, and two packages from npm. `.ci/browser` installs these, says where they are, and runs
the tests; a run without them doesn't collect this folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from helpers.board_server import serving_board

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
    """The page on the demo account. A test's parameter names the tools that are open."""
    with serving_board(getattr(request, "param", ())) as url:
        yield url


@pytest.fixture(scope="session")
def only_page(browser: Browser, url: str) -> Iterator[tuple[Page, Watch]]:
    """A page for all tests: one for each of them takes longer than most tests."""
    from helpers.watched_page import watched_page  # noqa: PLC0415 - Playwright may be missing

    with watched_page(browser, url) as (page, watch):
        yield page, watch


@pytest.fixture
def watched(only_page: tuple[Page, Watch]) -> Iterator[tuple[Page, Watch]]:
    """A blank page of which everything is checked at the end of the test."""
    from helpers.watched_page import invalid, settle  # noqa: PLC0415 - Playwright may be missing

    page, watch = only_page
    page.goto("about:blank")
    page.set_viewport_size({"width": 1000, "height": 800})
    page.emulate_media(color_scheme="light")
    page.unroute_all()
    page.context.unroute_all()
    page.context.clear_permissions()
    watch.clear()
    yield page, watch
    settle(page)
    assert watch.unexpected() == []
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
