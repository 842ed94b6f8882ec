"""What is published agrees with the code: manifest.json, the bundle's pins, server.json, links, and workflows."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import jsonschema
import pytest
from packaging.requirements import Requirement

import linq_mcp
from linq_mcp.server.prompts import PROMPTS
from linq_mcp.settings import (
    BASE_URL_VARIABLE,
    CONTACTS_VARIABLE,
    DEFAULT_BASE_URL,
    KEY_VARIABLE,
    LAUNCHED_BY_VARIABLE,
    LINES_VARIABLE,
    PROFILE_VARIABLE,
    TOOLS_VARIABLE,
)
from linq_mcp.settings.region import COUNTRY_VARIABLE, TIME_ZONE_VARIABLE
from linq_mcp.settings.sending import (
    CONFIRM_VARIABLE,
    SEND_CRITICAL_VARIABLE,
    SEND_LIMIT_VARIABLE,
    SEND_TO_VARIABLE,
    SEND_VARIABLE,
)
from linq_mcp.settings.store import MAX_AGE_VARIABLE, STORE_DAYS_VARIABLE, STORE_VARIABLE
from linq_mcp.tools import TOOLS

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"
VARIABLES = {
    KEY_VARIABLE,
    BASE_URL_VARIABLE,
    PROFILE_VARIABLE,
    CONTACTS_VARIABLE,
    TIME_ZONE_VARIABLE,
    COUNTRY_VARIABLE,
    LINES_VARIABLE,
    TOOLS_VARIABLE,
    STORE_VARIABLE,
    STORE_DAYS_VARIABLE,
    MAX_AGE_VARIABLE,
    SEND_VARIABLE,
    SEND_TO_VARIABLE,
    SEND_LIMIT_VARIABLE,
    SEND_CRITICAL_VARIABLE,
    CONFIRM_VARIABLE,
}


def read(name: str) -> Json:
    content: Json = json.loads((ROOT / name).read_text(encoding="utf-8"))
    return content


@pytest.fixture
def manifest() -> Json:
    return read("manifest.json")


@pytest.fixture
def server_json() -> Json:
    return read("server.json")


def read_toml(name: str) -> Json:
    return tomllib.loads((ROOT / name).read_text(encoding="utf-8"))


@pytest.fixture
def project() -> Json:
    content: Json = read_toml("pyproject.toml")["project"]
    return content


def rules_broken(server_json: Json) -> list[str]:
    rules = json.loads((ROOT / "tests/data/server_json_rules.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(rules)
    return [error.json_path for error in jsonschema.Draft7Validator(rules).iter_errors(server_json)]


def requirements(pyproject: str) -> tuple[list[Requirement], list[Requirement]]:
    """What is needed to build the package, and to run it with everything that the bundle has."""
    content = read_toml(pyproject)
    extras = content["project"].get("optional-dependencies", {})
    return (
        [Requirement(line) for line in content["build-system"]["requires"]],
        [Requirement(line) for line in [*content["project"]["dependencies"], *extras.get("files", [])]],
    )


def test_manifest_has_the_package_version(manifest: Json) -> None:
    """A bundle has the version that the server in it reports."""
    assert manifest["version"] == linq_mcp.__version__


def test_manifest_agrees_with_the_package_metadata(manifest: Json, project: Json) -> None:
    """Name, licence, author, and Python versions are the package's."""
    assert manifest["name"] == project["name"]
    assert manifest["license"] == project["license"]
    assert manifest["compatibility"]["runtimes"]["python"] == project["requires-python"]
    assert manifest["author"]["name"] == project["authors"][0]["name"]


def test_manifest_names_the_tools_there_are(manifest: Json) -> None:
    """The tools that a host shows before the first start are the ones it lists afterwards, in the same order."""
    assert [tool["name"] for tool in manifest["tools"]] == [tool.name for tool in TOOLS]
    # Those that send are there only once the user allows them.
    assert manifest["tools_generated"] is True


