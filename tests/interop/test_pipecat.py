"""turnkit in a real Pipecat pipeline: what the caller hears, and what the LLM is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.support.flux_peer import Link, flux_peer
from turnkit import BargeIn, Commit, FluxOptions, IgnoreBackchannels, Outcome, ReplyEnded, Session
from turnkit.testing import virtual_time
from turnkit.trace import read

pytest.importorskip("pipecat", reason="Pipecat has an environment of its own: .ci/interop")

from pipecat.frames.frames import Frame, LLMContextFrame, TTSSpeakFrame
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from benchmarks.interop_pipecat_call import Call, Setting, converse, hold
from turnkit.interop.pipecat import TurnkitSTTService

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
EAGER = FluxOptions(eager_eot_threshold=0.4)


@pytest.fixture(params=["asyncio"])
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Pipecat runs on asyncio; here on a clock that jumps whenever all tasks wait."""
    return virtual_time("asyncio")


async def talk(
    flux: Callable[[Link], Awaitable[None]], setting: Setting | None = None, seconds: float = 10.0, **settings: Any
) -> Call:
    """A call in which Flux says this."""

    async def script(link: Link) -> None:
        await link.connected()
        await flux(link)
        await link.hang_up()

    async with flux_peer(script) as peer:
        stt = TurnkitSTTService(url=peer.url, **{"options": EAGER, **settings})
        return await converse(setting or Setting(""), stt, seconds)


class QuestionEater(FrameProcessor):
    """A processor that lets no question through to the LLM."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)


def texts(call: Call) -> list[str]:
    """What was heard, with a dash where it was cut off."""
    return [one.text if one.whole else f"{one.text} -" for one in call.sounds]


async def say(link: Link, turn: int, words: str, *, eager: bool = False, pause: float = 0.3) -> None:
    """A whole turn."""
    await link.turn("StartOfTurn", words.split()[0], turn_index=turn)
    await anyio.sleep(pause)
    await link.turn("Update", words, turn_index=turn)
    if eager:
        await link.turn("EagerEndOfTurn", words, turn_index=turn)
        await anyio.sleep(pause)
    await link.turn("EndOfTurn", words, turn_index=turn)


async def test_a_turn_is_answered() -> None:
    """Once, early, and Pipecat's context has both."""

    async def flux(link: Link) -> None:
        await say(link, 0, "A table for two", eager=True)

    call = await talk(flux)
    answer = "You said A table for two and that is fine by me."
    assert texts(call) == [answer]
    assert [(run.asked, run.speculative, run.finished) for run in call.llm] == [("A table for two", True, True)]
    assert call.messages == [("user", "A table for two"), ("assistant", answer)]


async def test_without_an_eager_threshold_nothing_is_speculated() -> None:
    """As the options say."""

    async def flux(link: Link) -> None:
        await say(link, 0, "A table for two")

    call = await talk(flux, options=FluxOptions())
    assert [(run.asked, run.speculative) for run in call.llm] == [("A table for two", False)]
    assert len(call.sounds) == 1


@pytest.mark.parametrize("apart", [0.0, 0.001, 0.01, 0.05])
async def test_a_withdrawn_draft_is_never_heard(apart: float) -> None:
    """However close upon each other the messages come."""

    async def flux(link: Link) -> None:
        await link.turn("StartOfTurn", "I'd like")
        await link.turn("EagerEndOfTurn", "I'd like a table")
        await anyio.sleep(apart)
        await link.turn("TurnResumed", "I'd like a table")
        await anyio.sleep(apart)
        await link.turn("EagerEndOfTurn", "I'd like a table for two")
        await anyio.sleep(apart)
        await link.turn("EndOfTurn", "I'd like a table for two")

    call = await talk(flux)
    assert texts(call) == ["You said I'd like a table for two and that is fine by me."]
    assert [message for message in call.messages if message[0] == "user"] == [("user", "I'd like a table for two")]
    finished = [run.asked for run in call.llm if run.finished]
    assert finished == ["I'd like a table for two"]


async def test_two_turns_at_once_are_both_known_and_the_last_is_answered() -> None:
    """A burst: Pipecat's own would take the second for a part of the first, and never answer it."""

    async def flux(link: Link) -> None:
        for turn, words in enumerate(("A table", "For two")):
            await link.turn("StartOfTurn", words, turn_index=turn)
            await link.turn("EagerEndOfTurn", words, turn_index=turn)
            await link.turn("EndOfTurn", words, turn_index=turn)

    call = await talk(flux)
    assert texts(call) == ["You said A table For two and that is fine by me."]
    assert [text for role, text in call.messages if role == "user"] == ["A table", "For two"]


async def test_a_backchannel_does_not_stop_the_bot() -> None:
    """It comes as Pipecat's own frame, and is not in the context."""

    async def flux(link: Link) -> None:
        await say(link, 0, "Tell me about Friday")
        await anyio.sleep(2)
        await say(link, 1, "Mm-hm")

    call = await talk(flux, session=Session(barge_in=IgnoreBackchannels()))
    assert texts(call) == ["You said Tell me about Friday and that is fine by me."]
    assert call.backchannels == ["Mm-hm"]
    assert [text for role, text in call.messages if role == "user"] == ["Tell me about Friday"]


