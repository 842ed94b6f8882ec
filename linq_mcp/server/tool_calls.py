"""The tools as a client sees them: lists them, dispatches a call, and turns its outcome into an answer.

This is the one place where a tool's exceptions become answers.
"""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import anyio
from mcp import types
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from pydantic_core import PydanticSerializationError, to_json

from linq_mcp.api.redaction import contains_key, without_key
from linq_mcp.contacts.directory import Directory
from linq_mcp.errors import LinqMcpError, NotSent, NotSentError, SettingsError
from linq_mcp.sanitize import clean, without_surrogates
from linq_mcp.server.call_record import OTHER, Outcome, outcome_of, record_of
from linq_mcp.server.callers.accounts import Accounts
from linq_mcp.server.callers.caller import Caller, ClientProvider, caller_of
from linq_mcp.server.consent.service import AskingCall, ConsentService
from linq_mcp.server.view import view_meta
from linq_mcp.settings.sending import STRICTEST
from linq_mcp.tools.base.loop_yield import LoopYield
from linq_mcp.tools.base.parameters import ToolArguments
from linq_mcp.tools.base.question import Ask, require_consent, with_confirm_token
from linq_mcp.tools.base.tool import Call, Tool
from linq_mcp.tools.files.answer import FileAnswer, Image, Shown
from linq_mcp.wording.errors import HEADLINES, format_error

logger = logging.getLogger(__name__)

_ELICITATION: dict[str, Any] = {"requiredCapabilities": {"elicitation": {"form": {}}}}
_ASK_FIRST = {"anthropic/requiresUserInteraction": True}


