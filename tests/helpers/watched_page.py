"""A page in Chromium that is watched: what passes between host and view, and whatever should not happen there.

It is imported only where Playwright is installed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from mcp import types
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Frame, Page, Playwright, Request, expect
from pydantic import TypeAdapter

Json = dict[str, Any]
SECONDS = 20
# `--no-sandbox` is for root, and the others keep the browser from calling home.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Runs in each frame before anything else: the page receives what the view sends, and the view what the page sends.
_OBSERVE = """
{
  const sender = window === top ? "view" : "host";
  addEventListener("message", ({ data }) => data?.jsonrpc && observe("message", { sender, message: data }), true);
  addEventListener(
    "securitypolicyviolation",
    ({ violatedDirective, blockedURI }) => observe("problem", `${violatedDirective} blocked ${blockedURI}`),
    true,
  );
}
"""
# What a view may ask for besides the methods of MCP Apps.
_MCP_REQUEST: TypeAdapter[Any] = TypeAdapter(types.CallToolRequest | types.ReadResourceRequest | types.PingRequest)
_RESULTS = {
    "ui/initialize": "McpUiInitializeResult",
    "ui/message": "McpUiMessageResult",
    "ui/open-link": "McpUiOpenLinkResult",
    "ui/request-display-mode": "McpUiRequestDisplayModeResult",
    "ui/resource-teardown": "McpUiResourceTeardownResult",
}


@dataclass
class Watch:
    """The messages in the order in which they arrived, as (sender, message), and what should not have happened.

    A test that breaks something names a part of the problems that come of it, as they may come late: `expected`.
    """

    messages: list[tuple[str, Json]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    expected: str | None = None

    def clear(self) -> None:
        """Forget everything, as at the start of a test."""
        self.messages.clear()
        self.problems.clear()
        self.expected = None

    def unexpected(self) -> list[str]:
        return [problem for problem in self.problems if self.expected is None or self.expected not in problem]

    def sent(self, sender: str, method: str) -> list[Json]:
        """The params of the messages with that method."""
        return [
            message.get("params", {})
            for who, message in self.messages
            if (who, message.get("method")) == (sender, method)
        ]


def launch(playwright: Playwright) -> Browser:
    expect.set_options(timeout=SECONDS * 1000)
    return playwright.chromium.launch(executable_path=os.environ["LINQ_MCP_BROWSER"], args=[*_FLAGS])


@contextmanager
def watched_page(browser: Browser, url: str, **options: Any) -> Iterator[tuple[Page, Watch]]:
    """A page in a context of its own, which is closed at the end."""
    watch = Watch()
    origin = "/".join(url.split("/")[:3])
    context = browser.new_context(**options)
    context.set_default_timeout(SECONDS * 1000)
    context.expose_binding("observe", lambda _, kind, what: _note(watch, kind, what))
    context.add_init_script(_OBSERVE)
    context.on("request", lambda request: _check_request(watch, request, origin))
    page = context.new_page()
    page.on("console", lambda message: _check_console(watch, message))
    page.on("pageerror", lambda error: watch.problems.append(f"an error: {error}"))
    page.on("dialog", lambda dialog: _dismiss(watch, dialog))
    try:
        yield page, watch
    finally:
        context.close()


def _note(watch: Watch, kind: str, what: Any) -> None:
    if kind == "message":
        watch.messages.append((what["sender"], what["message"]))
    else:
        watch.problems.append(what)


def _check_request(watch: Watch, request: Request, origin: str) -> None:
    if not request.url.startswith((f"{origin}/", "data:")):
        watch.problems.append(f"a request for {request.url[:200]}")


def _check_console(watch: Watch, message: ConsoleMessage) -> None:
    if message.type in ("error", "warning"):
        watch.problems.append(f"on the console: {message.text}")


def _dismiss(watch: Watch, dialog: Dialog) -> None:
    watch.problems.append(f"a dialog: {dialog.message[:200]}")
    dialog.dismiss()


def settle(page: Page) -> None:
    """Let what is under way arrive, and check that no text was taken for a script."""
    for frame in page.frames:
        assert frame.evaluate("new Promise((resolve) => setTimeout(() => resolve(window.hacked ?? null)))") is None


def wait_until(page: Page, condition: Callable[[], bool]) -> None:
    """Wait for what can't be seen on the page, such as a message."""
    for _ in range(SECONDS * 50):
        if condition():
            return
        page.wait_for_timeout(20)
    raise TimeoutError(f"it did not happen within {SECONDS} s")


def axe_violations(frame: Frame) -> list[str]:
    """What axe-core finds in `frame` against the levels A and AA of WCAG 2.2."""
    if not frame.evaluate("'axe' in window"):
        frame.evaluate(_from_npm("axe-core/axe.min.js"))
    found = frame.evaluate(
        """axe.run(document, {
          iframes: false,
          resultTypes: ["violations"],
          runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
        })"""
    )
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@cache
def _from_npm(path: str) -> str:
    return Path(os.environ["LINQ_MCP_BROWSER_TOOLS"], path).read_text(encoding="utf-8")


@cache
def _definitions() -> dict[str, Json]:
    text = _from_npm("@modelcontextprotocol/ext-apps/dist/src/generated/schema.json")
    schema: dict[str, dict[str, Json]] = json.loads(text, object_hook=_with_open_intersections)
    return schema["$defs"]


def _with_open_intersections(schema: Json) -> Json:
    """Correct `containerDimensions`: each side of its `allOf` forbids what the other describes, so only {} is valid."""
    for side in schema.get("allOf", []):
        for choice in side["anyOf"]:
            choice.pop("additionalProperties", None)
    return schema


@cache
def _for_methods() -> dict[str, Validator]:
    """What validates each message that has a method, by the method."""
    found = ((one.get("properties", {}).get("method", {}).get("const"), one) for one in _definitions().values())
    return {method: validator_for(schema)(schema) for method, schema in found if method}


@cache
def _for_results() -> dict[str, Validator]:
    """What validates the result of each request that the schema has one for, by the request's method."""
    schemas = {method: _definitions()[name] for method, name in _RESULTS.items()}
    schemas["tools/call"] = _definitions()["McpUiToolResultNotification"]["properties"]["params"]
    return {method: validator_for(schema)(schema) for method, schema in schemas.items()}


def invalid(messages: list[tuple[str, Json]]) -> list[str]:
    """How the messages break the schema of MCP Apps, or of JSON-RPC."""
    methods: dict[tuple[str, Any], str] = {}
    problems = []
    for sender, message in messages:
        method = message.get("method")
        if method is not None and "id" in message:
            methods[sender, message["id"]] = method
        try:
            _validate(sender, message, methods)
        except (ValidationError, ValueError, KeyError) as error:
            problems.append(f"{sender} sent {json.dumps(message)[:300]}: {str(error)[:500]}")
    return problems


def _validate(sender: str, message: Json, methods: dict[tuple[str, Any], str]) -> None:
    body = {name: value for name, value in message.items() if name not in ("jsonrpc", "id")}
    if message["jsonrpc"] != "2.0":
        raise ValueError("not JSON-RPC 2.0")
    if "method" in body:
        if validator := _for_methods().get(body["method"]):
            validator.validate(body)
        else:
            _MCP_REQUEST.validate_python(body)
        return
    asked = methods.pop(("host" if sender == "view" else "view", message["id"]))
    if "error" in body:
        types.ErrorData.model_validate(body["error"], strict=True)
    elif validator := _for_results().get(asked):
        validator.validate(body["result"])
    elif set(body) != {"result"}:
        raise ValueError("neither a result nor an error")
