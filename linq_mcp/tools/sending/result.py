"""What is said of a message that Linq took: the answer, how its delivery went so far, and one line in the log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NotRequired, TypedDict

import anyio

from linq_mcp.errors import LinqError
from linq_mcp.sanitize import clean, clean_word

if TYPE_CHECKING:
    from linq_mcp.tools.base.tool import Call

# On whatever the level of the other records.
_sent = logging.getLogger("linq_mcp.sent")
_sent.setLevel(logging.INFO)

DELIVERY_SECONDS = 5.0
_LOOKS = 4
_ON_THE_WAY = frozenset({"", "pending", "queued", "sent"})


class ActionResult(TypedDict):
    """Whether it was sent, and who agreed. Without consent: `preview`, and the token for a second call."""

    sent: bool
    message_id: NotRequired[str]
    chat_id: NotRequired[str]
    line: NotRequired[str]
    confirmed_by: NotRequired[str]
    note: NotRequired[str]
    preview: NotRequired[str]
    confirm_token: NotRequired[str]


async def delivery_of(call: Call, message_id: str, status: str | None) -> str:
    """The message's delivery status once it is settled, or after four looks within five seconds."""
    until = min(anyio.current_time() + DELIVERY_SECONDS, call.deadline)
    for look in range(_LOOKS):
        pause = call.api.delivery_pause * 2**look
        if clean_word(status).casefold() not in _ON_THE_WAY or anyio.current_time() + pause >= until:
            break
        await anyio.sleep(pause)
        try:
            status = (await call.api.get_message(message_id, deadline=until)).delivery_status or status
        except LinqError:
            # Linq took the message; that it can't be read back yet changes nothing about that.
            break
    return clean_word(status)


@contextmanager
def logged(tool: str, outcome: ActionResult, call: Call) -> Iterator[None]:
    """Log one line about what is sent within this, for whoever has to know what left: never a text, never a key.

    `outcome` may be completed within. What Linq refused is not logged; what was cut off is, because it may have left.
    """
    try:
        yield
    except BaseException as error:
        if not isinstance(error, LinqError) or error.may_have_sent:
            _log(tool, outcome, call, "; not known whether Linq took it")
        raise
    _log(tool, outcome, call)


def _log(tool: str, outcome: ActionResult, call: Call, ending: str = "") -> None:
    _sent.info(
        "%s %s: chat %s, line %s, message %s, confirmed by %s%s",
        call.now().isoformat(timespec="seconds"),
        tool,
        *(clean(str(outcome.get(name, "unknown")), 80) for name in ("chat_id", "line", "message_id", "confirmed_by")),
        ending,
    )