async def read_arguments(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """A middleware that takes the arguments of a call as JSON text, too, which some clients send."""
    given = (ctx.params or {}).get("arguments")
    if ctx.method != "tools/call" or not isinstance(given, str):
        return await call_next(ctx)
    try:
        arguments = json.loads(given or "{}")
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise MCPError(types.INVALID_PARAMS, "`arguments` must be an object, such as {}.")
    return await call_next(replace(ctx, params={**(ctx.params or {}), "arguments": arguments}))


class ToolCalls:
    """What the server answers about `tools`, as far as they are open to the caller.

    Those that ask a person put their question to the `consent`; without one, they do not exist.
    """

    def __init__(self, tools: Sequence[Tool[Any]], accounts: Accounts, consent: ConsentService | None) -> None:
        self._accounts = accounts
        self._tools = [_as_offered(tool, consent) for tool in tools if consent or not tool.asks]
        self._consent = consent
        self._said: set[str] = set()

    def open_to(self, caller: Caller) -> dict[str, Tool[Any]]:
        """The tools that `caller` is shown and may call, by name, in the order of the list."""
        named, sends = caller.settings.tools, caller.settings.sending is not None
        return {
            tool.name: tool for tool in self._tools if (not named or tool.name in named) and (sends or not tool.asks)
        }

    async def list_tools(
        self, context: ServerRequestContext[ClientProvider], _: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        caller = caller_of(context)
        second_call = self._consent is not None and self._consent.second_call
        tools = [_described(tool, second_call=second_call) for tool in self.open_to(caller).values()]
        return types.ListToolsResult(tools=tools)

    def input_schema(self, name: str) -> dict[str, Any] | None:
        """The schema of the tool with that name, whoever calls.

        The SDK reads it on every call over HTTP, and would have all tools described to find it.
        """
        return next((tool.input_schema for tool in self._tools if tool.name == name), None)

    async def call_tool(
        self, context: ServerRequestContext[ClientProvider], params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        caller = caller_of(context)
        tools = self.open_to(caller)
        tool = tools.get(params.name)
        record = record_of(context)
        record.tool = tool.name if tool else OTHER
        if tool is None:
            known = ", ".join(tools)
            raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {clean(params.name, 60)}. The tools are: {known}.")
        try:
            return await self._run(tool, params, context, caller)
        except MCPError:
            raise
        except Exception:
            record.outcome = Outcome.INTERNAL
            logger.exception("%s failed", tool.name)
            return _failure(
                f"{HEADLINES['internal']} This is a bug in linq-mcp; the arguments are fine. Its log (stderr) has the "
                "details. Calling again will probably not help."
            )

    async def _run(
        self,
        tool: Tool[Any],
        params: types.CallToolRequestParams,
        context: ServerRequestContext[ClientProvider],
        caller: Caller,
    ) -> types.CallToolResult | types.InputRequiredResult:
        """Call `tool`; an error that a call can meet becomes the text of its answer."""
        provider, settings = context.lifespan_context, caller.settings
        arguments: ToolArguments | None = None
        # The time that a person takes to answer doesn't count.
        seconds_left = tool.seconds

        def describe(error: LinqMcpError) -> str:
            return format_error(error, settings=settings, tool=tool, arguments=arguments.given() if arguments else {})

        reported = 0

        async def progress(count: int, total: int | None) -> None:
            nonlocal reported
            # By MCP, each notification reports more than the one before.
            if count > reported:
                reported = count
                message = f"{count:,} read" if total is None else f"{count:,} of {total:,} chats read"
                await context.session.report_progress(count, total, message=message)

        async def run(consent: Ask) -> Mapping[str, Any]:
            nonlocal seconds_left
            if tool.asks and settings.sending and settings.sending.problem:
                raise SettingsError(settings.sending.problem)
            began = anyio.current_time()
            deadline, pause = began + seconds_left, LoopYield()
            client = await provider.client(caller)
            from linq_mcp.api.scoped_client import open_api  # noqa: PLC0415 - it imports httpx, as the client does

            call = Call(
                api=await open_api(client, settings.lines, deadline=deadline),
                account=self._accounts.open(context, caller, client, deadline=deadline, progress=progress, pause=pause),
                deadline=deadline,
                caller=caller.id,
                format_error=describe,
                directory=await provider.directory(caller),
                yield_if_due=pause,
                consent=consent,
                sending=settings.sending or STRICTEST,
            )
            try:
                return self._with_missing_names(await tool.run(arguments, call), call.directory)
            finally:
                seconds_left -= anyio.current_time() - began

        try:
            arguments = tool.parse(without_key(params.arguments or {}, caller.key))
            record_of(context).target = _target(arguments)
            if not (self._consent and tool.asks):
                return _success(await run(require_consent), caller.key)
            result = await self._consent.run(
                AskingCall(
                    tool=tool.name,
                    arguments=arguments,
                    caller=caller,
                    run=run,
                    context=context,
                    state=params.request_state,
                    answers=params.input_responses,
                )
            )
            if isinstance(result, types.InputRequiredResult):
                record_of(context).outcome = Outcome.ASKED
                return result
            return _success(result, caller.key)
        except LinqMcpError as error:
            record_of(context).outcome = outcome_of(error)
            logger.debug("%s: %s", tool.name, type(error).__name__)
            if _lacks_elicitation(error, context):
                raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, describe(error), _ELICITATION) from None
            return _failure(describe(error))

    def _with_missing_names(self, result: Mapping[str, Any], directory: Directory) -> Mapping[str, Any]:
        """`result`, and once in a process why it names nobody, where something is amiss with the contacts file."""
        nobody_named = directory.found == {False}
        if (
            not (directory.missing and nobody_named)
            or isinstance(result, FileAnswer)
            or directory.missing in self._said
        ):
            return result
        self._said.add(directory.missing)
        return {**result, "note": " ".join(filter(None, [result.get("note"), directory.missing]))}


def _lacks_elicitation(error: LinqMcpError, context: ServerRequestContext[ClientProvider]) -> bool:
    """Whether the call fails for a capability that the client has to declare, which MCP has an error for since 2026."""
    cannot_ask = isinstance(error, NotSentError) and error.reason is NotSent.CANNOT_ASK
    return cannot_ask and context.protocol_version in MODERN_PROTOCOL_VERSIONS


def _target(arguments: ToolArguments) -> dict[str, str]:
    """The chat, message, and line that the call names."""
    named = {"chat_id": "chat_id", "message_id": "message_id", "from_": "line", "line": "line"}
    return {shown: value for name, shown in named.items() if (value := getattr(arguments, name, None))}


def _as_offered(tool: Tool[Any], consent: ConsentService | None) -> Tool[Any]:
    """`tool` as this server has it: with the token of a second call only where such a call can confirm."""
    if not (tool.asks and consent and consent.second_call):
        return tool
    return replace(tool, arguments=with_confirm_token(tool.arguments))


def _described(tool: Tool[Any], *, second_call: bool) -> types.Tool:
    hints = tool.annotations
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.input_schema,
        output_schema=None if tool.shows_file else tool.output_schema,
        annotations=types.ToolAnnotations(
            read_only_hint=hints.read_only,
            destructive_hint=hints.destructive,
            idempotent_hint=hints.idempotent,
            open_world_hint=hints.open_world,
        ),
        # A host that knows this asks a person before it makes the call, which would otherwise ask nobody.
        _meta={**(view_meta(tool) or {}), **(_ASK_FIRST if tool.asks and second_call else {})} or None,
    )


def _success(result: Mapping[str, Any], key: str) -> types.CallToolResult:
    """The result as text and as structured content: clients show their model one or the other.

    Where a file follows the text there is no structured content, as clients that prefer it would not show the file.
    """
    file = result if isinstance(result, FileAnswer) else None
    try:
        text = to_json(result).decode()
    except PydanticSerializationError:
        # One lone surrogate in any string would end the whole process in the SDK's writer.
        text = without_surrogates(json.dumps(result, ensure_ascii=False, separators=(",", ":")))
        result = json.loads(text)
    # A message may contain the key; it leaves here only as `[key]`.
    if contains_key(text, key):
        result = without_key(result, key)
        text = to_json(result).decode()
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=text)]
    if file is not None:
        return types.CallToolResult(content=[*content, _block(file.shown)] if file.shown else content)
    return types.CallToolResult(content=content, structured_content=dict(result))


def _block(shown: Shown) -> types.ContentBlock:
    block = types.ImageContent if isinstance(shown, Image) else types.AudioContent
    kind: Any = "image" if isinstance(shown, Image) else "audio"
    return block(type=kind, data=b64encode(shown.data).decode(), mime_type=shown.mime_type)


def _failure(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=without_surrogates(text))], is_error=True)
