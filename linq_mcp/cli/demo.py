"""`linq-mcp demo`: a tour for newcomers.

Connects to the server on the demo account as any client would, and prints what an assistant gets from it: first the
answers to a few questions, then the tools, then one answer verbatim.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from argparse import Namespace
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TextIO

import anyio
from mcp import types
from mcp.client.client import Client
from mcp.client.context import ClientRequestContext
from mcp.server.lowlevel import Server

from linq_mcp.cli.stderr import replace_unencodable
from linq_mcp.demo import in_process
from linq_mcp.demo.contacts import demo_contacts
from linq_mcp.server.app import build_server
from linq_mcp.server.callers.caller import ClientProvider, SettingsClientProvider
from linq_mcp.server.consent.service import ConsentService
from linq_mcp.settings import Settings, load_settings
from linq_mcp.settings.sending import SendSettings

if TYPE_CHECKING:
    from linq_mcp.api.retry import RetryPolicy
    from linq_mcp.region import Region

_WIDTH = 80
_BAR = 40
_COLOURS = {"HEALTHY": "32", "AT_RISK": "33", "CRITICAL": "31", "OPTED_OUT": "35"}
# Different characters, for output without colour; the worst status comes first.
_MARKS = {"CRITICAL": "#", "AT_RISK": "+", "OPTED_OUT": "x", "HEALTHY": "-"}
# The board counts these as trouble, too.
_TROUBLE = ("CRITICAL", "AT_RISK")

Json = Mapping[str, Any]


def run(_: Namespace) -> int:
    """Print the tour to stdout, in colour on a terminal."""
    replace_unencodable(sys.stdout)
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    try:
        anyio.run(lambda: tour(sys.stdout, colour=colour, region=load_settings(os.environ).region))
    except BaseExceptionGroup as failures:
        # The command line knows what to do when the output can't be written.
        error: BaseException | None = failures.subgroup(OSError)
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error or failures from None
    return 0


async def tour(out: TextIO, *, colour: bool, region: Region, retry: RetryPolicy | None = None) -> None:
    """Print the tour to `out`, with times as in `region`; `retry` is the policy of the servers that it asks."""
    show = _Printer(out, colour=colour)
    show.line("This is the demo account: a clinic, a housing agency, and a shop, all invented.")
    show.line(f"Times are in the time zone {region.zone_name}.")
    settings = replace(in_process.settings(), region=region)
    async with Client(_server(settings, retry)) as client:
        for section in (_waiting, _health, _failures, _conversation, _search, _tools, _answer):
            await section(client, show)
    await _send(show, _server(replace(settings, sending=SendSettings()), retry))
    show.heading("Next")
    show.line("  linq-mcp board --demo    the same account as a page in your browser")
    show.line("  linq-mcp config --demo   how to register this demo in your assistant")
    show.line("  linq-mcp doctor          whether your own Linq key works")


def _server(settings: Settings, retry: RetryPolicy | None) -> Server[ClientProvider]:
    provider = SettingsClientProvider(
        lambda: settings, transport=in_process.transport, names=demo_contacts, retry=retry
    )
    return build_server(provider, consent=ConsentService(settings.sending) if settings.sending else None)


async def _waiting(client: Client, show: _Printer) -> None:
    arguments = {"waiting": True, "order": "longest_waiting", "limit": 5}
    inbox = await _call(client, show, "Who is waiting for an answer?", "list_inbox", arguments)
    show.line(f"  {inbox['matched']} of {inbox['scanned']} chats are waiting; the longest:")
    # In a chat between two, the sender's name is that of the chat.
    show.transcript(
        {"sender_name": chat.get("display_name"), **chat["last_message"], "at": chat["waiting"]["since"]}
        for chat in inbox["chats"]
    )


async def _health(client: Client, show: _Printer) -> None:
    question = "Which chats are at risk, and on which line?"
    summary = await _call(client, show, question, "summarize_chat_health", {})
    total = summary["total"]
    troubled = sum(total["health"].get(status, 0) for status in _TROUBLE)
    show.line(f"  {troubled} of {total['chats']} chats are critical or at risk:")
    show.health(summary["lines"])


async def _failures(client: Client, show: _Printer) -> None:
    activity = await _call(client, show, "What failed since yesterday, and on which line?", "summarize_activity", {})
    for line in activity["lines"]:
        show.line(f"  {line['line']:<13}  {line['failed']} of {line['sent']} messages failed")


async def _conversation(client: Client, show: _Printer) -> None:
    question = "What do the Maple Street buyers talk about?"
    found = await _call(client, show, question, "find_chats", {"text": "maple street"})
    chat_id = found["chats"][0]["id"]
    page = await _call(client, show, None, "list_messages", {"chat_id": chat_id, "limit": 6})
    show.transcript(page["messages"])


async def _search(client: Client, show: _Printer) -> None:
    found = await _call(client, show, "Who wrote about a refund this week?", "find_messages", {"text": "refund"})
    show.transcript(found["messages"])


async def _tools(client: Client, show: _Printer) -> None:
    tools = (await client.list_tools()).tools
    show.heading(f"The {len(tools)} tools that an assistant has")
    for tool in tools:
        first, *_ = (tool.description or "").partition(". ")
        show.entry(tool.name, first)


async def _answer(client: Client, show: _Printer) -> None:
    arguments = {"limit": 2}
    show.heading("One answer verbatim, as the assistant reads it")
    show.call("list_chats", arguments)
    show.verbatim(_text(await client.call_tool("list_chats", arguments)))


async def _send(show: _Printer, server: Server[ClientProvider]) -> None:
    """One question and one delivery, at a server that allows sending."""

    async def agree(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        del context
        for line in params.message.splitlines():
            show.quote(line)
        show.line("  [Send]  Don't send")
        return types.ElicitResult(action="accept", content={"choice": "Send"})

    async with Client(server, elicitation_callback=agree) as client:
        # The chat that was updated last; somebody is waiting there.
        page = json.loads(_text(await client.call_tool("list_chats", {"limit": 1})))
        arguments = {"chat_id": page["chats"][0]["id"], "text": "We are looking into it and will call you back today."}
        question = "Where the operator allows sending: a person is asked first"
        sent = await _call(client, show, question, "send_message", arguments)
        show.verbatim(json.dumps(sent, ensure_ascii=False))


async def _call(
    client: Client, show: _Printer, question: str | None, tool: str, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Print the question, if there is one, and the call. Returns the answer."""
    if question:
        show.heading(question)
    show.call(tool, arguments)
    answer: dict[str, Any] = json.loads(_text(await client.call_tool(tool, dict(arguments))))
    return answer