def test_manifest_describes_each_tool_in_one_sentence(manifest: Json) -> None:
    for tool in manifest["tools"]:
        assert re.fullmatch(r"[A-Z][^\n]{10,100}\.", tool["description"]), tool


def test_manifest_names_the_prompts_there_are(manifest: Json) -> None:
    """Descriptions and arguments are those that the server lists. Its own texts depend on what is open."""
    assert [(one["name"], one["description"], one.get("arguments", [])) for one in manifest["prompts"]] == [
        (prompt.name, prompt.description, list(prompt.arguments.model_fields)) for prompt in PROMPTS
    ]
    for prompt in manifest["prompts"]:
        assert re.findall(r"\$\{arguments\.(\w+)\}", prompt["text"]) == prompt.get("arguments", [])
    assert manifest["prompts_generated"] is True


def test_manifest_starts_the_console_script(manifest: Json, project: Json) -> None:
    """The bundle's command ends with a script that the package installs."""
    config = manifest["server"]["mcp_config"]
    assert manifest["server"]["type"] == "uv"
    assert [config["command"], *config["args"][:-1]] == ["uv", "run", "--directory", "${__dirname}"]
    assert config["args"][-1] in project["scripts"]


def test_manifest_entry_point_runs_as_a_file(manifest: Json) -> None:
    """Hosts that run uv themselves start the entry point by its path, and relative imports fail there."""
    entry_point = ROOT / manifest["server"]["entry_point"]
    source = entry_point.read_text(encoding="utf-8")
    assert "from linq_mcp" in source
    assert not re.search(r"^\s*from \.", source, re.MULTILINE)


def test_manifest_hands_over_every_setting(manifest: Json) -> None:
    """Each setting that the host asks for reaches the server in the variable that it reads."""
    env = manifest["server"]["mcp_config"]["env"]
    assert env == {
        KEY_VARIABLE: "${user_config.api_key}",
        BASE_URL_VARIABLE: "${user_config.base_url}",
        PROFILE_VARIABLE: "${user_config.profile}",
        CONTACTS_VARIABLE: "${user_config.contacts}",
        COUNTRY_VARIABLE: "${user_config.country}",
        LINES_VARIABLE: "${user_config.lines}",
        TOOLS_VARIABLE: "${user_config.tools}",
        STORE_VARIABLE: "${user_config.store}",
        STORE_DAYS_VARIABLE: "${user_config.store_days}",
        MAX_AGE_VARIABLE: "${user_config.max_age}",
        SEND_VARIABLE: "${user_config.send}",
        SEND_TO_VARIABLE: "${user_config.send_to}",
        SEND_LIMIT_VARIABLE: "${user_config.send_limit}",
        SEND_CRITICAL_VARIABLE: "${user_config.send_critical}",
        CONFIRM_VARIABLE: "${user_config.confirm}",
        LAUNCHED_BY_VARIABLE: "bundle",
    }
    assert set(manifest["user_config"]) == {
        value[len("${user_config.") : -1] for value in env.values() if value.startswith("$")
    }


def test_manifest_keeps_the_key_secret(manifest: Json) -> None:
    """The key is stored by the host as a secret, and nothing else is treated as one."""
    assert [name for name, option in manifest["user_config"].items() if option.get("sensitive")] == ["api_key"]


def test_manifest_requires_no_setting(manifest: Json) -> None:
    """`linq login` replaces the key. An unset setting without a default would reach the server as a placeholder."""
    for option in manifest["user_config"].values():
        assert option["required"] is False
        assert option["default"] == (False if option["type"] == "boolean" else "")


def test_manifest_names_the_default_base_url(manifest: Json) -> None:
    """The default that the base URL's description states is the real one."""
    assert f" {DEFAULT_BASE_URL}." in manifest["user_config"]["base_url"]["description"]


