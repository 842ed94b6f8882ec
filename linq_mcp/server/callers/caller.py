"""Who calls and what is open to them, and the client for the Linq account that their call reads.

Here all callers read one account, that of the settings; `many` is for callers who read accounts of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from pydantic import SecretStr

from linq_mcp.contacts.directory import NOBODY, Directory
from linq_mcp.errors import SettingsError
from linq_mcp.settings import Settings

if TYPE_CHECKING:
    import httpx
    from mcp.server.context import ServerRequestContext
    from starlette.requests import Request

    from linq_mcp.api.client import LinqApi
    from linq_mcp.api.retry import RetryPolicy
    from linq_mcp.contacts.file import ContactsFile


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `settings` are those in force for them: their key, and the part of the account that is open to them.

    `id` is a hash, the same for the same caller in every process, and of no use to anybody who learns it. It is "" if
    there is nothing to tell the caller by. `name` is how the identity provider calls them, for an operator's audit.
    """

    id: str
    settings: Settings
    name: str = ""

    @property
    def key(self) -> str:
        """Their Linq key, for redacting it from answers; "" if there is none."""
        return self.settings.api_key.get_secret_value() if self.settings.api_key else ""


class ClientProvider(Protocol):
    """Knows the callers, and provides the client for each call."""

    def caller(self, request: Request | None, /) -> Caller:
        """Who sent the HTTP request; without one, the client on stdio, or the settings that hold for all callers.

        Never raises: a reason why their calls can't be made is in `settings.problem`.
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
        names: Callable[[], Mapping[str, str]] | None = None,
    ) -> None:
        self._load = load
        self._transport = transport
        self._retry = retry
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
            self._api = LinqApi(caller.settings, transport=transport, retry=self._retry)
        return self._api

    async def directory(self, caller: Caller) -> Directory:
        if self._names is not None:
            return Directory(self._names())
        if self._contacts is None and (path := caller.settings.contacts):
            from linq_mcp.contacts.file import ContactsFile  # noqa: PLC0415 - few servers have such a file

            self._contacts = ContactsFile(path, caller.settings.region.country)
        return await self._contacts.directory() if self._contacts else NOBODY

    async def aclose(self) -> None:
        if self._api is not None:
            api, self._api = self._api, None
            await api.aclose()


def caller_of(context: ServerRequestContext[ClientProvider]) -> Caller:
    """Who sent the request: made out by the transport, once; on stdio it is the one client."""
    request = context.request
    return request.state.caller if request else context.lifespan_context.caller(None)


def caller_id(key: SecretStr | None) -> str:
    """The `Caller.id` of callers with that key."""
    return sha256(key.get_secret_value().encode()).hexdigest() if key else ""
