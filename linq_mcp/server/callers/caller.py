"""Says who calls and what is open to them, and provides the client for the Linq account that their call reads.

The account is that of the settings, or that of the key in the request. The contacts file is the operator's, so only
calls that read the operator's account get the names in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from pydantic import SecretStr

from linq_mcp.contacts.directory import NOBODY, Directory
from linq_mcp.errors import SettingsError
from linq_mcp.server.callers.pool import ClientPool
from linq_mcp.settings import KEY_HEADER, Settings, key_flaw
from linq_mcp.settings.problems import KeySource, NoKey, UnusableKey

if TYPE_CHECKING:
    import httpx
    from starlette.requests import Request

    from linq_mcp.api.client import LinqApi
    from linq_mcp.api.observer import Observer
    from linq_mcp.api.retry import RetryPolicy
    from linq_mcp.contacts.file import ContactsFile


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `settings` are those in force for them: their key, and what of the account is open to them.

    `id` is a hash, the same for the same caller in every process, and of no use to anybody who learns it. It is "" if
    there is nothing to tell the caller by.
    """

    id: str
    settings: Settings

    @property
    def key(self) -> str:
        """Their Linq key, for redacting it from answers; "" if there is none."""
        return self.settings.api_key.get_secret_value() if self.settings.api_key else ""


class ClientProvider(Protocol):
    """Knows the callers, and provides the client for each call."""

    def caller(self, request: Request | None, /) -> Caller:
        """Who sent the HTTP request; without one, the client on stdio, or the settings that hold for all callers.

        Never raises; what keeps the caller's calls from being made is in `settings.problem`.
        """

    async def client(self, caller: Caller, /) -> LinqApi:
        """A client with the caller's key. It can be used until the call ends, and the provider closes it.

        Raises `SettingsError`, or `ApiConnectionError` if a proxy or certificate setting can't be used.
        """

    async def directory(self, caller: Caller, /) -> Directory:
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
        observer: Observer | None = None,
        names: Callable[[], Mapping[str, str]] | None = None,
    ) -> None:
        self._load = load
        self._transport = transport
        self._retry = retry
        self._observer = observer
        self._names = names
        self._contacts: ContactsFile | None = None
        self._caller: Caller | None = None
        self._api: LinqApi | None = None

    def caller(self, _: Request | None = None) -> Caller:
        if self._caller is None or self._caller.settings.problem:
            settings = self._load()
            self._caller = Caller(caller_id(settings.api_key), settings)
        return self._caller

    async def client(self, caller: Caller) -> LinqApi:
        if self._api is None:
            if caller.settings.problem:
                raise SettingsError(caller.settings.problem)
            from linq_mcp.api.client import LinqApi  # noqa: PLC0415 - importing httpx would delay `initialize`

            transport = self._transport() if self._transport else None
            self._api = LinqApi(caller.settings, transport=transport, retry=self._retry, observer=self._observer)
        return self._api

    async def directory(self, caller: Caller) -> Directory:
        if self._names is not None:
            return Directory(self._names())
        if self._contacts is None and (path := caller.settings.contacts):
            from linq_mcp.contacts.file import ContactsFile  # noqa: PLC0415 - few servers have such a file

            self._contacts = ContactsFile(path)
        return await self._contacts.directory() if self._contacts else NOBODY

    async def aclose(self) -> None:
        if self._api is not None:
            api, self._api = self._api, None
            await api.aclose()


class HeaderClientProvider:
    """Takes the Linq key of each call from a header of its request."""

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._settings = replace(
            settings,
            api_key=None,
            key_source=KeySource.HEADER,
            contacts=None,
            problem=settings.keyless_problem or NoKey(in_header=True),
        )
        self._pool = ClientPool(transport=transport, observer=observer)

    def caller(self, request: Request | None, /) -> Caller:
        key = request.headers.get(KEY_HEADER, "").strip() if request else ""
        if not key:
            return Caller(caller_id(None), self._settings)
        flaw = key_flaw(key)
        problem = self._settings.keyless_problem or (UnusableKey(KeySource.HEADER, flaw) if flaw else None)
        secret = SecretStr(key)
        return Caller(caller_id(secret), replace(self._settings, api_key=secret, problem=problem))

    async def client(self, caller: Caller, /) -> LinqApi:
        return await self._pool.client(caller.id, caller.settings)

    async def directory(self, _: Caller, /) -> Directory:
        return NOBODY

    async def aclose(self) -> None:
        await self._pool.aclose()


def caller_id(key: SecretStr | None) -> str:
    """The `Caller.id` of whoever calls with that key."""
    return sha256(key.get_secret_value().encode()).hexdigest() if key else ""
