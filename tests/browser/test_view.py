"""The board's view in every state: what it says, that it fits and is accessible; in each theme, mode, and width."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from helpers.view_host import WAITING, Mode, Theme, ViewHost, failure, result
from helpers.watched_page import Json, axe_violations
from playwright.sync_api import Frame, expect


@dataclass(frozen=True)
class State:
    """What the host tells the view of a call of `tool`, and a text that it then shows."""

    name: str
    tool: str
    outcome: Callable[[ViewHost], Json | str | None]
    text: str
    arguments: Json | None = None
    chat: str | None = None
    tab: str | None = None


NO_LINES: Json = {"lines": [], "scanned": 0, "complete": True}
KEY_REJECTED = "Linq rejected the API key. It comes from the environment variable LINQ_API_V3_API_KEY; replace it."


def real(tool: str, arguments: Json | None = None, **changes: Any) -> Callable[[ViewHost], Json]:
    """The answer of the real server, with some members changed."""
    return lambda host: result({**host.call(tool, arguments), **changes})


STATES = [
    State("loading", "list_inbox", lambda _: None, "Reading the account", WAITING),
    State("cancelled", "list_inbox", lambda _: "The user stopped it.", "This was cancelled", WAITING),
    State("error", "summarize_activity", lambda _: failure("Linq could not be reached. Try again later."), "Try again"),
    State("no permission", "list_inbox", lambda _: failure(KEY_REJECTED), "Linq rejected the API key", WAITING),
    State(
        "nobody waits",
        "list_inbox",
        lambda _: result({"matched": 0, "chats": [], "has_more": False, "scanned": 12, "complete": True}),
        "Nobody is waiting",
        WAITING,
    ),
    State(
        "no chats",
        "summarize_chat_health",
        lambda _: result({"total": {"chats": 0, "health": {}}, **NO_LINES}),
        "There are no chats",
    ),
    State(
        "nothing happened",
        "summarize_activity",
        lambda _: result({"after": "2026-11-23T00:00:00Z", **NO_LINES}),
        "Nothing happened",
    ),
    State(
        "partial",
        "list_inbox",
        real("list_inbox", WAITING, complete=False, note="200 of 300 chats are read."),
        "This is only a part of the account.",
        WAITING,
    ),
    State("waiting", "list_inbox", real("list_inbox", WAITING), "21 chats are waiting for an answer", WAITING),
    State("health", "summarize_chat_health", real("summarize_chat_health"), "of 300 chats are critical or at risk"),
    State("activity", "summarize_activity", real("summarize_activity"), "messages failed"),
    State("opted out", "summarize_chat_health", real("summarize_chat_health"), "chats have opted out", tab="Opted out"),
    State("transcript", "list_inbox", real("list_inbox", WAITING), "Back to waiting", WAITING, chat="Sofia Pereira"),
]


@dataclass(frozen=True)
class Look:
    """A way to show the view, and whether axe-core examines it, as that takes long and seldom depends on the width."""

    mode: Mode
    width: int
    theme: Theme = "light"
    examined: bool = False


# Themes differ in colours only.
LOOKS = (
    Look("inline", 320, examined=True),
    Look("inline", 720),
    Look("inline", 720, "dark"),
    Look("fullscreen", 1200, "dark", examined=True),
    Look("fullscreen", 1200, examined=True),
    Look("fullscreen", 720),
    Look("fullscreen", 320),
)


def show(host: ViewHost, state: State) -> Frame:
    frame = host.open(state.tool, state.outcome(host), arguments=state.arguments)
    host.settle()
    if state.tab:
        frame.get_by_role("tab", name=state.tab).click()
    if state.chat:
        frame.get_by_role("button", name=state.chat).click()
        expect(frame.get_by_role("table")).to_be_visible()
    return frame


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name.replace(" ", "_"))
def test_a_state_is_shown(state: State, host: ViewHost) -> None:
    """Each state has its words, fits the frame at every width, and violates nothing of WCAG A or AA."""
    frame = show(host, state)
    for look in LOOKS:
        host.rearrange(look.theme, look.mode, look.width)
        expect(frame.get_by_text(state.text).first).to_be_visible()
        host.wait_until_it_fits(*(("Width",) if look.mode == "fullscreen" else ("Width", "Height")))
        host.picture(f"{state.name}-{look.mode}-{look.theme}-{look.width}")
        if look.examined:
            host.paint_background(frame, look.theme)
            assert axe_violations(frame) == [], look
