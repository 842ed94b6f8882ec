"""What the log may say of what others sent: on one line, cleaned and short, whoever logs it."""

from __future__ import annotations

import logging

from linq_mcp.sanitize import clean

MESSAGE_LIMIT = 1000
_TRACEBACK_LINES = 60


class SafeFormatter(logging.Formatter):
    """Formats every record so that nothing in it can forge a second one or steer a terminal.

    It belongs to the handler, because libraries, too, log what callers sent. A message becomes one line of at most
    1,000 characters. A traceback keeps its line breaks, and its last 60 lines.
    """

    def format(self, record: logging.LogRecord) -> str:
        # Formatting stores the text in the record, which other handlers see as well.
        copy = logging.makeLogRecord(record.__dict__)
        copy.msg, copy.args = clean(record.getMessage(), MESSAGE_LIMIT), None
        copy.exc_text = None
        return super().format(copy)

    def formatException(self, ei: logging._SysExcInfoType) -> str:  # noqa: N802 - the name is logging's
        lines = super().formatException(ei).splitlines()[-_TRACEBACK_LINES:]
        return "\n".join("  " * (len(line) > len(line.lstrip())) + clean(line, MESSAGE_LIMIT) for line in lines)
