"""Log records that text from outside can't forge: each on one line, cleaned, and short, whichever library logs it."""

from __future__ import annotations

import logging

from linq_mcp.sanitize import clean

MESSAGE_LIMIT = 1000
_TRACEBACK_LINES = 60


class SafeFormatter(logging.Formatter):
    """Formats every record so that nothing in it can forge another record or control a terminal.

    It is set on the handler, because libraries also log what callers sent. A message becomes one line of at most
    1,000 characters. A traceback keeps its line breaks, and its last 60 lines.
    """

    def format(self, record: logging.LogRecord) -> str:
        # Formatting stores the text in the record, where other handlers would see it.
        copy = logging.makeLogRecord(record.__dict__)
        copy.msg, copy.args = clean(record.getMessage(), MESSAGE_LIMIT), None
        copy.exc_text = None
        return super().format(copy)

    def formatException(self, ei: logging._SysExcInfoType) -> str:  # noqa: N802 - the name is logging's
        lines = super().formatException(ei).splitlines()[-_TRACEBACK_LINES:]
        return "\n".join("  " * (len(line) > len(line.lstrip())) + clean(line, MESSAGE_LIMIT) for line in lines)
