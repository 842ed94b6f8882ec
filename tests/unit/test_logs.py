"""The log's one formatter: nothing that somebody sent can forge a line or steer a terminal."""

from __future__ import annotations

import io
import logging
import subprocess
import sys

import pytest
from helpers.piped import SECONDS

from linq_mcp.logs import MESSAGE_LIMIT, SafeFormatter


def logged(text: str, *arguments: object, error: BaseException | None = None) -> str:
    """A library's warning as it is written."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(SafeFormatter("%(levelname)s %(name)s: %(message)s"))
    exc_info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("mcp.server", logging.WARNING, __file__, 1, text, arguments, exc_info)
    handler.handle(record)
    return out.getvalue()


@pytest.mark.parametrize("separator", ["\n", "\r", "\x1b[2K\r", "\u0085", "\u2028", "\x00", "\u202e"])
def test_a_record_is_one_line_without_control_characters(separator: str) -> None:
    """Whatever a caller's header held."""
    text = logged("Invalid Host header: %s", f"evil{separator}ERROR root: forged")
    assert len(text.splitlines()) == 1
    assert separator not in text.removesuffix("\n")
    assert text.startswith("WARNING mcp.server: Invalid Host header: evil")


def test_a_record_is_short() -> None:
    """30 kB of a header are not 30 kB of log."""
    assert len(logged("Invalid Host header: " + "x" * 30_000)) < MESSAGE_LIMIT + 50


def test_a_traceback_keeps_its_lines_and_is_cleaned() -> None:
    """The text of the exception may be a caller's."""

    def fail() -> None:
        raise ValueError("evil\x1b[2J" + "x" * 30_000)

    try:
        fail()
    except ValueError as error:
        text = logged("failed", error=error)
    assert "Traceback" in text
    assert len(text.splitlines()) >= 4
    assert "\x1b" not in text
    assert len(text) < 2000


def test_the_record_itself_is_left_as_it_is() -> None:
    """Other handlers see what was logged."""
    record = logging.LogRecord("mcp", logging.WARNING, __file__, 1, "a\nb %s", ("c",), None)
    SafeFormatter("%(message)s").format(record)
    assert record.getMessage() == "a\nb c"


def test_the_commands_log_with_it() -> None:
    """Records of libraries, too, pass the one handler on stderr."""
    script = (
        "import logging; from linq_mcp.cli.output import log_to_stderr; log_to_stderr('INFO'); "
        r"logging.getLogger('mcp.server').warning('Invalid Host header: evil\x1b[2J\nERROR forged')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=SECONDS, check=True)
    assert done.stderr == "WARNING mcp.server: Invalid Host header: evil[2J ERROR forged\n"
