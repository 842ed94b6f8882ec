"""Two replicas behind nginx; one is stopped and started again while clients of both eras page through 1,000 chats.

    python tests/e2e/http/replicas.py

Needs nginx (Debian's package; its system-wide configuration is not read). `docs/team.md` quotes nginx.conf.template.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
import httpx
import httpx2
from helpers.generated_account import generated_account
from helpers.running_api import running
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from processes import KEY_HEADER, NAME, Failed, Process, replicas

from linq_mcp.demo.api import demo_api

ERAS = {"auto": "2026-07-28", "legacy": "2025-11-25"}
CHATS, LIMIT = 1000, 10
# After page STOP, one replica is told to stop; by page GONE, it has stopped; after page START, it is started again.
STOP, GONE, START = 30, 40, 70
KEY = "lq-replicas-4c1e"
SECONDS = 120


@asynccontextmanager
async def client_of(url: str, mode: str) -> AsyncIterator[Client]:
    """A client of one era with the caller's key. A status other than 200 or 202 fails the test; so does a session."""

    async def watch(response: httpx2.Response) -> None:
        if response.status_code not in (200, 202) or "mcp-session-id" in response.headers:
            raise Failed(f"{mode}: status {response.status_code}, headers {sorted(response.headers)}")

    headers = {"Host": NAME, KEY_HEADER: KEY}
    async with httpx2.AsyncClient(headers=headers, event_hooks={"response": [watch]}, trust_env=False) as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode=mode, read_timeout_seconds=30) as client:
            if client.protocol_version != ERAS[mode]:
                raise Failed(f"{mode}: the protocol is {client.protocol_version}")
            yield client


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool and return its answer."""
    result = await client.call_tool(tool, arguments)
    if result.is_error or not isinstance(result.structured_content, dict):
        raise Failed(f"{tool} {arguments}: {result.content}")
    return result.structured_content


async def page_through(client: Client, replica: Process) -> list[str]:
    """Read the ids of all chats page by page, while `replica` is stopped and started again."""
    ids: list[str] = []
    more: dict[str, Any] = {}
    gone = anyio.Event()

    async def stop() -> None:
        if code := await anyio.to_thread.run_sync(replica.stop):
            raise Failed(f"{replica.name} ended with exit code {code}:\n{replica.said()[-2000:]}")
        gone.set()

    async with anyio.create_task_group() as tasks:
        for page in range(1, CHATS // LIMIT + 1):
            answer = await call(client, "list_chats", limit=LIMIT, **more)
            ids += [chat["id"] for chat in answer["chats"]]
            if page == STOP:
                tasks.start_soon(stop)
            elif page == GONE:
                await gone.wait()
            elif page == START:
                await anyio.to_thread.run_sync(replica.start)
            if not answer["has_more"]:
                break
            more = {"cursor": answer["next_cursor"]}
    return ids


async def back_in_turn(client: Client, replica: Process) -> None:
    """Wait until nginx sends requests to the replica again."""
    before = replica.calls()
    for _ in range(100):
        await call(client, "list_chats", limit=1)
        if replica.calls() > before:
            return
        await anyio.sleep(0.1)
    raise Failed(f"{replica.name} was not asked again after its restart")


async def progress_of(client: Client) -> int:
    """The number of progress notifications that reach the client through nginx."""
    counts: list[float] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        counts.append(progress)

    result = await client.call_tool("summarize_chat_health", {}, progress_callback=note)
    if result.is_error or counts != sorted(set(counts)) or len(counts) < 2:
        raise Failed(f"summarize_chat_health reported {counts}")
    return len(counts)


async def check(url: str, two: list[Process], wanted: list[str]) -> list[str]:
    """Run the test in each era, and return one line for each."""
    lines = []
    for (mode, version), replica in zip(ERAS.items(), two, strict=True):
        with anyio.fail_after(SECONDS):
            before = [one.calls() for one in two]
            async with client_of(url, mode) as client:
                ids = await page_through(client, replica)
                if ids != wanted:
                    raise Failed(f"{version}: {len(ids)} chats, {len(set(ids))} different ones, wanted {len(wanted)}")
                await back_in_turn(client, replica)
                notified = await progress_of(client)
        shares = [one.calls() - count for one, count in zip(two, before, strict=True)]
        lines.append(
            f"{version}: {len(ids)} chats, each once, while {replica.name} was restarted; "
            f"{' and '.join(map(str, shares))} requests answered, {notified} notifications of progress"
        )
    return lines


def run() -> list[str]:
    """Run the test, and return its figures. Raises `Failed`."""
    account = generated_account(CHATS)
    with running(demo_api(account, key=KEY)) as api, replicas(api) as (url, two):
        refused = httpx.post(url, json={}, headers={"Host": "elsewhere.example"}, trust_env=False)
        if refused.status_code != 421:
            raise Failed(f"called by another name the answer is {refused.status_code}")
        try:
            return anyio.run(check, url, two, [chat["id"] for chat in account.chats])
        except* Failed as group:
            failures: list[BaseException] = [group]
            while isinstance(failures[0], BaseExceptionGroup):
                failures = list(failures[0].exceptions)
            raise Failed(str(failures[0])) from group
        except* TimeoutError:
            raise Failed(f"not done after {SECONDS} s") from None


if __name__ == "__main__":
    try:
        for line in run():
            sys.stdout.write(f"replicas: {line}\n")
    except Failed as failed:
        sys.exit(f"replicas: FAILED: {failed}")