def test_project_links_lead_to_the_repository_of_the_registry_name(
    project: Json, manifest: Json, server_json: Json
) -> None:
    """`io.github.OWNER/NAME` is only granted to the repository OWNER/NAME."""
    repository = f"https://github.com/{server_json['name'].removeprefix('io.github.')}"
    assert (
        project["urls"]["Repository"] == manifest["repository"]["url"] == server_json["repository"]["url"] == repository
    )
    assert {"Changelog", "Documentation", "Issues"} <= project["urls"].keys()
    assert all(url.startswith(repository) for url in project["urls"].values())


def test_ci_runs_on_every_python_of_the_classifiers(project: Json) -> None:
    """The newest Python joins the matrix first, and the classifiers once the tests have passed on it."""
    (matrix,) = re.findall(r"python-version: (\[.*\])", (WORKFLOWS / "ci.yml").read_text(encoding="utf-8"))
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert json.loads(matrix)[: len(promised)] == promised


def test_the_release_installs_nothing_without_a_hash() -> None:
    """Whoever swaps a build tool, or a version of one, would else be in every release."""
    text = (WORKFLOWS / "release.yml").read_text(encoding="utf-8")
    (installed,) = re.findall(r"pip install (.*)", text)
    assert installed == "--require-hashes --only-binary :all: --requirement .github/build-requirements.txt"
    assert not re.search(r"\b(npm|npx|uvx|pipx|curl|wget)\b", text)
    assert "python -m build --no-isolation" in text
    entries = (ROOT / ".github" / "build-requirements.txt").read_text(encoding="utf-8")
    assert "://" not in entries
    pins = re.findall(
        r"^([\w-]+==[\w.]+(?: ; .+)?) \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", entries, re.MULTILINE
    )
    assert len(pins) == len(re.findall(r"^\w", entries, re.MULTILINE))
    built_with = {pin.name for pin in map(Requirement, pins)}
    assert {"build", *(needed.name for needed in requirements("pyproject.toml")[0])} <= built_with


def test_the_release_signs_what_it_publishes() -> None:
    """PEP 740 attestations for the package, and for the bundle its origin and its bill of materials."""
    text = (WORKFLOWS / "release.yml").read_text(encoding="utf-8")
    assert "packages-dir: dist/package/\n          attestations: true\n" in text
    assert "subject-path: dist/*/*\n" in text
    assert "subject-path: dist/bundle/*.mcpb\n          sbom-path: dist/bundle/linq-mcp.cdx.json\n" in text


def test_the_bundle_and_its_bill_of_materials(tmp_path: Path, manifest: Json) -> None:
    """The bundle has files of the repository, and the bill each package that a host installs or builds it with."""
    subprocess.run([sys.executable, ROOT / "bundle" / "pack", tmp_path], check=True, stdout=subprocess.DEVNULL)
    packed = tmp_path / f"linq-mcp-{manifest['version']}.mcpb"
    with ZipFile(packed) as bundle:
        for name in bundle.namelist():
            source = ROOT / ("bundle/pyproject.toml" if name == "pyproject.toml" else name)
            assert bundle.read(name) == source.read_bytes(), name
        top = {Path(name).parts[0] for name in bundle.namelist()}
        assert top == {"LICENSE", "README.md", "icon.png", "linq_mcp", "manifest.json", "pyproject.toml"}
    bill = json.loads((tmp_path / "linq-mcp.cdx.json").read_text("utf-8"))
    pins = [pin for pins in requirements("bundle/pyproject.toml") for pin in pins]
    listed = {f"{component['name']}=={component['version']}" for component in bill["components"]}
    assert listed == {f"{pin.name}{pin.specifier}" for pin in pins}
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()
    assert bill["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": digest}]


def test_nobody_is_told_to_install_a_name_that_is_not_ours() -> None:
    """Until the package is published, whoever takes its name on a package index could run code on readers' machines."""
    tells = re.compile(
        r"linq-mcp\[|(?:pip|uv tool|pipx|uv) (?:install|run|add) [^\n`]*(?<![./\\\w])linq-mcp\b(?!/)|uvx linq-mcp"
    )
    texts = [*ROOT.glob("*.md"), *ROOT.glob("*.json"), *ROOT.glob("docs/*.md"), *ROOT.glob("linq_mcp/**/*.py")]
    found_in = [f"{path.name}: {found[0]}" for path in texts for found in tells.finditer(path.read_text("utf-8"))]
    assert found_in == []
    assert "Not listed yet" in str(read("server.json")["_meta"])


