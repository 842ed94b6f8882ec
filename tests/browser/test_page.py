"""`linq-mcp board` in a browser: the page that people open, with the real server and the demo account."""

from __future__ import annotations

from helpers.watched_page import Watch
from playwright.sync_api import Page


def test_the_page_shows_who_is_waiting(page: Page, watch: Watch, origin: str) -> None:
    """Page, view, and server find together without a click."""
    page.goto(f"{origin}/secret/")
    page.frame_locator("iframe").get_by_text("Sofia Pereira").first.wait_for()
    assert [params["arguments"]["waiting"] for params in watch.sent("host", "ui/notifications/tool-input")] == [True]
