"""A LiveKit agent that knows its turns from the sound: its own local VAD and turn detector, as LiveKit sets them.

    python -m benchmarks.judges.livekit_bot PORT

There is no room and no server: the agent's microphone and loudspeaker are a websocket of plain PCM, in the protocol of
voicebench. Its STT knows no words; it gives one as soon as the VAD has heard the end of speech, so that nobody waits
for it: a real one takes longer. Needs `pip install livekit-agents`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from livekit import rtc
from livekit.agents import Agent, AgentSession, inference, llm, stt, tts
from livekit.agents.voice import io
from websockets.asyncio.server import ServerConnection, serve

from .answering import LLM_SECONDS, answer_sound
from .sounds import ANSWER, RATE

FRAME = 640  # bytes of 20 ms


class InstantSTT(stt.STT[Any]):
    """Hears one word in every piece of speech, without taking any time for it."""

    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))

    async def _recognize_impl(self, buffer: Any, **_: Any) -> stt.SpeechEvent:
        words = stt.SpeechData(language="en", text="speech")
        return stt.SpeechEvent(type=stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[words])


class FixedLLM(llm.LLM[Any]):
    """Says the same to everything."""

    def chat(self, *, chat_ctx: llm.ChatContext, tools: Any = None, conn_options: Any = None, **_: Any) -> Any:
        return _Fixed(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class _Fixed(llm.LLMStream):
    async def _run(self) -> None:
        await asyncio.sleep(LLM_SECONDS)
        delta = llm.ChoiceDelta(role="assistant", content=ANSWER)
        self._event_ch.send_nowait(llm.ChatChunk(id="fixed", delta=delta))


class Voice(tts.TTS[Any]):
    """Speaks the answer."""

    def __init__(self) -> None:
        super().__init__(capabilities=tts.TTSCapabilities(streaming=True), sample_rate=RATE, num_channels=1)

    def synthesize(self, text: str, **_: Any) -> Any:
        raise NotImplementedError("it streams")

    def stream(self, *, conn_options: Any = None) -> Any:
        return _Spoken(tts=self, conn_options=conn_options)


class _Spoken(tts.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id="voice", sample_rate=RATE, num_channels=1, mime_type="audio/pcm", stream=True
        )
        output_emitter.start_segment(segment_id="voice")
        async for _ in self._input_ch:
            pass
        output_emitter.push(answer_sound())
        output_emitter.end_segment()


class Microphone(io.AudioInput):
    """What the caller sends."""

    def __init__(self) -> None:
        super().__init__(label="microphone")
        self.frames: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def __anext__(self) -> rtc.AudioFrame:
        frame = await self.frames.get()
        if frame is None:
            raise StopAsyncIteration
        return rtc.AudioFrame(frame, RATE, 1, len(frame) // 2)


class Loudspeaker(io.AudioOutput):
    """Sends what is said ahead of its time, as voicebench plays it in order, and takes back what was not played yet."""

    def __init__(self, websocket: ServerConnection) -> None:
        capabilities = io.AudioOutputCapabilities(pause=True)
        super().__init__(label="loudspeaker", capabilities=capabilities, sample_rate=RATE)
        self._websocket = websocket
        self._out: asyncio.Queue[bytes | str] = asyncio.Queue()
        self._sender = asyncio.create_task(self._send())
        self._audio = bytearray()
        self._played = 0.0  # seconds, up to `_since`
        self._since: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._paused = self._flushed = False

    async def _send(self) -> None:
        while True:
            await self._websocket.send(await self._out.get())

    def close(self) -> None:
        self._sender.cancel()

    @property
    def position(self) -> float:
        """Seconds of the present sound that were played."""
        since = 0.0 if self._since is None else asyncio.get_running_loop().time() - self._since
        return min(self._played + since, len(self._audio) / (RATE * 2))

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if not self._audio:
            self.on_playback_started(created_at=0.0)
            self._played, self._flushed = 0.0, False
            self._since = None if self._paused else asyncio.get_running_loop().time()
        piece = bytes(frame.data.cast("B"))
        self._audio += piece
        if not self._paused:
            self._out.put_nowait(piece)

    def flush(self) -> None:
        super().flush()
        self._flushed = True
        self._plan()

    def clear_buffer(self) -> None:
        if self._audio:
            self._clear()
            self._end(interrupted=True)

    def pause(self) -> None:
        if not self._paused:
            self._played, self._since, self._paused = self.position, None, True
            self._clear()
            self._plan()

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            if self._audio:
                self._since = asyncio.get_running_loop().time()
                self._out.put_nowait(bytes(self._audio[round(self._played * RATE) * 2 :]))
            self._plan()

    def _clear(self) -> None:
        while not self._out.empty():
            self._out.get_nowait()
        self._out.put_nowait(json.dumps({"type": "clear"}))

    def _plan(self) -> None:
        """Set the timer for the last sound."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._flushed and self._audio and not self._paused:
            left = len(self._audio) / (RATE * 2) - self.position
            self._timer = asyncio.get_running_loop().call_later(left, self._end)

    def _end(self, interrupted: bool = False) -> None:
        position = self.position
        self._audio.clear()
        self._since = None
        if self._timer is not None:
            self._timer.cancel()
        self.on_playback_finished(playback_position=position, interrupted=interrupted, synchronized_transcript=None)


async def call(websocket: ServerConnection) -> None:
    """One caller."""
    vad = inference.VAD()
    session: AgentSession[Any] = AgentSession(
        stt=stt.StreamAdapter(stt=InstantSTT(), vad=vad),
        vad=vad,
        llm=FixedLLM(),
        tts=Voice(),
        aec_warmup_duration=None,
    )
    microphone, loudspeaker = Microphone(), Loudspeaker(websocket)
    session.input.audio, session.output.audio = microphone, loudspeaker
    await session.start(Agent(instructions="You take bookings."))
    try:
        async for message in websocket:
            if isinstance(message, bytes):
                microphone.frames.put_nowait(message)
    finally:
        microphone.frames.put_nowait(None)
        await session.aclose()
        loudspeaker.close()


async def main(port: int) -> None:
    answer_sound()
    async with serve(call, "127.0.0.1", port):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
