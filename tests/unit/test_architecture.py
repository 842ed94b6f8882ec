"""The layers of the package: imports lead down and never in a circle; tests share code through helpers only.

Imports for type checkers and imports inside functions count as well: both bind one module to another's names.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = "linq_mcp"
ROOT = Path(__file__).parents[2]
# From the bottom up. Packages on the same line are strangers to each other; the leaves may import one another.
LEAVES = {
    "linq_mcp",
    *(
        f"linq_mcp.{name}"
        for name in (
            "characters",
            "errors",
            "handles",
            "logs",
            "region",
            "regular_file",
            "sanitize",
            "search",
            "settings",
        )
    ),
}
LAYERS = [
    LEAVES,
    {"linq_mcp.api", "linq_mcp.demo"},
    {"linq_mcp.contacts"},
    {"linq_mcp.rows"},
    {"linq_mcp.store"},
    {"linq_mcp.tools.base"},
    {"linq_mcp.tools.reading", "linq_mcp.tools.sending", "linq_mcp.tools.files"},
    {"linq_mcp.tools"},
    {"linq_mcp.wording"},
    {"linq_mcp.server"},
    {"linq_mcp.transports"},
    {"linq_mcp.cli"},
    {"linq_mcp.__main__"},
]
HEIGHTS = {name: height for height, names in enumerate(LAYERS) for name in names}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted((ROOT / PACKAGE).rglob("*.py"))}
TESTS = sorted((ROOT / "tests").rglob("*.py"))


@cache
def imports(path: Path) -> tuple[str, ...]:
    """The names that a file imports: `a.b` for `import a.b`, `a.b.c` for `from a.b import c`."""

    def statements(node: ast.AST) -> Iterator[ast.AST]:
        # All that can hold a statement, and no expression, of which there are many more.
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            for child in getattr(node, name, ()):
                yield child
                yield from statements(child)

    def names() -> Iterator[str]:
        for node in statements(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                start = "." * node.level + (node.module or "")
                yield from (f"{start}.{alias.name}" for alias in node.names)

    return tuple(names())


def imported_modules(name: str) -> set[str]:
    """The package's own modules among the imports of the module `name`."""
    own = {found for found in imports(MODULES[name]) if found.split(".")[0] == PACKAGE}
    return {found if found in MODULES else found.rpartition(".")[0] for found in own}


def layer(name: str) -> str:
    """The innermost member of `LAYERS` that holds the module `name`; a newcomer at the top level is its own layer."""
    parent = name.rpartition(".")[0]
    return name if name in HEIGHTS or parent == PACKAGE else layer(parent)


def violations(of: Callable[[str], set[str]]) -> dict[str, set[str]]:
    """What `of` finds, for each module in which it finds anything."""
    return {name: found for name in MODULES if (found := of(name))}


def test_every_module_has_a_layer() -> None:
    """A new package or module at the top level is given a place in `LAYERS`."""
    assert {layer(name) for name in MODULES} == set(HEIGHTS)


def test_imports_lead_down() -> None:
    """A module imports from lower layers and from its own package."""

    def leads_down(name: str, found: str) -> bool:
        own, other = layer(name), layer(found)
        return own == other or HEIGHTS[other] < HEIGHTS[own] or {own, other} <= LEAVES

    assert violations(lambda name: {found for found in imported_modules(name) if not leads_down(name, found)}) == {}


def test_no_circle() -> None:
    """No two modules need each other, not even through others."""
    TopologicalSorter({name: imported_modules(name) for name in MODULES}).prepare()


def test_imports_are_absolute() -> None:
    """The other tests here would not recognise a relative import."""
    assert violations(lambda name: {found for found in imports(MODULES[name]) if found.startswith(".")}) == {}


def test_a_tool_imports_no_other_tool() -> None:
    """What tools share is in the folders of `tools`; only the list of tools knows them all."""

    def other_tools(name: str) -> set[str]:
        return {found for found in imported_modules(name) if layer(found) == layer(name) == "linq_mcp.tools"}

    assert violations(lambda name: set() if name == "linq_mcp.tools" else other_tools(name)) == {}


def test_the_api_client_knows_nothing_of_mcp() -> None:
    """A program that is not an MCP server could use it."""

    def of_mcp(name: str) -> set[str]:
        return {found for found in imports(MODULES[name]) if found.split(".")[0] in ("mcp", "mcp_types")}

    assert violations(lambda name: of_mcp(name) if layer(name) == "linq_mcp.api" else set()) == {}


def test_tests_import_no_test_modules() -> None:
    """What several test modules need is in `tests/helpers`."""
    # Parsing all of them takes a second.
    doubtful = [path for path in TESTS if re.search(rb"(?<!def )\btest_", path.read_bytes())]
    parts = {path.relative_to(ROOT): {part for name in imports(path) for part in name.split(".")} for path in doubtful}
    found = {path: {part for part in names if part.startswith("test_")} for path, names in parts.items()}
    assert {str(path): names for path, names in found.items() if names} == {}
