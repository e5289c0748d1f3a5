"""turnkit inside LiveKit Agents: a stock AgentSession whose turns are turnkit's; drafts, "mm-hm", and an interruption.

The caller is simulated, the LLM and the voice are made up, and there is no LiveKit server and no key: in a bot of yours
`Microphone` and `Loudspeaker` are the room's. Needs `pip install 'turnkit[livekit]'`.

Run:   python examples/livekit_bot.py
"""

from __future__ import annotations

import asyncio
from typing import Any

from livekit import rtc
from livekit.agents import Agent, AgentSession, llm, tts
from livekit.agents.voice import io

from turnkit import FluxOptions, IgnoreBackchannels, Session
from turnkit.interop import livekit
from turnkit.simulator import Script, serve

CALLER = """
    1.0   I'd like a table (0.9) for two, please.     # a draft in the pause, and it comes to nothing
    +1.5  Mm-hm.                                      # over the bot, which goes on
    +2.0  Sorry, make that three.                     # over the bot, which stops
"""
RATE = 16000
WORD_BYTES = 9600  # 0.3 s


class Bot(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You take bookings.")

    async def on_enter(self) -> None:
        self.session.say("Hello!", allow_interruptions=False)


async def main() -> None:
    script = Script.parse(CALLER, seed=5)
    async with serve(script) as flux:
        listener = livekit.STT(
            FluxOptions(eager_eot_threshold=0.4), url=flux.url, session=lambda: Session(barge_in=IgnoreBackchannels())
        )
        session: AgentSession[Any] = AgentSession(
            stt=listener, llm=EchoLLM(), tts=SilentTTS(), **livekit.turn_handling()
        )
        session.on("conversation_item_added", lambda event: show(event.item))
        session.input.audio, session.output.audio = Microphone(script.end + 6.0), Loudspeaker()
        await session.start(Bot())
        await session.input.audio.ended.wait()
        await session.aclose()


def show(item: Any) -> None:
    if item.type == "message":
        who = "caller" if item.role == "user" else "bot"
        print(f"{who}: {item.text_content}{' (interrupted)' if item.interrupted else ''}")


class EchoLLM(llm.LLM[Any]):
    """Your LLM; this one repeats what the caller has said since the bot was last heard."""

    def __init__(self, delay: float = 0.2, more: str = "") -> None:
        super().__init__()
        self.delay = delay
        self.more = more
        self.asked: list[str] = []

    def chat(self, *, chat_ctx: llm.ChatContext, tools: Any = None, conn_options: Any = None, **_: Any) -> Any:
        return _Echo(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class _Echo(llm.LLMStream):
    async def _run(self) -> None:
        echo: Any = self._llm
        asked = ""
        for item in self._chat_ctx.items:
            if item.type == "message" and item.role != "system":
                asked = f"{asked} {item.text_content}".strip() if item.role == "user" else ""
        echo.asked.append(asked)
        await asyncio.sleep(echo.delay)
        delta = llm.ChoiceDelta(
            role="assistant", content=f"Very well, you said: {asked} Shall I book that for you?{echo.more}"
        )
        self._event_ch.send_nowait(llm.ChatChunk(id="echo", delta=delta))


class SilentTTS(tts.TTS[Any]):
    """Your TTS; of this one each word takes 0.3 s, and is written where its sound would be."""

    def __init__(self) -> None:
        super().__init__(capabilities=tts.TTSCapabilities(streaming=True), sample_rate=RATE, num_channels=1)

    def synthesize(self, text: str, **_: Any) -> Any:
        raise NotImplementedError("it streams")

    def stream(self, *, conn_options: Any = None) -> Any:
        return _Voice(tts=self, conn_options=conn_options)


class _Voice(tts.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id="voice", sample_rate=RATE, num_channels=1, mime_type="audio/pcm", stream=True
        )
        output_emitter.start_segment(segment_id="voice")
        text = ""
        async for chunk in self._input_ch:
            text += chunk if isinstance(chunk, str) else ""
        for word in text.split():
            output_emitter.push(word.encode().ljust(WORD_BYTES, b"\0"))
        output_emitter.end_segment()


class Microphone(io.AudioInput):
    """The caller's audio, silent: the simulator knows what is said."""

    def __init__(self, seconds: float) -> None:
        super().__init__(label="microphone")
        self.ended = asyncio.Event()
        self._left = round(seconds / 0.02)
        self._next: float | None = None

    async def __anext__(self) -> rtc.AudioFrame:
        loop = asyncio.get_running_loop()
        self._next = loop.time() if self._next is None else self._next + 0.02
        await asyncio.sleep(self._next - loop.time())
        self._left -= 1
        if self._left < 0:
            self.ended.set()
            await asyncio.Event().wait()
        return rtc.AudioFrame(bytes(640), RATE, 1, 320)


class Loudspeaker(io.AudioOutput):
    """Plays in real time, and knows what of it was heard."""

    def __init__(self) -> None:
        capabilities = io.AudioOutputCapabilities(pause=True)
        super().__init__(label="loudspeaker", capabilities=capabilities, sample_rate=RATE)
        self.events: list[tuple[float, str, str]] = []  # when, what, and what was heard by then
        self._audio = bytearray()
        self._played = 0.0
        self._since: float | None = None  # when it began or went on; None while it is paused or silent
        self._timer: asyncio.TimerHandle | None = None
        self._paused = self._flushed = False

    @property
    def heard(self) -> str:
        words = range(0, int(self.position * RATE * 2), WORD_BYTES)
        return " ".join(self._audio[at : at + WORD_BYTES].rstrip(b"\0").decode() for at in words)

    @property
    def silent(self) -> bool:
        return self._since is None

    @property
    def position(self) -> float:
        since = 0.0 if self._since is None else asyncio.get_running_loop().time() - self._since
        return min(self._played + since, len(self._audio) / (RATE * 2))

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if not self._audio:
            self._note("start")
            self.on_playback_started(created_at=0.0)
            self._played, self._flushed = 0.0, False
            self._since = None if self._paused else asyncio.get_running_loop().time()
        self._audio += frame.data.cast("B")

    def flush(self) -> None:
        super().flush()
        self._flushed = True
        self._plan()

    def clear_buffer(self) -> None:
        if self._audio:
            self._end(interrupted=True)

    def pause(self) -> None:
        self._note("pause")
        self._played, self._since, self._paused = self.position, None, True
        self._plan()

    def resume(self) -> None:
        if self._paused:
            self._note("resume")
            self._paused = False
            self._since = asyncio.get_running_loop().time() if self._audio else None
            self._plan()

    def _plan(self) -> None:
        """Set the timer for the last sound."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._flushed and self._audio and not self._paused:
            left = len(self._audio) / (RATE * 2) - self.position
            self._timer = asyncio.get_running_loop().call_later(left, self._end)

    def _end(self, interrupted: bool = False) -> None:
        self._note("cut" if interrupted else "end")
        position, heard = self.position, self.heard
        self._audio.clear()
        self._since = None
        if self._timer is not None:
            self._timer.cancel()
        self.on_playback_finished(playback_position=position, interrupted=interrupted, synchronized_transcript=heard)

    def _note(self, what: str) -> None:
        self.events.append((asyncio.get_running_loop().time(), what, self.heard))


if __name__ == "__main__":
    asyncio.run(main())
