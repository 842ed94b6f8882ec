"""Opens what a command works on: the account of the settings or the demo account."""

from __future__ import annotations

import os
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linq_mcp.server.callers.caller import SettingsClientProvider
    from linq_mcp.settings import Settings
    from linq_mcp.settings.access_file import AccessRules
    from linq_mcp.settings.problems import LaunchedBy


def read_settings(options: Namespace, launched_by: LaunchedBy | None = None) -> Settings:
    """The current settings. `launched_by` is passed to `load_settings`."""
    from linq_mcp.settings import LINES_VARIABLE, TOOLS_VARIABLE, load_settings
    from linq_mcp.settings.store import STORE_VARIABLE
    from linq_mcp.tools import SEND_TOOLS, TOOLS

    settings = load_settings(
        os.environ,
        launched_by=launched_by,
        options={LINES_VARIABLE: options.lines, TOOLS_VARIABLE: options.tools, STORE_VARIABLE: options.store},
        known_tools=[tool.name for tool in (*TOOLS, *SEND_TOOLS)],
        send_tools=[tool.name for tool in SEND_TOOLS],
        allow_send=options.allow_send,
    )
    if not options.demo:
        return settings
    from linq_mcp.demo import in_process

    demo = in_process.settings()
    return replace(
        settings,
        api_key=demo.api_key,
        key_source=demo.key_source,
        base_url=demo.base_url,
        base_url_is_set=False,
        contacts=None,
        # Nobody is reached, so nothing has to be limited.
        sending=settings.sending and replace(settings.sending, limit=None),
        store=settings.store.in_memory(),
        problem=settings.scope_problem,
        base_url_problem=None,
    )


def read_rules(path: str, settings: Settings) -> AccessRules:
    """The rules of the access file at `path`. Raises `AccessFileError`."""
    from linq_mcp.settings.access_file import read_access_file
    from linq_mcp.tools import SEND_TOOLS, TOOLS

    names, send_names = ([tool.name for tool in tools] for tools in ((*TOOLS, *SEND_TOOLS), SEND_TOOLS))
    return read_access_file(Path(path), settings, environ=os.environ, known_tools=names, send_tools=send_names)


def open_account(
    options: Namespace,
    launched_by: LaunchedBy | None = None,
    *,
    read_only: bool = False,
) -> tuple[SettingsClientProvider, Settings]:
    """The account and its current settings. `launched_by` is passed to `load_settings`."""
    from linq_mcp.server.callers.caller import SettingsClientProvider

    def load() -> Settings:
        settings = read_settings(options, launched_by)
        return replace(settings, sending=None) if read_only else settings

    if options.demo:
        from linq_mcp.demo import in_process
        from linq_mcp.demo.contacts import demo_contacts

        account = SettingsClientProvider(load, transport=in_process.transport, names=demo_contacts)
    else:
        account = SettingsClientProvider(load)
    return account, account.caller().settings
