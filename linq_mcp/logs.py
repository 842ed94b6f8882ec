"""Log records that text from outside can't forge: each on one line, cleaned, and short, whichever library logs it."""

from __future__ import annotations

import json
import logging
import time
from contextvars import ContextVar

from linq_mcp.sanitize import clean

MESSAGE_LIMIT = 1000
_TRACEBACK_LINES = 60

# The id of the HTTP request that is being answered; formats may name it as `%(request_id)s`.
request_id: ContextVar[str] = ContextVar("request_id", default="-")


class SafeFormatter(logging.Formatter):
    """Formats every record so that nothing in it can forge another record or control a terminal.

    It is set on the handler, because libraries also log what callers sent. A message becomes one line of at most
    1,000 characters. A traceback keeps its last 60 lines, indented. Times are in UTC.
    """

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        # Formatting stores the text in the record, where other handlers would see it.
        copy = logging.makeLogRecord(record.__dict__)
        copy.msg, copy.args = clean(record.getMessage(), MESSAGE_LIMIT), None
        copy.exc_text = None
        copy.request_id = request_id.get()
        return super().format(copy)

    def formatException(self, ei: logging._SysExcInfoType) -> str:  # noqa: N802 - the name is logging's
        lines = super().formatException(ei).splitlines()[-_TRACEBACK_LINES:]
        # An error's own text may have lines that look like records.
        return "\n".join(f"  {clean(line, MESSAGE_LIMIT)}" for line in lines)


class JsonFormatter(SafeFormatter):
    """The same as one JSON object a line, for programs that collect logs. It is ASCII, whatever was logged.

    A record may have further members: those of the mapping `members`, passed as `extra={"members": …}`.
    """

    def format(self, record: logging.LogRecord) -> str:
        members = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "request_id": request_id.get(),
            "message": record.getMessage(),
            **getattr(record, "members", {}),
        }
        line = {
            name: clean(value, MESSAGE_LIMIT) if isinstance(value, str) else value for name, value in members.items()
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)
