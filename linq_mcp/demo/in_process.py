"""The demo account without a port: settings and a transport that replace the user's key and the network."""

from __future__ import annotations

import httpx
from pydantic import SecretStr

from linq_mcp.demo.account import DemoAccount, current_demo_account
from linq_mcp.demo.api import DEMO_BASE_URL, DEMO_KEY, demo_api
from linq_mcp.settings import Settings
from linq_mcp.settings.problems import KeySource


def settings() -> Settings:
    """Settings that use nothing of the user's."""
    return Settings(api_key=SecretStr(DEMO_KEY), key_source=KeySource.DEMO, base_url=DEMO_BASE_URL)


def transport(account: DemoAccount | None = None) -> httpx.AsyncBaseTransport:
    """A transport that serves an account, by default the current demo account, without opening a socket."""
    return httpx.ASGITransport(demo_api(account or current_demo_account()))
