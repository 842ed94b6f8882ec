"""Clients for many callers, each with connections of its own.

Connections are never shared between callers. If an upstream leaves something behind on a connection, such as a second
answer, it can reach only a later call of the same caller (httpx has no way to notice such bytes).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from linq_mcp.errors import SettingsError
from linq_mcp.settings import Settings

if TYPE_CHECKING:
    import httpx

    from linq_mcp.api.client import LinqApi

# For each caller, between their requests.
_KEPT_CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class _Entry:
    settings: Settings
    api: LinqApi


class ClientPool:
    """A client for each caller, with their settings; it is replaced when these change.

    A caller's key is kept in memory as long as their connections: until the first call after they have been idle for
    more than `idle_seconds`, or until `max_callers` others have called since.
    """

    def __init__(
        self,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        max_callers: int = 256,
        idle_seconds: float = 60.0,
    ) -> None:
        self._transport = transport
        self._max_callers = max_callers
        self._idle_seconds = idle_seconds
        # By caller. The most recently used client is at the end.
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    async def client(self, caller_id: str, settings: Settings) -> LinqApi:
        """The client of that caller. It works until the call ends, even if it is closed for others meanwhile.

        Raises `SettingsError` if the settings have a problem.
        """
        if settings.problem:
            raise SettingsError(settings.problem)
        entry = self._entries.pop(caller_id, None)
        outdated = entry.api if entry and entry.settings != settings else None
        if entry is None or outdated:
            entry = _Entry(settings, self._opened(settings))
        self._entries[caller_id] = entry
        for api in [*([outdated] if outdated else []), *self._pop_unused(but=entry.api)]:
            await api.retire()
        return entry.api

    def _opened(self, settings: Settings) -> LinqApi:
        from linq_mcp.api.client import LinqApi  # noqa: PLC0415 - importing httpx would delay `initialize`

        # Share the certificates: reading them takes longer than everything else about a new client.
        other = next(iter(self._entries.values()), None)
        return LinqApi(
            settings,
            transport=self._transport,
            tls=other.api.tls if other else None,
            kept_connections=_KEPT_CONNECTIONS,
        )

    def _pop_unused(self, *, but: LinqApi) -> list[LinqApi]:
        unused: list[str] = []
        for caller_id, entry in self._entries.items():
            too_many = len(self._entries) - len(unused) > self._max_callers
            if entry.api is but or not (too_many or entry.api.idle_seconds() > self._idle_seconds):
                break
            unused.append(caller_id)
        return [self._entries.pop(caller_id).api for caller_id in unused]

    async def aclose(self) -> None:
        """Close all connections."""
        while self._entries:
            _, entry = self._entries.popitem()
            await entry.api.aclose()
