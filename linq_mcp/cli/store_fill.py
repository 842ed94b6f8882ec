"""`linq-mcp store fill`: reads an account, so that questions about it find everything kept, and shows how far it is."""

from __future__ import annotations

import sys
import time
from math import inf
from typing import TYPE_CHECKING, TextIO

import anyio

from linq_mcp.api.scoped_client import Scope, open_api
from linq_mcp.errors import SettingsError
from linq_mcp.rows.message import SPARE_SECONDS, is_answer, listed_at, timestamp
from linq_mcp.sanitize import clean
from linq_mcp.server.callers.caller import SettingsClientProvider
from linq_mcp.settings import Settings
from linq_mcp.store.access import Access, ChatFilter, Depth, Facts
from linq_mcp.store.question import MessageQuestion
from linq_mcp.store.stores import Stores
from linq_mcp.tools.base.loop_yield import LoopYield
from linq_mcp.tools.base.paging import counted
from linq_mcp.tools.base.tool import CALL_SECONDS
from linq_mcp.wording.errors import format_error

if TYPE_CHECKING:
    from linq_mcp.api.models import Message

_DAY = 86_400.0
# Long enough for any account, and for every pause that Linq asks for.
_LONGEST_FILL = 7 * _DAY
_BAR, _CLEAR_LINE = 20, "\r\x1b[K"
# How often the progress is shown: in a terminal, and where each time is a line.
_EVERY, _EVERY_LINE = 0.2, 10.0


class _FillReader:
    """Wants the messages since a time, and those since our last word: what questions about the account need."""

    def __init__(self, since: float) -> None:
        self._since = since
        self._our_word = 0.0

    def visit(self, message: Message) -> bool:
        if is_answer(message):
            self._our_word = max(self._our_word, timestamp(message))
        return 0 < listed_at(message) < min(self._since, self._our_word) - SPARE_SECONDS


async def fill(account: SettingsClientProvider, settings: Settings, days: int) -> int:
    """Read everything of the last `days` again, and further back what questions about the account need."""
    if settings.problem:
        raise SettingsError(settings.problem)
    client = await account.client(account.caller())
    stores = Stores(settings.store, must_last=True)
    progress = Progress(sys.stdout)
    began = time.time()
    since = began - days * _DAY
    try:
        await open_api(client, settings.lines, deadline=anyio.current_time() + CALL_SECONDS)
        access = Access(
            account=stores.account(settings),
            api=client,
            scope=Scope(settings.lines),
            deadline=anyio.current_time() + _LONGEST_FILL,
            now=time.time,
            max_age=0,
            progress=progress,
            pause=LoopYield(),
        )
        depth = Depth(since=since, to_our_word=True)
        question = MessageQuestion(access, ChatFilter(), lambda: _FillReader(since), depth=depth, deep=True)
        async for _ in question:
            pass
    finally:
        progress.clear()
        stores.close()
        await account.aclose()
    return _report(question.facts, settings, days, time.time() - began)


def _report(facts: Facts, settings: Settings, days: int, seconds: float) -> int:
    old = facts.stale
    print(
        f"{counted(facts.scanned - old, 'chat was', 'chats were')} read in {_duration(seconds)}, each back to "
        f"{counted(days, 'day', 'days')} ago or to your last message, whichever is earlier. They are kept in "
        f"{shown_store(settings)}."
    )
    if facts.left_out:
        print(f"{counted(len(facts.left_out), 'chat', 'chats')} can't be read with this key.")
    if facts.is_complete and not old:
        return 0
    missing = "" if facts.total is None else f" {facts.total - facts.scanned - len(facts.left_out) + old:,} of them"
    why = format_error(facts.error, settings=settings, tool=None, arguments={}) if facts.error else ""
    print(f"Not all chats could be read:{missing or ' some'} are missing or old. {why}".rstrip(), file=sys.stderr)
    print("Run the same command again to read the rest; what has been read is kept.", file=sys.stderr)
    return 1


class Progress:
    """How many of how many chats have been read: a bar in a terminal, and otherwise a line now and then."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._began = time.monotonic()
        self._last = -inf if self._is_terminal else self._began

    async def __call__(self, count: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self._last < (_EVERY if self._is_terminal else _EVERY_LINE):
            return
        self._last = now
        if total is None:
            text = f"{counted(count, 'chat', 'chats')} read, and the list goes on"
        else:
            left = (now - self._began) * (total - count) / max(count, 1)
            text = f"{count:,} of {total:,} chats read, about {_duration(left)} left"
        if not self._is_terminal:
            print(text, file=self._stream, flush=True)
            return
        filled = 0 if total is None else _BAR * count // max(total, 1)
        self._stream.write(f"{_CLEAR_LINE}[{'#' * filled}{'.' * (_BAR - filled)}] {text}")
        self._stream.flush()

    def clear(self) -> None:
        """Take the bar away, so that the next text begins on an empty line."""
        if self._is_terminal:
            self._stream.write(_CLEAR_LINE)
            self._stream.flush()


def shown_store(settings: Settings) -> str:
    """The file, or the database without its address, which may hold a password."""
    path = settings.store.path
    return clean(str(path), 200) if path else "PostgreSQL"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