async def test_a_barge_in_stops_the_bot() -> None:
    """And is answered."""
    heard: list[BargeIn] = []

    async def flux(link: Link) -> None:
        await say(link, 0, "Tell me about Friday")
        await anyio.sleep(2)
        await say(link, 1, "No wait")

    session = Session(barge_in=IgnoreBackchannels())
    session.on(BargeIn, heard.append)
    call = await talk(flux, session=session)
    assert texts(call) == [
        "You said Tell me about Friday and that is fine by me. -",
        "You said Tell me about Friday No wait and that is fine by me.",
    ]
    assert [barge_in.reply for barge_in in heard] == [0]
    assert call.backchannels == []


@pytest.mark.parametrize("protected", [True, False])
async def test_a_greeting_is_the_agents_initiative(protected: bool) -> None:
    """Protected, it is heard to its end and what was said over it is answered then; else it is stopped."""

    async def flux(link: Link) -> None:
        await anyio.sleep(1)
        await say(link, 0, "A table for two")

    greeting = "Good morning and welcome to this call."
    call = await talk(flux, Setting("", greeting=greeting), protect_greeting=protected)
    assert texts(call) == [
        greeting if protected else f"{greeting} -",
        "You said A table for two and that is fine by me.",
    ]


async def test_what_is_said_for_a_protected_initiative_is_heard_to_its_end() -> None:
    """The session is asked for the floor, and what Pipecat says next is what it was asked for."""
    session = Session()

    async def say_so(worker: PipelineWorker) -> None:
        async def later() -> None:
            await anyio.sleep(0.5)
            session.initiate(protected=True)
            await worker.queue_frame(TTSSpeakFrame("This call is recorded for training"))

        saying.append(asyncio.create_task(later()))

    saying: list[asyncio.Task[None]] = []

    async def flux(link: Link) -> None:
        await anyio.sleep(1.5)
        await say(link, 0, "A table for two")

    call = await talk(flux, Setting("", events=say_so), session=session)
    assert texts(call) == [
        "This call is recorded for training",
        "You said A table for two and that is fine by me.",
    ]


async def test_an_answer_without_a_sound_frees_the_floor() -> None:
    """As soon as the LLM has said that it has nothing to say."""
    ended: list[ReplyEnded] = []

    async def flux(link: Link) -> None:
        await say(link, 0, "Never mind")
        await anyio.sleep(3)
        await say(link, 1, "Mm-hm")

    session = Session(barge_in=IgnoreBackchannels())
    session.on(ReplyEnded, ended.append)
    answers = {"Never mind": ""}
    call = await talk(flux, Setting("", answer=lambda asked: answers.get(asked, "Yes?")), session=session)
    assert ended[0].outcome is Outcome.FINISHED
    assert texts(call) == ["Yes?"]  # no backchannel: there was nothing to talk over
    assert call.backchannels == []


async def test_an_answer_that_never_comes_frees_the_floor_in_time() -> None:
    """Though nobody says that it failed."""
    ended: list[ReplyEnded] = []

    async def flux(link: Link) -> None:
        await say(link, 0, "Hello")

    session = Session()
    session.on(ReplyEnded, ended.append)
    call = await talk(flux, Setting("", between=[QuestionEater()]), session=session, answer_timeout=4.0, seconds=6)
    assert [one.outcome for one in ended] == [Outcome.FAILED]
    assert call.llm == []


async def test_a_draft_that_failed_is_made_again() -> None:
    """Pipecat's own gate takes the failure for the answer, and is silent."""
    failures = iter([True, False])

    def answer(asked: str) -> str:
        if next(failures):
            raise ValueError("no capacity")
        return f"You said {asked}."

    async def flux(link: Link) -> None:
        await say(link, 0, "A table for two", eager=True, pause=1.0)

    call = await talk(flux, Setting("", answer=answer))
    assert texts(call) == ["You said A table for two."]
    assert [(run.speculative, run.finished) for run in call.llm] == [(True, False), (False, True)]


async def test_the_call_is_recorded(tmp_path: Path) -> None:
    """The session is the user's, with all it can do."""
    committed: list[Commit] = []

    async def flux(link: Link) -> None:
        await say(link, 0, "A table for two")

    session = Session(record=tmp_path / "call.jsonl")
    session.on(Commit, committed.append)
    await talk(flux, session=session)
    assert [commit.transcript for commit in committed] == ["A table for two"]
    assert read(tmp_path / "call.jsonl")


async def test_on_the_simulator_a_dropped_connection_loses_no_word() -> None:
    """The sentence is one, and answered once."""
    script = "1.0 I'd like a table for two please, on Friday evening."
    setting = Setting(script, faults=["drop@2.0s/1"], seconds=6)
    call = await hold(setting, lambda flux: TurnkitSTTService(url=flux.url, options=EAGER))
    (answer,) = texts(call)
    assert all(word in answer for word in ("table", "two", "Friday evening"))
