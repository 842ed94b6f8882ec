"""`linq-mcp doctor`: reports the source of the key, the open lines and tools, Linq's answer, and the contacts."""

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
from linq_mcp.api.scoped_client import open_api
from linq_mcp.cli.account import open_account
from linq_mcp.cli.config import SERVER_NAME, TEMPORARY, entry, is_temporary, this_server
from linq_mcp.cli.stderr import log_to_stderr, replace_unencodable
from linq_mcp.cli.store import describe_store
from linq_mcp.errors import LinqMcpError
from linq_mcp.handles import is_country
from linq_mcp.region import Region, in_region
from linq_mcp.rows.chat import ChatRow, chat_row
from linq_mcp.sanitize import clean
from linq_mcp.server.callers.caller import SettingsClientProvider
from linq_mcp.settings import CONTACTS_VARIABLE, Settings
from linq_mcp.settings.problems import KeySource, LaunchedBy
from linq_mcp.settings.region import COUNTRY_VARIABLE
from linq_mcp.settings.sending import Confirm, SendSettings
from linq_mcp.tools.base.tool import CALL_SECONDS
from linq_mcp.wording.errors import format_error
from linq_mcp.wording.settings import describe_key_source, format_problem, format_warning

_PATH_LIMIT = 200


def run(options: Namespace) -> int:
    """Print the findings and, if everything is in order, a client's entry. The exit code is then 0, and otherwise 1."""
    log_to_stderr("WARNING")
    replace_unencodable(sys.stdout)
    account, settings = open_account(options, LaunchedBy.TERMINAL)
    if not anyio.run(examine, account, settings, _say):
        return 1
    if is_temporary():
        _say(f"note  {TEMPORARY[0].upper()}{TEMPORARY[1:]}")
        return 0
    _say("\nFor a client's configuration (`linq-mcp config` has the format of each client):")
    _say(json.dumps({"mcpServers": {SERVER_NAME: entry(this_server(settings, demo=options.demo))}}, indent=2))
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


async def examine(account: SettingsClientProvider, settings: Settings, say: Callable[[str], None]) -> bool:
    """Check `account`, whose settings are `settings`, and close it. Returns whether everything is in order.

    Each finding is passed to `say` as one line.
    """
    say(f"linq-mcp {__version__}, mcp {version('mcp')}, Python {platform.python_version()}, {platform.system()}")
    try:
        with in_region(settings.region):
            await _check(account, say)
        healthy = True
    except LinqMcpError as error:
        say(f"FAIL  {format_error(error, settings=settings, tool=None, arguments={})}")
        healthy = False
    finally:
        await account.aclose()
    await _check_directory(account, settings, say)
    say(f"note  {describe_region(settings.region)}")
    is_well, store = describe_store(settings)
    say(f"{('ok  ' if settings.store.lasts else 'note') if is_well else 'FAIL'}  {store}")
    sending = describe_sending(settings.sending)
    say(f"note  {sending[0].upper()}{sending[1:]}")
    for warning in settings.warnings:
        say(f"{'FAIL' if warning.must_be_mended else 'note'}  {format_warning(warning)}")
    return healthy and is_well and not any(warning.must_be_mended for warning in settings.warnings)


async def _check(account: SettingsClientProvider, say: Callable[[str], None]) -> None:
    caller = account.caller()
    client, settings = await account.client(caller), caller.settings
    say(f"ok    The key comes from {describe_key_source(settings.key_source, settings.profile)}.")
    api = await open_api(client, settings.lines, deadline=anyio.current_time() + CALL_SECONDS)
    say(f"ok    Open lines: {', '.join(settings.lines) or 'all'}. Open tools: {', '.join(settings.tools) or 'all'}.")
    line = settings.lines[0] if settings.lines else None
    milliseconds = []
    for _ in range(2):
        started = perf_counter()
        deadline = anyio.current_time() + CALL_SECONDS
        page = await api.list_chats(from_=line, to=None, limit=1, cursor=None, deadline=deadline)
        milliseconds.append(round((perf_counter() - started) * 1000))
    first, second = milliseconds
    where = "The demo account" if settings.key_source is KeySource.DEMO else settings.base_url
    say(f"ok    {where} answered in {first} ms, and in {second} ms over the open connection.")
    nothing = f"{line or 'The account'} has no chats yet."
    say(f"ok    {_described(chat_row(page.items[0])) if page.items else nothing}")


async def _check_directory(account: SettingsClientProvider, settings: Settings, say: Callable[[str], None]) -> None:
    directory = await account.directory(account.caller())
    if directory.names:
        where = clean(str(settings.contacts), _PATH_LIMIT) if settings.contacts else "the demo account"
        source = f" ({directory.source})" if directory.source else ""
        say(f"ok    Names by number or email address from {where}{source}: {len(directory.names)}.")
    elif directory.source:
        say(f"note  {CONTACTS_VARIABLE}: No names. The file is {directory.source}.")
    for problem in directory.problems:
        say(f"note  {CONTACTS_VARIABLE}: {problem}")


def describe_region(region: Region) -> str:
    """One line on the time zone of times and the country of national numbers."""
    country = region.country
    if country and not is_country(country):
        numbers = f"{COUNTRY_VARIABLE} is {country}, which no phone numbers are of"
    else:
        numbers = f"numbers without a country code are {f'read as {country} numbers' if country else 'not read'}"
    return f"Times are in the time zone {region.zone_name}; {numbers}."


def describe_sending(sending: SendSettings | None) -> str:
    """One line on what assistants may send, which may be part of a sentence."""
    if sending is None:
        return "sending: off. --allow-send or LINQ_MCP_SEND=1 allows it."
    if sending.problem:
        return f"sending: nothing is sent. {format_problem(sending.problem, LaunchedBy.TERMINAL)}"
    if sending.anyone:
        whom = "to everybody"
    elif sending.recipients is None:
        whom = "to those who have written in the chat"
    else:
        whom = f"to the {len(sending.recipients)} entries of LINQ_MCP_SEND_TO"
    critical = ", in CRITICAL chats, too" if sending.allow_critical else ""
    second = "; clients that can't ask may send by a second call" if sending.confirm is Confirm.SECOND_CALL else ""
    limit = "" if sending.limit is None else f", at most {sending.limit} messages an hour"
    return f"sending: on, {whom}{critical}{limit}, after a person has agreed{second}."


def _described(chat: ChatRow) -> str:
    who = chat.get("display_name") or ", ".join(chat.get("participants", ["nobody else"]))
    return (
        f"The first chat: {who}, on {chat.get('line', 'no line')}, {chat.get('health_status', 'no health status')}, "
        f"last updated {chat.get('updated_at', 'at an unknown time')}."
    )
