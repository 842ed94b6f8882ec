"""The board's page as a host that behaves as a test says; tests/browser/driver.js takes the place of its script."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from helpers.watched_page import Json, Watch, wait_until
from playwright.sync_api import Frame, Page, expect

DRIVER = Path(__file__).parents[1] / "browser" / "driver.js"
Theme = Literal["light", "dark"]
Mode = Literal["inline", "fullscreen"]
Side = Literal["Width", "Height"]
THEMES: tuple[Theme, ...] = ("light", "dark")
MODES: tuple[Mode, ...] = ("inline", "fullscreen")
# The arguments of `list_inbox` by which the view knows that the question was who waits.
WAITING: Json = {"waiting": True, "order": "longest_waiting"}
FULL_HEIGHT = 800
# Inline, the page leaves as much beside the view.
MARGIN = 34
_BACKGROUNDS = {"light": "#ffffff", "dark": "#191917"}
EVERYTHING: Json = {"openLinks": {}, "serverTools": {}, "serverResources": {}, "message": {"text": {}}}


def result(data: Json) -> Json:
    """What a tool returns whose answer is `data`."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return {"content": [{"type": "text", "text": text}], "structuredContent": data}


def failure(text: str) -> Json:
    """What a tool returns that failed with `text`."""
    return {"content": [{"type": "text", "text": text}], "isError": True}


@dataclass
class ViewHost:
    """The board's page at `url`, with a view of a given width in it."""

    page: Page
    watch: Watch
    url: str

    def start(self) -> None:
        self.page.route(f"{self.url}page.js", lambda route: route.fulfill(path=DRIVER, content_type="text/javascript"))
        self.load()

    def load(self) -> None:
        """Load the page, in which one view can then be shown."""
        self.page.goto(self.url)
        self.page.wait_for_function("window.ready")

    def call(self, tool: str, arguments: Json | None = None) -> Json:
        """The answer of the real server, parsed."""
        answer = self.page.evaluate("([tool, given]) => call(tool, given)", [tool, arguments or {}])
        data: Json = json.loads(answer["content"][0]["text"])
        return data

    def open(  # noqa: PLR0913 - each is a trait of a host
        self,
        tool: str,
        outcome: Json | str | None,
        *,
        arguments: Json | None = None,
        answers: dict[str, Json | None] | None = None,
        capabilities: Json = EVERYTHING,
        early: bool = False,
        theme: Theme = "light",
        mode: Mode = "inline",
        width: int = 720,
        context: Json | None = None,
        **changes: Any,
    ) -> Frame:
        """Show the view of a call of `tool`, and return its frame.

        `outcome` is the call's result, the reason why it was cancelled, or None while there is none. `changes` are made
        to the context, unless `context` is the whole of it.
        """
        self.resize(width, mode)
        self.page.emulate_media(color_scheme=theme)
        if isinstance(outcome, str):
            message: list[Any] | None = ["ui/notifications/tool-cancelled", {"reason": outcome}]
        else:
            message = ["ui/notifications/tool-result", outcome] if outcome else None
        if context is None:
            context = {
                "toolInfo": {"tool": {"name": tool, "inputSchema": {"type": "object"}}},
                "theme": theme,
                "displayMode": mode,
                "availableDisplayModes": ["inline", "fullscreen"],
                "locale": "en-US",
                "timeZone": "America/New_York",
                **changes,
            }
        self.page.evaluate(
            "(options) => open_view(options)",
            {
                "context": context,
                "capabilities": capabilities,
                "given": arguments or {},
                "outcome": message,
                "early": early,
                "answers": answers or {},
            },
        )
        return self.frame

    @property
    def frame(self) -> Frame:
        return self.page.frames[-1]

    def resize(self, width: int, mode: Mode = "inline") -> None:
        """Give the view that width."""
        margin = MARGIN if mode == "inline" else 0
        self.page.set_viewport_size({"width": width + margin, "height": FULL_HEIGHT})

    def change(self, **context: Any) -> None:
        """Change the context, and tell the view."""
        self.page.evaluate("(change) => host.change(change)", context)

    def rearrange(self, theme: Theme, mode: Mode, width: int) -> None:
        """Show the view in another theme, mode, and width."""
        self.resize(width, mode)
        self.page.emulate_media(color_scheme=theme)
        self.change(theme=theme, displayMode=mode)
        root = self.page.frame_locator("iframe").locator(f"html[data-theme={theme}][data-mode={mode}]")
        expect(root).to_be_attached()
        wait_until(self.page, lambda: self.frame.evaluate("innerWidth") == width)
        self.settle()

    def send(self, message: Json) -> None:
        """Send the view a message as it is."""
        self.page.evaluate(
            "(message) => document.querySelector('iframe').contentWindow.postMessage(message, '*')", message
        )

    def settle(self) -> None:
        """Wait until an inline frame has the height that the view asks for."""
        if self.frame.evaluate("document.documentElement.dataset.mode") == "inline":
            wait_until(self.page, lambda: not self.overflows("Height") or self.frame.evaluate("innerHeight") == 500)

    def wait_until_it_fits(self, *sides: Side) -> None:
        """Wait until the frame and the view, which answer each other's new sizes, have agreed on one that fits."""
        wait_until(self.page, lambda: not any(self.overflows(side) for side in sides))

    def overflows(self, side: Side) -> bool:
        """Whether the view is larger than its frame."""
        return bool(self.frame.evaluate(f"document.documentElement.scroll{side} > inner{side}"))

    def paint_background(self, frame: Frame, theme: Theme) -> None:
        """Give the view, which is transparent, what is behind it: axe-core does not see beyond the frame."""
        frame.evaluate("(colour) => { document.documentElement.style.background = colour }", _BACKGROUNDS[theme])

    def picture(self, name: str) -> None:
        """Keep a picture in the folder that LINQ_MCP_PICTURES names, if it does."""
        if folder := os.environ.get("LINQ_MCP_PICTURES"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")
