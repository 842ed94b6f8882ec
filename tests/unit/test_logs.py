"""The log's one formatter: nothing that somebody sent can forge a line or steer a terminal."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys

import pytest
from helpers.piped import SECONDS

from linq_mcp.logs import MESSAGE_LIMIT, JsonFormatter, SafeFormatter, request_id

PLAIN = SafeFormatter("%(levelname)s %(name)s: %(message)s")


def logged(
    text: str, *arguments: object, error: BaseException | None = None, formatter: logging.Formatter = PLAIN
) -> str:
    """A library's warning as it is written."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    exc_info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("mcp.server", logging.WARNING, __file__, 1, text, arguments, exc_info)
    handler.handle(record)
    return out.getvalue()


def raised(error: Exception) -> Exception:
    """The error with a traceback."""

    def fail() -> None:
        raise error

    try:
        fail()
    except Exception as caught:  # noqa: BLE001 - whichever it is
        return caught
    raise AssertionError


@pytest.mark.parametrize("separator", ["\n", "\r", "\x1b[2K\r", "\u0085", "\u2028", "\x00", "\u202e"])
def test_a_record_is_one_line_without_control_characters(separator: str) -> None:
    text = logged("Invalid Host header: %s", f"evil{separator}ERROR root: forged")
    assert len(text.splitlines()) == 1
    assert separator not in text.removesuffix("\n")
    assert text.startswith("WARNING mcp.server: Invalid Host header: evil")


def test_a_record_is_short() -> None:
    """30 kB of a header are not 30 kB of log."""
    assert len(logged("Invalid Host header: " + "x" * 30_000)) < MESSAGE_LIMIT + 50


def test_a_traceback_keeps_its_lines_and_is_cleaned() -> None:
    text = logged("failed", error=raised(ValueError("evil\x1b[2J" + "x" * 30_000)))
    assert "Traceback" in text
    assert len(text.splitlines()) >= 4
    assert "\x1b" not in text
    assert len(text) < 2000


@pytest.mark.parametrize("separator", ["\n", "\r", "\u2028", "\x0b"])
def test_a_traceback_forges_no_record(separator: str) -> None:
    """Only the first line of a record begins where records begin."""
    text = logged("failed", error=raised(ValueError(f"evil{separator}WARNING mcp.server: forged")))
    assert "forged" in text
    assert [line for line in text.splitlines()[1:] if not line.startswith("  ")] == []


def test_the_record_itself_is_left_as_it_is() -> None:
    """Other handlers see what was logged."""
    record = logging.LogRecord("mcp", logging.WARNING, __file__, 1, "a\nb %s", ("c",), None)
    SafeFormatter("%(message)s").format(record)
    assert record.getMessage() == "a\nb c"


@pytest.mark.parametrize(
    "text", ["plain", 'quotes " and \\', "new\nline", "\ud83d", "\x00\x1b[2J", "\u202e", "é😀", "x" * 5000]
)
@pytest.mark.parametrize("failed", [False, True])
def test_a_line_of_json_is_valid_whatever_was_logged(text: str, failed: bool) -> None:
    """Each record is one line of ASCII with the same members, with a traceback or without."""
    line = logged("evil: %s", text, error=raised(ValueError(text)) if failed else None, formatter=JsonFormatter())
    assert line.isascii()
    assert line.count("\n") == 1
    written = json.loads(line)
    assert list(written)[:5] == ["time", "level", "logger", "request_id", "message"]
    assert (written["level"], written["logger"]) == ("WARNING", "mcp.server")
    assert written["message"].startswith("evil:")
    assert len(written["message"]) <= MESSAGE_LIMIT
    assert ("exception" in written) is failed
    assert not {"\x1b", "\x00", "\u202e", "\ud83d"} & set("".join(map(str, written.values())))


def test_times_are_in_utc() -> None:
    record = logging.LogRecord("mcp", logging.INFO, __file__, 1, "", (), None)
    record.created, record.msecs = 1_795_500_000.25, 250
    assert SafeFormatter("%(asctime)s").format(record) == "2026-11-24T06:00:00.250Z"


def test_every_record_has_the_id_of_its_request() -> None:
    formatter = SafeFormatter("%(request_id)s %(message)s")
    assert logged("started", formatter=formatter) == "- started\n"
    token = request_id.set("abc")
    try:
        assert logged("answered", formatter=formatter) == "abc answered\n"
    finally:
        request_id.reset(token)


def test_the_commands_log_with_it() -> None:
    """Records of libraries, too, pass the one handler on stderr."""
    script = (
        "import logging; from linq_mcp.cli.stderr import log_to_stderr; log_to_stderr('INFO'); "
        r"logging.getLogger('mcp.server').warning('Invalid Host header: evil\x1b[2J\nERROR forged')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=SECONDS, check=True)
    assert done.stderr == "WARNING mcp.server: Invalid Host header: evil[2J ERROR forged\n"
