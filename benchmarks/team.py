"""What `linq-mcp http` costs for a team: `python benchmarks/team.py` prints a table.

Callers with keys of their own call list_chats over and over, of our server and of a naive one by turns. First of one
process by 1, 16, and 100 callers, for the calls per second and per CPU second; then of two replicas by 200 callers, for
the time that a call takes, and for the memory. The API puts the caller into each answer, so that one that belongs to
somebody else is noticed. Ends with 1 when a goal is missed. `--write` puts the table into `benchmarks/RESULTS.md`.

With `--account`, callers of one account ask two replicas that share a store, the empty PostgreSQL database at
`LINQ_MCP_STORE`, and then two that share none. Each asks a question every 30 seconds, one in ten of them about the
whole account. It starts cold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random
from statistics import median, quantiles
from time import perf_counter

import httpx
from results import Row, table, write_section
from servers import KEY, NAIVE_HTTP, OURS, OURS_HTTP, HttpServer, api

CALLERS = (1, 16, 100)
# Calls per CPU second against the naive server's, by the number of callers.
LEAST = {16: 0.75, 100: 2.0}
TEAM = 200
MOST_GROWN = 10.0
CALL_SECONDS = 60
VERSION = "2026-07-28"
META = "io.modelcontextprotocol/"
OWN_KEY_HTTP = [*OURS, "http", "--key-from", "settings", "--port"]
TOKEN = "benchmark-token"
DELAY = 0.1
WIDE = 10
CALLER = re.compile(rb"caller-(\d{8})")


@dataclass
class Tally:
    """How long each call took, how many failed, and how many got another caller's answer."""

    seconds: list[float] = field(default_factory=list)
    failed: int = 0
    foreign: int = 0


