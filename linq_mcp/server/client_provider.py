"""Whose Linq account a call reads: the one of the settings, or the one whose key the request carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from linq_mcp.errors import SettingsError
from linq_mcp.settings import Settings, is_key

if TYPE_CHECKING:
    import httpx

    from linq_mcp.api.client import LinqApi

KEY_HEADER = "x-linq-api-v3-api-key"


class ClientProvider(Protocol):
    """Whose Linq account a call reads."""

    async def open(self, headers: Mapping[str, str] | None, /) -> tuple[LinqApi, Settings]:
        """The connection for a request with these HTTP headers (None: stdio), and the settings it goes by.

        Raises `SettingsError`, or `ApiConnectionError` for a proxy setting that can't be used.
        """

    async def aclose(self) -> None:
        """Close what was opened."""


class SettingsClientProvider:
    """The one account of this process: settings read, and the connection opened, when a call first needs them.

    As long as a setting is missing each call reads them anew, so that a `linq login` is noticed at once.
    """

    def __init__(
        self, load: Callable[[], Settings], *, transport: Callable[[], httpx.AsyncBaseTransport] | None = None
    ) -> None:
        self._load = load
        self._transport = transport
        self._opened: tuple[LinqApi, Settings] | None = None

    async def open(self, _: Mapping[str, str] | None = None) -> tuple[LinqApi, Settings]:
        """As `ClientProvider` has it; the headers make no difference."""
        if self._opened is None:
            settings = self._load()
            if settings.problem:
                raise SettingsError(settings.problem)
            from linq_mcp.api.client import LinqApi  # noqa: PLC0415 - importing httpx would delay `initialize`

            self._opened = LinqApi(settings, transport=self._transport() if self._transport else None), settings
        return self._opened

    async def aclose(self) -> None:
        if self._opened:
            api, _ = self._opened
            self._opened = None
            await api.aclose()


class HeaderClientProvider:
    """Each request carries its caller's Linq key in a header. The key is used for that request alone and not kept.

    The connections to Linq are shared, whoever's key goes over them.
    """

    def __init__(self, settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = replace(settings, api_key=None, key_source=f"the header {KEY_HEADER}")
        self._transport = transport
        self._api: LinqApi | None = None

    async def open(self, headers: Mapping[str, str] | None, /) -> tuple[LinqApi, Settings]:
        """As `ClientProvider` has it."""
        if self._settings.base_url_problem:
            raise SettingsError(self._settings.base_url_problem)
        key = (headers or {}).get(KEY_HEADER, "").strip()
        if not key:
            raise SettingsError(
                "No Linq API key is set. This server reads Linq with each caller's own key: send it in the header "
                f"{KEY_HEADER} (under `headers` in the client's configuration of this server), then call again."
            )
        if not is_key(key):
            raise SettingsError(f"The Linq API key in the header {KEY_HEADER} has a character that no key has.")
        if self._api is None:
            from linq_mcp.api.client import LinqApi  # noqa: PLC0415 - as above

            self._api = LinqApi(self._settings, transport=self._transport)
        return self._api.with_key(key), self._settings

    async def aclose(self) -> None:
        """Close the connections, if there are any."""
        if self._api is not None:
            await self._api.aclose()
