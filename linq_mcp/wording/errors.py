"""The text that a model reads for each error: what happened, what to do next, and Linq's code and trace id.

Each text begins with one of `HEADLINES`. No text contains a key, a header, a stack trace, or an answer's raw body.
Linq's own message is cleaned and in quotation marks. The texts about settings are in `wording.settings`; those about
single arguments are in `tools.base.parameters` and `param_types`, and the notes of answers that stopped early in
`tools.reading.info`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from linq_mcp.errors import (
    CHAT_NOT_FOUND,
    MESSAGE_NOT_FOUND,
    NUMBER_NOT_FOUND,
    ApiConnectionError,
    ApiResponseError,
    ApiStatusError,
    ArgumentsError,
    ConsentUsedError,
    FileError,
    FileProblem,
    LineNotOpenError,
    LinqError,
    LinqMcpError,
    NotSent,
    NotSentError,
    SettingsError,
    StoreError,
    StoreProblem,
)
from linq_mcp.sanitize import clean, quoted
from linq_mcp.settings import BASE_URL_VARIABLE, DEFAULT_BASE_URL, Settings
from linq_mcp.settings.problems import LaunchedBy
from linq_mcp.settings.store import STORE_VARIABLE
from linq_mcp.tools import TOOLS
from linq_mcp.tools.base.parameters import synonyms
from linq_mcp.tools.base.tool import Tool
from linq_mcp.wording.settings import (
    SETTINGS_HEADLINES,
    describe_key_source,
    describe_store_setting,
    format_problem,
    how_to_replace_key,
)

HEADLINES = {
    **SETTINGS_HEADLINES,
    "arguments": "These arguments can't be used.",
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
    "server_error": "Linq had a server error.",
    "timeout": "Linq did not answer in time.",
    "unreachable": "Linq could not be reached.",
    "unreadable": "The answer did not come from Linq.",
    "file_gone": "Linq no longer keeps this file.",
    "file_too_large": "This file is too large.",
    "file_refused": "This file's address can't be used.",
    "file_unavailable": "The file could not be fetched.",
    "file_unreadable": "This file can't be shown.",
    "opted_out": "This person does not want messages.",
    "critical": "This chat should be paused.",
    "not_permitted": "Writing to this recipient is not allowed here.",
    "send_limit": "The limit on messages has been reached.",
    "cannot_ask": "This client can't ask a person.",
    "declined": "The person did not agree.",
    "invalid_consent": "There is no valid consent.",
    "blocked": "You have blocked this recipient.",
    "not_written_first": "They have to write first.",
    "line_limited": "This line can't send at the moment.",
    "not_deliverable": "The recipient's service can't take this.",
    "perhaps_sent": "It is not known whether this was sent.",
    "internal": "linq-mcp failed on this call.",
}

# Why a message was not sent: the headline, and what to do next where the error itself does not say it.
_NOT_SENT = {
    NotSent.OPTED_OUT: ("opted_out", ""),
    NotSent.CRITICAL: ("critical", ""),
    NotSent.NOT_PERMITTED: ("not_permitted", ""),
    NotSent.LIMIT: ("send_limit", ""),
    NotSent.CANNOT_ASK: (
        "cannot_ask",
        "Your user can write it themselves, or use a client that supports elicitation in form mode.",
    ),
    NotSent.DECLINED: ("declined", "Don't propose it again unless your user asks you to."),
    NotSent.INVALID_CONSENT: (
        "invalid_consent",
        "Call again with the arguments alone, so that the question is asked anew.",
    ),
}
_FILE_PROBLEMS = {
    FileProblem.GONE: ("file_gone", ""),
    FileProblem.TOO_LARGE: ("file_too_large", ""),
    FileProblem.REFUSED: ("file_refused", "Calling again will not help."),
    FileProblem.UNAVAILABLE: ("file_unavailable", "Files are fetched directly, without a proxy. Call again later."),
    FileProblem.UNREADABLE: ("file_unreadable", "Calling again will not help."),
}
# Linq's codes for refusing a send: the headline, and what there is to do.
_SEND_REFUSED = {
    2024: (
        "opted_out",
        (
            "They opted out, perhaps in another chat, and Linq refuses messages to them. Don't try another chat or "
            "line: an opt-out holds for all of them until the person writes again."
        ),
    ),
    2026: ("blocked", "Linq refuses messages to them. The account's owner can unblock them at Linq."),
    2008: ("not_written_first", "Linq refuses to start a conversation on this line. Wait for a message from them."),
    2027: (
        "line_limited",
        (
            "Linq refuses messages from it for now; reading still works. Try again later, or ask Linq's support about "
            "the line. Don't move the conversation to another line."
        ),
    ),
    4005: ("not_deliverable", "Leave out attachments, effect, reply_to, or messaging_service, then call again."),
}

# Linq's own codes. Linq docs: Error codes.
_NOT_YOUR_LINE, _NOT_THERE_YET, _NOT_ON_ACCOUNT, _CHAT_LEFT = 2006, 2007, 2011, 2013
# Linq does not find something else: an attachment, webhook, contact card, or number.
_NOT_FOUND = frozenset({2003, 2010, 2012, NUMBER_NOT_FOUND})
_CURSOR_CODES = frozenset({0, 1003, 1004, 1005})
_ARGUMENT_LIMIT = 80
_PATH_LIMIT = 200
# An argument that more tools have says nothing about which of them was meant.
_MOST_TOOLS = 3
_NOTHING_SENT = "Nothing was sent."

# `{store}` is its path and the setting that names it, `{cure}` how to get rid of what is in it.
_STORE_PROBLEMS = {
    StoreProblem.UNREACHABLE: "{store} can't be opened: look at its path and its permissions.",
    StoreProblem.DOWN: (
        "The store's database can't be opened: look whether it runs, and at the address, user, password, and database "
        f"in {STORE_VARIABLE}."
    ),
    StoreProblem.REFUSED: (
        "The store's database does not let its user read and write the tables: look at the user's rights."
    ),
    StoreProblem.UNPREPARED: (
        "The store's tables are missing or of an older release: run `linq-mcp store prepare` as a database user who "
        "may make them."
    ),
    StoreProblem.NO_DRIVER: (
        f"PostgreSQL in {STORE_VARIABLE} needs an extra: `pip install '.[postgres]'` in the folder that linq-mcp was "
        "installed from adds it."
    ),
    StoreProblem.FOREIGN: (
        "{store} can't be used, because it does not look like one that linq-mcp made: choose another file or database. "
        "This one is left as it is."
    ),
    StoreProblem.NOT_YOURS: "{store} is a file of another user: use one of yours.",
    StoreProblem.NEWER: "{store} was written by a newer release of linq-mcp: upgrade this one, or use another store.",
    StoreProblem.DAMAGED: "{store} is damaged: {cure}; everything in it can be read again.",
    StoreProblem.FULL: "The store's disk is full: make room, or clear the store with `linq-mcp store clear`.",
    StoreProblem.READ_ONLY: "{store} can't be written: look at its permissions.",
    StoreProblem.BUSY: "The store did not answer in time.",
    StoreProblem.FAILED: "The store failed.",
}
_IN_MEMORY = "This answer was read from Linq and is kept in memory only."
_APART = "Another server may have sent messages after as_of that are not in it."


def format_error(
    error: LinqMcpError, *, settings: Settings, tool: Tool[Any] | None, arguments: Mapping[str, object]
) -> str:
    """The whole error text for a call of `tool` with `arguments`. `tool` is None outside a call."""
    # A tool that asks a person first is one that sends.
    sends = tool is not None and tool.asks
    not_sent = _NOTHING_SENT if sends else ""
    match error:
        case ArgumentsError():
            example = _example(tool, error.problems, arguments) if tool else ""
            elsewhere = [_tools_with(name, settings) for name in error.unknown]
            return _sentences(HEADLINES["arguments"], *error.problems, *elsewhere, not_sent, example)
        case NotSentError():
            headline, next_step = _NOT_SENT[error.reason]
            return _sentences(HEADLINES[headline], str(error), next_step, _NOTHING_SENT)
        case ConsentUsedError():
            next_step = "Look with list_messages whether it is there before you do anything else."
            return _sentences(HEADLINES["perhaps_sent"], str(error), next_step)
        case FileError():
            headline, next_step = _FILE_PROBLEMS[error.problem]
            by_a_person = f"Your user can open it: {error.url}" if error.url else ""
            return _sentences(HEADLINES[headline], str(error), next_step, by_a_person)
        case StoreError():
            in_call = [_IN_MEMORY, _APART if settings.store.url else ""] if tool else []
            cure = "run `linq-mcp store clear --all`" if settings.store.url else "delete its file"
            return _sentences(_STORE_PROBLEMS[error.problem].format(store=_store(settings), cure=cure), *in_call)
        case SettingsError():
            return _sentences(format_problem(error.problem, settings.launched_by), not_sent)
        case LineNotOpenError():
            argument = "line" if "line" in arguments else "from"
            what = _no_such_line(argument, clean(error.line, _ARGUMENT_LIMIT), sends=sends)
            return _sentences(HEADLINES["not_your_line"], what, not_sent)
        case ApiStatusError():
            shown = {name: clean(str(value), _ARGUMENT_LIMIT) for name, value in arguments.items()}
            parts = [
                *_status(error, settings, shown, not_found=tool.not_found if tool else "", sends=sends),
                _base_url_note(settings) if error.status >= 500 else "",
            ]
        case ApiConnectionError():
            parts = [*_connection(error), _base_url_note(settings)]
        case ApiResponseError():
            parts = [
                HEADLINES["unreadable"],
                f"{error} Something on the way to Linq, such as a proxy, may have answered instead. Call again later.",
                _base_url_note(settings),
            ]
        case _:
            parts = [HEADLINES["internal"], str(error)]
    if tool and isinstance(error, LinqError) and error.may_have_sent:
        # Without the advice to call again.
        parts = [HEADLINES["perhaps_sent"], _lost(error), tool.if_lost]
    else:
        parts = [*parts, not_sent]
    return " ".join(_sentences(*parts, *_reference(error)).split())


def _store(settings: Settings) -> str:
    """The store, with its path where that is on the reader's own computer, and with the setting that names it."""
    path, is_service = settings.store.path, settings.launched_by is LaunchedBy.SERVICE
    shown = f" {clean(str(path), _PATH_LIMIT)}" if path and not is_service else ""
    return f"The store{shown} ({describe_store_setting(settings)})"


