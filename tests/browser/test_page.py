"""`linq-mcp board` in a browser: the page that people open, as a host of the view, with the real server."""

from __future__ import annotations

import re
from itertools import count
from typing import Any

import pytest
from helpers.watched_page import Json, Watch, axe_violations, wait_until
from playwright.sync_api import Frame, Page, Route, expect

CONTEXT_CHANGED = "ui/notifications/host-context-changed"
NUMBERS = count()


def open_page(page: Page, url: str) -> Frame:
    """Open the page, and return the frame of its view once that has its answer."""
    page.goto(url)
    expect(page.frame_locator("iframe").get_by_role("heading", name="21 chats are waiting")).to_be_visible()
    return page.frames[1]


def ask(frame: Frame, method: str, params: Json) -> Json:
    """What the host answers to a request of the view's, sent in its name."""
    request = {"jsonrpc": "2.0", "id": f"asked: {next(NUMBERS)}", "method": method, "params": params}
    answer: Json = frame.evaluate(
        """(message) => new Promise((resolve) => {
          addEventListener("message", ({ data }) => data.id === message.id && resolve(data));
          parent.postMessage(message, "*");
        })""",
        request,
    )
    return answer


def test_who_is_waiting_is_shown_first(page: Page, watch: Watch, url: str) -> None:
    open_page(page, url)
    asked = {"waiting": True, "order": "longest_waiting"}
    assert watch.sent("host", "ui/notifications/tool-input") == [{"arguments": asked}]


def test_the_view_leads_to_everything_else(page: Page, url: str) -> None:
    """Clicks lead to a chat's transcript, the health of the lines, and what happened on them."""
    open_page(page, url)
    view = page.frame_locator("iframe")
    view.get_by_role("button", name="Sofia Pereira").click()
    expect(view.get_by_role("table")).to_contain_text("Hello?")
    page.keyboard.press("Escape")
    view.get_by_role("tab", name="Health").click()
    expect(view.get_by_role("heading", name="of 300 chats are critical or at risk")).to_be_visible()
    view.get_by_role("tab", name="Activity").click()
    expect(view.get_by_role("heading", name="messages failed", level=1)).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_is_the_systems_and_follows_it(scheme: Any, page: Page, watch: Watch, url: str) -> None:
    other: Any = "dark" if scheme == "light" else "light"
    page.emulate_media(color_scheme=scheme)
    frame = open_page(page, url)
    assert ask(frame, "ui/initialize", INITIALIZE)["result"]["hostContext"]["theme"] == scheme
    page.emulate_media(color_scheme=other)
    wait_until(page, lambda: {"theme": other} in watch.sent("host", CONTEXT_CHANGED))
    expect(page.frame_locator("iframe").locator("html")).to_have_attribute("data-theme", other)


INITIALIZE = {
    "appInfo": {"name": "test", "version": "1"},
    "appCapabilities": {"availableDisplayModes": ["inline", "fullscreen"]},
    "protocolVersion": "2026-01-26",
}


def test_the_view_fills_the_window_and_learns_of_its_size(page: Page, watch: Watch, url: str) -> None:
    open_page(page, url)
    page.set_viewport_size({"width": 600, "height": 700})
    assert page.locator("iframe").bounding_box() == {"x": 0, "y": 0, "width": 600, "height": 700}
    expected = {"containerDimensions": {"width": 600, "height": 700}}
    wait_until(page, lambda: expected in watch.sent("host", CONTEXT_CHANGED))


def test_the_page_has_no_other_mode_than_the_full_screen(page: Page, url: str) -> None:
    frame = open_page(page, url)
    assert frame.get_by_role("button", name=re.compile("full screen", re.IGNORECASE)).count() == 0
    assert ask(frame, "ui/request-display-mode", {"mode": "inline"})["result"] == {"mode": "fullscreen"}


def test_the_view_reads_through_the_page(page: Page, url: str) -> None:
    frame = open_page(page, url)
    called = ask(frame, "tools/call", {"name": "list_phone_numbers", "arguments": {}})["result"]
    assert "+12052535597" in called["content"][0]["text"]
    failed = ask(frame, "tools/call", {"name": "get_chat", "arguments": {}})["result"]
    assert failed["isError"] is True


REFUSED: list[tuple[str, Json, int]] = [
    ("tools/call", {"name": "send_message", "arguments": {}}, -32602),
    ("tools/call", {"name": "constructor", "arguments": {}}, -32602),
    ("ui/open-link", {"url": "javascript:alert(1)"}, -32000),
    ("ui/open-link", {"url": "http://example.com/"}, -32000),
    ("ui/open-link", {"url": "nonsense"}, -32000),
    ("ui/download-file", {"contents": []}, -32601),
    ("ui/update-model-context", {"content": []}, -32601),
]