def test_icon_is_a_png_of_the_declared_size(manifest: Json) -> None:
    """The icon exists, is small, and has the 512 by 512 pixels that hosts want."""
    data = (ROOT / manifest["icon"]).read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", data[16:24]) == (512, 512)
    assert len(data) < 40_000
    assert manifest["icons"] == [{"src": manifest["icon"], "size": "512x512"}]


def test_bundle_pins_exact_versions() -> None:
    """Each pin is one version from whichever index the host uses, so that a bundle installs what it was tested with."""
    for pin in [pin for pins in requirements("bundle/pyproject.toml") for pin in pins]:
        assert [specifier.operator for specifier in pin.specifier] == ["=="], pin
        assert "*" not in str(pin.specifier), pin
        assert pin.url is None, pin


def test_bundle_pins_what_the_package_allows() -> None:
    """Every direct dependency is pinned on every platform, to a version within the package's own range."""
    for allowed, pins in zip(requirements("pyproject.toml"), requirements("bundle/pyproject.toml"), strict=True):
        for requirement in allowed:
            versions = [pin for pin in pins if pin.name == requirement.name]
            assert versions, requirement
            assert len(versions) > 1 or versions[0].marker == requirement.marker, requirement
            for pin in versions:
                (specifier,) = pin.specifier
                assert specifier.version in requirement.specifier, pin


def test_bundle_is_built_like_the_package(project: Json) -> None:
    """Apart from its pins, the bundle's project has the package's name, version, Pythons, scripts, and files."""
    own, bundle = read_toml("pyproject.toml"), read_toml("bundle/pyproject.toml")
    assert bundle["project"].keys() == {"name", "dynamic", "requires-python", "dependencies", "scripts"}
    assert {name: project[name] for name in bundle["project"] if name != "dependencies"} == {
        name: value for name, value in bundle["project"].items() if name != "dependencies"
    }
    assert bundle["build-system"]["build-backend"] == own["build-system"]["build-backend"]
    assert bundle["tool"] == {"hatch": own["tool"]["hatch"]}


def test_server_json_keeps_the_registry_rules(server_json: Json) -> None:
    assert rules_broken(server_json) == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": "linq-mcp"}, "$.name"),
        ({"description": "x" * 101}, "$.description"),
        ({"version": "latest"}, "$.version"),
        ({"packages": []}, "$.packages"),
        ({"status": "active"}, "$"),
    ],
)
def test_registry_rules_refuse(server_json: Json, change: Json, where: str) -> None:
    assert rules_broken(server_json | change) == [where]


def test_server_json_has_the_package_version(server_json: Json) -> None:
    """The entry and the package that it points to have this version."""
    assert server_json["version"] == linq_mcp.__version__
    assert [package["version"] for package in server_json["packages"]] == [linq_mcp.__version__]


def test_server_json_leads_to_the_package(server_json: Json, project: Json) -> None:
    """`uvx` with the identifier runs a script of the same name."""
    (package,) = server_json["packages"]
    assert package["identifier"] == project["name"]
    assert package["identifier"] in project["scripts"]
    assert package["runtimeHint"] == "uvx"


def test_server_json_declares_the_variables(server_json: Json) -> None:
    """The variables are the ones that the server reads. Only the key is a secret, and none is required."""
    variables = {variable["name"]: variable for variable in server_json["packages"][0]["environmentVariables"]}
    assert set(variables) == VARIABLES
    assert [name for name, variable in variables.items() if variable.get("isSecret")] == [KEY_VARIABLE]
    assert not any(variable.get("isRequired") for variable in variables.values())