def _tools_with(argument: str, settings: Settings) -> str:
    """Which of the open tools have an argument of that name, if they are few."""
    open_tools = [tool for tool in TOOLS if not settings.tools or tool.name in settings.tools]
    for name in synonyms(argument):
        found = [tool.name for tool in open_tools if name in tool.input_schema["properties"]]
        if found:
            return f"Tools with `{name}`: {', '.join(found)}." if len(found) <= _MOST_TOOLS else ""
    return ""


def _example(tool: Tool[Any], problems: Sequence[str], arguments: Mapping[str, object]) -> str:
    """The tool's example where it shows an argument that is wrong, and more than the call had."""
    names = json.loads(tool.example).keys()
    shows_it = any(f"`{name}`" in problem for name in names for problem in problems)
    return f"Example: {tool.example}" if shows_it and names != arguments.keys() else ""


def _lost(error: LinqError) -> str:
    """The fate of a request that Linq may have taken all the same."""
    if isinstance(error, ApiStatusError):
        return f"Linq answered {error.status} {_times(error)}."
    return f"{error} The request was attempted {_times(error)}."


def _sentences(*parts: str) -> str:
    return " ".join(filter(None, parts))


def _status(
    error: ApiStatusError, settings: Settings, arguments: Mapping[str, str], *, not_found: str, sends: bool
) -> tuple[str, str]:
    """The headline and the explanation of an error answer."""
    linq_says = f"Linq says: {quoted(str(error))}." if str(error) else ""
    if error.code in _SEND_REFUSED:
        headline, advice = _SEND_REFUSED[error.code]
        return HEADLINES[headline], f"{advice} {linq_says}"
    match error.status:
        case 401:
            return HEADLINES["key_rejected"], (
                f"It came from {describe_key_source(settings.key_source, settings.profile)}. "
                f"{how_to_replace_key(settings.key_source, settings.launched_by)} Calling again before that will not "
                "help."
            )
        case 403 | 404 if error.code == _NOT_YOUR_LINE or (error.code == NUMBER_NOT_FOUND and _line(arguments)):
            return HEADLINES["not_your_line"], _no_such_line(*(_line(arguments) or ("from", "")), sends=sends)
        case 403 if error.code == _NOT_ON_ACCOUNT:
            explanation = f"Calling again will not help; Linq's support can enable it. {linq_says}"
            return HEADLINES["not_on_account"], explanation
        case 403:
            return HEADLINES["not_allowed"], (
                f"The key has no access to this. Check that the ids and numbers belong to this account. {linq_says}"
            )
        case 404:
            return _missing(error, settings, arguments, linq_says=linq_says, not_found=not_found)
        case 400 | 422 if "cursor" in arguments and error.code in _CURSOR_CODES:
            return HEADLINES["bad_cursor"], (
                "Call again without `cursor` to start from the first page, with the same filters as before. Only the "
                f"`next_cursor` of the previous page can be used as `cursor`. {linq_says}"
            )
        case 429:
            wait = f"Wait {_seconds(error.retry_after)}" if error.retry_after is not None else "Wait a minute"
            return HEADLINES["rate_limited"], f"{wait}, then call again with the same arguments."
        case 409 if error.retryable:
            return HEADLINES["not_ready"], f"Linq was asked {_times(error)}. Call again in a few seconds."
        case 409 if error.code == _CHAT_LEFT:
            return HEADLINES["bad_request"], f"The chat is no longer available, because you left it. {linq_says}"
        case status if status >= 500 or error.retryable:
            return HEADLINES["server_error"], (
                f"It answered {status} {_times(error)}. The arguments are not the cause: call again in a minute. "
                f"{linq_says}"
            )
        case status:
            return HEADLINES["bad_request"], (
                f"It answered {status}. Change the arguments before calling again. {linq_says}"
            )


