"""Speed, size and memory in one run: `python benchmarks/run.py` prints a table and writes it to `RESULTS.md`.

Both sides of a comparison take turns, so that a noisy machine slows both; medians and ratios count, absolute times
don't. Ends with 1 when a goal is missed. `--quick` takes fewer turns and writes nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import anyio
from pydantic import SecretStr

HERE = Path(__file__).parent
API = "linq_api.py"
sys.path.insert(0, str(HERE.parent))

from results import Row, table, write_section  # noqa: E402 - beside this file
from servers import BARE, INDENTING, KEY, NAIVE, OURS, Server, api  # noqa: E402 - beside this file

from linq_mcp.api.client import LinqApi  # noqa: E402 - of this checkout
from linq_mcp.rows.chat import chat_row  # noqa: E402
from linq_mcp.settings import Settings  # noqa: E402


def compared(what: str, ours: list[float], other: list[float], unit: str, *, most: float) -> Row:
    """Two series measured in turns; the goal is a median ratio of at most `most`."""
    mine, theirs = median(ours), median(other)
    ratio = median(one / two for one, two in zip(ours, other, strict=True))
    return Row(what, f"{mine:.1f} {unit}", f"{theirs:.1f} {unit}", f"{ratio:.2f}", f"at most {most:.2f}", ratio <= most)


def starts(url: str, turns: int) -> Iterator[Row]:
    """From spawn to `initialize` and to the first result, and from the end of input to the end of the process."""
    seconds: dict[str, list[float]] = {name: [] for name in ("ours", "bare", "ours first", "bare first", "exit")}
    for turn in range(turns + 1):
        for name, command in (("ours", OURS), ("bare", BARE)):
            server = Server(command, url)
            server.initialize()
            initialized = perf_counter() - server.started
            server.call("list_chats", {"limit": 20})
            answered = perf_counter() - server.started
            left = server.end()
            # The first turn warms the file cache.
            if turn:
                seconds[name].append(initialized * 1000)
                seconds[f"{name} first"].append(answered * 1000)
                if name == "ours":
                    seconds["exit"].append(left * 1000)
    yield compared("spawn to `initialize`, against a bare server", seconds["ours"], seconds["bare"], "ms", most=1.10)
    first = compared(
        "spawn to the first result (the bare server's is a constant)",
        seconds["ours first"],
        seconds["bare first"],
        "ms",
        most=2,
    )
    yield Row(first.what, first.ours, first.other, first.ratio)
    leaves = median(seconds["exit"])
    yield Row("end of input to end of process", f"{leaves:.0f} ms", "", "", "at most 100 ms", leaves <= 100)


def throughput(url: str, turns: int) -> Iterator[Row]:
    """Calls per second against two naive servers.

    One parses Linq's JSON and writes it again with indents, as most servers do. The other passes the bytes on unread,
    which no server that reads them can keep up with: the goal is what may be lost to that where a page is largest.
    """
    servers = {name: Server(command, url) for name, command in (("ours", OURS), ("raw", NAIVE), ("indent", INDENTING))}
    for server in servers.values():
        server.initialize()
        server.calls(50, 1, 20)
    goals = {("indent", 20, 1): 1.0, ("indent", 20, 16): 1.0, ("indent", 100, 1): 1.3, ("indent", 100, 16): 1.3}
    goals["raw", 100, 16] = 0.6
    for limit in (20, 100):
        for in_flight in (1, 16):
            number = 100
            rates: dict[str, list[float]] = {name: [] for name in servers}
            for _ in range(turns):
                for name, server in servers.items():
                    rates[name].append(number / server.calls(number, in_flight, limit))
            ours = median(rates["ours"])
            for name, passed_on in (("raw", "JSON passed on unread"), ("indent", "JSON with indents")):
                ratio = median(mine / theirs for mine, theirs in zip(rates["ours"], rates[name], strict=True))
                goal = goals.get((name, limit, in_flight))
                yield Row(
                    f"calls per second, limit {limit}, {in_flight} in flight, against {passed_on}",
                    f"{ours:.0f}",
                    f"{median(rates[name]):.0f}",
                    f"{ratio:.2f}",
                    f"at least {goal}" if goal else "",
                    ratio >= goal if goal else None,
                )
    for server in servers.values():
        server.end()


async def reading(url: str, turns: int) -> Row:
    """CPU time per page of 100 chats, from the request to finished rows, against linq-python without any rows."""
    os.environ["LINQ_BASE_URL"] = url
    from linq import AsyncLinqAPIV3  # noqa: PLC0415 - 0.6 s, for this measure alone

    pages = 20
    ours: list[float] = []
    theirs: list[float] = []
    settings = Settings(api_key=SecretStr(KEY), base_url=url)
    async with LinqApi(settings) as linq, AsyncLinqAPIV3(api_key=KEY, base_url=url) as sdk:
        for _ in range(turns):
            started = process_time()
            for _ in range(pages):
                deadline = anyio.current_time() + 30
                page = await linq.list_chats(from_=None, to=None, limit=100, cursor=None, deadline=deadline)
                rows = [chat_row(chat) for chat in page.items]
                assert len(rows) == 100
            ours.append((process_time() - started) * 1000 / pages)
            started = process_time()
            for _ in range(pages):
                listed = await sdk.chats.list_chats(limit=100)
                assert len(listed.chats or []) == 100
            theirs.append((process_time() - started) * 1000 / pages)
    return compared("CPU per page of 100 chats, against linq-python", ours, theirs, "ms", most=0.1)


def sizes(url: str) -> Iterator[Row]:
    """Bytes that a model reads per chat, against Linq's JSON."""
    server = Server(OURS, url)
    server.initialize()
    for limit in (20, 100):
        answer = server.call("list_chats", {"limit": limit})
        ours = len(answer["content"][0]["text"].encode())
        wire = (HERE.parent / "tests" / "data" / f"chats_page{limit}.json").stat().st_size
        yield Row(
            f"bytes per chat on a page of {limit}, against Linq's JSON",
            f"{ours / limit:.0f}",
            f"{wire / limit:.0f}",
            f"{ours / wire:.2f}",
        )
    server.end()