def _text(answer: types.CallToolResult) -> str:
    return "".join(block.text for block in answer.content if isinstance(block, types.TextContent))


class _Printer:
    """Writes lines of at most 80 columns, fewer where the terminal is narrower."""

    def __init__(self, out: TextIO, *, colour: bool) -> None:
        self._out = out
        self._colour = colour
        self._width = min(shutil.get_terminal_size((_WIDTH, 24)).columns, _WIDTH)

    def line(self, text: str = "") -> None:
        print(text, file=self._out, flush=True)

    def heading(self, text: str) -> None:
        self.line()
        self.line(self._painted(text, "1"))

    def call(self, tool: str, arguments: Mapping[str, Any]) -> None:
        for line in self._wrapped(f"{tool} {json.dumps(arguments)}", "  > ", "    "):
            self.line(self._painted(line, "2"))

    def entry(self, name: str, text: str) -> None:
        self.line(f"  {self._painted(name, '36')}")
        for line in self._wrapped(text, "    ", "    "):
            self.line(line)

    def health(self, rows: Iterable[Json]) -> None:
        """Print a bar for each line that shows its chats by status."""
        rows = list(rows)
        legend = "   ".join(f"{self._painted(mark, _COLOURS[status])} {status}" for status, mark in _MARKS.items())
        self.line(f"  {'':<23} {legend}")
        most = max((row["chats"] for row in rows), default=0) or 1
        for row in rows:
            counts = row.get("health", {})
            lengths = {status: round(_BAR * counts[status] / most) or 1 for status in _MARKS if status in counts}
            bar = "".join(self._painted(_MARKS[status] * size, _COLOURS[status]) for status, size in lengths.items())
            line, reputation = row.get("line", "no line"), row.get("reputation", "")
            self.line(f"  {line:<13} {reputation:<9} {bar} {row['chats']}")
            by_count = sorted(counts.items(), key=lambda item: -item[1])
            self.line(f"    {', '.join(f'{count} {status}' for status, count in by_count)}")

    def transcript(self, messages: Iterable[Json]) -> None:
        """Print each message with its month, day, and time, and its sender, which is `me` for your own."""
        for message in messages:
            files = "".join(f" [{file.get('filename', 'file')}]" for file in message.get("attachments", ()))
            said = " ".join(f"{message.get('text', '')}{files}".split())
            at = message.get("at", "")[5:16].replace("T", " ")
            who = message.get("sender_name") or message.get("sender", "")
            head = f"  {at:<11}  {who:<13.20}  "
            for line in self._wrapped(said, head, " " * len(head)):
                self.line(line)

    def quote(self, text: str) -> None:
        """Print a text beside a bar."""
        for line in self._wrapped(text, "  | ", "  | "):
            self.line(line)

    def verbatim(self, text: str) -> None:
        """Print a text without reflowing it, broken wherever a line is full."""
        width = self._width - 2
        for start in range(0, len(text), width):
            self.line(f"  {text[start : start + width]}")

    def _wrapped(self, text: str, first: str, rest: str) -> list[str]:
        return textwrap.wrap(text, self._width, initial_indent=first, subsequent_indent=rest)

    def _painted(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text
