"""A stock Pipecat bot with turnkit for its ears: what the bot needs for that stands in `ears`, and nowhere else.

Run on a simulated caller, without a key:   pip install 'turnkit[pipecat]', then   python examples/pipecat_bot.py
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import fields

from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InputAudioRawFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    OutputAudioRawFrame,
    StartFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings, TTSSettings
from pipecat.services.tts_service import TTSService
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from turnkit import (
    BargeIn,
    Cancel,
    Commit,
    FluxOptions,
    IgnoreBackchannels,
    ReplyEnded,
    Session,
    Speculate,
    TurnDropped,
)
from turnkit.interop.pipecat import TurnkitSTTService
from turnkit.simulator import Script, serve

RATE = 16000
CALLER = """
    2.0   I'd like a table. (0.3) For two please.   # over the greeting; a draft that comes to nothing
    +3.0  Mm-hm.                                    # over the answer
    +1.5  No wait, for three.                       # over the answer
"""


def ears(url: str) -> TurnkitSTTService:
    session = Session(barge_in=IgnoreBackchannels())
    for kind in (Speculate, Cancel, Commit, BargeIn, TurnDropped, ReplyEnded):
        session.on(kind, lambda signal: print(f"{session.elapsed(signal):5.1f} {describe(signal)}"))
    # In earnest: TurnkitSTTService(api_key=os.environ["DEEPGRAM_API_KEY"], options=..., session=session)
    options = FluxOptions(eager_eot_threshold=0.4)
    return TurnkitSTTService(url=url, options=options, session=session, protect_greeting=True)


def describe(signal: object) -> str:
    words = getattr(signal, "transcript", "")
    why = getattr(signal, "outcome", None) or getattr(signal, "reason", "")
    return f"{type(signal).__name__} {words} {why}".rstrip()


class MadeUpLLM(LLMService):
    def __init__(self) -> None:
        defaults = {one.name: None for one in fields(LLMSettings) if one.name != "extra"}
        super().__init__(settings=LLMSettings(**{**defaults, "model": "made-up"}))

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        asked = [message["content"] for message in frame.context.messages if message["role"] == "user"]
        try:
            await self.push_frame(LLMFullResponseStartFrame())
            await asyncio.sleep(0.3)
            await self.push_frame(LLMTextFrame(f"You said {asked[-1]} and I am happy to see to that for you"))
            await self.push_frame(LLMTextFrame(" at once if you could bear with me for just a moment"))
        finally:
            await self.push_frame(LLMFullResponseEndFrame())


class MadeUpVoice(TTSService):
    def __init__(self) -> None:
        settings = TTSSettings(model="made-up", voice="silent", language=None)
        super().__init__(settings=settings, push_start_frame=True, push_stop_frames=True, sample_rate=RATE)

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        yield TTSAudioRawFrame(bytes(RATE // 4 * 2 * len(text.split())), RATE, 1, context_id=context_id)


class MadeUpLoudspeaker(BaseOutputTransport):
    def __init__(self) -> None:
        params = {"audio_out_enabled": True, "audio_out_sample_rate": RATE, "audio_out_end_silence_secs": 0}
        super().__init__(TransportParams(**params))

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        await asyncio.sleep(len(frame.audio) / 2 / RATE)
        return True


async def call(worker: PipelineWorker, seconds: float) -> None:
    await worker.queue_frame(TTSSpeakFrame("Good morning, this call is recorded for training."))
    now = asyncio.get_running_loop().time
    began = now()
    for piece in range(round(seconds / 0.02)):
        await asyncio.sleep(began + piece * 0.02 - now())
        await worker.queue_frame(InputAudioRawFrame(bytes(640), RATE, 1))  # the simulator knows what is said
    await worker.queue_frame(EndFrame())


async def main() -> None:
    script = Script.parse(CALLER, seed=1)
    aggregators = LLMContextAggregatorPair(LLMContext())
    async with serve(script) as flux:
        stt, llm, tts, output = ears(flux.url), MadeUpLLM(), MadeUpVoice(), MadeUpLoudspeaker()
        pipeline = Pipeline([stt, aggregators.user(), llm, tts, output, aggregators.assistant()])
        worker = PipelineWorker(pipeline, params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE))
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        caller = asyncio.create_task(call(worker, script.end + 9))
        await runner.run()
        await caller


if __name__ == "__main__":
    asyncio.run(main())
