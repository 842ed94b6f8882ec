"""The README says what is true: its example, tools, variables, error texts and commands are the code's own."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from linq_mcp.cli import main
from linq_mcp.cli.config import CLIENTS
from linq_mcp.demo import in_process
from linq_mcp.rows.chat import ChatRow
from linq_mcp.rows.message import MessageRow
from linq_mcp.rows.schema import json_schema
from linq_mcp.server.app import build_server
from linq_mcp.server.client_provider import SettingsClientProvider
from linq_mcp.server.error_messages import HEADLINES
from linq_mcp.settings import (
    BASE_URL_VARIABLE,
    DEFAULT_BASE_URL,
    HTTP_TOKEN_VARIABLE,
    KEY_VARIABLE,
    LOG_LEVEL_VARIABLE,
    PROFILE_VARIABLE,
)
from linq_mcp.tools import TOOLS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
JSON_BLOCKS: list[Any] = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", README, re.DOTALL)]
# GitHub's and PyPI's renderers agree on these.
HEADINGS = re.findall(r"^### (.+)$", README, re.MULTILINE)


async def test_the_example_is_what_the_demo_account_answers() -> None:
    """The first two JSON blocks are a call and its answer, to the letter; the third is the beginning of a summary."""
    arguments, answer, summary = JSON_BLOCKS[:3]
    async with Client(
        build_server(SettingsClientProvider(in_process.settings, transport=in_process.transport))
    ) as client:
        assert (await client.call_tool("list_chats", arguments)).structured_content == answer
        whole = (await client.call_tool("summarize_chat_health", {})).structured_content
        assert whole is not None
        assert {name: whole[name] for name in ("scanned", "complete")} == {"scanned": 300, "complete": True}
        assert whole["lines"] == summary["lines"]


def test_every_error_text_has_its_heading() -> None:
    """The headings are the verbatim sentences that errors begin with."""
    assert sorted(HEADINGS) == sorted(HEADLINES.values())


@pytest.mark.parametrize("tool", [tool.name for tool in TOOLS])
def test_every_tool_is_named(tool: str) -> None:
    """What a client lists can be looked up."""
    assert f"`{tool}`" in README


def test_every_member_of_a_row_is_named() -> None:
    """The fields' tables are complete."""
    members = [*json_schema(ChatRow)["properties"], *json_schema(MessageRow)["properties"]]
    assert [member for member in members if f"`{member}`" not in README] == []


VARIABLES = [KEY_VARIABLE, PROFILE_VARIABLE, BASE_URL_VARIABLE, HTTP_TOKEN_VARIABLE, LOG_LEVEL_VARIABLE]


@pytest.mark.parametrize("name", VARIABLES)
def test_every_variable_is_in_the_table(name: str) -> None:
    """Each environment variable has its row."""
    assert f"| `{name}` |" in README
    assert DEFAULT_BASE_URL in README


@pytest.mark.parametrize("client", [client.name for client in CLIENTS.values()])
def test_every_client_is_shown(client: str) -> None:
    """The five clients that `linq-mcp config` knows."""
    assert f"**{client}**" in README


def test_the_nginx_lines_are_those_of_the_test() -> None:
    """What is recommended is what two replicas were tried behind."""
    (block,) = re.findall(r"```nginx\n(.*?)```", README, re.DOTALL)
    template = (ROOT / "tests" / "e2e" / "http" / "nginx.conf.template").read_text(encoding="utf-8")
    tried = {line.split("#")[0].strip() for line in template.splitlines()}
    assert [line for line in block.splitlines() if line.split("#")[0].strip() not in tried] == []


def test_it_is_short_and_carries_the_registry_name() -> None:
    """At most 200 lines, and the name that the MCP Registry looks for."""
    assert len(README.splitlines()) <= 200
    name = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))["name"]
    assert f"<!-- mcp-name: {name} -->" in README


COMMANDS = sorted(set(re.findall(r"`linq-mcp ([a-z][a-z-]*)`", README)))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_known(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the README tells to run, the command line takes."""
    monkeypatch.setattr(sys, "argv", ["linq-mcp", command, "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert f"linq-mcp {command}" in capsys.readouterr().out
