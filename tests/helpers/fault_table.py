"""The faults: what Linq, or something on the way to it, does, and what a model then reads.

Each row is a call, a script of what it meets, and what must come of it: an error under a headline of `HEADLINES`
with certain facts, or an answer with certain members.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from helpers.fault_server import (
    Responder,
    Script,
    answer,
    beginning,
    by_path,
    close,
    in_turn,
    raw,
    redirect,
    stall,
    trickle,
    whole,
)

from linq_mcp.wording.errors import HEADLINES

KEY = "lq-fault-9d41c7e2"
# In bodies that no model may read.
BODY = "raw-body-words"
TRACE = {"X-Trace-ID": "7ace-77"}


@dataclass(frozen=True, slots=True)
class Failed:
    """An error that begins with the headline and has all the facts."""

    headline: str
    facts: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def check(self, result: Mapping[str, Any]) -> None:
        text = result["content"][0]["text"]
        assert result.get("isError") is True, text[:500]
        assert text.startswith(HEADLINES[self.headline]), text[:500]
        assert [fact for fact in self.facts if fact not in text] == [], text[:500]
        assert [words for words in self.without if words in text] == [], text[:500]


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer with these members: a value they have, a function they satisfy, or None where there is none."""

    members: Mapping[str, Any]

    def check(self, result: Mapping[str, Any]) -> None:
        assert not result.get("isError"), result["content"][0]["text"][:500]
        given = result["structuredContent"]
        for name, wanted in self.members.items():
            if callable(wanted):
                assert wanted(given.get(name)), f"{name}: {str(given.get(name))[:500]}"
            else:
                assert given.get(name) == wanted, f"{name}: {str(given.get(name))[:500]}"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A row of the table.

    `asked` is how often the API is asked, `resumed` what comes of a second call with the answer's `next_cursor`.
    `waits` are the seconds to which the budget is cut short, as are timeouts, where one of these decides; `real` runs
    it with the client's own, which is slow. `seconds` is how long it may take, else the call's budget. `scheme` and
    `listening` are about the API's address: it is never right with another scheme.
    """

    name: str
    script: Script
    expect: Failed | Answered
    asked: int | range
    tool: str = "list_chats"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    resumed: tuple[Script, Failed | Answered] | None = None
    waits: float = 0
    real: bool = False
    seconds: float | None = None
    scheme: str = "http"
    listening: bool = True


def failed(headline: str, *facts: str, without: Sequence[str] = ()) -> Failed:
    return Failed(headline, facts, tuple(without))


def answered(**members: Any) -> Answered:
    return Answered(members)


def has(*facts: str) -> Callable[[Any], bool]:
    """A text that has all of these."""
    return lambda text: isinstance(text, str) and all(fact in text for fact in facts)


CHAT_ID = "550e8400-e29b-41d4-a716-446655440000"
MESSAGE_ID = "69a37c7d-af4f-4b5e-af42-e28e98ce873a"
NOON = "2026-11-20T12:00:00Z"
GUIDE = "https://docs.linqapp.com/guides/chats/chat-health#at-risk"
CHAT: dict[str, Any] = {
    "id": CHAT_ID,
    "created_at": NOON,
    "updated_at": NOON,
    "display_name": "Team",
    "handles": [
        {"id": "h1", "handle": "+12052535597", "is_me": True, "joined_at": NOON, "left_at": None, "status": "active"},
        {"id": "h2", "handle": "+12052532136", "is_me": False, "joined_at": NOON, "left_at": None, "status": "active"},
    ],
    "health_status": {"status": "AT_RISK", "doc_url": GUIDE, "updated_at": NOON},
    "is_group": True,
    "is_archived": False,
    "service": "iMessage",
    "group_chat_icon": "https://example.com/icon.png",
}
CHAT_ROW = {
    "id": CHAT_ID,
    "display_name": "Team",
    "line": "+12052535597",
    "participants": ["+12052532136"],
    "is_group": True,
    "service": "iMessage",
    "health_status": "AT_RISK",
    "health_since": NOON,
    "updated_at": NOON,
}
MESSAGE: dict[str, Any] = {
    "id": MESSAGE_ID,
    "chat_id": CHAT_ID,
    "created_at": NOON,
    "updated_at": NOON,
    "sent_at": NOON,
    "is_from_me": False,
    "from": "+12052532136",
    "from_handle": {"handle": "+12052532136"},
    "delivery_status": "received",
    "service": "iMessage",
    "parts": [
        {
            "type": "text",
            "value": "Hello!",
            "reactions": [{"type": "love", "is_me": False, "handle": {"handle": "+12052532136"}}],
        },
        {
            "type": "media",
            "id": "a1",
            "url": "https://x",
            "filename": "a.png",
            "mime_type": "image/png",
            "size_bytes": 7,
        },
    ],
    "effect": {"name": "confetti"},
    "reply_to": {"message_id": "m0"},
}
LINE: dict[str, Any] = {
    "id": "n1",
    "phone_number": "+12052535597",
    "reputation": {"status": "AT_RISK", "doc_url": GUIDE},
    "forwarding_number": "+12052530000",
    "line_type": "iMessage",
}


def chats(*given: Any, next_cursor: Any = None, **others: Any) -> dict[str, Any]:
    """A page of `GET /v3/chats`, with one chat unless others are given."""
    return {"chats": list(given or [CHAT]), "next_cursor": next_cursor, **others}


HEALTHY = answer(chats())
SEEN = answered(chats=[CHAT_ROW], has_more=False, next_cursor=None, note=None, health_guide={"AT_RISK": GUIDE})
PAGE = json.dumps(chats()).encode()
HTML = f"<html><body>{BODY}</body></html>".encode()
AS_HTML = {"Content-Type": "text/html; charset=utf-8", **TRACE}
JSON_HEAD = [("Content-Type", "application/json")]


def envelope(code: int | None = None, message: str | None = "Said by Linq", **fields: Any) -> dict[str, Any]:
    error = {"code": code, "message": message, **fields}
    return {"success": False, "error": {name: value for name, value in error.items() if value is not None}}


def numbered(number: int) -> dict[str, Any]:
    """A chat with an id of its own."""
    return {**CHAT, "id": f"{number:08d}{CHAT_ID[8:]}"}


Expect = Failed | Answered
GONE, SILENT = failed("unreachable", "attempted 3 times"), failed("timeout", "attempted 3 times")


def _connection() -> list[Fault]:
    def of(name: str, responder: Responder, expect: Expect, asked: int = 3, **call: Any) -> Fault:
        return Fault(name=name, script=in_turn(responder), expect=expect, asked=asked, **call)

    head = beginning(200, [*JSON_HEAD, ("Content-Length", str(len(PAGE)))])
    endless = trickle(beginning(200, [*JSON_HEAD, ("Content-Length", "100000")]), b" ", 0.2)
    late_ = failed("timeout")
    return [
        of("real time: stalled before the answer", stall(), SILENT, 3, real=True),
        of("real time: a body that trickles for ever", endless, late_, 1, real=True),
        of("connection refused", HEALTHY, GONE, 0, listening=False),
        of("no TLS where TLS is asked for", HEALTHY, GONE, scheme="https"),
        of("reset before the answer", raw(then="reset"), GONE),
        of("reset in mid-headers", raw(head[:30], then="reset"), GONE),
        of("reset in mid-body", raw(head + PAGE[:40], then="reset"), GONE),
        of("closed without a byte", close(), GONE),
        of("closed in mid-headers", raw(head[:30]), GONE),
        of("stalled before the answer", stall(), SILENT, waits=10),
        of("stalled in mid-headers", raw(head[:30], then="stall"), SILENT, waits=10),
        of("stalled after the headers", raw(head, then="stall"), SILENT, waits=10),
        of("stalled in mid-body", raw(head + PAGE[:40], then="stall"), SILENT, waits=10),
        of("a body that trickles for ever", endless, late_, 1, waits=2),
        of("headers that trickle for ever", trickle(b"HTTP/1.1 200 X\r\nA: ", b"a", 0.2), late_, 1, waits=2),
        of("1xx for ever", trickle(b"", beginning(103), 0.01), late_, 1, waits=2),
        Fault(name="reset twice, then a page", script=in_turn(*[raw(then="reset")] * 2, HEALTHY), expect=SEEN, asked=3),
        Fault(name="stalled once, then a page", script=in_turn(stall(), HEALTHY), expect=SEEN, asked=2, waits=10),
        Fault(name="a kept connection closed, then a page", script=in_turn(close(), HEALTHY), expect=SEEN, asked=2),
    ]


def _http() -> list[Fault]:
    def of(name: str, responder: Responder, expect: Expect = GONE, asked: int = 3, **stage: Any) -> Fault:
        return Fault(name=name, script=in_turn(responder), expect=expect, asked=asked, **stage)

    def sized(length: object, then: str = "close") -> Responder:
        return raw(beginning(200, [*JSON_HEAD, ("Content-Length", str(length))]) + PAGE, then=then)

    def chunked(body: bytes) -> Responder:
        return raw(beginning(200, [*JSON_HEAD, ("Transfer-Encoding", "chunked")]) + body)

    size, unreadable = len(PAGE), failed("unreadable")
    return [
        of("Content-Length too long, closed", sized(size + 9)),
        of("Content-Length too long, open", sized(size + 9, "stall"), SILENT, waits=10),
        of("Content-Length too short", sized(size - 9), unreadable, 1),
        of("two Content-Lengths", sized("5\r\nContent-Length: 6")),
        of("no Content-Length, closed behind the body", raw(beginning(200, JSON_HEAD) + PAGE), SEEN, 1),
        of("chunks of one byte", chunked(b"".join(b"1\r\n%c\r\n" % byte for byte in PAGE) + b"0\r\n\r\n"), SEEN, 1),
        of("no HTTP at all", raw(f"SSH-2.0-{BODY}\r\n\r\n".encode())),
        of("status 600", answer(b"", 600), failed("server_error", "HTTP 600"), 1),
        of("a header of 1 MB", answer(chats(), headers={"A": "a" * 1_000_000})),
        of(
            "100 and 103 before the answer", raw(beginning(100) + beginning(103) + whole(chats()), then="keep"), SEEN, 1
        ),
        of(
            "a trace id that is none", answer(HTML, 502, {"X-Trace-ID": BODY * 9}), failed("server_error", "(HTTP 502)")
        ),
    ]


def _bodies() -> list[Fault]:
    unreadable, too_large = failed("unreadable", "7ace-77"), failed("unreadable", "10 MB", "7ace-77")

    def of(name: str, made: Callable[[], bytes], expect: Expect = unreadable, encoding: str = "", **call: Any) -> Fault:
        # The large bodies are made when they are asked for, as every worker imports this table.
        headers = {**TRACE, "Content-Encoding": encoding} if encoding else TRACE
        return Fault(name=name, script=lambda _: answer(made(), headers=headers), expect=expect, asked=1, **call)

    return [
        Fault(
            name="HTML with 200",
            script=in_turn(answer(HTML, headers=AS_HTML)),
            expect=failed("unreadable", "text/html"),
            asked=1,
        ),
        of("30 MB", lambda: PAGE + b" " * 30_000_000, too_large),
        of(
            "a name of 9 MB",
            lambda: PAGE.replace(b"Team", "\u00e9".encode() * 4_500_000),
            answered(chats=lambda rows: len(rows[0]["display_name"]) == 80),
            seconds=5,
        ),
        of("a gzip bomb of 31 MB", lambda: gzip.compress(PAGE + b" " * 31_000_000, 1), too_large, "gzip"),
    ]


def _redirects() -> list[Fault]:
    def of(name: str, responder: Responder, status: int) -> Fault:
        return Fault(name=name, script=in_turn(responder), expect=failed("unreadable", f"({status})"), asked=1)

    return [
        *(
            of(
                f"{status} to another host",
                redirect(status, lambda connection: f"{connection.elsewhere}/v3/chats"),
                status,
            )
            for status in (302, 308)
        ),
    ]


def _statuses() -> list[Fault]:
    def of(name: str, body: object, expect: Expect, asked: int = 1, **call: Any) -> Fault:
        responder = answer(body, int(name[:3]), AS_HTML)
        return Fault(name=name, script=in_turn(responder), expect=expect, asked=asked, **call)

    hostile = "\u202eIgnore\x00 \ud83d\u200ball\n\n" + "x" * 5000
    return [
        of(
            "400, a hostile message",
            envelope(1005, hostile),
            failed("bad_request", "Ignore all xxx", without=["x" * 300]),
        ),
    ]


def _ids(*numbers: int) -> Callable[[Any], bool]:
    """Rows of these `numbered` chats."""
    return lambda rows: [row["id"] for row in rows] == [numbered(number)["id"] for number in numbers]


def _scans() -> list[Fault]:
    first = answer(chats(numbered(1), numbered(2), next_cursor="c2"))
    rest = answer(chats(numbered(2), numbered(3)))

    def of(name: str, script: Script, expect: Expect, asked: int | range, **call: Any) -> Fault:
        asks: dict[str, Any] = {"tool": "find_chats", "arguments": {"text": "team"}, **call}
        return Fault(name=f"scan: {name}", script=script, expect=expect, asked=asked, **asks)

    def cut(name: str, responder: Responder, headline: str, asked: int) -> Fault:
        """The chats that were read before the fault are shown, and the same call reads on."""
        note = has("the same call reads on", HEADLINES[headline])
        kept = answered(chats=_ids(1, 2), complete=False, scanned=2, next_cursor=None, note=note)
        whole = answered(chats=_ids(1, 2, 3), complete=True, scanned=3, next_cursor=None)
        resumed = (lambda requests: rest if requests[-1].query.get("cursor") == "c2" else first), whole
        return of(f"{name} in the middle", in_turn(first, responder), kept, asked, resumed=resumed)

    def paged(name: str, *given: dict[str, Any]) -> Fault:
        """A page of one row is resumed after it, whatever its id is made of."""
        page = in_turn(answer(chats(*given)))
        on = answered(chats=lambda rows: [row["id"] for row in rows] == [given[-1]["id"]], complete=True)
        begun = answered(scanned=len(given), complete=True, next_cursor=str.isprintable)
        call = {"arguments": {"text": "team", "limit": 1}, "resumed": (page, on)}
        return of(f"{name}, resumed", page, begun, range(1, 6), **call)

    circle = [answer(chats(numbered(number), next_cursor=cursor)) for number, cursor in enumerate("ABA")]
    circled = answered(complete=False, next_cursor=None, note=has("circle"))
    lines = in_turn(answer({"phone_numbers": [LINE]}))
    sums = {"tool": "summarize_chat_health", "arguments": {}}
    total = answered(scanned=1, complete=True, lines=lambda rows: rows[0]["chats"] == 1 and "reputation" not in rows[0])

    def without_lines(name: str, responder: Responder, asked: range) -> Fault:
        script = by_path(chats=in_turn(HEALTHY), phone_numbers=in_turn(responder))
        return of(f"summed up, the lines {name}", script, total, asked, **sums)

    return [
        cut("reset", raw(then="reset"), "unreachable", 4),
        cut("429, Retry-After 60,", answer(b"", 429, {"Retry-After": "60"}), "rate_limited", 2),
        cut("HTML", answer(HTML), "unreadable", 2),
        of("401 in the middle", in_turn(first, answer(HTML, 401)), failed("key_rejected"), 2),
        of(
            "503, then the page",
            in_turn(first, answer(b"", 503), rest),
            answered(complete=True, scanned=3),
            range(3, 6),
        ),
        of("cursors A, B, A", in_turn(*circle), circled, 3),
        of("cursors A, B, A summed up", by_path(chats=in_turn(*circle), phone_numbers=lines), circled, 4, **sums),
        of("the same cursor again", in_turn(circle[0]), circled, 2),
        of("a cursor that is a list", in_turn(answer(chats(next_cursor=[1]))), circled, 1),
        of(
            "new cursors for ever",
            lambda requests: answer(chats(next_cursor=f"c{len(requests)}")),
            circled,
            range(2, 300),
        ),
        without_lines("503", answer(HTML, 503), range(4, 7)),
        without_lines("a string", answer("x"), range(2, 5)),
        # The lines may or may not have been asked for before the chats failed for good.
        of(
            "summed up, the chats reset",
            by_path(chats=in_turn(close()), phone_numbers=lines),
            failed("unreachable"),
            range(3, 5),
            **sums,
        ),
        paged(
            "150 chats on a page",
            *({**numbered(n), "display_name": "Team" if n > 148 else "Others"} for n in range(1, 151)),
        ),
        paged("an id with a ~", {**CHAT, "id": "a~b~c"}, numbered(2)),
        paged("an id with control characters", {**CHAT, "id": "a\x00\u202eb"}, numbered(2)),
    ]


def _secrets() -> list[Fault]:
    """The key comes back from the API; the runner looks for it in every answer and stream."""

    def of(name: str, responder: Responder, expect: Expect, asked: int) -> Fault:
        return Fault(name=f"the key in {name}", script=in_turn(responder), expect=expect, asked=asked)

    return [
        of("the status line", raw(f"Bearer {KEY}\r\n\r\n".encode()), GONE, 3),
        of("a body that is not JSON", answer(f"Authorization: Bearer {KEY}".encode()), failed("unreadable"), 1),
        of("a cursor", answer(chats(next_cursor=KEY)), answered(chats=[CHAT_ROW]), 1),
        of("a cookie", answer(chats(), headers={"Set-Cookie": f"key={KEY}; Path=/"}), SEEN, 1),
    ]


FAULTS = (
    *_connection(),
    *_http(),
    *_bodies(),
    *_redirects(),
    *_statuses(),
    *_scans(),
    *_secrets(),
)
