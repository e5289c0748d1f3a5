"""One call of a stock Pipecat pipeline: an LLM, a voice and a loudspeaker that are made up, and what came of it.

The loudspeaker takes as long as the sound does, and each text has samples of its own, so what was heard is known.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from time import process_time
from typing import Any

from loguru import logger
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    FunctionCallFromLLM,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    OutputAudioRawFrame,
    StartFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    UserBackchannelFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import FunctionCallParams, LLMService
from pipecat.services.settings import LLMSettings, TTSSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from turnkit.simulator import Script, Simulator, serve

RATE = 16000
WORD_SECONDS = 0.25
CHUNK_SECONDS = 0.02


@dataclass
class LLMRun:
    """One inference: what it was asked, whether the turn was still open, and whether it ran to its end."""

    at: float
    asked: str
    speculative: bool
    finished: bool = False


@dataclass
class Heard:
    """A text of the bot's, and how many of its seconds were heard."""

    text: str
    seconds: float
    at: float
    played: float = 0.0

    @property
    def whole(self) -> bool:
        """Whether it was heard to its end."""
        return self.played >= self.seconds - 0.05


@dataclass
class Call:
    """What came of a call."""

    llm: list[LLMRun] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    interruptions: list[float] = field(default_factory=list)
    backchannels: list[str] = field(default_factory=list)
    messages: list[tuple[str, str]] = field(default_factory=list)
    cpu: float = 0.0

    @property
    def sounds(self) -> list[Heard]:
        """The texts of which anything was heard."""
        return [text for text in self.heard if text.played > 0]


Answer = Callable[[str], str]


def echo(asked: str) -> str:
    """Answer with what was asked."""
    return f"You said {re.sub('[.?!]', '', asked)} and that is fine by me."


class FakeLLM(LLMService):
    """An LLM that takes its time, in the way of Pipecat's own services.

    Args:
        call: where its runs are noted.
        answer: what it says to what the user has said since the bot spoke, and after it the tool it calls, as
            `@name`; it may raise.
        delay: seconds to its first word.
    """

    def __init__(self, call: Call, answer: Answer = echo, delay: float = 0.3) -> None:
        settings = {one.name: None for one in fields(LLMSettings) if one.name != "extra"}
        super().__init__(settings=LLMSettings(**{**settings, "model": "fake"}))
        self._call = call
        self._answer = answer
        self._delay = delay

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        run = LLMRun(asyncio.get_running_loop().time(), _unanswered(frame.context), frame.speculation)
        self._call.llm.append(run)
        try:
            await self.push_frame(LLMFullResponseStartFrame())
            await asyncio.sleep(self._delay)
            said, _, tool = self._answer(run.asked).partition("@")
            for word in said.split():
                await self.push_frame(LLMTextFrame(f"{word} "))
                await asyncio.sleep(0.01)
            if tool:
                call = FunctionCallFromLLM(
                    function_name=tool, tool_call_id=str(run.at), arguments={}, context=frame.context
                )
                await self.run_function_calls([call])
            run.finished = True
        except ValueError as error:
            await self.push_error("the LLM failed", error)
        finally:
            await self.push_frame(LLMFullResponseEndFrame())


def _unanswered(context: LLMContext) -> str:
    """What the user has said since the bot last spoke."""
    said: list[str] = []
    for message in context.messages:
        if message["role"] == "user":
            said.append(str(message["content"]))
        elif message["role"] == "assistant":
            said.clear()
    return " ".join(said)


class FakeTTS(TTSService):
    """A voice with `WORD_SECONDS` a word, whose samples say which text they are of."""

    def __init__(self, call: Call) -> None:
        settings = TTSSettings(model="fake", voice="fake", language=None)
        super().__init__(settings=settings, push_start_frame=True, push_stop_frames=True, sample_rate=RATE)
        self._call = call

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        await asyncio.sleep(0.1)
        seconds = len(text.split()) * WORD_SECONDS
        self._call.heard.append(Heard(text, seconds, asyncio.get_running_loop().time()))
        sample = len(self._call.heard).to_bytes(2, "little")
        yield TTSAudioRawFrame(sample * round(seconds * RATE), RATE, 1, context_id=context_id)


class Loudspeaker(BaseOutputTransport):
    """An output that plays in real time."""

    def __init__(self, call: Call) -> None:
        params = TransportParams(audio_out_enabled=True, audio_out_sample_rate=RATE, audio_out_end_silence_secs=0)
        super().__init__(params)
        self._call = call
        self._free_at = 0.0

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        loop = asyncio.get_running_loop()
        number = int.from_bytes(frame.audio[:2], "little")
        seconds = len(frame.audio) / 2 / RATE
        if number:
            text = self._call.heard[number - 1]
            text.at = text.at if text.played else loop.time()
            text.played += seconds
        self._free_at = max(self._free_at, loop.time()) + seconds
        await asyncio.sleep(self._free_at - loop.time())
        return True


