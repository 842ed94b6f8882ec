"""Asking a person before a tool acts, in both protocol eras. Knows MCP and nothing of Linq.

A tool that needs consent raises its question. In the handshake era the person is asked while the call waits; in that
of 2026-07-28 the call ends with the question and a sealed state, and the client calls again with both answer and state.
Where the client has no way to ask, the operator may have chosen that a second call with a token is enough.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_hex
from typing import Any, TypeAlias

import anyio
from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.request_state import (
    AESGCMRequestStateCodec,
    InvalidRequestState,
    RequestStateBoundary,
    RequestStateSecurity,
)
from mcp.shared.exceptions import MCPError
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from linq_mcp.errors import NotSent, NotSentError
from linq_mcp.server.callers.caller import ClientProvider, caller_of
from linq_mcp.server.consent.form import NO_ANSWER_IN_TIME, agreed_text, form_of
from linq_mcp.server.consent.limit import SendLimit
from linq_mcp.settings.sending import Confirm, SendSettings
from linq_mcp.tools.base.question import Ask, Consent, ConsentNeeded, Question, require_consent

CONFIRM_TOKEN = "confirm_token"  # noqa: S105 - an argument's name
_AUDIENCE = "linq-mcp"
_ANSWER = "consent"
_PREVIEW_NOTE = (
    "Nothing has been sent. Show the preview to your user. Only if they agree to it, call again with the same "
    f"arguments and this {CONFIRM_TOKEN}, which is good once."
)

Context: TypeAlias = ServerRequestContext[ClientProvider, Any]
Result: TypeAlias = Mapping[str, Any]
Run: TypeAlias = Callable[[Ask], Awaitable[Result]]


@dataclass(frozen=True)
class Pending:
    """A question that a client carries from one call to the next, sealed; `fingerprint` is the question's."""

    nonce: str
    fingerprint: str
    asked_at: float

    @staticmethod
    def of(question: Question) -> Pending:
        return Pending(token_hex(16), question.fingerprint(), time.time())


