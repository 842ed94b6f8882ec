#!/usr/bin/env python3
"""Draw the beginning of `linq-mcp demo` as docs/images/demo.svg, the picture in the README.

Run it again whenever the demo's output changes: `.venv/bin/python docs/images/make_demo_picture.py`
"""

from __future__ import annotations

import io
import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import anyio

from linq_mcp.cli.demo import tour
from linq_mcp.region import DEFAULT_REGION

PICTURE = Path(__file__).with_name("demo.svg")
COLUMNS = 80
# The picture ends at the last blank line that leaves it no longer than this.
MOST_LINES = 36
CELL, LINE, MARGIN, BAR = 8.4, 18, 16, 32
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace"
DOTS = ("#f87171", "#fbbf24", "#4ade80")
FOREGROUND, BACKGROUND = "#d4d4d8", "#18181b"
COLOURS = {"31": "#f87171", "32": "#4ade80", "33": "#fbbf24", "34": "#60a5fa", "35": "#c084fc", "36": "#22d3ee"}
STYLES = {"1": 'font-weight="bold" fill="#fafafa"', "2": 'opacity="0.6"'} | {
    code: f'fill="{colour}"' for code, colour in COLOURS.items()
}


def demo_output() -> str:
    os.environ["COLUMNS"] = str(COLUMNS)
    out = io.StringIO()
    anyio.run(lambda: tour(out, colour=True, region=DEFAULT_REGION))
    return out.getvalue()


def beginning(text: str) -> list[str]:
    lines = ["$ linq-mcp demo", *text.rstrip().splitlines()]
    if len(lines) > MOST_LINES:
        blank = [number for number, line in enumerate(lines[: MOST_LINES + 1]) if not line]
        lines = lines[: blank[-1]] if blank else lines[:MOST_LINES]
    return lines


def runs(line: str) -> Iterator[tuple[str, str]]:
    """The `line` in runs of one style each: (attributes, text)."""
    style = ""
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        if piece.startswith("\x1b"):
            style = " ".join(STYLES.get(code, "") for code in piece[2:-1].split(";")).strip()
        elif piece:
            yield style, piece


def cells(text: str) -> int:
    """How many columns of a terminal `text` takes."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


def draw(lines: list[str]) -> str:
    width = round(COLUMNS * CELL + 2 * MARGIN)
    height = BAR + len(lines) * LINE + MARGIN
    dots = [
        f'<circle cx="{MARGIN + 6 + index * 20}" cy="{BAR // 2}" r="6" fill="{colour}"/>'
        for index, colour in enumerate(DOTS)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">',
            "<title>The beginning of what linq-mcp demo prints</title>",
            f'<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>',
            *dots,
            f'<g font-family="{FONTS}" font-size="14" fill="{FOREGROUND}">',
            *(row for number, line in enumerate(lines) for row in draw_line(line, BAR + (number + 1) * LINE - 5)),
            "</g>",
            "</svg>",
            "",
        ]
    )


def draw_line(line: str, y: int) -> Iterator[str]:
    """The words of `line`, each group at its own column and with its width stated: no font can bend the columns."""
    column = 0
    for style, text in runs(line):
        for words in re.finditer(r"\S+( \S+)*", text):
            x, length = MARGIN + (column + cells(text[: words.start()])) * CELL, cells(words[0]) * CELL
            attributes = f'x="{x:g}" y="{y}" textLength="{length:g}" lengthAdjust="spacingAndGlyphs" {style}'.rstrip()
            yield f"<text {attributes}>{escape(words[0])}</text>"
        column += cells(text)


if __name__ == "__main__":
    PICTURE.write_text(draw(beginning(demo_output())), encoding="utf-8")
