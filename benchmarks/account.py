"""What questions about a whole account cost: `python benchmarks/account.py` prints a table.

For accounts of several sizes behind an API that takes 100 ms an answer: the first question, the same again, the next
page, after a restart with a file, and after 50 chats changed, beside a plain reading of everything with as many
requests at once; and an account of 100,000 chats, active in the course of a year, that `linq-mcp store fill` reads from
an API without delay. Pings are sent during each question, and the server is ended while it goes on reading. Ends with 1
when a goal is missed. `--write` puts the table into `benchmarks/RESULTS.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Any

import httpx
from results import Row, table, write_section
from servers import KEY, OURS, Server, api

API = "account_api.py"
DELAY = 0.1
AT_ONCE = 8
LARGE = 100_000
# Seconds of one list_inbox over an account of that many chats that was read before.
GOALS = {430: 8.0, 5000: 10.0, 20_000: 15.0}
MOST_CALLS = 40
QUESTION = {"order": "longest_waiting", "limit": 20}
# Nothing that was read counts as fresh after so many seconds.
STALE_SECONDS = "1"


def get(base: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{base}/{name}").json()
    return found


def everything(base: str) -> tuple[int, float]:
    """Read the newest page of every chat, several at once: how many requests and seconds that takes."""
    started, requests = perf_counter(), 0
    limits = httpx.Limits(max_connections=AT_ONCE)
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(headers=headers, limits=limits) as client, ThreadPoolExecutor(AT_ONCE) as pool:
        cursor: str | None = "0"
        while cursor:
            page = client.get(f"{base}/v3/chats?limit=100&cursor={cursor}").json()
            urls = [f"{base}/v3/chats/{chat['id']}/messages?limit=50" for chat in page["chats"]]
            list(pool.map(client.get, urls))
            requests += 1 + len(urls)
            cursor = page["next_cursor"]
    return requests, perf_counter() - started


class Asking:
    """A server over that API, and what each question costs."""

    def __init__(self, base: str, path: Path, **env: str) -> None:
        self._base = base
        self._server = Server([*OURS, "--store", str(path)], base, env)
        self._server.initialize()
        self._server.call("list_phone_numbers", {})
        self._began_with = self._server.peak_memory()
        self.slowest_ping = 0.0

    def ask(self, what: str, tool: str, arguments: dict[str, Any], most: float | None = None) -> tuple[Row, Any]:
        """One call: its row, and its answer. `most` is the goal in seconds."""
        requests, cpu, started = get(self._base, "counts")["requests"], self._server.cpu_seconds(), perf_counter()
        memory = self._server.peak_memory()
        result, ping = self._server.call_and_ping(tool, arguments)
        answer, seconds = result["structuredContent"], perf_counter() - started
        self.slowest_ping = max(self.slowest_ping, ping)
        requests = get(self._base, "counts")["requests"] - requests
        cpu, memory = self._server.cpu_seconds() - cpu, self._server.peak_memory() - memory
        figures = f"{seconds:.1f} s, {requests:,} requests, CPU {cpu:.1f} s, {memory:+.0f} MiB"
        goal = "" if most is None else f"under {most:g} s"
        complete = "" if answer["complete"] else f" ({answer['scanned']:,} chats so far)"
        return Row(f"{what}{complete}", figures, goal=goal, reached=None if most is None else seconds < most), answer

    @property
    def grown(self) -> float:
        """MiB by which the highest memory grew with the questions."""
        return self._server.peak_memory() - self._began_with

    def end(self) -> float:
        """Close stdin; the seconds until the process was gone."""
        return self._server.end()

    def terminate(self) -> float:
        """Send SIGTERM; the seconds until the process was gone."""
        return self._server.terminate()


def questions(chats: int, path: Path) -> Iterator[Row]:
    """One size of account, from the first question on."""
    with api(API, str(chats), str(DELAY)) as base:
        requests, seconds = everything(base)
        yield Row(f"{chats:,} chats: everything read for one question", "", f"{seconds:.1f} s, {requests:,} requests")
        asking = Asking(base, path)
        for number in range(1, MOST_CALLS + 1):
            row, answer = asking.ask(f"{chats:,} chats: call {number}", "list_inbox", QUESTION)
            yield row
            if answer["complete"]:
                break
        yield asking.ask(f"{chats:,} chats: the same again", "list_inbox", QUESTION, GOALS.get(chats))[0]
        next_page = {**QUESTION, "cursor": answer["next_cursor"]}
        yield asking.ask(f"{chats:,} chats: the next page", "list_inbox", next_page, 1.0)[0]
        most = get(base, "counts")["most"]
        yield Row(f"{chats:,} chats: requests at once", f"{most}", goal=f"at most {AT_ONCE}", reached=most <= AT_ONCE)
        pings = [asking.slowest_ping]
        asking.end()
        for what, ended in (("after a restart", "end of input"), ("with 50 chats changed", "SIGTERM")):
            if "changed" in what:
                get(base, "talk")
            asking = Asking(base, path, LINQ_MCP_MAX_AGE=STALE_SECONDS)
            sleep(float(STALE_SECONDS))
            yield asking.ask(f"{chats:,} chats: {what}", "list_inbox", QUESTION, GOALS.get(chats))[0]
            pings.append(asking.slowest_ping)
            seconds = asking.terminate() if ended == "SIGTERM" else asking.end()
            yield Row(f"{chats:,} chats: {ended} to end of process", f"{seconds:.2f} s")
        slowest = max(pings)
        yield Row(f"{chats:,} chats: slowest ping", f"{slowest:.2f} s", goal="under 0.2 s", reached=slowest < 0.2)
    yield Row(f"{chats:,} chats: bytes on disk", f"{path.stat().st_size / 1e6:.1f} MB")


def large(chats: int, path: Path) -> Iterator[Row]:
    """An account that `store fill` reads, and questions about it."""
    with api(API, str(chats), "0", "365") as base:
        env = {
            "LINQ_API_V3_API_KEY": KEY,
            "LINQ_API_V3_BASE_URL": base,
            "PYTHONPATH": str(Path(__file__).parent.parent),
        }
        started = perf_counter()
        subprocess.run([*OURS, "store", "fill", "--store", str(path)], env=env, check=True)
        seconds, used = perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        yield Row(
            f"{chats:,} chats: store fill, without delay", f"{seconds:.0f} s, peak {used.ru_maxrss / 1024:.0f} MiB"
        )
        size = path.stat().st_size / 1e6
        yield Row(f"{chats:,} chats: bytes on disk", f"{size:.0f} MB", goal="under 400 MB", reached=size < 400)
        asking = Asking(base, path, LINQ_MCP_MAX_AGE="86400")
        yield asking.ask(f"{chats:,} chats: list_inbox", "list_inbox", QUESTION, 10.0)[0]
        for what, days, most in (("7 days", 7, 10.0), ("everything", 400, None)):
            after = (datetime.now(UTC) - timedelta(days=days)).isoformat()
            search = {"text": "refund", "after": after, "limit": 100}
            yield asking.ask(f"{chats:,} chats: a search over {what}", "find_messages", search, most)[0]
        grown = asking.grown
        yield Row(f"{chats:,} chats: memory", f"{grown:+.0f} MiB", goal="under 120 MiB more", reached=grown < 120)
        asking.end()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=list(GOALS), help="chats of the accounts")
    parser.add_argument("--large", type=int, default=LARGE, help="chats of the account that is filled; 0 leaves it out")
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    asked = parser.parse_args()
    rows: list[Row] = []
    parts: list[tuple[Callable[[int, Path], Iterator[Row]], int]] = [(questions, size) for size in asked.sizes]
    if asked.large:
        parts.append((large, asked.large))
    for measure, chats in parts:
        with TemporaryDirectory() as folder:
            for row in measure(chats, Path(folder) / "linq.sqlite"):
                print(f"{row.what}: {row.ours or row.other}", file=sys.stderr)
                rows.append(row)
    print(table(rows))
    if asked.write:
        write_section(SECTION.format(load=os.getloadavg()[0], cores=os.cpu_count(), table=table(rows)))
    missed = [row.what for row in rows if row.reached is False]
    print(json.dumps({"missed": missed, "load": os.getloadavg()[0]}))
    return 1 if missed else 0


SECTION = """## The whole account

`python benchmarks/account.py --write`: who waits longest in an account, asked of a server with a file, behind
an API in a process of its own; at a load average of {load:.1f} on {cores} cores. Memory is the growth of the highest
that the process had.

{table}
"""


if __name__ == "__main__":
    sys.exit(main())
