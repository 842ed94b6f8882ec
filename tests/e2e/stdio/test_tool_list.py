"""What a client is shown of the tools: a snapshot of each, the keywords all clients accept, the bytes it costs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.mcp_client import BlockingClient, text_of
from mcp import Client

from linq_mcp.demo import in_process
from linq_mcp.demo.contacts import demo_contacts
from linq_mcp.server.app import build_server
from linq_mcp.server.callers.caller import SettingsClientProvider
from linq_mcp.server.consent.service import ConsentService
from linq_mcp.settings.sending import SendSettings
from linq_mcp.tools import SEND_TOOLS, TOOLS

SNAPSHOTS = Path(__file__).parents[2] / "snapshots"
NAMES = [tool.name for tool in (*TOOLS, *SEND_TOOLS)]
# What Claude, Gemini, OpenAI's strict mode, Cursor and the older clients all take.
INPUT_KEYWORDS = {"type", "properties", "required", "description", "enum", "minimum", "maximum", "items"}
OUTPUT_KEYWORDS = {"type", "properties", "required", "items"}
SENDING = [tool.name for tool in SEND_TOOLS]


def connected(sending: SendSettings | None) -> AbstractContextManager[BlockingClient]:
    """A client of a server over the demo account."""
    settings = replace(in_process.settings(), sending=sending)
    provider = SettingsClientProvider(lambda: settings, transport=in_process.transport, names=demo_contacts)
    consent = ConsentService(sending) if sending else None
    return BlockingClient.of(Client(build_server(provider, consent=consent)))


def tools_of(client: BlockingClient) -> dict[str, dict[str, Any]]:
    """The tools as they go over the wire, by name, in order."""
    tools = client.portal.call(client.client.list_tools).tools
    return {tool.name: tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools}


@pytest.fixture(scope="module")
def listed() -> dict[str, dict[str, Any]]:
    """The tools of a server that may send."""
    with connected(SendSettings()) as client:
        return tools_of(client)


def schemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """`schema` and every schema in it."""
    yield schema
    for inner in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
        yield from schemas(inner)


def test_the_list_is_in_a_fixed_order(listed: dict[str, Any]) -> None:
    assert list(listed) == NAMES


def test_without_the_switch_there_is_no_tool_that_writes() -> None:
    with connected(None) as client:
        tools = tools_of(client)
    assert list(tools) == [tool.name for tool in TOOLS]
    assert all(tool["annotations"]["readOnlyHint"] for tool in tools.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_tool_is_shown_as_its_snapshot_has_it(name: str, listed: dict[str, Any]) -> None:
    """A change of what models read is seen in review. SNAPSHOTS=write writes them anew; a missing one fails.

    `_meta` is for hosts alone, and a tool with a view has nothing else that the others don't.
    """
    snapshot = SNAPSHOTS / f"{name}.json"
    shown = {member: value for member, value in listed[name].items() if member != "_meta"}
    text = json.dumps(shown, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    if os.environ.get("SNAPSHOTS") == "write":
        snapshot.parent.mkdir(exist_ok=True)
        snapshot.write_text(text, encoding="utf-8")
    assert snapshot.exists(), f"no snapshot of {name}: run the tests once with SNAPSHOTS=write"
    assert text == snapshot.read_text(encoding="utf-8")


def test_there_is_no_snapshot_without_its_tool() -> None:
    assert sorted(path.stem for path in SNAPSHOTS.glob("*.json")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_input_schemas_have_only_what_every_client_takes(name: str, listed: dict[str, Any]) -> None:
    """One keyword too many and some client drops the tool, or the whole list."""
    schema = listed[name]["inputSchema"]
    assert schema["type"] == "object"
    for inner in schemas(schema):
        assert set(inner) <= INPUT_KEYWORDS
        assert isinstance(inner["type"], str)
        assert inner.get("required", ["something"])
        assert all(key.replace("_", "").isalnum() and len(key) <= 64 for key in inner.get("properties", {}))
    assert all(inner["description"] for inner in schema["properties"].values())


def test_only_the_tool_that_shows_files_has_no_output_schema(listed: dict[str, Any]) -> None:
    """Clients that prefer structured content would not show the picture after it."""
    assert [name for name, tool in listed.items() if "outputSchema" not in tool] == ["get_attachment"]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "get_attachment"])
def test_output_schemas_are_plain_objects(name: str, listed: dict[str, Any]) -> None:
    """Object root, plain types, no formats and no enums: Linq's next status must not fail in a client."""
    schema = listed[name]["outputSchema"]
    assert schema["type"] == "object"
    for inner in schemas(schema):
        assert set(inner) <= OUTPUT_KEYWORDS
        assert isinstance(inner["type"], str)


@pytest.mark.parametrize("name", NAMES)
def test_all_annotations_are_written_out(name: str, listed: dict[str, Any]) -> None:
    reads = name not in SENDING
    hints = {"readOnlyHint": reads, "destructiveHint": name == "send_message", "idempotentHint": reads}
    assert listed[name]["annotations"] == {**hints, "openWorldHint": True}
    assert listed[name]["title"]


@pytest.mark.parametrize("name", NAMES)
def test_names_and_descriptions_fit_the_clients_limits(name: str, listed: dict[str, Any]) -> None:
    assert len("linq-mcp") + len(name) <= 60
    assert 0 < len(listed[name]["description"]) < 1000


def size(value: Any) -> int:
    """Bytes of compact JSON."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def test_list_chats_alone_keeps_its_budget(listed: dict[str, Any]) -> None:
    """About 450 tokens for the tool that most conversations begin with, its output schema included."""
    assert size({"tools": [listed["list_chats"]]}) <= 1_800


def test_what_models_are_shown_keeps_its_budget(listed: dict[str, Any]) -> None:
    """What every conversation costs before the first call: under 2,000 tokens for all tools that read."""
    shown = {
        name: {member: tool[member] for member in ("name", "description", "inputSchema")}
        for name, tool in listed.items()
    }
    assert size([tool for name, tool in shown.items() if name not in SENDING]) <= 11_200
    assert size([shown[name] for name in SENDING]) <= 3_000


@pytest.mark.slow
def test_answers_on_the_demo_account_keep_their_budget() -> None:
    with connected(None) as client:
        for name, arguments, budget in (
            ("list_inbox", {}, 8_000),
            ("list_inbox", {"order": "longest_waiting"}, 8_000),
            ("summarize_activity", {}, 1_800),
        ):
            result = client.call(name, arguments)
            assert len(text_of(result).encode()) <= budget
            assert '"display_name":' in text_of(result)
            assert len((result.structured_content or {}).get("chats", range(20))) == 20


def test_output_schemas_keep_their_budget(listed: dict[str, Any]) -> None:
    """Clients that validate read them; no model is shown them."""
    assert size([tool["outputSchema"] for tool in listed.values() if "outputSchema" in tool]) <= 11_200
