"""What the server logs, line by line, as `--log-format json` writes it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from linq_mcp.logs import JsonFormatter


@contextmanager
def json_log(at: int = logging.INFO) -> Iterator[list[dict[str, Any]]]:
    """The lines from the level `at` up, which are complete once the block has been left."""
    lines: list[dict[str, Any]] = []
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("linq_mcp")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(at)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        lines += map(json.loads, out.getvalue().splitlines())


def access_lines(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that report a request."""
    return [line for line in lines if line["logger"].endswith(".access_log")]
