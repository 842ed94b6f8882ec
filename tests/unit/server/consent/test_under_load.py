"""Fifty calls at once, whose hosts all do something else: what leaves is what each of them said, and nothing more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import cycle, islice

import anyio
import pytest
from helpers.hosts import YES, Answer, answer_with, answers, client, client_declaring, question_of
from helpers.mcp_client import text_of
from helpers.recording_api import RULES, RecordingApi, demo_chat
from helpers.virtual_time import in_virtual_time
from mcp import Client, MCPError, types
from mcp.client.client import ConnectMode
from mcp.client.context import ClientRequestContext

from linq_mcp.demo.lines import CLINIC_LINE
from linq_mcp.server.consent.limits import SendLimits
from linq_mcp.server.consent.service import ConsentService
from linq_mcp.wording.errors import HEADLINES

CALLS = 50
CHATS = [demo_chat(line=CLINIC_LINE, skip=number)["id"] for number in range(5)]
# Longer than a question stays open.
PATIENCE = 1000.0

Said = list[str | None]


@dataclass
class Stage:
    """The clients of one server: that of a person, those that say they can't ask one, and another caller's."""

    api: RecordingApi
    era: ConnectMode
    consent: ConsentService
    person: Client
    mute: Client
    web_pages: Client
    other_caller: Client
    plays: dict[int, str] = field(default_factory=dict)

    async def call(self, number: int, connected: Client | None = None) -> Said:
        """Call and let the person answer, as the play of this number has it."""
        try:
            result = await (connected or self.person).call_tool("send_message", arguments(number))
        except MCPError as error:
            return [_headline(error.error.message)]
        return [_said(result)]

    async def answer(self, number: int, state: str | None, responses: types.InputResponses | None) -> str | None:
        return _said(await answer_with(self.person, state, responses, arguments(number)))


Play = Callable[[Stage, int], Awaitable[Said]]


def arguments(number: int) -> dict[str, str]:
    return {"chat_id": CHATS[number % len(CHATS)], "text": f"Number {number}"}


def yes(number: int) -> types.InputResponses:
    return answers({"choice": "Send", "text": f"Number {number}"})


def _said(result: types.CallToolResult) -> str | None:
    """The headline of a refusal; None for a message that was sent."""
    if not result.is_error:
        return None
    return _headline(text_of(result))


def _headline(text: str) -> str:
    assert text.endswith("Nothing was sent.") is not text.startswith(HEADLINES["perhaps_sent"])
    return next(name for name, headline in HEADLINES.items() if text.startswith(headline))


# What a person says who is asked by the client itself.
SAYS: Mapping[str, Callable[[int], types.ElicitResult]] = {
    "accepts": lambda number: types.ElicitResult(
        action="accept", content={"choice": "Send", "text": f"Number {number}"}
    ),
    "accepts another text": lambda number: types.ElicitResult(
        action="accept", content={"choice": "Send", "text": f"Changed {number}"}
    ),
    "declines": lambda _: types.ElicitResult(action="decline"),
    "cancels": lambda _: types.ElicitResult(action="cancel"),
    "lacks the choice": lambda number: types.ElicitResult(action="accept", content={"text": f"Number {number}"}),
}


async def says(stage: Stage, number: int) -> Said:
    return await stage.call(number)


async def is_silent(stage: Stage, number: int) -> Said:
    """In the handshake era the question runs out; in the other one the client never comes back."""
    with anyio.move_on_after(PATIENCE / 2):
        return await stage.call(number)
    return []


async def dies(stage: Stage, number: int) -> Said:
    """The whole program ends while the question is open."""
    begun = anyio.Event()

    async def answer(_: ClientRequestContext, __: types.ElicitRequestParams) -> Answer:
        begun.set()
        await anyio.sleep_forever()
        raise AssertionError

    with anyio.CancelScope() as scope:
        async with (
            client(stage.api, stage.era, answer, consent=stage.consent) as own,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(stage.call, number, own)
            await begun.wait()
            scope.cancel()
    return []


async def can_not_ask(stage: Stage, number: int) -> Said:
    return await stage.call(number, stage.mute)


async def shows_web_pages_only(stage: Stage, number: int) -> Said:
    return await stage.call(number, stage.web_pages)


async def answers_twice(stage: Stage, number: int) -> Said:
    """At the same time, with two different calls."""
    state = await question_of(stage.person, arguments(number))
    said: Said = []

    async def answer() -> None:
        said.append(await stage.answer(number, state, yes(number)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answer)
        tasks.start_soon(answer)
    return sorted(said, key=bool)


async def replays_a_yes(stage: Stage, number: int) -> Said:
    state = await question_of(stage.person, arguments(number))
    return [await stage.answer(number, state, yes(number)) for _ in range(2)]


async def replays_a_no_as_a_yes(stage: Stage, number: int) -> Said:
    state = await question_of(stage.person, arguments(number))
    return [await stage.answer(number, state, said) for said in (answers({}, "decline"), yes(number))]


async def answers_for_another_caller(stage: Stage, number: int) -> Said:
    state = await question_of(stage.person, arguments(number))
    with pytest.raises(MCPError):
        await answer_with(stage.other_caller, state, yes(number), arguments(number))
    return []


async def changes_the_arguments(stage: Stage, number: int) -> Said:
    state = await question_of(stage.person, arguments(number))
    with pytest.raises(MCPError):
        await answer_with(stage.person, state, yes(number), {**arguments(number), "text": f"Other {number}"})
    return []


async def answers_without_the_state(stage: Stage, number: int) -> Said:
    """The question is put as if for the first time."""
    again = await stage.person.session.call_tool(
        "send_message", arguments(number), input_responses=yes(number), allow_input_required=True
    )
    assert isinstance(again, types.InputRequiredResult)
    return []


async def returns_the_state_alone(stage: Stage, number: int) -> Said:
    """The question comes once more."""
    state = await question_of(stage.person, arguments(number))
    again = await stage.person.session.call_tool(
        "send_message", arguments(number), request_state=state, allow_input_required=True
    )
    assert isinstance(again, types.InputRequiredResult)
    return []


SENT, NOTHING = "Number", ""
# What happens, how each call of it ends (None: the message was sent), and what reaches Linq, once.
BOTH_ERAS: dict[str, tuple[Play, Said, str]] = {
    "accepts": (says, [None], SENT),
    "accepts another text": (says, [None], "Changed"),
    "declines": (says, ["declined"], NOTHING),
    "cancels": (says, ["declined"], NOTHING),
    "lacks the choice": (says, ["invalid_consent"], NOTHING),
    "dies": (dies, [], NOTHING),
    "can't ask": (can_not_ask, ["cannot_ask"], NOTHING),
    "web pages only": (shows_web_pages_only, ["cannot_ask"], NOTHING),
}
TABLES: dict[ConnectMode, dict[str, tuple[Play, Said, str]]] = {
    "legacy": {**BOTH_ERAS, "is silent": (is_silent, ["declined"], NOTHING)},
    "auto": {
        **BOTH_ERAS,
        "is silent": (is_silent, [], NOTHING),
        "answers twice": (answers_twice, [None, "perhaps_sent"], SENT),
        "replays a yes": (replays_a_yes, [None, "perhaps_sent"], SENT),
        "replays a no as a yes": (replays_a_no_as_a_yes, ["declined", "perhaps_sent"], NOTHING),
        "another caller's": (answers_for_another_caller, [], NOTHING),
        "changed arguments": (changes_the_arguments, [], NOTHING),
        "without the state": (answers_without_the_state, [], NOTHING),
        "the state alone": (returns_the_state_alone, [], NOTHING),
    },
}


async def perform(era: ConnectMode) -> tuple[RecordingApi, dict[int, Said]]:
    """Fifty plays of the era's table at once, over one API and one consent: what left, and how each call ended."""
    table = TABLES[era]
    plays = dict(enumerate(islice(cycle(table), CALLS)))
    api, consent = RecordingApi(), ConsentService(RULES, limits=SendLimits(None))

    async def person(_: ClientRequestContext, params: types.ElicitRequestParams) -> Answer:
        number = int(params.message.partition("> Number ")[2].partition("\n")[0])
        await anyio.lowlevel.checkpoint()
        if answer := SAYS.get(plays[number]):
            return answer(number)
        await anyio.sleep_forever()
        raise AssertionError

    ended: dict[int, Said] = {}
    async with (
        client(api, era, person, consent=consent, patience=PATIENCE) as asking,
        client_declaring({}, api, era, YES, consent=consent) as mute,
        client_declaring({"elicitation": {"url": {}}}, api, era, YES, consent=consent) as web_pages,
        client(api, era, person, consent=consent, key="other", patience=PATIENCE) as other_caller,
    ):
        stage = Stage(api, era, consent, asking, mute, web_pages, other_caller, plays)

        async def play(number: int, name: str) -> None:
            ended[number] = await table[name][0](stage, number)

        async with anyio.create_task_group() as tasks:
            for number, name in plays.items():
                tasks.start_soon(play, number, name)
    return api, ended


@pytest.mark.parametrize("era", TABLES, ids=["handshake", "2026-07-28"])
def test_fifty_at_once_are_told_apart(era: ConnectMode) -> None:
    """Each call ends as the table says, and exactly the messages that it names leave, each with a key of its own."""
    api, ended = in_virtual_time(lambda: perform(era))
    names = dict(enumerate(islice(cycle(TABLES[era]), CALLS)))
    assert ended == {number: TABLES[era][name][1] for number, name in names.items()}
    wanted = {f"{TABLES[era][name][2]} {number}" for number, name in names.items() if TABLES[era][name][2]}
    assert sorted(api.texts) == sorted(wanted)
    keys = {body["message"]["idempotency_key"] for _, body in api.posts}
    assert len(keys) == len(wanted)
