"""The account that a command works on: the one of the settings, or the embedded demo account."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linq_mcp.server.client_provider import SettingsClientProvider
    from linq_mcp.settings import Settings
    from linq_mcp.settings.problems import LaunchedBy


def open_account(*, demo: bool, launched_by: LaunchedBy | None = None) -> tuple[SettingsClientProvider, Settings]:
    """The account, and the settings as they are now. `launched_by` as `load_settings` has it."""
    from linq_mcp.server.client_provider import SettingsClientProvider
    from linq_mcp.settings import load_settings

    def load() -> Settings:
        return load_settings(os.environ, launched_by=launched_by)

    settings = load()
    if not demo:
        return SettingsClientProvider(load), settings
    from linq_mcp.demo import in_process
    from linq_mcp.demo.contacts import demo_contacts

    demo_settings = in_process.settings()
    provider = SettingsClientProvider(in_process.settings, transport=in_process.transport, names=demo_contacts)
    return provider, replace(
        settings,
        api_key=demo_settings.api_key,
        key_source=demo_settings.key_source,
        base_url=demo_settings.base_url,
        base_url_is_set=False,
        contacts=None,
        problem=None,
        base_url_problem=None,
    )
