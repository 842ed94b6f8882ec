"""Who is written to: everybody whom a message reaches, as far as Linq tells of them on any line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import httpx
import pytest
from helpers.linq import Canned, call_over
from helpers.scripted_api import error_body

from linq_mcp.api.client import LinqApi
from linq_mcp.api.scoped_client import ScopedApi
from linq_mcp.errors import ApiResponseError, ApiStatusError, ArgumentsError, LinqError, NotSent, NotSentError
from linq_mcp.settings.sending import SendSettings
from linq_mcp.tools.base.question import Ask, Consent, ConsentNeeded, Question
from linq_mcp.tools.react_to_message import REACT_TO_MESSAGE
from linq_mcp.tools.send_message import SEND_MESSAGE

Json = dict[str, Any]
LINE, OTHER_LINE, CLOSED = "+12055550101", "+12055550102", "+12055550103"
ANN, BO, CY = "+13345550191", "+13345550192", "cy@example.com"
ANYONE, KNOWN = SendSettings(anyone=True), SendSettings()


def id_of(number: int) -> str:
    return f"550e8400-e29b-41d4-a716-{number:012d}"


def chat(number: int, *people: str | None, line: str = LINE, status: str = "HEALTHY", **more: Any) -> Json:
    handles = [{"handle": line, "is_me": True}, *({"handle": person, "is_me": False} for person in people)]
    health = {"status": status}
    return {"id": id_of(number), "handles": handles, "is_group": len(people) > 1, "health_status": health, **more}


def message(number: int, of: int, writer: str | None) -> Json:
    handle = {"handle": writer, "is_me": False} if writer else {"handle": LINE, "is_me": True}
    part = {"type": "text", "value": "Hello"}
    return {
        "id": id_of(900 + number),
        "chat_id": id_of(of),
        "is_from_me": writer is None,
        "from_handle": handle,
        "parts": [part],
    }


class Linq:
    """Linq with these chats and messages, in pages of `page`; `taken` are the bodies that were posted.

    With `filters=False` it ignores the filters of the list of chats, as it might.
    """

    def __init__(
        self,
        chats: Sequence[Any],
        messages: Sequence[Json] = (),
        *,
        page: int = 100,
        filters: bool = True,
        answer: httpx.Response | None = None,
        repeats: bool = False,
    ) -> None:
        self._chats = list(chats)
        self._messages = list(messages)
        self._page = page
        self._filters = filters
        self._answer = answer
        self._repeats = repeats
        self.taken: list[Any] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, query = request.url.path.partition("/v3/")[2], request.url.params
        if request.method == "POST":
            self.taken.append(path)
            taken = {"id": id_of(999), "delivery_status": "delivered"}
            both = {"chat_id": id_of(1), "message": taken, "chat": {"id": id_of(1), "message": taken}}
            return self._answer or httpx.Response(202, json=both)
        if path == "phone_numbers":
            lines = [{"phone_number": line} for line in (LINE, OTHER_LINE, CLOSED)]
            return httpx.Response(200, json={"phone_numbers": lines})
        if path == "chats":
            wanted = {query[name] for name in ("from", "to") if query.get(name) and self._filters}
            found = [
                one
                for one in self._chats
                if not isinstance(one, dict) or wanted <= {handle["handle"] for handle in one["handles"]}
            ]
            return self._paged("chats", found, int(query.get("cursor") or 0))
        parts = path.split("/")
        if parts[2:] == ["messages"]:
            found = [one for one in self._messages if one["chat_id"] == parts[1]]
            return self._paged("messages", found, int(query.get("cursor") or 0))
        rows = [one for one in (*self._chats, *self._messages) if isinstance(one, dict)]
        return httpx.Response(200, json=next(one for one in rows if one["id"] == parts[1]))

    def _paged(self, name: str, rows: Sequence[Any], at: int) -> httpx.Response:
        end = at + self._page
        following = "0" if self._repeats else str(end) if end < len(rows) else None
        return httpx.Response(200, json={name: rows[at:end], "next_cursor": following})


def agree(question: Question) -> Consent:
    return Consent(nonce="nonce", text=question.text, confirmed_by="person")


def never(question: Question) -> Consent:
    raise AssertionError(question)


async def send(
    linq: Linq, arguments: Json, *, rules: SendSettings = KNOWN, ask: Ask = agree, lines: Sequence[str] = ()
) -> Json:
    tool: Any = REACT_TO_MESSAGE if "message_id" in arguments else SEND_MESSAGE
    given = arguments if "message_id" in arguments else {"text": "Hello", **arguments}
    async with call_over(Canned(linq), sending=rules, consent=ask) as call:
        assert isinstance(call.api, LinqApi)
        if lines:
            object.__setattr__(call, "api", ScopedApi(call.api, lines))
        result: Json = await tool.run(tool.parse(given), call)
        return result


async def refusal(linq: Linq, arguments: Json, **options: Any) -> NotSentError:
    with pytest.raises(NotSentError) as refused:
        await send(linq, arguments, ask=never, **options)
    assert linq.taken == []
    return refused.value


WROTE = [message(1, 1, ANN), message(2, 2, ANN), message(3, 3, ANN), message(4, 3, BO)]
STOPPED = chat(9, ANN, line=CLOSED, status="opted_out")
HERE, GROUP = chat(1, ANN), chat(3, ANN, BO)


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ({"chat_id": id_of(1)}, ()),
        ({"chat_id": id_of(1)}, (LINE, OTHER_LINE)),
        ({"chat_id": id_of(1)}, (LINE,)),
        ({"chat_id": id_of(3)}, ()),
        ({"chat_id": id_of(3)}, (LINE, OTHER_LINE)),
        ({"to": ANN, "from": LINE}, ()),
        ({"to": ANN, "from": OTHER_LINE}, ()),
        ({"to": ANN, "from": OTHER_LINE}, (LINE, OTHER_LINE)),
        ({"message_id": id_of(901), "type": "like"}, (LINE,)),
        ({"message_id": id_of(903), "type": "like", "remove": True}, ()),
    ],
)
@pytest.mark.parametrize("page", [1, 100])
async def test_an_opt_out_holds_for_the_person(arguments: Json, lines: Sequence[str], page: int) -> None:
    """An opt-out on any line counts, also on a closed one, in a group, and on a later page of the list."""
    groups = [chat(20 + number, ANN, f"+1334555{number:04d}") for number in range(3)]
    linq = Linq([HERE, GROUP, *groups, STOPPED], WROTE, page=page)
    refused = await refusal(linq, arguments, rules=SendSettings(anyone=True, allow_critical=True), lines=lines)
    assert refused.reason is NotSent.OPTED_OUT
    assert ANN in str(refused)
    assert CLOSED not in str(refused)
    assert STOPPED["id"] not in str(refused)


async def test_an_opt_out_of_any_member_holds_for_the_group() -> None:
    linq = Linq([GROUP, chat(9, BO, line=OTHER_LINE, status="OPTED_OUT")], WROTE)
    refused = await refusal(linq, {"chat_id": id_of(3)})
    assert refused.reason is NotSent.OPTED_OUT
    assert BO in str(refused)


class Together(httpx.AsyncBaseTransport):
    """Answers lists of chats with a person once `together` of them were asked for, that of `bad` with an error."""

    def __init__(self, linq: Linq, together: int, bad: str | None = None) -> None:
        self._linq = Canned(linq)
        self._together = together
        self._bad = bad
        self._met = anyio.Event()
        self.now, self.most = 0, 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if "to" not in request.url.params:
            return await self._linq.handle_async_request(request)
        self.now += 1
        self.most = max(self.most, self.now)
        if self.now == self._together:
            self._met.set()
        with anyio.fail_after(5):
            await self._met.wait()
        await anyio.lowlevel.checkpoint()
        self.now -= 1
        if request.url.params["to"] == self._bad:
            refused = Canned(lambda _: httpx.Response(403, content=error_body(status=403, code=2005)))
            return await refused.handle_async_request(request)
        return await self._linq.handle_async_request(request)


PEOPLE = [f"+1334555{number:04d}" for number in range(20)]
CROWD = Linq([chat(3, *PEOPLE)], [message(number, 3, person) for number, person in enumerate(PEOPLE)])


async def test_the_people_of_a_large_group_are_looked_at_side_by_side() -> None:
    """One after the other, a group of 31 would take up a call's time; all at once, Linq's patience."""
    api = Together(CROWD, 8)
    async with call_over(api, sending=KNOWN, consent=ask_first) as call:
        with pytest.raises(ConsentNeeded):
            await SEND_MESSAGE.run(SEND_MESSAGE.parse({"chat_id": id_of(3), "text": "Hello"}), call)
    assert (api.now, api.most) == (0, 8)


@pytest.mark.parametrize("opted_out", [True, False])
async def test_a_person_who_can_not_be_looked_at_is_no_permission(opted_out: bool) -> None:
    """An opt-out that was found is the reason all the same."""
    stopped = [chat(9, PEOPLE[1], line=CLOSED, status="OPTED_OUT")] if opted_out else []
    linq = Linq([chat(3, *PEOPLE), *stopped], [message(number, 3, person) for number, person in enumerate(PEOPLE)])
    expected: type[Exception] = NotSentError if opted_out else ApiStatusError
    async with call_over(Together(linq, 8, bad=PEOPLE[0]), sending=KNOWN, consent=never) as call:
        with pytest.raises(expected):
            await SEND_MESSAGE.run(SEND_MESSAGE.parse({"chat_id": id_of(3), "text": "Hello"}), call)


async def test_critical_holds_for_the_person() -> None:
    poor, poor_group = chat(9, ANN, line=OTHER_LINE, status="CRITICAL"), chat(8, ANN, CY, status="CRITICAL")
    for arguments in ({"chat_id": id_of(1)}, {"chat_id": id_of(3)}):
        linq = Linq([HERE, GROUP, poor], WROTE)
        assert (await refusal(linq, arguments)).reason is NotSent.CRITICAL
        await send(linq, arguments, rules=SendSettings(allow_critical=True))
        await send(Linq([HERE, GROUP, poor_group], WROTE), arguments)


async def test_nobody_else_is_held_back() -> None:
    others = [chat(8, BO, status="OPTED_OUT"), chat(7, CY, status="CRITICAL")]
    for filters in (True, False):
        linq = Linq([HERE, *others], WROTE, filters=filters)
        assert (await send(linq, {"chat_id": id_of(1)}))["sent"] is True


@pytest.mark.parametrize("unreadable", [chat(9, None, status="OPTED_OUT"), "no object"], ids=["handle", "entry"])
async def test_what_can_not_be_read_is_no_permission(unreadable: Any) -> None:
    linq = Linq([HERE, unreadable], WROTE, filters=False)
    with pytest.raises((NotSentError, ApiResponseError)):
        await send(linq, {"chat_id": id_of(1)}, ask=never)
    assert linq.taken == []


async def test_a_list_without_end_is_no_permission() -> None:
    linq = Linq([HERE], WROTE, repeats=True)
    with pytest.raises(ApiResponseError, match="Not all chats"):
        await send(linq, {"chat_id": id_of(1)}, ask=never)
    assert linq.taken == []


async def test_each_member_of_a_group_must_have_written() -> None:
    """The message of one does not open the chat for the others; where more is allowed, the question names them."""
    half = [*(one for one in WROTE if one["id"] != id_of(904)), message(5, 3, ANN)]
    refused = await refusal(Linq([GROUP], half), {"chat_id": id_of(3)})
    assert refused.reason is NotSent.NOT_PERMITTED
    assert f"no message from {BO} to answer" in str(refused)
    with pytest.raises(ConsentNeeded) as needed:
        await send(Linq([GROUP], half), {"chat_id": id_of(3)}, rules=ANYONE, ask=ask_first)
    assert f"Never wrote here: {BO}" in needed.value.question.message
    assert (await send(Linq([GROUP], WROTE), {"chat_id": id_of(3)}))["sent"] is True


def ask_first(question: Question) -> Consent:
    raise ConsentNeeded(question)


async def test_a_history_of_many_pages_is_read_until_all_have_written() -> None:
    """Reading ends at a thousand messages."""
    ours = [message(100 + number, 1, None) for number in range(12)]
    late = Linq([HERE], [*ours[:8], message(1, 1, ANN)], page=1)
    assert (await send(late, {"chat_id": id_of(1)}))["sent"] is True
    too_late = Linq([HERE], [*ours, message(1, 1, ANN)], page=1)
    assert (await refusal(too_late, {"chat_id": id_of(1)})).reason is NotSent.NOT_PERMITTED


async def test_a_message_that_may_be_our_own_is_no_word_of_theirs() -> None:
    linq = Linq([HERE], [{**message(1, 1, ANN), "is_from_me": None}])
    assert (await refusal(linq, {"chat_id": id_of(1)})).reason is NotSent.NOT_PERMITTED


@pytest.mark.parametrize("handle", [None, "", "+1334\u202e5550192"])
async def test_a_participant_who_can_not_be_read_is_named_as_such(handle: str | None) -> None:
    group = chat(3, ANN, handle)
    for rules in (KNOWN, SendSettings(recipients=frozenset({ANN}))):
        refused = await refusal(Linq([group], WROTE), {"chat_id": id_of(3)}, rules=rules)
        assert "1 participant can't be read" in str(refused)
    with pytest.raises(ConsentNeeded) as needed:
        await send(Linq([group], WROTE), {"chat_id": id_of(3)}, rules=ANYONE, ask=ask_first)
    assert f"To: {ANN}, somebody whose handle can't be read" in needed.value.question.message


async def test_to_is_found_behind_any_number_of_groups() -> None:
    """Empty pages are passed, too: no second chat is opened with somebody who already has one."""
    groups = [chat(20 + number, ANN, f"+1334555{number:04d}") for number in range(5)]
    linq = Linq([*groups, HERE], WROTE, page=1)
    assert (await send(linq, {"to": ANN, "from": LINE}))["chat_id"] == id_of(1)
    assert linq.taken == [f"chats/{id_of(1)}/messages"]


async def test_two_chats_on_two_pages_are_several() -> None:
    """The first one found is not taken for the only one; the refusal names both."""
    linq = Linq([HERE, chat(2, ANN, line=OTHER_LINE)], WROTE, page=1)
    with pytest.raises(ArgumentsError, match="several chats") as refused:
        await send(linq, {"to": ANN}, ask=never)
    assert id_of(1) in str(refused.value)
    assert id_of(2) in str(refused.value)


async def test_to_is_compared_with_the_recipients_that_linq_returns() -> None:
    """A list whose filter Linq ignored must not lead to somebody else's chat."""
    linq = Linq([chat(2, BO)], WROTE, filters=False)
    with pytest.raises(ArgumentsError, match="There is no chat with"):
        await send(linq, {"to": ANN}, ask=never)
    await send(linq, {"to": ANN, "from": LINE}, rules=ANYONE)
    assert linq.taken == ["chats"]


