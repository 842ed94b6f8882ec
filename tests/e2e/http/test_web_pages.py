"""Clients in web pages: browsers ask before a request, and show a script only the answers that name its origin."""

from __future__ import annotations

import pytest
from helpers.streamable_http import call, demo, eras, posted, serving
from pydantic import SecretStr

from linq_mcp.settings import KEY_HEADER
from linq_mcp.transports.http.app import build_app
from linq_mcp.transports.http.config import HttpConfig, HttpLimits

ORIGIN = "https://app.example.com"
PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
ASKED = f"authorization,content-type,mcp-method,mcp-name,mcp-protocol-version,{KEY_HEADER}"


def config(*, token: str | None = None, calls: int = 512) -> HttpConfig:
    return HttpConfig(
        allowed_origins=[ORIGIN],
        own_key=token is not None,
        token=SecretStr(token) if token else None,
        limits=HttpLimits(calls=calls),
    )


@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
async def test_a_preflight_needs_no_token(path: str) -> None:
    async with serving(build_app(demo(), config(token="token"))) as client:
        response = await client.options(path, headers={**PREFLIGHT, "Access-Control-Request-Headers": ASKED})
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in response.headers["access-control-allow-methods"]
    assert set(ASKED.split(",")) <= set(response.headers["access-control-allow-headers"].replace(" ", "").split(","))


@eras
async def test_the_answer_to_a_page_can_be_read(era: str) -> None:
    async with serving(build_app(demo(), config())) as client:
        for meta in ({}, {"progressToken": "p"}):
            asked = call(era, "list_chats", {"limit": 1})
            asked["json"]["params"]["_meta"] = {**asked["json"]["params"].get("_meta", {}), **meta}
            response = await client.post("/mcp", **{**asked, "headers": {**asked["headers"], "Origin": ORIGIN}})
            assert response.status_code == 200
            assert response.headers["access-control-allow-origin"] == ORIGIN
            assert "origin" in response.headers["vary"].lower()


async def test_a_refusal_can_be_read_with_its_headers() -> None:
    asked = {**posted("modern", "tools/list")["headers"], "Origin": ORIGIN}
    async with serving(build_app(demo(), config(token="token"))) as client:
        refusals = [
            await client.post("/mcp", headers=asked),
            await client.get("/mcp", headers=asked),
            await client.post("/mcp", headers={**asked, "Authorization": "Bearer token"}, content=b"{"),
            await client.post("/mcp", headers={**asked, "Authorization": "Bearer token", "Content-Length": "9" * 9}),
        ]
    async with serving(build_app(demo(), config(calls=0))) as client:
        refusals.append(await client.post("/mcp", headers=asked))
    assert [refusal.status_code for refusal in refusals] == [401, 405, 400, 413, 503]
    for refusal in refusals:
        assert refusal.headers["access-control-allow-origin"] == ORIGIN
        assert {"WWW-Authenticate", "Retry-After"} <= set(refusal.headers["access-control-expose-headers"].split(", "))


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://app.example.com", "null", "https://app.example.com.evil.example"]
)
async def test_another_page_gets_nothing(origin: str) -> None:
    asked = posted("modern", "tools/list")
    async with serving(build_app(demo(), config())) as client:
        refused = await client.post("/mcp", **{**asked, "headers": {**asked["headers"], "Origin": origin}})
        preflight = await client.options("/mcp", headers={**PREFLIGHT, "Origin": origin})
    assert (refused.status_code, preflight.is_success) == (403, False)
    assert "access-control-allow-origin" not in refused.headers
    assert "access-control-allow-origin" not in preflight.headers


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
async def test_what_a_form_of_a_web_page_sends_is_refused(content_type: str) -> None:
    """Browsers send these without a preflight."""
    asked = posted("legacy", "tools/list")
    async with serving(build_app(demo(), HttpConfig())) as client:
        response = await client.post("/mcp", **{**asked, "headers": {**asked["headers"], "Content-Type": content_type}})
    assert response.status_code in (400, 415)
