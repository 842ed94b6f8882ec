"""The README says what is true: its tools, clients, and commands are the code's own."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from linq_mcp.cli import main
from linq_mcp.cli.config import CLIENTS
from linq_mcp.server.prompts import PROMPTS, Prompt
from linq_mcp.tools import TOOLS
from linq_mcp.tools.base.tool import Tool

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = "\n".join(path.read_text(encoding="utf-8") for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize(("heading", "listed"), [("Tools", TOOLS), ("Prompts", PROMPTS)])
def test_the_tables_of_tools_and_prompts_are_complete(heading: str, listed: Sequence[Tool[Any] | Prompt]) -> None:
    (section,) = re.findall(rf"^## {heading}\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [one.name for one in listed]


@pytest.mark.parametrize("client", [client.name for client in CLIENTS.values()])
def test_every_client_is_shown(client: str) -> None:
    assert f"**{client}**" in README


def test_it_carries_the_registry_name() -> None:
    name = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))["name"]
    assert f"<!-- mcp-name: {name} -->" in README


@pytest.mark.parametrize("command", ["linq-mcp demo", "pytest"])
def test_each_command_to_try_is_one_line(command: str) -> None:
    lines = [line for line in README.splitlines() if line.startswith("python3 -m venv ") and command in line]
    assert len(lines) == 1


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`linq-mcp ([a-z][a-z-]*)[^`]*`", DOCUMENTS))))
def test_every_command_is_known(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command line accepts each command that a document names."""
    monkeypatch.setattr(sys, "argv", ["linq-mcp", command, "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert f"linq-mcp {command}" in capsys.readouterr().out


def test_it_is_read_in_minutes() -> None:
    assert len(README.split()) <= 900