async def test_from_may_be_any_line_of_yours_in_the_chat() -> None:
    """A chat with two of them is written to from the one that was asked for."""
    both = chat(1, ANN)
    both["handles"].insert(1, {"handle": OTHER_LINE, "is_me": True})
    for line in (LINE, OTHER_LINE):
        assert (await send(Linq([both], WROTE), {"chat_id": id_of(1), "from": line}))["line"] == line
    with pytest.raises(ArgumentsError, match="a line of yours in the chat"):
        await send(Linq([both], WROTE), {"chat_id": id_of(1), "from": CLOSED}, ask=never)


@pytest.mark.parametrize(
    ("answer", "may_have_sent"),
    [
        (httpx.Response(200, html="<h1>Blocked by your organisation</h1>"), True),
        (httpx.Response(202, json={}), True),
        (httpx.Response(202, json={"message": {"id": ""}, "chat": {"message": {}}}), True),
        (httpx.Response(202, json=[]), True),
        (httpx.Response(204), True),
        (httpx.Response(200, content=error_body(status=403, code=2024)), False),
        (httpx.Response(200, json={"success": False, "error": {"code": 2024}}), False),
        (httpx.Response(200, content=error_body(status=503, code=4004)), True),
    ],
    ids=["a page", "nothing", "no id", "a list", "no body", "a refusal", "without a status", "an error of Linq's"],
)
@pytest.mark.parametrize("arguments", [{"chat_id": id_of(1)}, {"to": BO, "from": LINE}], ids=["a chat", "a new one"])
async def test_sent_means_that_linq_said_so(arguments: Json, answer: httpx.Response, *, may_have_sent: bool) -> None:
    """An answer without a message's id is none of Linq's, and one that says no is a refusal."""
    linq = Linq([HERE], WROTE, answer=answer)
    with pytest.raises(LinqError) as failed:
        await send(linq, arguments, rules=ANYONE)
    assert failed.value.may_have_sent is may_have_sent


async def test_a_reaction_is_set_when_linq_said_so() -> None:
    """Its answer has no id; a page of somebody between or an envelope that says no is not Linq's yes."""
    arguments = {"message_id": id_of(901), "type": "like"}
    assert (await send(Linq([HERE], WROTE, answer=httpx.Response(202, json={"status": "accepted"})), arguments))["sent"]
    for answer, may_have_sent in (
        (httpx.Response(200, html="<h1>Blocked</h1>"), True),
        (httpx.Response(200, content=error_body(status=403, code=2024)), False),
    ):
        with pytest.raises(LinqError) as failed:
            await send(Linq([HERE], WROTE, answer=answer), arguments)
        assert failed.value.may_have_sent is may_have_sent
