"""Completes the `chat` of a prompt: the names of chats, and people's names and handles, on the first page of chats.

A page is used for a minute, and only with the client and the lines that it was read with, so that no caller sees what
is not, or no longer, open to them. Whatever keeps it from being read, the completion is empty: while a person types,
nobody reads an error.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary

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
from linq_mcp.server.callers.caller import Caller, ClientProvider, caller_of
from linq_mcp.server.prompts import CHAT_LIMIT, PromptRequests
from linq_mcp.tools.reading.chat_names import ChatNames, name_matcher
from linq_mcp.tools.reading.scan import PAGE_SIZE

if TYPE_CHECKING:
    from linq_mcp.api.client import LinqApi
    from linq_mcp.api.models import Chat

logger = logging.getLogger(__name__)

# A person is typing.
SECONDS = 3.0
_FRESH_SECONDS = 60.0
# By the protocol.
_MOST_VALUES = 100

Context: TypeAlias = ServerRequestContext[ClientProvider]


@dataclass(slots=True)
class _FirstPage:
    """What the chats of a first page are called, and whether there are more.

    It may be used until `fresh_until`. Whoever reads it anew holds `reading`, for which others wait.
    """

    names: tuple[ChatNames, ...] = ()
    has_more: bool = False
    fresh_until: float = -inf
    reading: anyio.Lock = field(default_factory=anyio.Lock)


class ChatCompletion:
    """Answers `completion/complete` for the prompts in `prompts`."""

    def __init__(self, prompts: PromptRequests) -> None:
        self._prompts = prompts
        # By client, then by the lines that are open. A caller's client is another one when their settings change.
        self._pages: WeakKeyDictionary[LinqApi, dict[tuple[str, ...], _FirstPage]] = WeakKeyDictionary()

    async def complete(self, context: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
        provider = context.lifespan_context
        caller = caller_of(context)
        self._check(params, caller)
        completion = types.Completion(values=[], total=0, has_more=False)
        try:
            with anyio.move_on_after(SECONDS) as scope:
                client = await provider.client(caller)
                page = await self._first_page(client, caller.settings.lines, scope.deadline)
                directory = await provider.directory(caller)
                # Cleaned to what a prompt takes: a client may send a megabyte of invisible characters.
                typed = clean(params.argument.value, CHAT_LIMIT)
                matches, beginning = name_matcher(SearchQuery.parse(typed), directory), fold(typed)
                found = (_value(names, directory) for names in page.names if matches(names))
                values = list(dict.fromkeys(without_key(value, caller.key) for value in found))
                values.sort(key=lambda value: not fold(value).startswith(beginning))
                completion = types.Completion(
                    values=values[:_MOST_VALUES],
                    total=None if page.has_more else len(values),
                    has_more=page.has_more or len(values) > _MOST_VALUES,
                )
        except LinqMcpError as error:
            logger.info("completion: %s", type(error).__name__)
        return types.CompleteResult(completion=completion)

    def _check(self, params: types.CompleteRequestParams, caller: Caller) -> None:
        """Raises `MCPError` unless the argument is one of a prompt that is offered."""
        if not isinstance(params.ref, types.PromptReference):
            raise MCPError(types.INVALID_PARAMS, "Only the arguments of prompts can be completed.")
        known = self._prompts.prompt(params.ref.name, caller).arguments.model_fields
        if params.argument.name not in known:
            name = clean(params.argument.name, 60)
            raise MCPError(types.INVALID_PARAMS, f"Unknown argument: {name}. Valid: {', '.join(known) or 'none'}.")

    async def _first_page(self, client: LinqApi, lines: tuple[str, ...], deadline: float) -> _FirstPage:
        page = self._pages.setdefault(client, {}).setdefault(lines, _FirstPage())
        async with page.reading:
            if page.fresh_until <= anyio.current_time():
                from linq_mcp.api.scoped_client import open_api  # noqa: PLC0415 - it imports httpx, as the client does

                api = await open_api(client, lines, deadline=deadline)
                read = await api.list_chats(from_=None, to=None, limit=PAGE_SIZE, cursor=None, deadline=deadline)
                page.names = tuple(names for chat in read.items for names in _names(chat))
                page.has_more = read.next_cursor is not None or read.unusable_cursor
                page.fresh_until = anyio.current_time() + _FRESH_SECONDS
        return page


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
