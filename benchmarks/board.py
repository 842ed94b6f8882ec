"""How long the board's view takes to draw 200 rows: `LINQ_MCP_BROWSER=/usr/bin/chromium python benchmarks/board.py`.

It needs Playwright, which `.ci/browser` installs. Times are those of the view's script, in Chromium, from the message
with the answer to the last element; the layout that the browser does afterwards is given, too. Ends with 1 when the
goal is missed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

from helpers.board_server import serving_board  # noqa: E402 - of this checkout
from helpers.view_host import MODES, WAITING, Mode, ViewHost, result  # noqa: E402
from helpers.watched_page import launch, watched_page  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402
from results import Row, table, write_section  # noqa: E402 - beside this file

ROWS = 200
TURNS = 15
MOST_MS = 100.0
HEADING = "## The board"


def answer() -> dict[str, Any]:
    """An inbox in which 200 people wait."""
    chats = [
        {
            "id": f"0b8f2c4e-6a1d-4f3b-9c7e-2d5a8b1f4{number:03}",
            "display_name": f"Person {number}",
            "line": "+12052535597",
            "participants": ["+12052532136"],
            "service": "iMessage",
            "health_status": "AT_RISK",
            "health_since": "2026-11-18T09:00:00Z",
            "last_message": {"at": "2026-11-20T17:45:00Z", "sender": "+12052532136", "text": "Are you there? " * 13},
            "waiting": {"since": "2026-11-20T17:45:00Z", "messages": 2},
        }
        for number in range(ROWS)
    ]
    return {"matched": ROWS, "chats": chats, "has_more": False, "scanned": ROWS, "complete": True}


def drawn(host: ViewHost, mode: Mode) -> tuple[float, float]:
    """The milliseconds of one drawing: of the script, and of the layout after it."""
    host.load()
    frame = host.open("list_inbox", None, arguments=WAITING, mode=mode)
    script, layout = frame.evaluate(
        """(params) => {
          const data = { jsonrpc: "2.0", method: "ui/notifications/tool-result", params };
          const message = new MessageEvent("message", { data, source: parent });
          const started = performance.now();
          dispatchEvent(message);
          const ended = performance.now();
          document.body.getBoundingClientRect();
          return [ended - started, performance.now() - ended];
        }""",
        result(answer()),
    )
    return float(script), float(layout)


def measure() -> list[Row]:
    rows = []
    with sync_playwright() as playwright, serving_board() as url:
        browser = launch(playwright)
        with watched_page(browser, url) as (page, watch):
            host = ViewHost(page, watch, url)
            host.start()
            for mode in MODES:
                # The first turn compiles the script.
                turns = [drawn(host, mode) for _ in range(TURNS + 1)][1:]
                script, layout = (sorted(times) for times in zip(*turns, strict=True))
                rows.append(
                    Row(
                        f"{ROWS} rows, {mode}: script (layout after it {median(layout):.0f} ms)",
                        f"{median(script):.0f} ms, at most {script[-1]:.0f}",
                        goal=f"under {MOST_MS:.0f} ms",
                        reached=script[-1] < MOST_MS,
                    )
                )
        browser.close()
    return rows


if __name__ == "__main__":
    rows = measure()
    text = f"{HEADING}\n{TURNS} drawings each, in headless Chromium (`benchmarks/board.py`).\n\n{table(rows)}"
    print(text)
    write_section(text)
    sys.exit(0 if all(row.reached for row in rows) else 1)
