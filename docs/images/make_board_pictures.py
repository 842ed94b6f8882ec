#!/usr/bin/env python3
"""Take docs/images/board-light.png and board-dark.png, the pictures in the README, of `linq-mcp board --demo`.

Run it again whenever the board looks different: `python docs/images/make_board_pictures.py`. It needs Playwright,
Pillow, and Chromium, which LINQ_MCP_BROWSER names if it is not at /usr/bin/chromium.
"""

from __future__ import annotations

import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

FOLDER = Path(__file__).parent
BOARD = (sys.executable, "-m", "linq_mcp", "board", "--demo", "--no-open")
SIZE = {"width": 840, "height": 590}
# Twice the pixels, for screens that have them.
SCALE = 2
COLOURS = 96


def take(browser: Browser, url: str, theme: Literal["light", "dark"], tab: str, heading: str) -> None:
    page = browser.new_page(viewport=SIZE, device_scale_factor=SCALE, color_scheme=theme, locale="en-US")
    page.goto(url)
    view = page.frame_locator("iframe")
    view.get_by_role("tab", name=tab).click()
    view.get_by_role("heading", name=heading).wait_for()
    page.mouse.move(0, 0)
    # The browser does not compress well, and the page has few colours, of which the rarest matter most.
    taken = Image.open(BytesIO(page.screenshot())).convert("RGB")
    taken.quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(FOLDER / f"board-{theme}.png", optimize=True)
    page.close()


def main() -> None:
    with subprocess.Popen(BOARD, stdout=subprocess.PIPE, text=True) as board, sync_playwright() as playwright:
        try:
            assert board.stdout is not None
            url = board.stdout.readline().split()[-1]
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("LINQ_MCP_BROWSER", "/usr/bin/chromium"),
                args=["--no-sandbox", "--disable-gpu"],
            )
            take(browser, url, "light", "Waiting", "waiting for an answer")
            take(browser, url, "dark", "Health", "critical or at risk")
            browser.close()
        finally:
            board.terminate()


if __name__ == "__main__":
    main()