def request(tool: str, arguments: Mapping[str, object], header: str) -> bytes:
    meta = {f"{META}protocolVersion": VERSION, f"{META}clientCapabilities": {}}
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    head = (
        "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:80\r\nContent-Type: application/json\r\n"
        f"Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: {VERSION}\r\nMcp-Method: tools/call\r\n"
        f"Mcp-Name: {tool}\r\n{header}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body of the next response."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    return int(head.split(b" ", 2)[1]), await reader.readexactly(length)


async def caller(number: int, servers: Sequence[HttpServer], end: float, tally: Tally) -> None:
    """Call the servers in turn until the time `end`, on one connection to each."""
    own = f"{number:08}"
    asked = request("list_chats", {"limit": 20}, f"x-linq-api-v3-api-key: lq-team-{own}")
    connections = [await asyncio.open_connection("127.0.0.1", server.port, limit=2**20) for server in servers]
    turn = number
    while perf_counter() < end:
        reader, writer = connections[turn % len(connections)]
        turn += 1
        started = perf_counter()
        writer.write(asked)
        async with asyncio.timeout(CALL_SECONDS):
            status, body = await answer(reader)
        tally.seconds.append(perf_counter() - started)
        names = set(CALLER.findall(body))
        tally.foreign += bool(names - {own.encode()})
        tally.failed += status != 200 or own.encode() not in names
    for _, writer in connections:
        writer.close()


async def load(servers: Sequence[HttpServer], callers: int, seconds: float) -> Tally:
    """So many callers at once, for that long. A connection that breaks ends the benchmark."""
    tally = Tally()
    end = perf_counter() + seconds
    async with asyncio.TaskGroup() as tasks:
        for number in range(1, callers + 1):
            tasks.create_task(caller(number, servers, end, tally))
    return tally


@dataclass
class Rates:
    """Calls per second and per CPU second, one figure for each turn."""

    by_time: list[float] = field(default_factory=list)
    by_cpu: list[float] = field(default_factory=list)

    def add(self, server: HttpServer, callers: int, seconds: float) -> None:
        cpu, started = server.cpu_seconds(), perf_counter()
        tally = asyncio.run(load([server], callers, seconds))
        if tally.failed or tally.foreign:
            raise RuntimeError(f"{tally.failed} calls failed, {tally.foreign} answers were another caller's")
        self.by_time.append(len(tally.seconds) / (perf_counter() - started))
        self.by_cpu.append(len(tally.seconds) / (server.cpu_seconds() - cpu))


def throughput(base: str, turns: int, seconds: float) -> Iterator[Row]:
    """One process of each server, by turns."""
    with HttpServer(OURS_HTTP, base) as ours, HttpServer(NAIVE_HTTP, base) as naive:
        for callers in CALLERS:
            sides = [(ours, Rates()), (naive, Rates())]
            for server, _ in sides:
                asyncio.run(load([server], callers, seconds / 4))
            for _ in range(turns):
                for server, rates in sides:
                    rates.add(server, callers, seconds)
            (_, mine), (_, theirs) = sides
            for what, one, other in (
                ("calls per CPU second", mine.by_cpu, theirs.by_cpu),
                ("calls per second", mine.by_time, theirs.by_time),
            ):
                ratio = median(a / b for a, b in zip(one, other, strict=True))
                least = LEAST.get(callers) if one is mine.by_cpu else None
                yield Row(
                    f"{what}, {callers} caller{'s' if callers > 1 else ''}",
                    f"{median(one):.0f}",
                    f"{median(other):.0f}",
                    f"{ratio:.2f}",
                    f"at least {least}" if least else "",
                    ratio >= least if least else None,
                )


def team(base: str, turns: int, seconds: float) -> Iterator[Row]:
    """Two replicas of each server, by turns, which take `seconds` together for each of the two."""
    tallies: list[list[Tally]] = [[], []]
    with ExitStack() as stack:
        ours, naive = (
            [stack.enter_context(HttpServer(command, base)) for _ in range(2)] for command in (OURS_HTTP, NAIVE_HTTP)
        )
        resident = [[server.memory() for server in ours]]
        for _ in range(turns):
            for servers, made in zip((ours, naive), tallies, strict=True):
                made.append(asyncio.run(load(servers, TEAM, seconds / turns)))
            resident.append([server.memory() for server in ours])
    mine, theirs = ([took for tally in made for took in tally.seconds] for made in tallies)
    failed, foreign = (sum(getattr(tally, name) for tally in tallies[0]) for name in ("failed", "foreign"))
    where = f"{TEAM} callers, two replicas, {seconds:.0f} s"
    yield Row(f"{where}: calls, of which failed", f"{len(mine)}, {failed}", f"{len(theirs)}", "", "none", not failed)
    yield Row("answers that were another caller's", str(foreign), "", "", "none", not foreign)
    for what, one, other in (
        ("median", median(mine), median(theirs)),
        ("p95", quantiles(mine, n=20)[-1], quantiles(theirs, n=20)[-1]),
    ):
        yield Row(f"{what} of the time that a call took", f"{one:.2f} s", f"{other:.2f} s", f"{one / other:.2f}")
    before, warm, last = resident[0], resident[1], resident[-1]
    grown = max(end - start for start, end in zip(warm, last, strict=True))
    shown = [" and ".join(f"{mib:.0f}" for mib in sample) for sample in (before, warm, last)]
    yield Row(
        f"resident MiB of the replicas, before, warm, and at the end ({grown:+.1f} since warm)",
        "; ".join(shown),
        goal=f"under {MOST_GROWN:.0f} more",
        reached=grown < MOST_GROWN,
    )


@dataclass
class Asked:
    """How long the calls for a page and those about the whole account took, and how many failed or were partial."""

    page: list[float] = field(default_factory=list)
    wide: list[float] = field(default_factory=list)
    failed: int = 0
    partial: int = 0
    requests: int = 0
    cpu: float = 0.0


async def questioner(number: int, server: HttpServer, options: argparse.Namespace, asked: Asked) -> None:
    """Ask one of the replicas every so often, each time on a connection of its own, as a balancer's may be."""
    random = Random(number)
    started = perf_counter()
    due = random.random() * options.every
    while due < options.seconds:
        await asyncio.sleep(max(0.0, started + due - perf_counter()))
        due += options.every
        is_wide = random.randrange(WIDE) == 0
        tool = "list_inbox" if is_wide else random.choice(("list_chats", "get_chat", "list_messages"))
        one = {"chat_id": f"00000000-0000-4000-8000-{random.randrange(options.chats):012}"}
        arguments = one if tool in ("get_chat", "list_messages") else {}
        began = perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=2**20)
        writer.write(request(tool, arguments, f"Authorization: Bearer {TOKEN}"))
        try:
            async with asyncio.timeout(CALL_SECONDS):
                status, body = await answer(reader)
        except (TimeoutError, EOFError, ConnectionError):
            status, body = 0, b""
        writer.close()
        (asked.wide if is_wide else asked.page).append(perf_counter() - began)
        asked.failed += status != 200 or b'"isError":true' in body
        asked.partial += b'"complete":false' in body


