"""turnkit in a real Pipecat pipeline, when something is not as it should be."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
import structlog

from tests.support.flux_peer import Link, flux_peer
from turnkit import ConfigError, FluxOptions, Outcome, ReplyEnded, Session
from turnkit.logs import logger as turnkits_logger
from turnkit.testing import virtual_time

pytest.importorskip("pipecat", reason="Pipecat has an environment of its own: .ci/interop")

from loguru import logger as loguru
from pipecat.frames.frames import (
    CancelFrame,
    Frame,
    LLMContextFrame,
    LLMMessagesAppendFrame,
    TTSSpeakFrame,
)
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from benchmarks.interop_pipecat_call import Call, Setting, converse
from turnkit.interop.pipecat import TurnkitSTTService

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
EAGER = FluxOptions(eager_eot_threshold=0.4)
FINE = "and that is fine by me."


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


def texts(call: Call) -> list[str]:
    """What was heard, with a dash where it was cut off."""
    return [one.text if one.whole else f"{one.text} -" for one in call.sounds]


class Slow(FrameProcessor):
    """A processor that takes its time with what the LLM is to be asked, such as a memory."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMContextFrame):
            await asyncio.sleep(self._seconds)
        await self.push_frame(frame, direction)


@pytest.mark.parametrize("slow", [0.02, 0.2])
@pytest.mark.parametrize("events", list(itertools.product([0.0, 0.002, 0.3], [0.0, 0.3])))
async def test_a_withdrawn_draft_is_never_heard_behind_a_slow_processor(
    slow: float, events: tuple[float, float]
) -> None:
    """Unless it is slower than all that is left of the turn."""

    async def flux(link: Link) -> None:
        await link.turn("StartOfTurn", "A")
        await anyio.sleep(0.1)
        await link.turn("EagerEndOfTurn", "A table")
        await anyio.sleep(events[0])
        await link.turn("TurnResumed", "A table")
        await anyio.sleep(events[1] + slow)
        await link.turn("EndOfTurn", "A table for two")

    call = await talk(flux, Setting("", between=[Slow(slow)]), seconds=5)
    assert texts(call) == [f"You said A table for two {FINE}"]
    assert [run.asked for run in call.llm if run.finished] == ["A table for two"]


async def test_what_was_added_to_the_context_makes_a_draft_stale() -> None:
    """The answer is made again, with what was added."""

    async def add(worker: PipelineWorker) -> None:
        async def later() -> None:
            await asyncio.sleep(0.8)
            message = {"role": "developer", "content": "Closed on Friday."}
            await worker.queue_frame(LLMMessagesAppendFrame([message], run_llm=False))

        adding.append(asyncio.create_task(later()))

    adding: list[asyncio.Task[None]] = []

    async def flux(link: Link) -> None:
        await anyio.sleep(0.2)
        await link.turn("StartOfTurn", "Friday")
        await link.turn("EagerEndOfTurn", "Friday")
        await anyio.sleep(1.5)
        await link.turn("EndOfTurn", "Friday")

    call = await talk(flux, Setting("", events=add))
    assert texts(call) == [f"You said Friday {FINE}"]
    assert [run.speculative for run in call.llm] == [True, False]


async def test_speech_of_somebody_elses_in_the_users_turn_is_not_taken_for_the_answer() -> None:
    """The answer comes after it, and can be interrupted."""

    async def interject(worker: PipelineWorker) -> None:
        async def later() -> None:
            await asyncio.sleep(1.0)
            await worker.queue_frame(TTSSpeakFrame("One moment"))

        adding.append(asyncio.create_task(later()))

    adding: list[asyncio.Task[None]] = []
    ended: list[ReplyEnded] = []
    session = Session()
    session.on(ReplyEnded, ended.append)

    async def flux(link: Link) -> None:
        await anyio.sleep(0.5)
        await link.turn("StartOfTurn", "Hello")
        await anyio.sleep(2.5)
        await link.turn("EndOfTurn", "Hello")

    call = await talk(flux, Setting("", events=interject), session=session, seconds=9)
    assert texts(call) == ["One moment", f"You said Hello {FINE}"]
    assert [one.outcome for one in ended] == [Outcome.FINISHED]


