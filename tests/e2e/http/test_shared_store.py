"""Two replicas where people sign in, over one database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from helpers.fake_issuer import ISSUER, PUBLIC_URL, FakeIssuer, signed
from helpers.linq import KEY, ByKey, Recorded
from helpers.postgres import PostgresServer
from helpers.signed_in import access_to
from helpers.streamable_http import call, result_of, serving
from helpers.talking_account import talking_account
from pydantic import SecretStr

from linq_mcp.demo.api import DEMO_BASE_URL
from linq_mcp.demo.lines import CLINIC_LINE, SHOP_LINE
from linq_mcp.server.callers.many import HeaderClientProvider, SignInClientProvider
from linq_mcp.settings import KEY_HEADER, Settings
from linq_mcp.settings.sending import SendSettings
from linq_mcp.settings.store import StoreSettings
from linq_mcp.store.housekeeping import summaries
from linq_mcp.store.stores import open_database
from linq_mcp.transports.http.app import build_app
from linq_mcp.transports.http.auth.challenge import SignIn, SignInConfig, validate_sign_in
from linq_mcp.transports.http.config import HttpConfig

# One key, and other lines for each group.
ACCESS = "".join(
    f"""
[[rule]]
claim = "groups"
value = "{group}"
key_env = "OPS_KEY"
lines = ["{line}"]
send = true
"""
    for group, line in (("clinic", CLINIC_LINE), ("shop", SHOP_LINE))
)
Json = dict[str, Any]


class Replicas:
    """Clients of two replicas, for people of the groups above."""

    def __init__(self, clients: list[httpx.AsyncClient], linq: Recorded) -> None:
        self._clients, self.linq = clients, linq

    async def post(self, replica: int, group: str, tool: str, arguments: Json, **more: Any) -> Json:
        asked = call("modern", tool, arguments)
        asked["headers"] = {**asked["headers"], "Authorization": f"Bearer {signed(groups=[group])}"}
        asked["json"]["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = {"elicitation": {"form": {}}}
        asked["json"]["params"] |= more
        return result_of(await self._clients[replica].post("/mcp", **asked))

    async def inbox(self, replica: int, group: str) -> list[Json]:
        result = await self.post(replica, group, "list_inbox", {"limit": 100})
        assert result["structuredContent"]["complete"], result
        rows: list[Json] = result["structuredContent"]["chats"]
        return rows


@asynccontextmanager
async def replicas(folder: Path, place: StoreSettings) -> AsyncIterator[Replicas]:
    (folder / "access.toml").write_text(ACCESS, "utf-8")
    linq = Recorded(ByKey({f"{KEY}-ops": talking_account(36)}))
    sending = SendSettings(state_keys=(SecretStr("k" * 32),))
    settings = Settings(base_url=DEMO_BASE_URL, sending=sending, store=place)
    config = validate_sign_in(SignInConfig(issuer=ISSUER, public_url=PUBLIC_URL))
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(2):
            provider = SignInClientProvider(settings, access_to(folder / "access.toml", settings), transport=linq)
            app = build_app(
                provider, HttpConfig(allowed_hosts=[config.public_host]), SignIn(config, transport=FakeIssuer())
            )
            clients.append(await stack.enter_async_context(serving(app, "https://mcp.example.com")))
        yield Replicas(clients, linq)


async def test_each_sees_only_what_is_open_to_them(tmp_path: Path, place: StoreSettings) -> None:
    async with replicas(tmp_path, place) as both:
        read = []
        for replica in (0, 1):
            for group, line in (("clinic", CLINIC_LINE), ("shop", SHOP_LINE)):
                assert {row["line"] for row in await both.inbox(replica, group)} == {line}
            read.append(sum(request.url.path.endswith("/messages") for request in both.linq.requests))
        assert read[0] == read[1] > 0


async def test_what_was_sent_through_one_is_known_to_the_other(tmp_path: Path, place: StoreSettings) -> None:
    async with replicas(tmp_path, place) as both:
        rows = [row for row in await both.inbox(1, "clinic") if "waiting" in row]
        waiting = {row["id"] for row in rows}
        to = next(row for row in rows if row["health_status"] == "HEALTHY" and not row.get("is_group"))
        arguments = {"chat_id": to["id"], "text": "Hello"}
        asked = await both.post(0, "clinic", "send_message", arguments)
        answer = {"consent": {"action": "accept", "content": {"choice": "Send"}}}
        sent = await both.post(
            0, "clinic", "send_message", arguments, inputResponses=answer, requestState=asked["requestState"]
        )
        assert sent["structuredContent"]["sent"]
        after = {row["id"] for row in await both.inbox(1, "clinic") if "waiting" in row}
        assert after == waiting - {arguments["chat_id"]}


@pytest.mark.slow
async def test_a_database_that_is_down_costs_no_answer(
    tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both say so while it is, and that they don't know of each other's messages; no longer when it is back."""
    monkeypatch.setattr("linq_mcp.store.stores._RETRY_SECONDS", 0.0)
    async with replicas(tmp_path, postgres.store()) as both:

        async def notes() -> list[bool]:
            found = []
            for replica in (0, 1):
                result = await both.post(replica, "shop", "list_inbox", {"limit": 1})
                note = result["structuredContent"].get("note", "")
                found.append("The store's database can't be opened" in note)
                assert found[-1] is ("Another server may have sent messages after as_of" in note)
            return found

        assert await notes() == [False, False]
        postgres.stop()
        try:
            assert await notes() == [True, True]
        finally:
            postgres.start()
        assert await notes() == [False, False]


async def test_what_callers_with_keys_of_their_own_read_is_in_memory_alone(place: StoreSettings) -> None:
    """They are not the operator, on whose disk it would be."""
    settings = Settings(base_url=DEMO_BASE_URL, store=place)
    app = build_app(HeaderClientProvider(settings, transport=Recorded(ByKey({KEY: talking_account(6)}))), HttpConfig())
    asked = call("modern", "list_inbox")
    async with serving(app) as client:
        response = await client.post("/mcp", json=asked["json"], headers={**asked["headers"], KEY_HEADER: KEY})
    assert result_of(response)["structuredContent"]["complete"]
    assert place.url or not place.path or not place.path.exists()
    with closing(open_database(place)) as database:
        assert summaries(database) == []
