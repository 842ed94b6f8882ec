"""Which proxy the environment wants for Linq, whatever else stands in its variables."""

from __future__ import annotations

import pytest
from helpers.scripted_api import PROXY_VARIABLES

from linq_mcp.api.proxies import proxy_for

LINQ, PROXY = "https://api.linqapp.com/api/partner", "http://proxy.example.com:3128"


@pytest.fixture(autouse=True)
def no_proxy_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": PROXY}, PROXY),
        ({"https_proxy": PROXY}, PROXY),
        ({"ALL_PROXY": PROXY}, PROXY),
        ({"HTTP_PROXY": PROXY}, None),
        ({"HTTPS_PROXY": "proxy.example.com:3128"}, PROXY),
        ({"HTTPS_PROXY": PROXY, "ALL_PROXY": "socks://127.0.0.1:1080/"}, PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "linqapp.com"}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": ".linqapp.com,::1"}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "API.LinqApp.com"}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "notlinqapp.com, app.com, api.linqapp.com.example"}, PROXY),
    ],
    ids=str,
)
def test_the_variables_are_read_as_usual(
    environ: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(LINQ) == proxy


@pytest.mark.parametrize(
    "entries",
    [
        "localhost,127.0.0.1,fd00::/8",
        "[::1]",
        "fe80::/10,::1/128",
        "10.0.0.0/8",
        "http://x:port",
        "[",
        "ü",
        " , ,",
        "a b",
    ],
)
def test_an_entry_that_no_host_has_is_passed_over(entries: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", entries)
    assert proxy_for(LINQ) == PROXY
    monkeypatch.setenv("NO_PROXY", f"{entries},linqapp.com")
    assert proxy_for(LINQ) is None
