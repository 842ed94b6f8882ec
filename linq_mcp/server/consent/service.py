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
from dataclasses import dataclass, replace
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

from linq_mcp.errors import ConsentUsedError, LinqError, LinqMcpError, NotSent, NotSentError
from linq_mcp.server.callers.caller import Caller, ClientProvider, caller_of
from linq_mcp.server.consent.form import NO_ANSWER_IN_TIME, agreed_text, form_of
from linq_mcp.server.consent.limits import SendLimits
from linq_mcp.settings.sending import Confirm, SendSettings
from linq_mcp.tools.base.parameters import ToolArguments
from linq_mcp.tools.base.question import (
    CONFIRM_TOKEN,
    Ask,
    Consent,
    ConsentNeeded,
    Question,
    require_consent,
)

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
class AskingCall:
    """One call of a tool that asks. `run` is its work, `state` and `answers` are what the client brings along."""

    tool: str
    arguments: ToolArguments
    caller: Caller
    run: Run
    context: Context
    state: str | None
    answers: Mapping[str, Any] | None

    @property
    def token(self) -> str | None:
        """The token of an earlier preview, where the tool takes one."""
        return getattr(self.arguments, CONFIRM_TOKEN, None)

    def binding(self) -> str:
        """The same for the same arguments of the same caller only, whichever way the arguments were written."""
        # pydantic warns of tuples that a validator of ours made.
        arguments = self.arguments.model_dump_json(exclude={CONFIRM_TOKEN}, warnings=False)
        return sha256(json.dumps([self.caller.id, self.tool, arguments]).encode()).hexdigest()


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
        limits: SendLimits | None = None,
        seconds: float = 300.0,
        progress_seconds: float = 10.0,
        token_seconds: float = 600.0,
    ) -> None:
        self.second_call = settings.confirm is Confirm.SECOND_CALL
        self._limits = limits or SendLimits(settings.limit)
        self._seconds = seconds
        self._progress_seconds = progress_seconds
        self._token_seconds = token_seconds
        keys = [key.get_secret_value().encode() for key in settings.state_keys] or [os.urandom(32)]
        self._codec = AESGCMRequestStateCodec(keys)
        # Nonces of the answers that came, with when they can be forgotten, the oldest first.
        self._used: dict[str, float] = {}

    def boundary(self) -> RequestStateBoundary:
        """The middleware that seals states, and opens only those of the same call by the same caller."""
        security = RequestStateSecurity(
            codec=self._codec, ttl=2 * self._seconds, bind_principal=lambda context: caller_of(context).id
        )
        return RequestStateBoundary(security, default_audience=_AUDIENCE)

    async def run(self, call: AskingCall) -> Result | types.InputRequiredResult:
        """The result of the call, to which somebody has agreed if it asks; or the question, for the client to ask.

        Raises what the call's work raises, `NotSentError` where nobody agrees, and `ConsentUsedError`.
        """
        # An answer without the state of its question answers nothing: the question is put as if for the first time.
        if call.state is not None:
            return await self._answered(call, call.state)
        if call.token is not None:
            return await self._confirmed(call, call.token)
        try:
            return await call.run(require_consent)
        except ConsentNeeded as needed:
            question = needed.question
        obstacle = why_not_asked(call.context)
        if obstacle and not self.second_call:
            raise NotSentError(NotSent.CANNOT_ASK, obstacle)
        self._limits.count_question(call.caller.id, question)
        pending = Pending.of(question)
        if obstacle:
            return self._preview(call, question, pending)
        if call.context.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return _input_required(question, pending)
        text = agreed_text(question, await self._ask(question, call.context))
        return await self._go_on(call, pending, lambda _: text, "person")

    async def _answered(self, call: AskingCall, state: str) -> Result | types.InputRequiredResult:
        """Goes on with the answer that came with the state of its question."""
        try:
            pending = Pending(**json.loads(state))
        except (ValueError, TypeError):
            # A replica of another release, with the same key, may have sealed it.
            raise NotSentError(NotSent.INVALID_CONSENT, "The state is of another version of this server.") from None
        self._check_unused(pending.nonce)
        if time.time() > pending.asked_at + self._seconds:
            raise NotSentError(NotSent.DECLINED, NO_ANSWER_IN_TIME)
        answer = (call.answers or {}).get(_ANSWER)
        if isinstance(answer, types.ElicitResult):
            self._use(pending.nonce, 2 * self._seconds)
            return await self._go_on(call, pending, lambda question: agreed_text(question, answer), "person")
        try:
            return await call.run(require_consent)
        except ConsentNeeded as needed:
            if obstacle := why_not_asked(call.context):
                raise NotSentError(NotSent.CANNOT_ASK, obstacle) from None
            # The question was counted when it was put first, and stays open no longer than it did then.
            return _input_required(needed.question, replace(pending, fingerprint=needed.question.fingerprint()))

    async def _go_on(
        self, call: AskingCall, pending: Pending, agreed: Callable[[Question], str | None], confirmed_by: str
    ) -> Result:
        """The result of the call after the question has been answered: with the text that was `agreed`, if it was.

        Raises `NotSentError` if the question is no longer the one that was asked.
        """
        counted: Question | None = None

        def consent(question: Question) -> Consent:
            nonlocal counted
            if question.fingerprint() != pending.fingerprint:
                raise NotSentError(
                    NotSent.INVALID_CONSENT, "Something about the chat has changed since the question was asked."
                )
            text = agreed(question)
            self._limits.count_message(call.caller.id, question)
            counted = question
            return Consent(nonce=pending.nonce, text=text, confirmed_by=confirmed_by)

        try:
            return await call.run(consent)
        except LinqMcpError as error:
            if counted and not (isinstance(error, LinqError) and error.may_have_sent):
                self._limits.uncount_message(call.caller.id, counted)
            raise

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

    def _preview(self, call: AskingCall, question: Question, pending: Pending) -> Result:
        """What would happen, and the token with which a second call makes it happen."""
        claims = {**vars(pending), "bound_to": call.binding()}
        token = self._codec.seal(json.dumps(claims).encode())
        return {"sent": False, "note": _PREVIEW_NOTE, "preview": question.message, CONFIRM_TOKEN: token}

    async def _confirmed(self, call: AskingCall, token: str) -> Result:
        """Goes on with the token of a preview."""
        if not why_not_asked(call.context):
            raise NotSentError(
                NotSent.INVALID_CONSENT, f"This client can ask a person, so `{CONFIRM_TOKEN}` is not used."
            )
        try:
            claims = json.loads(self._codec.unseal(token))
            bound_to = claims.pop("bound_to")
            pending = Pending(**claims)
        except (InvalidRequestState, ValueError, KeyError, TypeError):
            raise NotSentError(NotSent.INVALID_CONSENT, f"`{CONFIRM_TOKEN}` is not from this server.") from None
        if bound_to != call.binding():
            raise NotSentError(
                NotSent.INVALID_CONSENT, f"`{CONFIRM_TOKEN}` belongs to other arguments or another caller."
            )
        self._check_unused(pending.nonce)
        if time.time() > pending.asked_at + self._token_seconds:
            raise NotSentError(NotSent.INVALID_CONSENT, f"`{CONFIRM_TOKEN}` is too old.")
        self._use(pending.nonce, self._token_seconds)
        return await self._go_on(call, pending, lambda question: question.text, "second call")

    def _check_unused(self, nonce: str) -> None:
        if nonce in self._used:
            raise ConsentUsedError

    def _use(self, nonce: str, seconds: float) -> None:
        """Use up `nonce`, which no other answer can use for as long as it could come in time."""
        now = time.monotonic()
        self._used = {used: until for used, until in self._used.items() if until > now}
        self._used[nonce] = now + seconds


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


def _input_required(question: Question, pending: Pending) -> types.InputRequiredResult:
    return types.InputRequiredResult(
        input_requests={_ANSWER: types.ElicitRequest(params=form_of(question))}, request_state=json.dumps(vars(pending))
    )
