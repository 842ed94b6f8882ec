"""`linq-mcp demo`: the newcomer's first minute.

Starts the real server on the demo account as a subprocess, connects to it as any client would, and prints what a
client gets: the tools as listed, the pages as they come, a table of chats, and one answer to the letter.
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping
from time import perf_counter
from typing import Any, TextIO

from mcp import types
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

SERVER = StdioServerParameters(command=sys.executable, args=["-P", "-m", "linq_mcp", "--demo"])
_PAGE = 100
# The demo account has far fewer pages; should paging ever not end, the tour still does.
_MOST_PAGES = 20
_ROWS = 12
_BAR = 40
_COLOURS = {"HEALTHY": "32", "AT_RISK": "33", "CRITICAL": "31", "OPTED_OUT": "35"}
# Told apart without colour, too; the worst comes first.
_MARKS = {"CRITICAL": "#", "AT_RISK": "+", "OPTED_OUT": "x", "HEALTHY": "-"}


async def tour(out: TextIO, *, colour: bool) -> None:
    """Print the tour to `out`. Raises what the client raises when the server does not come up."""
    show = _Printer(out, colour=colour)
    started = perf_counter()
    async with Client(SERVER, read_timeout_seconds=30) as client:
        tools = (await client.list_tools()).tools
        show.heading(f"A client connected in {perf_counter() - started:.1f} s and was shown {_counted(tools, 'tool')}")
        for tool in tools:
            show.tool(tool)
        show.heading("How healthy is the account, line by line? summarize_chat_health {}")
        show.lines(json.loads(_text(await client.call_tool("summarize_chat_health", {}))))
        show.heading("It pages through the chats")
        chats = [chat async for page in _pages(client, show) for chat in page["chats"]]
        show.heading(f"The {min(_ROWS, len(chats))} most recently active of {len(chats)} chats")
        show.chats(chats[:_ROWS])
        show.heading("One answer to the letter, as the assistant reads it")
        show.line(_text(await _call(client, {"limit": 2})))
    show.heading("Next: `linq-mcp config` registers it in your client, `linq-mcp doctor` checks your key")


async def _pages(client: Client, show: _Printer) -> Any:
    arguments: dict[str, Any] = {"limit": _PAGE}
    for _ in range(_MOST_PAGES):
        started = perf_counter()
        answer = await _call(client, arguments)
        seconds = perf_counter() - started
        page = json.loads(_text(answer))
        show.line(
            f"  list_chats {json.dumps(arguments)}: {_counted(page['chats'], 'chat')}, "
            f"{len(_text(answer).encode()):,} bytes, {seconds * 1000:.0f} ms, "
            + (f"next_cursor {page['next_cursor']}" if page["has_more"] else "the last page")
        )
        yield page
        if not page["has_more"]:
            return
        arguments = {"limit": _PAGE, "cursor": page["next_cursor"]}


async def _call(client: Client, arguments: Mapping[str, Any]) -> types.CallToolResult:
    return await client.call_tool("list_chats", dict(arguments))


def _text(answer: types.CallToolResult) -> str:
    return "".join(block.text for block in answer.content if isinstance(block, types.TextContent))


def _counted(things: Iterable[Any], name: str) -> str:
    count = len(list(things))
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


class _Printer:
    def __init__(self, out: TextIO, *, colour: bool) -> None:
        self._out = out
        self._colour = colour
        self._width = min(shutil.get_terminal_size((100, 24)).columns, 140)

    def line(self, text: str = "") -> None:
        print(text, file=self._out, flush=True)

    def heading(self, text: str) -> None:
        self.line()
        self.line(self._painted(text, "1"))

    def tool(self, tool: types.Tool) -> None:
        arguments = ", ".join(tool.input_schema.get("properties", {}))
        self.line(f"  {self._painted(tool.name, '36')} {{{arguments}}}")
        first, *_ = (tool.description or "").partition(". ")
        for line in textwrap.wrap(first, self._width - 4):
            self.line(f"    {line}")

    def lines(self, summary: Mapping[str, Any]) -> None:
        """A row for each line, with a bar of its chats by status."""
        most = max((row["chats"] for row in summary["lines"]), default=0) or 1
        self.line(
            "  " + ", ".join(f"{self._painted(mark, _COLOURS[status])} {status}" for status, mark in _MARKS.items())
        )
        for row in summary["lines"]:
            counts = row.get("health", {})
            lengths = {status: round(_BAR * counts[status] / most) or 1 for status in _MARKS if status in counts}
            bar = "".join(
                self._painted(_MARKS[status] * length, _COLOURS[status]) for status, length in lengths.items()
            )
            told = ", ".join(f"{count} {status}" for status, count in sorted(counts.items(), key=lambda item: -item[1]))
            line, reputation = row.get("line", "no line"), row.get("reputation", "")
            self.line(f"  {line:<13} {reputation:<9} {row['chats']:>4} chats  {bar}")
            self.line(f"  {'':<35} {told}")

    def chats(self, chats: Iterable[Mapping[str, Any]]) -> None:
        self.line(f"  {'health':<10} {'last activity':<21} {'line':<13} {'service':<9} who")
        for chat in chats:
            health = chat.get("health_status", "")
            painted = self._painted(f"{health:<10}", _COLOURS.get(health, "0"))
            who = chat.get("display_name") or ", ".join(chat.get("participants", ["nobody else"]))
            # The one column that others wrote comes last: wide characters there push nothing out of line.
            row = f"{chat.get('updated_at', ''):<21} {chat.get('line', ''):<13} {chat.get('service', ''):<9} {who}"
            self.line(f"  {painted} {row[: self._width - 13]}")

    def _painted(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text
