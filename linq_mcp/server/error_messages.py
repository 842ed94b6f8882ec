"""The text that a model reads for each error: what happened, what to do next, and Linq's code and trace id.

Each text begins with one of `HEADLINES`, which the README explains under the same words. Never in a text: a
key, a header, a stack, or an answer's raw body; only Linq's own error message, cleaned.
"""

from __future__ import annotations

from collections.abc import Mapping

from linq_mcp.errors import (
    ApiConnectionError,
    ApiResponseError,
    ApiStatusError,
    ArgumentsError,
    LinqError,
    LinqMcpError,
    SettingsError,
)
from linq_mcp.settings import BASE_URL_VARIABLE, Settings

HEADLINES = {
    "arguments": "These arguments can't be used.",
    "no_key": "No Linq API key is set.",
    "odd_key": "The Linq API key can't be used.",
    "base_url": f"{BASE_URL_VARIABLE} can't be used.",
    "key_rejected": "Linq did not accept the API key.",
    "not_allowed": "Linq does not allow this.",
    "not_your_line": "This is not one of your lines.",
    "not_on_account": "This account does not have that feature.",
    "no_such_chat": "There is no such chat.",
    "no_such_message": "There is no such message.",
    "not_found": "Linq has nothing at this address.",
    "bad_cursor": "Linq did not accept the cursor.",
    "bad_request": "Linq did not accept the request.",
    "not_ready": "Linq is still creating this chat.",
    "rate_limited": "Linq is limiting requests.",
    "server_error": "Linq has a problem of its own.",
    "timeout": "Linq did not answer in time.",
    "unreachable": "Linq could not be reached.",
    "unreadable": "The answer was not one of Linq's.",
    "internal": "linq-mcp failed on this call.",
}

_NOT_YOUR_LINE, _NOT_ON_ACCOUNT = 2006, 2011
_MESSAGE_NOT_FOUND = 2002
_NO_SUCH_NUMBER = 2019
_CHAT_UNAVAILABLE = 2013
_CURSOR_CODES = frozenset({0, 1003, 1004, 1005})


def format_error(error: LinqMcpError, *, settings: Settings, asked: Mapping[str, object], example: str) -> str:
    """The whole error text for a call with the arguments `asked`; `example` shows a valid call's arguments."""
    match error:
        case ArgumentsError():
            return f"{HEADLINES['arguments']} {' '.join(error.problems)} Example: {example}"
        case SettingsError():
            return str(error)
        case ApiStatusError():
            parts = [
                *_rejected(error, settings, asked),
                _base_url_note(settings) if error.status >= 500 else "",
            ]
        case ApiConnectionError():
            parts = [*_unreachable(error), _base_url_note(settings)]
        case ApiResponseError():
            parts = [
                HEADLINES["unreadable"],
                f"{error} Something on the way to Linq may have answered instead, such as a proxy; call again later.",
                _base_url_note(settings),
            ]
        case _:
            parts = [HEADLINES["internal"], str(error)]
    return " ".join(" ".join([*parts, *_reference(error)]).split())


def _rejected(error: ApiStatusError, settings: Settings, asked: Mapping[str, object]) -> tuple[str, str]:
    # Others' words come last and in quotes, apart from what is said here.
    said = f'Linq says: "{error}"' if str(error) else ""
    match error.status:
        case 401:
            return HEADLINES["key_rejected"], (
                f"It came from {settings.key_source}. {_renewal(settings.key_source or '')} Calling again before that "
                "will not help."
            )
        case 403 | 404 if error.code == _NOT_YOUR_LINE or (error.code == _NO_SUCH_NUMBER and "from" in asked):
            line = f"{asked['from']} is not a line of this account. " if "from" in asked else ""
            return HEADLINES["not_your_line"], (
                f"{line}`from` takes one of your own numbers, as `line` of the chats shows them; leave it out for all "
                "lines. To find a person's chats use `to`."
            )
        case 403 if error.code == _NOT_ON_ACCOUNT:
            return HEADLINES["not_on_account"], f"Calling again will not help; Linq's support can enable it. {said}"
        case 403:
            return HEADLINES["not_allowed"], (
                f"The key has no access to this. Check that the ids and numbers belong to this account. {said}"
            )
        case 404 if error.code == _MESSAGE_NOT_FOUND or "message_id" in asked:
            return HEADLINES["no_such_message"], (
                f"This account has no message {asked.get('message_id', '')}. Ids of messages come from list_messages "
                "and find_messages; a chat's id is another one."
            )
        case 404 if "chat_id" in asked:
            return HEADLINES["no_such_chat"], (
                f"This account has no chat {asked['chat_id']}. Ids of chats come from list_chats and find_chats; a "
                "message's id is another one."
            )
        case 404:
            return HEADLINES["not_found"], f"The key may belong to another account. {said}"
        case 400 | 422 if "cursor" in asked and error.code in _CURSOR_CODES:
            return HEADLINES["bad_cursor"], (
                "Call again without `cursor` to begin at the first page, with the same filters as before; take "
                f"cursors only from `next_cursor` of the page before. {said}"
            )
        case 429:
            wait = f"Wait {_seconds(error.retry_after)}" if error.retry_after is not None else "Wait a minute"
            return HEADLINES["rate_limited"], f"{wait}, then call again with the same arguments."
        case 409 if error.retryable:
            return HEADLINES["not_ready"], f"It was asked {_times(error)}. Call again in a few seconds."
        case 409 if error.code == _CHAT_UNAVAILABLE:
            return HEADLINES["bad_request"], f"The chat is not available any more: you left it. {said}"
        case status if status >= 500 or error.retryable:
            return HEADLINES["server_error"], (
                f"It answered {status} {_times(error)}. Nothing is wrong with the arguments: call again in a minute. "
                f"{said}"
            )
        case status:
            return HEADLINES["bad_request"], f"It answered {status}. Change the arguments before calling again. {said}"


def _renewal(source: str) -> str:
    if "header" in source:
        return "Send a valid one."
    if "profile" in source:
        return "Run `linq login` again, then restart the client."
    return "Put a valid one there, then restart the client."


def _unreachable(error: ApiConnectionError) -> tuple[str, str]:
    headline = HEADLINES["timeout" if error.timed_out else "unreachable"]
    again = "Calling again later is right." if error.retryable else "Calling again will not help until that is mended."
    return headline, f"{error} It was tried {_times(error)}. {again}"


def _times(error: LinqError) -> str:
    return "once" if error.attempts == 1 else f"{error.attempts} times"


def _seconds(value: float) -> str:
    whole = max(1, -int(-value // 1))
    return "1 second" if whole == 1 else f"{whole} seconds"


def _base_url_note(settings: Settings) -> str:
    if not settings.base_url_is_set:
        return ""
    return f"{BASE_URL_VARIABLE} is set to {settings.base_url}: check that it is right."


def _reference(error: LinqMcpError) -> list[str]:
    facts = []
    if isinstance(error, ApiStatusError):
        facts.append(f"HTTP {error.status}")
        if error.code:
            facts.append(f"Linq code {error.code}")
    if isinstance(error, LinqError) and error.trace_id:
        facts.append(f"trace id {error.trace_id}")
    return [f"({', '.join(facts)})"] if facts else []
