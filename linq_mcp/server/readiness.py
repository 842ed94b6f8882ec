"""Whether calls can be answered now: Linq can be reached, and it accepts the key if that is the server's own.

Linq is asked at most once every few seconds, however often and by however many this is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import monotonic

import anyio

from linq_mcp.errors import ApiResponseError, ApiStatusError, LinqMcpError, SettingsError
from linq_mcp.server.callers.caller import Caller, ClientProvider

STOPPING = "the server is being stopped"
_REFUSED = frozenset({401, 403})
_TOO_MANY_REQUESTS = 429


class Readiness:
    """Answers for the accounts of `provider`. With `own_key`, all calls use the server's own.

    An answer holds for `seconds`, and Linq has `limit` seconds to give it.
    """

    def __init__(
        self,
        provider: ClientProvider,
        *,
        own_key: bool,
        seconds: float = 5.0,
        limit: float = 3.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._provider = provider
        self._own_key = own_key
        self._seconds = seconds
        self._limit = limit
        self._clock = clock
        self._asking = anyio.Lock()
        self._problem = ""
        self._holds_until = float("-inf")
        self._stopping = False

    def stop(self) -> None:
        """From now on, the server is not ready."""
        self._stopping = True

    async def problem(self) -> str:
        """Why calls can't be answered, without a secret or anything that Linq wrote; "" if they can."""
        if not self._stopping:
            async with self._asking:
                if self._clock() >= self._holds_until:
                    self._problem = await self._ask_linq()
                    self._holds_until = self._clock() + self._seconds
        return STOPPING if self._stopping else self._problem

    async def _ask_linq(self) -> str:
        try:
            api = await self._provider.client(self._caller())
            await api.list_phone_numbers(deadline=anyio.current_time() + self._limit)
        except ApiStatusError as error:
            if error.status == _TOO_MANY_REQUESTS or (error.status in _REFUSED and not self._own_key):
                return ""
            return "Linq rejects the server's key" if error.status in _REFUSED else f"Linq answers with {error.status}"
        except ApiResponseError:
            return "something other than Linq answers"
        except SettingsError:
            return "a setting is missing or can't be used; the log of the start says which"
        except LinqMcpError:
            return "Linq can't be reached"
        return ""

    def _caller(self) -> Caller:
        """The server itself: with its own key, or without any, which Linq refuses if it can be reached."""
        caller = self._provider.caller(None)
        if self._own_key:
            return caller
        settings = caller.settings
        return Caller("readiness", replace(settings, api_key=None, problem=settings.keyless_problem))
