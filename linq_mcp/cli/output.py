"""The output of commands: logging to stderr, and a stdout that replaces characters it can't encode."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from linq_mcp.settings.problems import SettingsWarning

from linq_mcp.logs import SafeFormatter
from linq_mcp.transports.stderr import LossyStderr


def log_to_stderr(level: str) -> None:
    """Log to stderr: linq-mcp's own records from `level` up, and those of libraries from WARNING up."""
    handler = logging.StreamHandler(LossyStderr())
    handler.setFormatter(SafeFormatter("%(levelname)s %(name)s: %(message)s"))
    # Libraries log whole URLs at INFO, which contain people's numbers.
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("linq_mcp").setLevel(level)


def warn(warnings: Iterable[SettingsWarning]) -> None:
    """Log each of `warnings`."""
    from linq_mcp.server.settings_messages import format_warning

    for warning in warnings:
        logging.getLogger("linq_mcp").warning(format_warning(warning))


def replace_unencodable(stream: TextIO) -> None:
    """Make `stream` print a question mark for characters that its encoding lacks."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
