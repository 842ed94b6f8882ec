"""An account that lives, the stores of a process that reads it, and the whole inbox of it."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from helpers.linq import call_over
from helpers.living_linq import LivingLinq, Week

from linq_mcp.settings.store import StoreSettings
from linq_mcp.store.stores import Stores
from linq_mcp.tools.list_inbox import LIST_INBOX

Json = dict[str, Any]
IN_MEMORY = StoreSettings()


def lived(seed: int = 0, chats: int = 6) -> LivingLinq:
    """An account after a while."""
    linq = LivingLinq()
    Week(linq, Random(seed), chats)
    return linq


def opened(linq: LivingLinq, place: StoreSettings = IN_MEMORY, **given: Any) -> Stores:
    """The stores of a process that begins now."""
    return Stores(replace(place, **given), now=lambda: linq.now.timestamp())  # noqa: PLW0108


async def inbox(linq: LivingLinq, stores: Stores, **given: Any) -> Json:
    async with call_over(linq, now=lambda: linq.now, stores=stores, **given) as call:
        return {**await LIST_INBOX.run(LIST_INBOX.parse({"limit": 100}), call)}
