"""The account that a command works on: the one of the settings, or the embedded demo account."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linq_mcp.server.client_provider import SettingsClientProvider
    from linq_mcp.settings import Settings


def open_account(*, demo: bool) -> tuple[SettingsClientProvider, Settings]:
    """The account, and the settings as they are now."""
    from linq_mcp.server.client_provider import SettingsClientProvider
    from linq_mcp.settings import load_settings

    if not demo:
        return SettingsClientProvider(lambda: load_settings(os.environ)), load_settings(os.environ)
    from linq_mcp.demo import in_process

    own, demo_settings = load_settings(os.environ), in_process.settings()
    kept = {name: getattr(own, name) for name in ("http_token", "log_level", "log_level_is_set", "warnings")}
    provider = SettingsClientProvider(in_process.settings, transport=in_process.transport)
    return provider, replace(demo_settings, **kept)