def ask_replicas(store: str, options: argparse.Namespace) -> Asked:
    """What two replicas with that store, or with none, made of the questions of all callers."""
    asked = Asked()
    more = {"LINQ_API_V3_API_KEY": KEY, "LINQ_MCP_HTTP_TOKEN": TOKEN, "LINQ_MCP_STORE": store}

    async def ask(servers: Sequence[HttpServer]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(options.callers):
                tasks.create_task(questioner(number, servers[number % 2], options, asked))

    with api("account_api.py", str(options.chats), str(DELAY)) as base, ExitStack() as stack:
        servers = [stack.enter_context(HttpServer(OWN_KEY_HTTP, base, more)) for _ in range(2)]
        asyncio.run(ask(servers))
        asked.cpu = sum(server.cpu_seconds() for server in servers)
        asked.requests = httpx.get(f"{base}/counts").json()["requests"]
    return asked


def account(options: argparse.Namespace) -> Iterator[Row]:
    """The rows for two replicas that share a store, beside two that don't."""
    shared, apart = (ask_replicas(store, options) for store in (os.environ["LINQ_MCP_STORE"], ""))

    def row(what: str, one: float, other: float, form: str = ".2f", unit: str = " s") -> Row:
        return Row(what, f"{one:{form}}{unit}", f"{other:{form}}{unit}", f"{one / other:.2f}" if other else "")

    calls = len(shared.page) + len(shared.wide)
    counted = [f"{calls}, {side.failed}" for side in (shared, apart)]
    yield Row("calls, of which failed", counted[0], counted[1], "", "none", not shared.failed)
    yield row("requests to Linq", shared.requests, apart.requests, ",.0f", "")
    yield row(f"partial answers, of {len(shared.wide)} about the account", shared.partial, apart.partial, ".0f", "")
    for name, one, other in (("a page", shared.page, apart.page), ("the whole account", shared.wide, apart.wide)):
        yield row(f"median of a call for {name}", median(one), median(other))
        yield row(f"p95 of a call for {name}", quantiles(one, n=20)[-1], quantiles(other, n=20)[-1])
    yield row("CPU seconds of the replicas", shared.cpu, apart.cpu, ".0f", "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5, help="turns of each server")
    parser.add_argument("--seconds", type=float, help="how long callers call each server; default 60, or 90")
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    parser.add_argument("--account", action="store_true", help="measure a store that replicas share")
    parser.add_argument("--callers", type=int, default=TEAM, help="of that account")
    parser.add_argument("--chats", type=int, default=5000, help="in that account")
    parser.add_argument("--every", type=float, default=30, help="seconds from one question of a caller to the next")
    asked = parser.parse_args()
    asked.seconds = asked.seconds or (90.0 if asked.account else 60.0)
    if asked.account:
        return finish(list(account(asked)), ACCOUNT, asked)
    with api("linq_api.py") as base:
        rows = [*throughput(base, asked.turns, asked.seconds / 15), *team(base, asked.turns, asked.seconds)]
    return finish(rows, SECTION, asked)


def finish(rows: list[Row], section: str, asked: argparse.Namespace) -> int:
    """Print the rows, and write them into the section; the exit code."""
    print(table(rows))
    if asked.write:
        load, cores = f"{os.getloadavg()[0]:.1f}", os.cpu_count()
        write_section(section.format(load=load, cores=cores, table=table(rows), **vars(asked)))
    missed = [row.what for row in rows if row.reached is False]
    print(json.dumps({"missed": missed, "load": os.getloadavg()[0]}))
    return 1 if missed else 0


SECTION = """## A team's server

`python benchmarks/team.py --write`: callers with keys of their own call list_chats (20 chats) over Streamable HTTP. The
other server is a naive one that passes Linq's JSON on unread, with one connection pool for all callers. Both took
{turns} turns; medians, at a load average of {load} on {cores} cores, which callers, servers, and the API share.

{table}
"""
ACCOUNT = """## A store for a team's replicas

`python benchmarks/team.py --account --callers {callers} --chats {chats} --write`: so many callers of one account of so
many chats, each of whom asks one of two replicas a question every {every:g} seconds for {seconds:g} seconds, one in ten
of them about the whole account. Linq takes 100 ms an answer, and nothing was read before. Our replicas share a
PostgreSQL database, the other ones no store. At a load average of {load} on {cores} cores, which callers, replicas, the
database, and the API share.

{table}
"""


if __name__ == "__main__":
    sys.exit(main())
