"""What reading every conversation of an account costs: `python benchmarks/account.py` prints a table.

430 chats behind an API that takes 100 ms an answer, beside a sequential reading of the same; and the memory that the
server grows by over an account of 20,000 chats, of which a busy machine reads fewer in the time of a call. Ends with 1
when a goal is missed. `--write` puts the table into `benchmarks/RESULTS.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from statistics import median
from time import perf_counter
from typing import Any

import httpx
from results import Row, table, write_section
from servers import KEY, OURS, Server, api

API = "account_api.py"
CHATS = 430
DELAY = 0.1
MOST_SECONDS = 8.0
MOST_READERS = 8
LARGE = 20_000
MOST_MIB = 20.0
CALLS: dict[str, dict[str, Any]] = {
    "list_inbox": {"limit": 100},
    "find_messages": {"text": "refund", "after": "2026-10-01", "limit": 100},
    "summarize_activity": {"after": "2026-10-01"},
}


def sequential(base: str) -> float:
    """Seconds that it takes to read the newest page of every chat, one request after the other."""
    started = perf_counter()
    with httpx.Client(headers={"Authorization": f"Bearer {KEY}"}) as client:
        cursor: str | None = "0"
        while cursor:
            page = client.get(f"{base}/v3/chats?limit=100&cursor={cursor}").json()
            for chat in page["chats"]:
                client.get(f"{base}/v3/chats/{chat['id']}/messages?limit=50").json()
            cursor = page["next_cursor"]
    return perf_counter() - started


def speed(turns: int) -> Iterator[Row]:
    """The inbox of a middling account, read by turns with a client that asks for one thing at a time."""
    ours, theirs = [], []
    for _ in range(turns):
        with api(API, str(CHATS), str(DELAY)) as base:
            server = Server(OURS, base)
            server.initialize()
            started = perf_counter()
            answer = server.call("list_inbox", {"limit": 20})["structuredContent"]
            ours.append(perf_counter() - started)
            server.end()
            assert (answer["scanned"], answer["complete"]) == (CHATS, True), answer
            most = httpx.get(f"{base}/most").json()["most"]
            theirs.append(sequential(base))
    seconds, ratio = median(ours), median(one / other for one, other in zip(ours, theirs, strict=True))
    yield Row(
        f"list_inbox of {CHATS} chats, {DELAY * 1000:.0f} ms an answer, against one request after the other",
        f"{seconds:.1f} s",
        f"{median(theirs):.1f} s",
        f"{ratio:.2f}",
        f"under {MOST_SECONDS:.0f} s",
        seconds < MOST_SECONDS,
    )
    yield Row("requests under way at once", str(most), "1", "", f"at most {MOST_READERS}", most <= MOST_READERS)


def memory(tool: str, base: str) -> Row:
    """How much the server's peak grows by one call, which reads as many of the account's chats as it has time for."""
    server = Server(OURS, base)
    server.initialize()
    server.call("list_chats", {"limit": 100})
    before, cpu, started = server.peak_memory(), server.cpu_seconds(), perf_counter()
    answer = server.call(tool, CALLS[tool])["structuredContent"]
    seconds, cpu = perf_counter() - started, server.cpu_seconds() - cpu
    grown = server.peak_memory() - before
    server.end()
    return Row(
        f"memory grown by {tool} of {answer['scanned']:,} chats ({seconds:.0f} s, CPU {cpu:.0f} s)",
        f"{grown:+.1f} MiB",
        goal=f"under {MOST_MIB:.0f} MiB",
        reached=grown < MOST_MIB,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5, help="runs of the reading of 430 chats")
    parser.add_argument("--chats", type=int, default=LARGE, help="chats of the large account")
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    asked = parser.parse_args()
    rows = list(speed(asked.turns))
    with api(API, str(asked.chats)) as base:
        rows += [memory(tool, base) for tool in CALLS]
    print(table(rows))
    if asked.write:
        write_section(section(rows, asked.turns))
    missed = [row.what for row in rows if row.reached is False]
    print(json.dumps({"missed": missed, "load": os.getloadavg()[0]}))
    return 1 if missed else 0


SECTION = """## The whole account

`python benchmarks/account.py --write`: every conversation of an account, read over stdio from an API in a process of
its own. Both readings of {chats} chats took turns; medians of {turns}, at a load average of {load:.1f} on {cores}
cores. Memory is the highest that the process had, beyond what it had after one page of chats.

{table}
"""


def section(rows: list[Row], turns: int) -> str:
    load, cores = os.getloadavg()[0], os.cpu_count()
    return SECTION.format(chats=CHATS, turns=turns, load=load, cores=cores, table=table(rows))


if __name__ == "__main__":
    sys.exit(main())