class Watcher(FrameProcessor):
    """Notes what passes by."""

    def __init__(self, call: Call) -> None:
        super().__init__()
        self._call = call

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame) and direction is FrameDirection.DOWNSTREAM:
            self._call.interruptions.append(asyncio.get_running_loop().time())
        elif isinstance(frame, UserBackchannelFrame):
            self._call.backchannels.append(frame.text)
        await self.push_frame(frame, direction)


@dataclass
class Setting:
    """How a call is held.

    Attributes:
        script: what the user says, and when.
        faults: what goes wrong, as the simulator names it.
        greeting: what the bot says first, unasked.
        answer: what the LLM says.
        tools: the tools of the LLM, by name.
        seconds: how long the user stays after their last word.
        between: processors between the user aggregator and the LLM.
        events: is called with the worker once the call has begun.
    """

    script: str
    faults: Sequence[str] = ()
    greeting: str | None = None
    answer: Answer = echo
    seconds: float = 5.0
    llm_delay: float = 0.3
    between: Sequence[FrameProcessor] = ()
    user_params: LLMUserAggregatorParams | None = None
    tools: Mapping[str, Callable[[FunctionCallParams], Awaitable[None]]] = field(default_factory=dict)
    events: Callable[[PipelineWorker], Awaitable[None]] | None = None


async def hold(setting: Setting, service: Callable[[Simulator], STTService]) -> Call:
    """Hold a call against the simulator, with the service that is made for it."""
    script = Script.parse(setting.script, seed=1)
    async with serve(script, faults=list(setting.faults), continues=True) as flux:
        return await converse(setting, service(flux), script.end + setting.seconds)


async def converse(setting: Setting, stt: STTService, seconds: float) -> Call:
    """Hold a call of so many seconds with this service, whatever Flux it is connected to."""
    call = Call()
    context = LLMContext()
    aggregators = LLMContextAggregatorPair(context, user_params=setting.user_params)
    llm, tts, loudspeaker = FakeLLM(call, setting.answer, setting.llm_delay), FakeTTS(call), Loudspeaker(call)
    for name, tool in setting.tools.items():
        llm.register_function(name, tool)
    before = [stt, aggregators.user(), *setting.between, llm]
    processors = [*before, tts, loudspeaker, Watcher(call), aggregators.assistant()]
    params = PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE)
    worker = PipelineWorker(Pipeline(processors), params=params, enable_rtvi=False, idle_timeout_secs=None)
    runner = WorkerRunner(handle_sigint=False)
    caller = asyncio.create_task(_call(worker, setting, seconds))
    began = process_time()
    try:
        await runner.add_workers(worker)
        await runner.run()
    finally:
        caller.cancel()
    call.cpu = process_time() - began
    call.messages = [(str(message["role"]), str(message.get("content", ""))) for message in context.messages]
    return call


async def _call(worker: PipelineWorker, setting: Setting, seconds: float) -> None:
    """The caller's end: a microphone, in real time."""
    started = asyncio.Event()

    async def begin_call(_: object, __: object) -> None:
        started.set()

    worker.add_event_handler("on_pipeline_started", begin_call)
    await started.wait()
    if setting.greeting is not None:
        await worker.queue_frame(TTSSpeakFrame(setting.greeting))
    if setting.events is not None:
        await setting.events(worker)
    loop = asyncio.get_running_loop()
    begin = loop.time()
    for piece in range(round(seconds / CHUNK_SECONDS)):
        await asyncio.sleep(begin + (piece + 1) * CHUNK_SECONDS - loop.time())
        silence = bytes(round(CHUNK_SECONDS * RATE) * 2)
        await worker.queue_frame(InputAudioRawFrame(silence, RATE, 1))
    await worker.queue_frame(EndFrame())


def quiet(level: str = "ERROR") -> None:
    """Have Pipecat's log say what is wrong, and no more."""
    import sys

    logger.remove()
    logger.add(sys.stderr, level=level)


def shown(call: Call) -> dict[str, Any]:
    """A call for people."""
    return {
        "llm": [(run.asked, run.speculative, run.finished) for run in call.llm],
        "heard": [(one.text, round(one.played, 2), round(one.seconds, 2)) for one in call.heard],
        "interruptions": len(call.interruptions),
        "backchannels": call.backchannels,
        "messages": call.messages,
        "cpu": round(call.cpu, 3),
    }
