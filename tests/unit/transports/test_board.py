"""The application of `linq-mcp board`: who gets the page, what it allows, and which tools it offers."""

from __future__ import annotations

import httpx
import pytest
from helpers.streamable_http import demo, posted, result_of, serving

from linq_mcp.server.view import board_html
from linq_mcp.settings.problems import KeySource
from linq_mcp.transports.board.app import build_board_app

SECRET = "the-secret"
TOKEN = {"Authorization": f"Bearer {SECRET}"}


async def get(path: str, **headers: str) -> httpx.Response:
    async with serving(build_board_app(demo(), SECRET)) as client:
        return await client.get(path, headers=headers)


async def call(token: dict[str, str], **headers: str) -> httpx.Response:
    asked = posted("modern", "tools/call", {"name": "list_phone_numbers", "arguments": {}})
    async with serving(build_board_app(demo(), SECRET)) as client:
        return await client.post("/mcp", json=asked["json"], headers={**asked["headers"], **token, **headers})


@pytest.mark.parametrize(
    "path", ["/", "/page.js", "/another-secret/", "/another-secret/page.js", f"/{SECRET}", "/view/"]
)
async def test_without_the_secret_there_is_nothing(path: str) -> None:
    """A guess is answered like any page that does not exist."""
    assert (await get(path)).status_code == 404


@pytest.mark.parametrize("path", [f"/{SECRET}/", f"/{SECRET}/host.js", "/view"])
async def test_another_host_name_is_refused(path: str) -> None:
    """A name that leads to this machine by DNS rebinding gets no page."""
    assert (await get(path)).status_code == 200
    assert (await get(path, Host="rebound.example.com")).status_code == 421


async def test_tools_are_called_with_the_secret_only() -> None:
    """Other programs that find the port are refused, and so is the view, whose origin is opaque."""
    assert "phone_number" in str(result_of(await call(TOKEN)))
    assert (await call({})).status_code == 401
    assert (await call({"Authorization": "Bearer another-secret"})).status_code == 401
    assert (await call(TOKEN, Origin="null")).status_code == 403
    assert (await call(TOKEN, Origin="https://example.com")).status_code == 403


async def test_the_view_is_the_boards_page_without_network_or_origin() -> None:
    """The view has the policy that MCP Apps prescribes, and no word of the secret."""
    response = await get("/view")
    policy = response.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "connect-src 'none'", "sandbox allow-scripts"} <= set(policy)
    assert "allow-same-origin" not in response.headers["content-security-policy"]
    assert response.text == board_html(KeySource.DEMO)
    assert SECRET not in response.text + str(response.headers)


async def test_the_page_runs_its_own_scripts_only() -> None:
    """The page is neither kept, nor framed, nor named to the sites that it links to."""
    headers = (await get(f"/{SECRET}/")).headers
    assert "default-src 'none'; script-src 'self'; " in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
