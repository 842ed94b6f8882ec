"""`linq-mcp demo`: what a newcomer sees first."""

from __future__ import annotations

import html
import io
import json
import os
import re
import runpy
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import anyio
import pytest
from helpers.linq import AT_ONCE
from helpers.piped import SECONDS

import linq_mcp
from linq_mcp.cli.demo import tour
from linq_mcp.region import Region
from linq_mcp.tools import TOOLS

EASTERN = timezone(timedelta(hours=-5), "EST")
IMAGES = Path(__file__).parents[3] / "docs" / "images"


@pytest.fixture(scope="module")
def coloured() -> str:
    """What a terminal of 80 columns shows."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        anyio.run(lambda: tour(out, colour=True, region=Region(EASTERN), retry=AT_ONCE))
    return out.getvalue()


@pytest.fixture(scope="module")
def shown(coloured: str) -> str:
    """The same without its colours."""
    return re.sub(r"\x1b\[\d+m", "", coloured)


def section(shown: str, heading: str) -> list[str]:
    """The lines after a heading, without their indentation."""
    _, _, rest = shown.partition(f"\n{heading}")
    return [line[2:] for line in rest.partition("\n\n")[0].splitlines()[1:]]


def test_answers_come_first_then_the_tools_then_one_answer_verbatim(shown: str) -> None:
    headings = [line for line in shown.splitlines() if line and not line.startswith(" ")]
    assert headings == [
        "This is the demo account: a clinic, a housing agency, and a shop, all invented.",
        "Times are in the time zone EST.",
        "Who is waiting for an answer?",
        "Which chats are at risk, and on which line?",
        "What failed since yesterday, and on which line?",
        "What do the Maple Street buyers talk about?",
        "Who wrote about a refund this week?",
        f"The {len(TOOLS)} tools that an assistant has",
        "One answer verbatim, as the assistant reads it",
        "Where the operator allows sending: a person is asked first",
        "Next",
    ]


def test_those_who_wait_longest_are_shown(shown: str) -> None:
    call, count, *waiting = section(shown, "Who is waiting for an answer?")
    assert call == '> list_inbox {"waiting": true, "order": "longest_waiting", "limit": 5}'
    assert count == "21 of 300 chats are waiting; the longest:"
    assert re.match(r"\d\d-\d\d \d\d:\d\d  Sofia Pereira  Hello\?$", waiting[0])
    assert re.match(r"\d\d-\d\d \d\d:\d\d  Ravi Okafor    I've been thinking", waiting[1])
    assert re.match(r"\d\d-\d\d \d\d:\d\d  Liam Diaz      The key", waiting[3])


def test_times_are_those_of_the_time_zone(shown: str) -> None:
    (latest,) = re.findall(r'"updated_at":"(.{25})"', "".join(section(shown, "One answer verbatim")))[:1]
    assert latest.endswith("-05:00")
    assert datetime.now(EASTERN) - datetime.fromisoformat(latest) < timedelta(hours=2)


def test_one_question_and_one_delivery_are_shown(shown: str) -> None:
    lines = section(shown, "Where the operator allows sending")
    assert any(line.startswith("| To: Gwen Eriksen (+1") for line in lines)
    assert "[Send]  Don't send" in lines
    assert '"delivery_status": "delivered"' in "".join(lines)


def test_failures_are_shown_line_by_line(shown: str) -> None:
    failures = section(shown, "What failed since yesterday")
    assert [int(line.split()[1]) for line in failures[1:]] == [0, 7, 0]


def test_the_health_of_every_line_is_drawn(shown: str) -> None:
    lines = section(shown, "Which chats are at risk")
    assert "53 of 300 chats are critical or at risk:" in lines
    assert any(re.match(r"\+14155550142  CRITICAL  #+\++x+-+ 103$", line) for line in lines)


def test_a_short_conversation_and_a_search_are_shown(shown: str) -> None:
    conversation = "\n".join(section(shown, "What do the Maple Street buyers talk about?"))
    assert 'find_chats {"text": "maple street"}' in conversation
    assert re.search(r"\d\d-\d\d \d\d:\d\d  (?!me )\S", conversation)
    assert re.search(r"\d\d-\d\d \d\d:\d\d  me   ", conversation)
    search = section(shown, "Who wrote about a refund")
    assert search[0] == '> find_messages {"text": "refund"}'
    assert sum(bool(re.match(r"\d\d-\d\d \d\d:\d\d  \S", line)) for line in search) == 3


def test_every_tool_is_introduced(shown: str) -> None:
    lines = section(shown, f"The {len(TOOLS)} tools")
    assert [line for line in lines if not line.startswith(" ")] == [tool.name for tool in TOOLS]


def test_one_answer_is_shown_verbatim(shown: str) -> None:
    """Its lines put together are the JSON that the assistant reads."""
    call, *lines = section(shown, "One answer verbatim")
    assert call == '> list_chats {"limit": 2}'
    assert len(json.loads("".join(lines))["chats"]) == 2


def test_it_ends_with_the_board(shown: str) -> None:
    assert any(line.startswith("linq-mcp board --demo ") for line in section(shown, "Next"))


def test_it_fits_80_columns(shown: str) -> None:
    """No line is longer, and without colour no escape code is left."""
    assert [line for line in shown.splitlines() if len(line) > 80] == []
    assert "\x1b" not in shown


def test_the_picture_in_the_readme_is_what_the_command_prints(coloured: str) -> None:
    make = runpy.run_path(str(IMAGES / "make_demo_picture.py"))
    drawn, kept = make["draw"](make["beginning"](coloured)), (IMAGES / "demo.svg").read_text(encoding="utf-8")

    def words(picture: str) -> list[str]:
        return [re.sub(r"\d+|EST|UTC", "0", html.unescape(text)) for text in re.findall(r">([^<]+)</text>", picture)]

    assert words(kept) == words(drawn)


@pytest.mark.slow
def test_it_works_from_a_folder_that_holds_a_linq_mcp_and_ends_quietly_in_a_closed_pipe(tmp_path: Path) -> None:
    """`linq-mcp demo | head` runs the installed package, in plain text and without a traceback."""
    (tmp_path / "linq_mcp").mkdir()
    (tmp_path / "linq_mcp" / "__init__.py").write_text("raise SystemExit('the wrong package')")
    done = subprocess.run(
        f"{sys.executable} -P -m linq_mcp demo | head -n 1",
        shell=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(linq_mcp.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("This is the demo account")
    assert "\x1b" not in done.stdout