def test_whatever_else_the_view_asks_for_is_refused(page: Page, url: str) -> None:
    frame = open_page(page, url)
    assert [ask(frame, method, params)["error"]["code"] for method, params, _ in REFUSED] == [
        code for *_, code in REFUSED
    ]
    assert len(page.context.pages) == 1


def test_the_server_refuses_any_other_resource(page: Page, watch: Watch, url: str) -> None:
    error = ask(open_page(page, url), "resources/read", {"uri": "file:///etc/passwd"})["error"]
    assert (error["code"], "There is only ui://linq-mcp/board" in error["message"]) == (-32602, True)
    watch.expected = "status of 400"


def test_only_the_view_is_answered(page: Page, watch: Watch, url: str) -> None:
    frame = open_page(page, url)
    stray = {"jsonrpc": "2.0", "id": "of another window", "method": "ping"}
    page.evaluate("(stray) => postMessage(stray, '*')", stray)
    assert ask(frame, "ping", {})["result"] == {}
    assert [message for _, message in watch.messages if message.get("id") == stray["id"]] == [stray]
    watch.messages.remove(("view", stray))


def test_a_link_opens_in_a_tab_that_knows_nothing_of_the_page(page: Page, watch: Watch, url: str) -> None:
    seen: list[str | None] = []

    def answer(route: Route) -> None:
        seen.append(route.request.headers.get("referer"))
        route.fulfill(body="<title>Guide</title>", content_type="text/html")

    page.context.route("https://docs.example.com/**", answer)
    frame = open_page(page, url)
    with page.context.expect_page() as opened:
        assert ask(frame, "ui/open-link", {"url": "https://docs.example.com/guide#critical"})["result"] == {}
    tab = opened.value
    assert tab.url == "https://docs.example.com/guide#critical"
    assert tab.evaluate("window.opener") is None
    assert seen == [None]
    tab.close()
    watch.expected = "a request for https://docs.example.com/guide"
    assert watch.problems == [watch.expected]


def test_a_question_for_the_assistant_is_shown_to_be_copied(page: Page, url: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_page(page, url)
    button = page.frame_locator("iframe").get_by_role("button", name="Ask about this")
    button.click()
    dialog = page.get_by_role("dialog", name="Ask your assistant")
    expect(dialog).to_contain_text("Who has been waiting longest")
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.get_by_role("status")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == dialog.get_by_role("blockquote").inner_text()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    expect(page.frame_locator("iframe").locator("footer")).to_contain_text("This app didn't send the question.")


def test_a_question_is_shown_as_text(page: Page, url: str) -> None:
    frame = open_page(page, url)
    question = "<b>Who</b> is <img src=x onerror=hacked=1>?"
    ask(frame, "ui/message", {"role": "user", "content": [{"type": "text", "text": question}]})
    expect(page.get_by_role("dialog").get_by_role("blockquote")).to_have_text(question)


def test_a_server_that_has_ended_is_named(page: Page, watch: Watch, url: str) -> None:
    page.route("**/mcp", lambda route: route.abort() if "mcp-name" in route.request.headers else route.continue_())
    page.goto(url)
    expect(page.frame_locator("iframe").get_by_text("Is `linq-mcp board` still running?")).to_be_visible()
    (sent,) = watch.sent("host", "ui/notifications/tool-result")
    assert sent["isError"] is True
    watch.expected = "net::ERR_FAILED"


def test_an_answer_that_is_not_json_is_shown_with_its_status(page: Page, watch: Watch, url: str) -> None:
    page.route("**/mcp", lambda route: route.fulfill(status=503, body="Too many calls at once."))
    page.goto(url)
    expect(page.get_by_role("alert")).to_have_text("The board's server answered 503: Too many calls at once.")
    watch.expected = "status of 503"


@pytest.mark.parametrize("url", [("list_chats",)], ids=["no tool with a view"], indirect=True)
def test_without_a_tool_that_has_a_view_the_page_says_so(page: Page, url: str) -> None:
    """`--tools` can leave none open."""
    page.goto(url)
    expect(page.get_by_role("alert")).to_contain_text("list_inbox, summarize_chat_health, summarize_activity")
    expect(page.locator("iframe")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_itself_is_accessible(scheme: Any, page: Page, url: str) -> None:
    """axe-core finds nothing against WCAG A or AA, with the dialog open, too."""
    page.emulate_media(color_scheme=scheme)
    frame = open_page(page, url)
    assert axe_violations(page.main_frame) == []
    ask(frame, "ui/message", {"role": "user", "content": [{"type": "text", "text": "Who is Sofia Pereira?"}]})
    expect(page.get_by_role("dialog")).to_be_visible()
    assert axe_violations(page.main_frame) == []
