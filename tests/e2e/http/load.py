"""Many clients at once, with the keys of two accounts, on two replicas behind nginx.

    python tests/e2e/http/load.py [--seconds 60] [--clients 200]

Clients of both eras list chats and read one of them, over and over. No call may fail or get data of the other account.
Prints the figures.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import re
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import anyio
import httpx
from helpers.generated_account import generated_account
from helpers.running_api import running
from processes import KEY_HEADER, NAME, START_SECONDS, Failed, Process, replicas
from starlette.types import ASGIApp, Receive, Scope, Send

from linq_mcp.demo.account import DemoAccount
from linq_mcp.demo.api import demo_api

# The key of each account, and the seed it is generated from.
ACCOUNTS = {"lq-load-one-93b0": 1, "lq-load-two-5d7f": 2}
CHATS, LIMIT = 300, 10
ERAS = ("2026-07-28", "2025-11-25")
# The longest a call may take. With 200 at once on two cores, most of that is waiting for its turn.
CALL_SECONDS = 60
AFTER_SECONDS = 2
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def account_of(seed: int) -> DemoAccount:
    return generated_account(CHATS, seed=seed)


def serve_accounts(parent: Connection) -> None:
    """Serve an API that shows each key its own account. Sends its URL to `parent`, and ends when the pipe is closed."""
    apis: dict[bytes, ASGIApp] = {
        f"Bearer {key}".encode(): demo_api(account_of(seed), key=key) for key, seed in ACCOUNTS.items()
    }
    nobodys = demo_api(DemoAccount([], {}, []), key="nobody")

    async def by_key(scope: Scope, receive: Receive, send: Send) -> None:
        await apis.get(dict(scope["headers"]).get(b"authorization", b""), nobodys)(scope, receive, send)

    with running(by_key) as url:
        parent.send(url)
        try:
            parent.recv()
        except EOFError:
            return


@contextmanager
def api() -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve_accounts, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        try:
            url = ours.recv() if ours.poll(START_SECONDS) else None
        except EOFError:
            url = None
        if url is None:
            raise Failed("the API did not start")
        yield url
    finally:
        ours.close()
        process.join(START_SECONDS)
        if process.is_alive():
            process.kill()


@dataclass
class Tally:
    """How long each call took, which ones failed, and which ones got data of the other account."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Caller:
    """A client of one era with the key of one account. `ids` are that account's."""

    http: httpx.AsyncClient
    url: str
    era: str
    ids: frozenset[str]
    tally: Tally

    async def until(self, end: float, order: random.Random) -> None:
        """Call over and over until the time `end`."""
        if self.era != ERAS[0]:
            await self._ask("initialize", protocolVersion=self.era, clientInfo={"name": "load", "version": "1"})
        while time.monotonic() < end:
            cursor = order.randrange(0, CHATS // LIMIT) * LIMIT
            listed = await self._call("list_chats", limit=LIMIT, **({"cursor": str(cursor)} if cursor else {}))
            if listed:
                await self._call("get_chat", chat_id=order.choice(listed["chats"])["id"])

    async def _call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The answer, which is tallied; an empty one if the call failed."""
        begun = time.monotonic()
        result = await self._ask("tools/call", name=tool, arguments=arguments)
        self.tally.seconds.append(time.monotonic() - begun)
        if not result:
            return {}
        ids = set(_UUID.findall(json.dumps(result)))
        if result.get("isError") or not ids:
            self.tally.failures.append(f"{tool} {arguments}: {result}"[:300])
            return {}
        if ids - self.ids:
            self.tally.foreign.append(f"{tool} {arguments}: {sorted(ids - self.ids)}"[:300])
        answer: dict[str, Any] = result["structuredContent"]
        return answer

    async def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": self.era}
        if method == "initialize":
            params["capabilities"] = {}
            del headers["MCP-Protocol-Version"]
        elif self.era == ERAS[0]:
            headers |= {"Mcp-Method": method, "Mcp-Name": params["name"]}
            prefix = "io.modelcontextprotocol/"
            params["_meta"] = {f"{prefix}protocolVersion": self.era, f"{prefix}clientCapabilities": {}}
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            response = await self.http.post(self.url, json=body, headers=headers)
            answered: Any = response.json() if response.status_code == 200 else {"status": response.status_code}
        except (httpx.HTTPError, ValueError) as error:
            answered = {"error": repr(error)}
        if "result" not in answered:
            self.tally.failures.append(f"{method} {params.get('name', '')}: {answered}"[:300])
            return {}
        result: dict[str, Any] = answered["result"]
        return result


async def load(url: str, two: list[Process], tally: Tally, *, seconds: int, clients: int) -> list[list[float]]:
    """Put load on the replicas. Returns the resident MiB of each: before, after the warm-up, at the end, later."""
    ids = [frozenset(_UUID.findall(json.dumps(account_of(seed).chats))) for seed in ACCOUNTS.values()]
    if ids[0] & ids[1]:
        raise Failed("the two accounts share ids")
    resident = [[one.resident() for one in two]]
    end = time.monotonic() + seconds

    async def one(number: int) -> None:
        headers = {"Host": NAME, KEY_HEADER: list(ACCOUNTS)[number % 2]}
        # Nothing here speaks TLS, and loading 200 certificate stores would take long.
        async with httpx.AsyncClient(headers=headers, timeout=CALL_SECONDS, trust_env=False, verify=False) as http:
            caller = Caller(http, url, ERAS[number // 2 % 2], ids[number % 2], tally)
            await caller.until(end, random.Random(number))

    async with anyio.create_task_group() as tasks:
        for number in range(clients):
            tasks.start_soon(one, number)
        await anyio.sleep(seconds / 3)
        resident.append([one.resident() for one in two])
    resident.append([one.resident() for one in two])
    await anyio.sleep(AFTER_SECONDS)
    resident.append([one.resident() for one in two])
    return resident


def run(*, seconds: int, clients: int) -> list[str]:
    """Return the figures, as the lines of a small table. Raises `Failed`."""
    tally = Tally()
    with api() as base_url, replicas(base_url) as (url, two):
        begun = time.monotonic()
        resident = anyio.run(lambda: load(url, two, tally, seconds=seconds, clients=clients))
        took = time.monotonic() - begun - AFTER_SECONDS
        shares = [one.calls() for one in two]
    if len(tally.seconds) < 2:
        raise Failed(f"nothing was called: {tally.failures[:3]}")
    centiles = statistics.quantiles(tally.seconds, n=20)
    wrong = f"{len(tally.failures)} failed, {len(tally.foreign)} with another account's ids"
    lines = [
        f"{clients} clients, {took:.0f} s: {len(tally.seconds)} calls, {wrong}",
        f"{len(tally.seconds) / took:.0f} calls/s, median {centiles[9]:.2f} s, p95 {centiles[18]:.2f} s",
        f"{'resident MiB':14}{'before':>8}{'warm':>8}{'end':>8}{f'{AFTER_SECONDS} s on':>8}{'requests':>10}",
        *(
            f"{one.name:14}{''.join(f'{row[number]:8.0f}' for row in resident)}{shares[number]:10}"
            for number, one in enumerate(two)
        ),
    ]
    if tally.failures or tally.foreign:
        raise Failed("\n".join([*lines, *tally.failures[:5], *tally.foreign[:5]]))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, choices=range(3, 601), metavar="3-600")
    parser.add_argument("--clients", type=int, default=200, choices=range(1, 401), metavar="1-400")
    options = parser.parse_args()
    try:
        sys.stdout.write("\n".join(run(seconds=options.seconds, clients=options.clients)) + "\n")
    except Failed as failed:
        sys.exit(f"FAILED: {failed}")


if __name__ == "__main__":
    main()