def _line(arguments: Mapping[str, str]) -> tuple[str, str] | None:
    """The argument that has one of the account's own numbers, and its value."""
    return next(((name, arguments[name]) for name in ("from", "line") if name in arguments), None)


def _no_such_line(argument: str, number: str, *, sends: bool) -> str:
    person = "to" if argument == "from" else "participant"
    which = f"{number} is not a line of this account. " if number else ""
    takes = f"{which}`{argument}` takes one of your own numbers, which chats show as `line`"
    if sends:
        return f"{takes}."
    return f"{takes}; leave it out to read all lines. To find the chats with a person, use `{person}`."


def _missing(
    error: ApiStatusError, settings: Settings, arguments: Mapping[str, str], *, linq_says: str, not_found: str
) -> tuple[str, str]:
    """The headline and the explanation of a 404, which is about an id only if Linq's code says so."""
    if error.code == CHAT_NOT_FOUND:
        chat = f"no chat {arguments['chat_id']}" if "chat_id" in arguments else "no such chat"
        return HEADLINES["no_such_chat"], f"This account has {chat}. {not_found}"
    if error.code == MESSAGE_NOT_FOUND:
        message = f"no message {arguments['message_id']}" if "message_id" in arguments else "no such message"
        return HEADLINES["no_such_message"], (
            f"This account has {message}, or Linq no longer keeps it: on some lines it keeps messages only for hours. "
            f"{not_found}"
        )
    if error.code == _NOT_THERE_YET:
        return HEADLINES["not_found"], (
            f"It may not exist yet; Linq was asked {_times(error)}. Call again in a few seconds."
        )
    if error.code in _NOT_FOUND:
        return HEADLINES["not_found"], f"The key may belong to another account. {linq_says}"
    if settings.base_url != DEFAULT_BASE_URL:
        where = f"{_base_url_note(settings)} Linq's own address is {DEFAULT_BASE_URL}."
    else:
        where = "Something on the way to Linq, such as a proxy, may have answered instead."
    return HEADLINES["not_found"], (
        f"The answer has none of the codes that Linq uses for something that does not exist. {where} {linq_says}"
    )


def _connection(error: ApiConnectionError) -> tuple[str, str]:
    headline = HEADLINES["timeout" if error.timed_out else "unreachable"]
    again = "Call again later." if error.retryable else "Calling again will not help until that is fixed."
    return headline, f"{error} The request was attempted {_times(error)}. {again}"


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
