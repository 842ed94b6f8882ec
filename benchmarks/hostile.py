"""Every tool against the worst answers Linq could give: `python benchmarks/hostile.py` prints what each costs.

Each call runs in a server process of its own over stdio, with a ping every 100 ms. What counts is how long the slowest
ping took, which is how long the server was deaf to everybody else, and the highest memory of the process. On a busy
machine look at the CPU time of the call instead: on an idle one, no ping can take longer. Ends with 1 when a goal is
missed. `--tool` and `--kind` choose some of them; `--write` puts the table into `benchmarks/RESULTS.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import re
import sys
import threading
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any
from urllib.parse import quote

from hostile_api import CHAT_ID, KINDS
from results import write_section
from servers import OURS, Server, api

MOST_SECONDS = 1.0
MOST_MIB = 250
PING_EVERY = 0.1
# A call has a budget of 45 s; a server that is busy for longer is not waited for.
PATIENCE = 120.0
CALLS: dict[str, dict[str, Any]] = {
    "list_chats": {"limit": 20},
    "find_chats": {"text": "zzz"},
    "find_messages": {"chat_id": CHAT_ID, "text": "zzz"},
    "list_messages": {"chat_id": CHAT_ID},
    "get_message": {"message_id": CHAT_ID},
    "summarize_chat_health": {},
    "get_chat": {"chat_id": CHAT_ID},
    "list_phone_numbers": {},
}


@dataclass(frozen=True)
class Cost:
    """What one call did to the server: slowest ping, CPU time, peak of its memory, duration and outcome."""

    ping: float
    cpu: float
    mib: float
    seconds: float
    outcome: str


def measured(base: str, kind: str, tool: str) -> Cost:
    server = Server(OURS, f"{base}/{quote(kind)}")
    server.initialize()
    answered: queue.Queue[tuple[float, bytes]] = queue.Queue()

    def read() -> None:
        while line := server.read_line():
            answered.put((perf_counter(), line))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    started, cpu = perf_counter(), server.cpu_seconds()
    call = server.send("tools/call", {"name": tool, "arguments": CALLS[tool]})
    pings: dict[int, float] = {}
    slowest, seconds, outcome = 0.0, 0.0, ""
    while (not outcome or pings) and perf_counter() - started < PATIENCE:
        if not outcome:
            pings[server.send("ping")] = perf_counter()
        until = perf_counter() + PING_EVERY
        while (left := until - perf_counter()) > 0:
            try:
                at, line = answered.get(timeout=left)
            except queue.Empty:
                break
            match = re.search(rb'"id":([0-9]+)', line[:60])
            number = int(match[1]) if match else -1
            if number == call:
                seconds, outcome = at - started, outcome_of(line)
            elif number in pings:
                slowest = max(slowest, at - pings.pop(number))
            if outcome and not pings:
                break
    now = perf_counter()
    slowest = max([slowest, *(now - sent for sent in pings.values())])
    cpu = server.cpu_seconds() - cpu
    cost = Cost(slowest, cpu, server.peak_memory(), seconds or now - started, outcome or "no answer")
    server.kill()
    reader.join()
    return cost


def outcome_of(line: bytes) -> str:
    """The beginning of an error's text, or the size of an answer."""
    result = json.loads(line).get("result", {})
    if result.get("isError"):
        return str(result["content"][0]["text"])[:60]
    return f"{len(line):,} bytes" if result else "a protocol error"


def cell(costs: list[Cost]) -> str:
    ping, cpu, mib = (
        median(values) for values in zip(*((cost.ping, cost.cpu, cost.mib) for cost in costs), strict=True)
    )
    told = f"{ping:.2f} s, {cpu:.2f} s, {mib:.0f} MiB"
    return told if ping <= MOST_SECONDS and mib <= MOST_MIB else f"**{told}**"


def table(costs: dict[str, dict[str, list[Cost]]]) -> str:
    """One row for each kind of answer, one column for each tool."""
    tools = list(next(iter(costs.values())))
    lines = [f"| answer | {' | '.join(tools)} |", "|---" * (len(tools) + 1) + "|"]
    lines += [f"| {kind} | {' | '.join(cell(row[tool]) for tool in tools)} |" for kind, row in costs.items()]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tool", action="append", choices=CALLS, help="this tool only; may be repeated")
    parser.add_argument("--kind", action="append", choices=KINDS, help="this kind of answer only; may be repeated")
    parser.add_argument("--turns", type=int, default=1, help="runs of each call, of which the medians count")
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    asked = parser.parse_args()
    costs: dict[str, dict[str, list[Cost]]] = {}
    missed = []
    with api("hostile_api.py") as base:
        for kind in asked.kind or KINDS:
            costs[kind] = {}
            for tool in asked.tool or CALLS:
                runs = costs[kind][tool] = [measured(base, kind, tool) for _ in range(asked.turns)]
                last = runs[-1]
                print(f"{kind:16} {tool:22} {cell(runs):26} {last.seconds:6.1f} s  {last.outcome}", flush=True)
                if cell(runs).startswith("**"):
                    missed.append(f"{kind} {tool}")
    print(f"\n{table(costs)}\n")
    print(json.dumps({"missed": missed, "load": os.getloadavg()[0]}))
    if asked.write:
        write_section(section(costs, asked.turns))
    return 1 if missed else 0


SECTION = """## Hostile answers

`python benchmarks/hostile.py --turns {turns} --write`: how long the slowest ping took during one call, the CPU time
of that call, and the highest memory of the process. Goals: no ping over {seconds:.0f} s, under {mib} MiB; bold where
one is missed. Medians of {turns}, at a load average of {load:.1f} on {cores} cores. Where the load is higher than the
number of cores, pings wait for the machine as well; the CPU time says what they take at most on an idle one.

{table}
"""


def section(costs: dict[str, dict[str, list[Cost]]], turns: int) -> str:
    load, cores = os.getloadavg()[0], os.cpu_count()
    return SECTION.format(turns=turns, seconds=MOST_SECONDS, mib=MOST_MIB, load=load, cores=cores, table=table(costs))


if __name__ == "__main__":
    sys.exit(main())
