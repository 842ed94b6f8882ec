"""Provides the client for the Linq account that a call reads: that of the settings, or that of the key in the request.

The contacts file is the operator's, so only calls that read the operator's account get the names in it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from pydantic import SecretStr

from linq_mcp.errors import SettingsError
from linq_mcp.rows.directory import NOBODY, Directory
from linq_mcp.settings import Settings, key_flaw
from linq_mcp.settings.problems import KeySource, NoKey, UnusableKey

if TYPE_CHECKING:
    import httpx

    from linq_mcp.api.client import LinqApi
    from linq_mcp.api.retry import RetryPolicy
    from linq_mcp.server.contacts import ContactsFile

KEY_HEADER = "x-linq-api-v3-api-key"
# For each caller's key, between its requests.
_KEPT_CONNECTIONS = 8

Headers = Mapping[str, str] | None


class ClientProvider(Protocol):
    """Provides the client for each call. `headers` are those of its HTTP request, or None on stdio."""

    def settings(self) -> Settings:
        """The effective settings. Never raises; what is wrong with them is in `Settings.problem`."""

    def key(self, headers: Headers, /) -> str:
        """The caller's Linq key, for redacting it from answers; "" if there is none. Never raises."""

    async def client(self, headers: Headers, /) -> LinqApi:
        """A client with the caller's key. It can be used until the call ends, and the provider closes it.

        Raises `SettingsError`, or `ApiConnectionError` if a proxy or certificate setting can't be used.
        """

    async def directory(self) -> Directory:
        """The names of people that the caller may see. Never raises."""

    async def aclose(self) -> None:
        """Close all connections."""


class SettingsClientProvider:
    """One account for all callers: that of the settings, which are read when they are first needed.

    While something in them is missing or wrong, each call reads them again, so that a `linq login` takes effect
    without a restart. `names` returns the names of people by their handles; without it, they come from the contacts
    file of the settings.
    """

    def __init__(
        self,
        load: Callable[[], Settings],
        *,
        transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
        retry: RetryPolicy | None = None,
        names: Callable[[], Mapping[str, str]] | None = None,
    ) -> None:
        self._load = load
        self._transport = transport
        self._retry = retry
        self._names = names
        self._contacts: ContactsFile | None = None
        self._settings: Settings | None = None
        self._api: LinqApi | None = None

    def settings(self) -> Settings:
        if self._settings is None or self._settings.problem:
            self._settings = self._load()
        return self._settings

    def key(self, _: Headers = None) -> str:
        api_key = self.settings().api_key
        return api_key.get_secret_value() if api_key else ""

    async def client(self, _: Headers = None) -> LinqApi:
        if self._api is None:
            settings = self.settings()
            if settings.problem:
                raise SettingsError(settings.problem)
            from linq_mcp.api.client import LinqApi  # noqa: PLC0415 - importing httpx would delay `initialize`

            transport = self._transport() if self._transport else None
            self._api = LinqApi(settings, transport=transport, retry=self._retry)
        return self._api

    async def directory(self) -> Directory:
        if self._names is not None:
            return Directory(self._names())
        if self._contacts is None and (path := self.settings().contacts):
            from linq_mcp.server.contacts import ContactsFile  # noqa: PLC0415 - few servers have such a file

            self._contacts = ContactsFile(path)
        return await self._contacts.directory() if self._contacts else NOBODY

    async def aclose(self) -> None:
        if self._api is not None:
            api, self._api = self._api, None
            await api.aclose()


class HeaderClientProvider:
    """Takes the Linq key of each call from a header of its request.

    Connections are never shared between keys. If an upstream leaves something behind on a connection, such as a second
    answer, it can reach only a later call with the same key (httpx has no way to notice such bytes).

    A key is kept in memory as long as its connections: until the first call after they have been idle for more than
    `idle_seconds`, or until `max_keys` other keys have been used since.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        max_keys: int = 64,
        idle_seconds: float = 60.0,
    ) -> None:
        self._settings = replace(settings, api_key=None, key_source=KeySource.HEADER)
        self._transport = transport
        self._max_keys = max_keys
        self._idle_seconds = idle_seconds
        # The most recently used key is at the end.
        self._clients: OrderedDict[str, LinqApi] = OrderedDict()

    def settings(self) -> Settings:
        return self._settings

    def key(self, headers: Headers, /) -> str:
        return (headers or {}).get(KEY_HEADER, "").strip()

    async def client(self, headers: Headers, /) -> LinqApi:
        if problem := self._settings.keyless_problem:
            raise SettingsError(problem)
        key = self.key(headers)
        if not key:
            raise SettingsError(NoKey(in_header=True))
        if flaw := key_flaw(key):
            raise SettingsError(UnusableKey(KeySource.HEADER, flaw))
        api = self._clients.get(key) or self._opened(key)
        self._clients[key] = api
        self._clients.move_to_end(key)
        await self._retire_unused(but=api)
        return api

    async def directory(self) -> Directory:
        return NOBODY

    def _opened(self, key: str) -> LinqApi:
        from linq_mcp.api.client import LinqApi  # noqa: PLC0415 - as above

        # Share the certificates: reading them takes longer than everything else about a new client.
        other = next(iter(self._clients.values()), None)
        return LinqApi(
            replace(self._settings, api_key=SecretStr(key)),
            transport=self._transport,
            tls=other.tls if other else None,
            kept_connections=_KEPT_CONNECTIONS,
        )

    async def _retire_unused(self, *, but: LinqApi) -> None:
        unused: list[str] = []
        for key, api in self._clients.items():
            too_many = len(self._clients) - len(unused) > self._max_keys
            if api is but or not (too_many or api.idle_seconds() > self._idle_seconds):
                break
            unused.append(key)
        for api in [self._clients.pop(key) for key in unused]:
            await api.retire()

    async def aclose(self) -> None:
        while self._clients:
            _, api = self._clients.popitem()
            await api.aclose()
