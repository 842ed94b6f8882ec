"""The demo account behind a transport that keeps what was asked of it, and can lose an answer on the way back."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import httpx
from helpers.linq import AT_ONCE, Body
from pydantic import SecretStr

from linq_mcp.demo.account import DemoAccount, demo_account
from linq_mcp.demo.api import DEMO_BASE_URL, DEMO_KEY, demo_api
from linq_mcp.demo.wire import Wire
from linq_mcp.server.callers.caller import SettingsClientProvider
from linq_mcp.settings import Settings
from linq_mcp.settings.problems import KeySource
from linq_mcp.settings.sending import SendSettings

RULES = SendSettings()


class RecordingApi(httpx.AsyncBaseTransport):
    """Linq for as many servers as are made over it. `lose` is how many answers to a POST get lost after Linq acted.

    `health` is what every chat's health has become, if anything.
    """

    def __init__(self, account: DemoAccount | None = None, *, lose: int = 0) -> None:
        self._api = httpx.ASGITransport(demo_api(account or demo_account()))
        self._lose = lose
        self.health: str | None = None
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        response = await self._api.handle_async_request(request)
        if self.health:
            body = json.loads(await response.aread())
            if "health_status" in body:
                body["health_status"]["status"] = self.health
            response = httpx.Response(response.status_code, stream=Body([json.dumps(body).encode()]))
        if request.method == "POST" and self._lose:
            self._lose -= 1
            raise httpx.ReadError("connection reset")
        return response

    async def aclose(self) -> None:
        """Stays open: another server may use it."""

    @property
    def posts(self) -> list[tuple[str, Any]]:
        """The path and the body of each request that was not a GET."""
        return [
            (request.url.path.partition("/v3/")[2], json.loads(request.content))
            for request in self.requests
            if request.method != "GET"
        ]

    @property
    def texts(self) -> list[str]:
        """The text of each message that was posted."""
        return [body["message"]["parts"][0]["value"] for _, body in self.posts]

    def account(self, rules: SendSettings | None = RULES, *, key: str = DEMO_KEY) -> SettingsClientProvider:
        """The account of a server over this API; another `key` is another caller."""
        settings = Settings(
            api_key=SecretStr(key), key_source=KeySource.ENVIRONMENT, base_url=DEMO_BASE_URL, sending=rules
        )
        return SettingsClientProvider(lambda: settings, transport=lambda: self, retry=AT_ONCE)


@cache
def demo_chat(status: str = "HEALTHY", *, line: str | None = None, skip: int = 0) -> Wire:
    """A chat of the demo account with one other person, who has written in it."""
    account = demo_account()
    found = [
        chat
        for chat in account.chats
        if chat.get("health_status", {}).get("status") == status
        and not chat["is_group"]
        and len(chat["handles"]) == 2
        and all(one["status"] == "active" for one in chat["handles"])
        and (line is None or any(one["handle"] == line for one in chat["handles"]))
        and any(not message["is_from_me"] for message in account.messages[chat["id"]])
    ]
    return found[skip]
