"""A Pipecat bot that knows its turns from the sound: Silero's VAD and smart turn, both as Pipecat sets them itself.

    python -m benchmarks.judges.pipecat_bot PORT

Its STT knows no words; it gives one as soon as the VAD has heard the end of speech, so that nobody waits for it: a real
one takes longer. Needs `pip install 'pipecat-ai[silero,websocket]' fastapi uvicorn`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from dataclasses import fields

import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    Frame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameDirection
from pipecat.serializers.protobuf import ProtobufFrameSerializer
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings, STTSettings, TTSSettings
from pipecat.services.stt_service import SegmentedSTTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.workers.runner import WorkerRunner

from .answering import LLM_SECONDS, answer_sound
from .sounds import ANSWER, RATE

app = FastAPI()


class InstantSTT(SegmentedSTTService):
    """Hears one word in every piece of speech, without taking any time for it."""

    def __init__(self) -> None:
        super().__init__(sample_rate=RATE, ttfs_p99_latency=0.0, settings=STTSettings(model="none", language=None))

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        yield TranscriptionFrame("speech", "", "")


class FixedLLM(LLMService):
    """Says the same to everything."""

    def __init__(self) -> None:
        settings = {one.name: None for one in fields(LLMSettings) if one.name != "extra"}
        super().__init__(settings=LLMSettings(**{**settings, "model": "fixed"}))

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        await asyncio.sleep(LLM_SECONDS)
        await self.push_frame(LLMTextFrame(ANSWER))
        await self.push_frame(LLMFullResponseEndFrame())


class Voice(TTSService):
    """Speaks the answer."""

    def __init__(self) -> None:
        settings = TTSSettings(model="espeak", voice="espeak", language=None)
        super().__init__(settings=settings, push_start_frame=True, push_stop_frames=True, sample_rate=RATE)

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        yield TTSAudioRawFrame(answer_sound(), RATE, 1, context_id=context_id)


@app.websocket("/")
async def call(websocket: WebSocket) -> None:
    """One caller."""
    await websocket.accept()
    parameters = FastAPIWebsocketParams(
        audio_in_enabled=True,
        audio_in_sample_rate=RATE,
        audio_out_enabled=True,
        audio_out_sample_rate=RATE,
        serializer=ProtobufFrameSerializer(),
    )
    transport = FastAPIWebsocketTransport(websocket, parameters)
    aggregators = LLMContextAggregatorPair(
        LLMContext(), user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    )
    processors = [
        transport.input(),
        InstantSTT(),
        aggregators.user(),
        FixedLLM(),
        Voice(),
        transport.output(),
        aggregators.assistant(),
    ]
    settings = PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE)
    worker = PipelineWorker(Pipeline(processors), params=settings, enable_rtvi=False, idle_timeout_secs=None)

    async def hang_up(_: object, __: object) -> None:
        await worker.cancel()

    transport.add_event_handler("on_client_disconnected", hang_up)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    answer_sound()
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
