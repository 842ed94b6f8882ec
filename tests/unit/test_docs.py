"""The documents say what is true: members, error texts, variables, and links are the code's own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from mcp import Client

from linq_mcp import settings
from linq_mcp.demo import in_process
from linq_mcp.demo.account import demo_account
from linq_mcp.demo.contacts import demo_contacts
from linq_mcp.server.app import build_server
from linq_mcp.server.callers.caller import SettingsClientProvider
from linq_mcp.settings import region, sending, store
from linq_mcp.settings.access_file import read_access_file
from linq_mcp.tools import SEND_TOOLS, TOOLS
from linq_mcp.wording.errors import HEADLINES

ROOT = Path(__file__).parents[2]
PATHS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
ANSWERS, ARCHITECTURE, ERRORS, SETTINGS, TEAM = (
    (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    for name in ("answers", "architecture", "errors", "settings", "team")
)

ALL_TOOLS = (*TOOLS, *SEND_TOOLS)


def headings(text: str, level: str) -> list[str]:
    return re.findall(rf"^{level} (.+)$", text, re.MULTILINE)


def anchor_of(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")


async def test_the_example_is_what_the_demo_account_answers() -> None:
    """The JSON blocks of answers.md are a call and its answer, to the letter but for the date."""
    arguments, answer = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", ANSWERS, re.DOTALL))
    provider = SettingsClientProvider(
        in_process.settings, transport=lambda: in_process.transport(demo_account()), names=demo_contacts
    )
    async with Client(build_server(provider)) as client:
        assert (await client.call_tool("list_chats", arguments)).structured_content == answer


def test_errors_are_quoted_to_the_letter() -> None:
    """errors.md quotes sentences that errors begin with."""
    quoted = re.findall(r'\*\*"([^"]+)"', ERRORS)
    assert quoted
    assert set(quoted) <= set(HEADLINES.values())


def test_every_variable_is_in_the_table() -> None:
    """settings.md has a row for each environment variable that is read, and no others."""
    read = {**vars(settings), **vars(sending), **vars(store), **vars(region)}
    variables = [value for name, value in read.items() if name.endswith("_VARIABLE")]
    assert sorted(re.findall(r"^\| `(\w+)` \|", SETTINGS, re.MULTILINE)) == sorted(variables)
    assert settings.DEFAULT_BASE_URL in SETTINGS


def test_everything_in_the_package_is_drawn() -> None:
    """architecture.md has a line for each module and folder at the top of the package, and no others."""
    package = ROOT / "linq_mcp"
    there = [path.name for path in package.iterdir() if path.suffix == ".py" and path.name != "__init__.py"]
    there += [f"{path.parent.name}/" for path in package.glob("*/__init__.py")]
    assert sorted(re.findall(r"^  (\w+(?:\.py|/)) ", ARCHITECTURE, re.MULTILINE)) == sorted(there)


def test_the_access_file_of_the_document_can_be_used(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", TEAM, re.DOTALL)
    (tmp_path / "acme").write_text("lq-a-key", "utf-8")
    (tmp_path / "access.toml").write_text(block.replace("/run/secrets/acme", "acme"), "utf-8")
    rules = read_access_file(
        tmp_path / "access.toml",
        settings.Settings(sending=sending.STRICTEST),
        environ={"ACME_LINQ_KEY": "lq-another-key"},
        known_tools=[tool.name for tool in ALL_TOOLS],
    ).rules
    assert [rule.settings.sending is not None for rule in rules] == [True, False]


def test_the_nginx_lines_are_the_tested_ones() -> None:
    """What team.md recommends is what two replicas were tested behind."""
    (block,) = re.findall(r"```nginx\n(.*?)```", TEAM, re.DOTALL)
    template = (ROOT / "tests" / "e2e" / "http" / "nginx.conf.template").read_text(encoding="utf-8")
    tested = {line.split("#")[0].strip() for line in template.splitlines()}
    assert [line for line in block.splitlines() if line.split("#")[0].strip() not in tested] == []


@pytest.mark.parametrize("path", PATHS, ids=[path.name for path in PATHS])
def test_every_link_and_path_leads_somewhere(path: Path) -> None:
    """Linked files, their sections, and paths of the repository that a document names are there."""
    text = path.read_text(encoding="utf-8")
    missing = []
    for target in re.findall(r"\]\((?!https?://)([^)\s]+)\)", text):
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        if not file.exists() or (anchor and anchor not in map(anchor_of, headings(file.read_text("utf-8"), "#+"))):
            missing.append(target)
    named = re.findall(r"`((?:linq_mcp|tests|docs|benchmarks|\.ci|\.github)/[\w./-]+)`", text)
    assert missing + [name for name in named if not (ROOT / name).exists()] == []


def test_the_group_of_the_service_has_another_name_than_its_user() -> None:
    """`DynamicUser` names both after the unit, and with a static group of that name systemd starts nothing."""
    text = (ROOT / "docs" / "team.md").read_text(encoding="utf-8")
    (unit,) = re.findall(r"^# /etc/systemd/system/([\w-]+)@\.service", text, re.MULTILINE)
    groups = re.findall(r"(?:groupadd --system |SupplementaryGroups=|chown root:)([\w-]+)", text)
    assert len(groups) == 3
    assert len({unit, *groups}) == 2
