"""Completes the `chat` of a prompt: the names of chats, and people's names and handles, from the chats that are kept.

Whatever keeps them from being read, the completion is empty: while a person types, nobody reads an error.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

import anyio
from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

from linq_mcp.api.redaction import without_key
from linq_mcp.contacts.directory import Directory
from linq_mcp.errors import LinqMcpError
from linq_mcp.rows.chat import NAME_LIMIT
from linq_mcp.sanitize import HANDLE_LIMIT, clean
from linq_mcp.search import SearchQuery, fold
from linq_mcp.server.callers.accounts import Accounts
from linq_mcp.server.callers.caller import Caller, ClientProvider, caller_of
from linq_mcp.server.prompts import CHAT_LIMIT, PromptRequests
from linq_mcp.tools.base.loop_yield import LoopYield
from linq_mcp.tools.reading.chat_names import ChatNames, name_matcher

if TYPE_CHECKING:
    from linq_mcp.api.models import Chat

logger = logging.getLogger(__name__)

# A person is typing.
SECONDS = 3.0
# Reading more of them would take longer than a person waits for.
_MOST_CHATS = 5000
# By the protocol.
_MOST_VALUES = 100

Context: TypeAlias = ServerRequestContext[ClientProvider]


class ChatCompletion:
    """Answers `completion/complete` for the prompts in `prompts`."""

    def __init__(self, prompts: PromptRequests, accounts: Accounts) -> None:
        self._prompts, self._accounts = prompts, accounts

    async def complete(self, context: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
        caller = caller_of(context)
        self._check(params, caller)
        completion = types.Completion(values=[], total=0, has_more=False)
        try:
            with anyio.move_on_after(SECONDS) as scope:
                completion = await self._completion(context, caller, params.argument.value, scope.deadline)
        except LinqMcpError as error:
            logger.info("completion: %s", type(error).__name__)
        return types.CompleteResult(completion=completion)

    async def _completion(self, context: Context, caller: Caller, text: str, deadline: float) -> types.Completion:
        provider = context.lifespan_context
        client, directory = await provider.client(caller), await provider.directory(caller)
        pause = LoopYield()
        account = self._accounts.open(context, caller, client, deadline=deadline, progress=_quietly, pause=pause)
        # Cleaned to what a prompt takes: a client may send a megabyte of invisible characters.
        typed = clean(text, CHAT_LIMIT)
        matches, beginning = name_matcher(SearchQuery.parse(typed), directory), fold(typed)
        values: dict[str, None] = {}
        chats, is_all = await account.known_chats(_MOST_CHATS)
        for chat in chats:
            await pause()
            found = (_value(names, directory) for names in _names(chat) if matches(names))
            values.update((without_key(value, caller.key), None) for value in found)
        ordered = sorted(values, key=lambda value: not fold(value).startswith(beginning))
        return types.Completion(
            values=ordered[:_MOST_VALUES],
            total=len(ordered) if is_all else None,
            has_more=not is_all or len(ordered) > _MOST_VALUES,
        )

    def _check(self, params: types.CompleteRequestParams, caller: Caller) -> None:
        """Raises `MCPError` unless the argument is one of a prompt that is offered."""
        if not isinstance(params.ref, types.PromptReference):
            raise MCPError(types.INVALID_PARAMS, "Only the arguments of prompts can be completed.")
        known = self._prompts.prompt(params.ref.name, caller).arguments.model_fields
        if params.argument.name not in known:
            name = clean(params.argument.name, 60)
            raise MCPError(types.INVALID_PARAMS, f"Unknown argument: {name}. Valid: {', '.join(known) or 'none'}.")


def _names(chat: Chat) -> Iterator[ChatNames]:
    """What `chat` is called: by the name that somebody gave it, or else by each of its people.

    The beginning of a name is enough to find it by; an ellipsis would not be part of it.
    """
    given, handles = ChatNames.of(chat)
    name = clean(given, None)[:NAME_LIMIT].rstrip()
    shown = tuple(filter(None, (clean(handle, HANDLE_LIMIT) for handle in handles)))
    if name:
        yield ChatNames(name, shown)
    else:
        yield from (ChatNames("", (handle,)) for handle in shown)


def _value(names: ChatNames, directory: Directory) -> str:
    return names.given or directory.name_of(names.handles[0]) or names.handles[0]


async def _quietly(_: int, __: int | None) -> None:
    """Report no progress."""