def memory(url: str, calls: int) -> Row:
    """How much the process grows over many calls, after 1,000 to warm up."""
    server = Server(OURS, url)
    server.initialize()
    server.calls(1000, 8, 100)
    before = server.memory()
    server.calls(calls, 8, 100)
    grown = server.memory() - before
    server.end()
    what = f"memory grown over {calls:,} calls ({before:.0f} MiB before)"
    return Row(what, f"{grown:+.1f} MiB", "", "", "under 5 MiB", grown < 5)


def summary(chats: int) -> Iterator[Row]:
    """The health of a large account, summarized in five calls."""
    with api(API, str(chats)) as url:
        server = Server(OURS, url)
        server.initialize()
        server.call("summarize_chat_health", {"max_chats": 100})
        before, most = server.memory(), 0.0
        arguments: dict[str, object] = {"max_chats": chats // 5}
        scanned, calls, started = 0, 0, perf_counter()
        while calls < 10:
            answer = server.call("summarize_chat_health", arguments)["structuredContent"]
            calls += 1
            scanned += answer["scanned"]
            most = max(most, server.memory() - before)
            if answer["complete"]:
                break
            arguments["cursor"] = answer["next_cursor"]
        seconds = perf_counter() - started
        server.end()
    whole = scanned == chats and calls == 5
    yield Row(
        f"summary of {chats:,} chats, resumed to {calls} calls", f"{seconds:.1f} s", "", "", "each chat once", whole
    )
    yield Row("memory grown by that summary", f"{most:+.1f} MiB", "", "", "under 20 MiB", most < 20)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer turns, smaller numbers, no file")
    quick = parser.parse_args().quick
    turns = 3 if quick else 15
    rows: list[Row] = []
    with api(API) as url:
        rows += starts(url, turns)
        rows += throughput(url, turns)
        rows.append(asyncio.run(reading(url, turns)))
        rows += sizes(url)
        rows.append(memory(url, 1000 if quick else 10_000))
    rows += summary(10_000 if quick else 100_000)
    machine = (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        + ", ".join(f"{package} {version(package)}" for package in ("mcp", "httpx", "linq-python"))
    )
    print(f"{machine}\n\n{table(rows)}")
    if not quick:
        head = f"# Results\n\n`python benchmarks/run.py` on {machine}.\nBoth sides took turns; medians of {turns}."
        write_section(f"{head}\n\n{table(rows)}\n")
    missed = [row.what for row in rows if row.reached is False]
    print(json.dumps({"missed": missed}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