class ConsentService:
    """Every question of one server: what may be asked, who answers, and which answers have been used.

    `seconds` is how long a person has for an answer, `progress_seconds` how often a waiting client is told that they
    still have not given one, and `token_seconds` how long a token for a second call is good.
    """

    def __init__(
        self,
        settings: SendSettings,
        *,
        limit: SendLimit | None = None,
        seconds: float = 300.0,
        progress_seconds: float = 10.0,
        token_seconds: float = 600.0,
    ) -> None:
        self.settings = settings
        self._second_call = settings.confirm is Confirm.SECOND_CALL
        self._limit = limit or SendLimit(settings.limit)
        self._seconds = seconds
        self._progress_seconds = progress_seconds
        self._token_seconds = token_seconds
        keys = [key.get_secret_value().encode() for key in settings.state_keys] or [os.urandom(32)]
        self._codec = AESGCMRequestStateCodec(keys)
        # Nonces of the answers that came, with when they can be forgotten, the oldest first.
        self._used: dict[str, float] = {}

    def boundary(self) -> RequestStateBoundary:
        """The middleware that seals states, and opens only those of the same call by the same caller."""
        security = RequestStateSecurity(codec=self._codec, ttl=2 * self._seconds, bind_principal=_caller_id)
        return RequestStateBoundary(security, default_audience=_AUDIENCE)

    async def run(
        self, run: Run, context: Context, params: types.CallToolRequestParams
    ) -> Result | types.InputRequiredResult:
        """The result of `run`, to which somebody has agreed if it asks; or the question, for the client to ask.

        Raises what `run` raises, and `NotSentError` where nobody agrees.
        """
        if params.request_state is not None or params.input_responses is not None:
            return await run(self._answered(params))
        if (params.arguments or {}).get(CONFIRM_TOKEN) is not None:
            return await run(self._confirmed(context, params))
        try:
            return await run(require_consent)
        except ConsentNeeded as needed:
            question = needed.question
        if obstacle := why_not_asked(context):
            return self._preview(question, context, params, obstacle)
        self._limit.take(_caller_id(context), question.subject)
        pending = Pending.of(question)
        if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return types.InputRequiredResult(
                input_requests={_ANSWER: types.ElicitRequest(params=form_of(question))},
                request_state=json.dumps(vars(pending)),
            )
        text = agreed_text(question, await self._ask(question, context))
        return await run(lambda asked: _consent(pending, asked, text, "person"))

    def _answered(self, params: types.CallToolRequestParams) -> Ask:
        """Goes on with the answer that came with the state of its question."""
        if params.request_state is None:
            raise NotSentError(NotSent.INVALID_CONSENT, "The answer came without the state of its question.")
        try:
            pending = Pending(**json.loads(params.request_state))
        except (ValueError, TypeError):
            # A replica of another release, with the same key, may have sealed it.
            raise NotSentError(NotSent.INVALID_CONSENT, "The state is of another version of this server.") from None
        self._use(pending.nonce, 2 * self._seconds)
        answer = (params.input_responses or {}).get(_ANSWER)
        if time.time() > pending.asked_at + self._seconds:
            raise NotSentError(NotSent.DECLINED, NO_ANSWER_IN_TIME)
        if not isinstance(answer, types.ElicitResult):
            raise NotSentError(NotSent.INVALID_CONSENT, "There was no answer to the question.")
        return lambda asked: _consent(pending, asked, agreed_text(asked, answer), "person")

    async def _ask(self, question: Question, context: Context) -> types.ElicitResult | None:
        """The person's answer; None if there is none in time. A call that is cancelled takes the question back."""
        answer: types.ElicitResult | None = None
        failed = False
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._report_waiting, context)
            with anyio.move_on_after(self._seconds):
                try:
                    form = form_of(question)
                    answer = await context.session.elicit_form(form.message, form.requested_schema, context.request_id)
                except (MCPError, ValidationError):
                    failed = True
            tasks.cancel_scope.cancel()
        if failed:
            raise NotSentError(NotSent.CANNOT_ASK, "It failed to show the question.")
        return answer

    async def _report_waiting(self, context: Context) -> None:
        waited = 0
        while True:
            await anyio.sleep(self._progress_seconds)
            waited += 1
            await context.session.report_progress(waited, message="Waiting for the person's answer")

    def _preview(
        self, question: Question, context: Context, params: types.CallToolRequestParams, obstacle: str
    ) -> Result:
        """What would happen, and the token with which a second call makes it happen."""
        if not self._second_call:
            raise NotSentError(NotSent.CANNOT_ASK, obstacle)
        self._limit.take(_caller_id(context), question.subject)
        claims = {**vars(Pending.of(question)), "bound_to": _bound_to(context, params)}
        token = self._codec.seal(json.dumps(claims).encode())
        return {"sent": False, "note": _PREVIEW_NOTE, "preview": question.message, CONFIRM_TOKEN: token}

    def _confirmed(self, context: Context, params: types.CallToolRequestParams) -> Ask:
        """Goes on with the token of a preview."""
        if not self._second_call or not why_not_asked(context):
            raise NotSentError(
                NotSent.INVALID_CONSENT, f"`{CONFIRM_TOKEN}` can't be used here, because a person can be asked."
            )
        try:
            claims = json.loads(self._codec.unseal(str((params.arguments or {})[CONFIRM_TOKEN])))
            bound_to = claims.pop("bound_to")
            pending = Pending(**claims)
        except (InvalidRequestState, ValueError, KeyError, TypeError):
            raise NotSentError(NotSent.INVALID_CONSENT, f"`{CONFIRM_TOKEN}` is not from this server.") from None
        if bound_to != _bound_to(context, params):
            raise NotSentError(NotSent.INVALID_CONSENT, f"`{CONFIRM_TOKEN}` belongs to other arguments.")
        if time.time() > pending.asked_at + self._token_seconds:
            raise NotSentError(NotSent.INVALID_CONSENT, f"`{CONFIRM_TOKEN}` is too old.")
        self._use(pending.nonce, self._token_seconds)
        return lambda asked: _consent(pending, asked, asked.text, "second call")

    def _use(self, nonce: str, seconds: float) -> None:
        """Use up `nonce`. Raises `NotSentError` if it was used before."""
        now = time.monotonic()
        self._used = {used: until for used, until in self._used.items() if until > now}
        if nonce in self._used:
            raise NotSentError(NotSent.INVALID_CONSENT, "This answer has been used before.")
        self._used[nonce] = now + seconds


def _caller_id(context: Context) -> str:
    """The id of the caller, to whom questions and answers are bound."""
    return caller_of(context).id


def why_not_asked(context: Context) -> str:
    """Why the client can't ask a person; "" if it can."""
    if context.request is not None and context.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        # There is no connection on which the question could go out, nor a session that knows what the client can do.
        return "Over HTTP that takes protocol version 2026-07-28 or later, which this client does not speak."
    capabilities = context.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    if elicitation is None:
        return "It does not declare MCP's elicitation capability."
    if elicitation.form is None and elicitation.url is not None:
        return "It can only show people web pages (elicitation in URL mode), and this question is a form."
    return ""


def _consent(pending: Pending, question: Question, text: str | None, confirmed_by: str) -> Consent:
    """The consent to `question`, if it still is the one that was asked."""
    if question.fingerprint() != pending.fingerprint:
        raise NotSentError(
            NotSent.INVALID_CONSENT, "Something about the chat has changed since the question was asked."
        )
    return Consent(nonce=pending.nonce, text=text, confirmed_by=confirmed_by)


def _bound_to(context: Context, params: types.CallToolRequestParams) -> str:
    """The same for the same call by the same caller only, but for the token."""
    arguments = {name: value for name, value in (params.arguments or {}).items() if name != CONFIRM_TOKEN}
    return sha256(json.dumps([_caller_id(context), params.name, arguments], sort_keys=True).encode()).hexdigest()