async def test_garbage_from_flux_does_not_end_the_call() -> None:
    """It is noted, and the next turn is answered."""

    async def flux(link: Link) -> None:
        await link.send("{")
        await link.send(b"\x00\x01")
        await link.send("[]")
        await link.turn("EndOfDays", "Hello")
        await link.turn("EndOfTurn", "Hello")

    call = await talk(flux)
    assert texts(call) == [f"You said Hello {FINE}"]


async def test_a_refused_key_is_reported_and_ends_nothing_else() -> None:
    """The pipeline is told, without the key, and the bot still speaks."""
    lines: list[str] = []
    sink = loguru.add(lambda line: lines.append(str(line)), level="ERROR")
    body = b'{"err_code":"INVALID_AUTH","err_msg":"Invalid credentials."}'
    try:
        async with flux_peer(refuse=(401, body, {})) as peer:
            stt = TurnkitSTTService(url=peer.url, api_key="s3cret-key")
            call = await converse(Setting("", greeting="Good morning"), stt, 4)
    finally:
        loguru.remove(sink)
    assert texts(call) == ["Good morning"]
    assert not stt.is_usable
    assert "INVALID_AUTH" in "".join(lines)
    assert "s3cret" not in "".join(lines)


async def test_a_host_that_comes_late_is_waited_for() -> None:
    """And hears what was said meanwhile."""

    async def script(link: Link) -> None:
        await link.connected()
        await link.hear_audio(1.0)
        await link.turn("StartOfTurn", "Hello")
        await link.turn("EndOfTurn", "Hello")
        await link.hang_up()

    async with flux_peer(script, refuse=lambda request: (503, b"", {}) if request < 2 else None) as peer:
        call = await converse(Setting(""), TurnkitSTTService(url=peer.url), 8)
    assert texts(call) == [f"You said Hello {FINE}"]


async def test_a_cancelled_pipeline_ends_at_once() -> None:
    """In the middle of everything."""

    async def cancel(worker: PipelineWorker) -> None:
        async def later() -> None:
            await asyncio.sleep(2.0)
            await worker.queue_frame(CancelFrame())

        ending.append(asyncio.create_task(later()))

    ending: list[asyncio.Task[None]] = []
    ended: list[ReplyEnded] = []
    session = Session()
    session.on(ReplyEnded, ended.append)

    async def flux(link: Link) -> None:
        await link.turn("StartOfTurn", "Hello")
        await link.turn("EndOfTurn", "Hello")
        await link.gone()

    began = asyncio.get_running_loop().time()
    await talk(flux, Setting("", events=cancel), session=session, seconds=60)
    assert asyncio.get_running_loop().time() - began < 10
    assert [one.outcome for one in ended] == [Outcome.INTERRUPTED]


async def test_the_last_words_are_taken_when_the_pipeline_ends() -> None:
    """Flux says them once it is told that no more audio comes."""

    async def script(link: Link) -> None:
        await link.connected()
        await link.turn("StartOfTurn", "Good")
        await link.hear_until("CloseStream")
        await link.turn("EndOfTurn", "Good bye")
        await link.close(1000)

    async with flux_peer(script) as peer:
        call = await converse(Setting(""), TurnkitSTTService(url=peer.url), 2)
    assert ("user", "Good bye") in call.messages


async def test_turnkits_log_is_pipecats(capsys: pytest.CaptureFixture[str]) -> None:
    """One log, and not two side by side."""
    lines: list[str] = []
    sink = loguru.add(lambda line: lines.append(str(line)), level="WARNING")
    try:
        TurnkitSTTService(url="ws://127.0.0.1:1")
        turnkits_logger(session="s1").warning("callback_failed", error="ValueError")
    finally:
        loguru.remove(sink)
    assert not structlog.is_configured()
    (line,) = lines
    assert "turnkit" in line
    assert "callback_failed" in line
    assert "session=s1" in line
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"url": "https://example.com"}, "url"),
        ({"url": "wss://api.deepgram.com"}, "api_key"),
        ({"options": FluxOptions(encoding="mulaw", sample_rate=8000)}, "linear16"),
        ({"answer_timeout": 0}, "answer_timeout"),
        ({"session": Session}, "session"),
        ({"connection": {"reconnect_timeout": -1}}, "reconnect_timeout"),
    ],
)
async def test_what_cannot_work_is_told_at_once(settings: dict[str, Any], told: str) -> None:
    """Before there is a pipeline."""
    with pytest.raises(ConfigError, match=told):
        TurnkitSTTService(**{"url": "ws://127.0.0.1:1", **settings})
