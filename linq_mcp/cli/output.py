"""The output of commands: logging to stderr, and a stdout that replaces characters it can't encode."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from linq_mcp.logs import JsonFormatter, SafeFormatter
from linq_mcp.transports.stderr import LossyStderr

if TYPE_CHECKING:
    from linq_mcp.settings.problems import SettingsWarning


LOG_FORMATS: dict[str, logging.Formatter] = {
    "plain": SafeFormatter("%(levelname)s %(name)s: %(message)s"),
    "text": SafeFormatter("%(asctime)s %(levelname)s %(request_id)s %(name)s: %(message)s"),
    "json": JsonFormatter(),
}


def log_to_stderr(level: str, log_format: str = "plain") -> None:
    """Log to stderr: linq-mcp's own records from `level` up, and those of libraries from WARNING up."""
    handler = logging.StreamHandler(LossyStderr())
    handler.setFormatter(LOG_FORMATS[log_format])
    # Libraries log whole URLs at INFO, which contain people's numbers.
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("linq_mcp").setLevel(level)
    logging.captureWarnings(True)


def warn(warnings: Iterable[SettingsWarning]) -> None:
    """Log each of `warnings`."""
    from linq_mcp.server.settings_messages import format_warning

    for warning in warnings:
        logging.getLogger("linq_mcp").warning(format_warning(warning))


def replace_unencodable(stream: TextIO) -> None:
    """Make `stream` print a question mark for characters that its encoding lacks."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
