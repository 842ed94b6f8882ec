"""`linq-mcp doctor`: where the key comes from, whether Linq answers and how fast, and one chat as proof."""

from __future__ import annotations

import json
import platform
import sys
from argparse import Namespace
from collections.abc import Callable
from importlib.metadata import version
from time import perf_counter

import anyio

from linq_mcp import __version__
from linq_mcp.cli.account import open_account
from linq_mcp.cli.config import SERVER_NAME, STAND_IN, entry, this_command
from linq_mcp.cli.output import log_to_stderr, replace_unencodable
from linq_mcp.errors import LinqMcpError
from linq_mcp.rows.chat import ChatRow, chat_row
from linq_mcp.server.client_provider import SettingsClientProvider
from linq_mcp.server.error_messages import format_error
from linq_mcp.settings import KEY_VARIABLE, Settings
from linq_mcp.tools.support.tool import CALL_SECONDS


def run(options: Namespace) -> int:
    """Print the findings. Exit code 0 if everything is in order."""
    log_to_stderr("WARNING")
    replace_unencodable(sys.stdout)
    account, settings = open_account(demo=options.demo)
    return 0 if anyio.run(examine, account, settings, lambda text: print(text, flush=True)) else 1


async def examine(account: SettingsClientProvider, settings: Settings, say: Callable[[str], None]) -> bool:
    """Check `account`, which goes by `settings`, and close it; whether everything is in order.

    Each finding is told to `say` as a line.
    """
    say(f"linq-mcp {__version__}, mcp {version('mcp')}, Python {platform.python_version()}, {platform.system()}")
    try:
        await _check(account, say)
        healthy = True
    except LinqMcpError as error:
        say(f"FAIL  {format_error(error, settings=settings, asked={}, example='')}")
        healthy = False
    finally:
        await account.aclose()
    for warning in settings.warnings:
        say(f"note  {warning}")
    # An editor does not see what this terminal exports; only a profile's key needs no `env`.
    stored = "profile" in (settings.key_source or "")
    configuration = {"mcpServers": {SERVER_NAME: entry(this_command(), {} if stored else {KEY_VARIABLE: STAND_IN})}}
    say("\nFor a client's configuration (`linq-mcp config` has each client's own form):")
    say(json.dumps(configuration, indent=2))
    return healthy


async def _check(account: SettingsClientProvider, say: Callable[[str], None]) -> None:
    api, settings = await account.client(), account.settings()
    say(f"ok    The key comes from {settings.key_source}.")
    milliseconds = []
    for _ in range(2):
        started = perf_counter()
        deadline = anyio.current_time() + CALL_SECONDS
        page = await api.list_chats(from_=None, to=None, limit=1, cursor=None, deadline=deadline)
        milliseconds.append(round((perf_counter() - started) * 1000))
    first, second = milliseconds
    say(f"ok    {settings.base_url} answered in {first} ms, and in {second} ms over the open connection.")
    say(f"ok    {_described(chat_row(page.items[0]))}" if page.items else "ok    The account has no chats yet.")


def _described(chat: ChatRow) -> str:
    who = chat.get("display_name") or ", ".join(chat.get("participants", ["nobody else"]))
    return (
        f"The first chat: {who}, on {chat.get('line', 'no line')}, {chat.get('health_status', 'no health status')}, "
        f"last active {chat.get('updated_at', 'at an unknown time')}."
    )
