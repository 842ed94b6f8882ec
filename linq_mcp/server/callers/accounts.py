"""The accounts that calls read, with what is kept of them. The store is imported at the first call."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
from mcp.server.context import ServerRequestContext

from linq_mcp.server.callers.caller import Caller, ClientProvider
from linq_mcp.settings import Settings
from linq_mcp.settings.problems import KeySource

if TYPE_CHECKING:
    from anyio.abc import TaskGroup
    from starlette.requests import Request

    from linq_mcp.api.client import LinqApi
    from linq_mcp.store.open_account import OpenAccount
    from linq_mcp.store.stores import Stores

# How much of the memory one account may take where there may be many.
_SHARE = 0.25


class Accounts:
    """The accounts of all callers of a server, which keeps them as `settings` say.

    Callers with keys of their own are not the operator: nothing of theirs is on the operator's disk, and nothing is
    read for them when no call of theirs is in progress.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._has_strangers = settings.key_source is KeySource.HEADER
        self._tasks: TaskGroup | None = None
        self._stores: Stores | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While this is entered, readings may go on after the call that began them."""
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = None if self._has_strangers else tasks
                try:
                    yield
                finally:
                    tasks.cancel_scope.cancel()
        finally:
            # The readings have ended, and none of them uses a database any more.
            if self._stores:
                self._stores.close()

    def open(
        self,
        context: ServerRequestContext[ClientProvider],
        caller: Caller,
        client: LinqApi,
        *,
        deadline: float,
        progress: Callable[[int, int | None], Awaitable[None]],
        pause: Callable[[], Awaitable[None]],
    ) -> OpenAccount:
        """The account of a call, as far as it is open to the caller."""
        from linq_mcp.api.scoped_client import Scope  # noqa: PLC0415 - it imports httpx, as the client does
        from linq_mcp.store.access import Access  # noqa: PLC0415
        from linq_mcp.store.open_account import OpenAccount  # noqa: PLC0415
        from linq_mcp.store.stores import Stores  # noqa: PLC0415

        if self._stores is None:
            store = self._settings.store.in_memory() if self._has_strangers else self._settings.store
            many = self._settings.key_source in (KeySource.HEADER, KeySource.ACCESS_FILE)
            self._stores = Stores(store, share=_SHARE if many else 1.0, tasks=self._tasks)
        provider, request = context.lifespan_context, context.request
        access = Access(
            account=self._stores.account(caller.settings),
            api=client,
            scope=Scope(caller.settings.lines),
            deadline=deadline,
            now=time.time,
            max_age=self._settings.store.max_age,
            progress=progress,
            pause=pause,
            may_go_on=lambda: provider.caller(request) == caller and not _has_expired(request),
        )
        return OpenAccount(access)


def _has_expired(request: Request | None) -> bool:
    """Whether the access token of a request is valid no longer."""
    token = getattr(request.scope.get("user"), "access_token", None) if request else None
    return bool(token and token.expires_at and token.expires_at < time.time())
