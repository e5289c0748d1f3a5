"""turnkit in a real Pipecat pipeline whose LLM calls tools, and whose user is muted for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from tests.support.flux_peer import Link, flux_peer
from turnkit import FluxOptions, IgnoreBackchannels, Outcome, ReplyEnded, Session, UserIdle
from turnkit.testing import virtual_time

pytest.importorskip("pipecat", reason="Pipecat has an environment of its own: .ci/interop")

from pipecat.frames.frames import Frame, TTSSpeakFrame
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_response_universal import LLMUserAggregatorParams
from pipecat.services.llm_service import FunctionCallParams
from pipecat.turns.user_mute import BaseUserMuteStrategy

from benchmarks.interop_pipecat_call import Call, Setting, converse
from turnkit.interop.pipecat import TurnkitSTTService

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
EAGER = FluxOptions(eager_eot_threshold=0.4)


@pytest.fixture(params=["asyncio"])
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Pipecat runs on asyncio; here on a clock that jumps whenever all tasks wait."""
    return virtual_time("asyncio")


async def talk(
    flux: Callable[[Link], Awaitable[None]], setting: Setting, session: Session, seconds: float = 10.0
) -> Call:
    """A call in which Flux says this."""

    async def script(link: Link) -> None:
        await link.connected()
        await flux(link)
        await link.hang_up()

    async with flux_peer(script) as peer:
        return await converse(setting, TurnkitSTTService(url=peer.url, options=EAGER, session=session), seconds)


def booking(log: list[float], seconds: float, first: str = "") -> Setting:
    """An LLM that books when it is asked to, saying something first if it has to, and then says so."""

    async def book(params: FunctionCallParams) -> None:
        log.append(asyncio.get_running_loop().time())
        await asyncio.sleep(seconds)
        await params.result_callback("booked")

    def answer(asked: str) -> str:
        return f"{first}@book" if asked.endswith("Book it") else "It is done now"

    return Setting("", answer=answer, tools={"book": book})


@pytest.mark.parametrize("seconds", [0.0, 2.0])
async def test_a_tool_is_called_once_and_not_for_a_draft(seconds: float) -> None:
    """However often the turn was drafted; and the reply is over when what the LLM says then is."""
    log: list[float] = []
    ended: list[ReplyEnded] = []
    session = Session()
    session.on(ReplyEnded, ended.append)

    async def flux(link: Link) -> None:
        await anyio.sleep(0.2)
        await link.turn("StartOfTurn", "Book")
        await link.turn("EagerEndOfTurn", "Book it")
        await anyio.sleep(0.6)
        await link.turn("TurnResumed", "Book it")
        await anyio.sleep(0.2)
        await link.turn("EagerEndOfTurn", "Please Book it")
        await anyio.sleep(0.6)
        await link.turn("EndOfTurn", "Please Book it")

    call = await talk(flux, booking(log, seconds), session)
    assert len(log) == 1
    assert log[0] > 1.8  # not before the turn was over
    assert [one.text for one in call.sounds] == ["It is done now"]
    assert [one.outcome for one in ended if one.outcome is not Outcome.CANCELLED] == [Outcome.FINISHED]


async def test_the_user_is_not_idle_while_a_tool_runs() -> None:
    """The silence is not theirs."""
    log: list[float] = []
    idle: list[UserIdle] = []
    session = Session(idle_timeout=2.5)
    session.on(UserIdle, idle.append)

    async def flux(link: Link) -> None:
        await link.turn("StartOfTurn", "Book")
        await link.turn("EndOfTurn", "Book it")

    call = await talk(flux, booking(log, 5.0, "One moment please."), session, seconds=8.5)
    assert len(log) == 1
    assert [one.text for one in call.sounds] == ["One moment please.", "It is done now"]
    assert idle == []


class MuteWhile(BaseUserMuteStrategy):
    """Mutes the user from one second to another."""

    def __init__(self, begin: float, end: float) -> None:
        super().__init__()
        self._begin, self._end = begin, end

    async def process_frame(self, frame: Frame) -> bool:
        await super().process_frame(frame)
        return self._begin <= asyncio.get_running_loop().time() < self._end


async def test_a_turn_that_ends_while_the_user_is_muted_does_not_stay_open() -> None:
    """What the bot says afterwards can be interrupted."""

    async def speak(worker: PipelineWorker) -> None:
        async def later() -> None:
            await asyncio.sleep(3.0)
            await worker.queue_frame(TTSSpeakFrame("Is anybody there or shall I hang up now"))

        speaking.append(asyncio.create_task(later()))

    speaking: list[asyncio.Task[None]] = []

    async def flux(link: Link) -> None:
        await anyio.sleep(0.5)
        await link.turn("StartOfTurn", "Hello")
        await anyio.sleep(1.0)
        await link.turn("EndOfTurn", "Hello you")  # muted by now
        await anyio.sleep(2.5)
        await link.turn("StartOfTurn", "Yes", turn_index=1)
        await anyio.sleep(0.5)
        await link.turn("EndOfTurn", "Yes it is me", turn_index=1)

    params = LLMUserAggregatorParams(user_mute_strategies=[MuteWhile(1.0, 2.5)], empty_user_turn=None)
    call = await talk(flux, Setting("", user_params=params, events=speak), Session(), seconds=9)
    assert [one.whole for one in call.sounds] == [False, True]
    assert call.sounds[0].played < 1.3  # it began at 3.1, and was interrupted at 4


async def test_words_of_a_muted_user_leave_no_answer_pending() -> None:
    """Pipecat drops them, and turnkit must not wait for an answer: what comes next is talk over nothing."""

    async def flux(link: Link) -> None:
        await anyio.sleep(0.5)
        await link.turn("StartOfTurn", "Hello")
        await link.turn("EndOfTurn", "Hello")
        await anyio.sleep(2.0)
        await link.turn("StartOfTurn", "Yeah", turn_index=1)
        await link.turn("EndOfTurn", "Yeah", turn_index=1)

    params = LLMUserAggregatorParams(user_mute_strategies=[MuteWhile(0.0, 1.5)], empty_user_turn=None)
    call = await talk(flux, Setting("", user_params=params), Session(barge_in=IgnoreBackchannels()), seconds=6)
    assert [one.text for one in call.sounds] == ["You said Yeah and that is fine by me."]
    assert call.backchannels == []
