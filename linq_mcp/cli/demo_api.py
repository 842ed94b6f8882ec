"""`linq-mcp demo-api`: the demo account's HTTP API on a loopback port, for any client of Linq's API."""

from __future__ import annotations

import sys
from argparse import Namespace

from linq_mcp.demo.account import current_demo_account
from linq_mcp.demo.api import DEMO_KEY, demo_api
from linq_mcp.demo.serve import serve_forever
from linq_mcp.settings import BASE_URL_VARIABLE, KEY_VARIABLE


def run(options: Namespace) -> int:
    """Serve until Ctrl-C."""
    try:
        serve_forever(demo_api(current_demo_account()), options.port, _announce)
    except OSError as error:
        print(
            f"linq-mcp demo-api: can't listen on port {options.port} ({error.strerror}); choose another with --port",
            file=sys.stderr,
        )
        return 1
    return 0


def _announce(base_url: str) -> None:
    print(
        f"The demo account's API; press Ctrl-C to stop.\n{BASE_URL_VARIABLE}={base_url}\n{KEY_VARIABLE}={DEMO_KEY}",
        flush=True,
    )
