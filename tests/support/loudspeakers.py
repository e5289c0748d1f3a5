"""What `speaker` is made of, in tests: a TTS, a loudspeaker and a playback that remember what was done to them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, TypeAlias

import anyio
import anyio.lowlevel
import pytest

from turnkit.speaking import TTS, AudioSink, ClockSink, Playback, Sound, Speak, speaker

RATE = 1000  # Hz, of 2 bytes: a second of sound is 2000 bytes
WORD = 0.25  # seconds
SAID = 0.2  # seconds of them are sound
Step: TypeAlias = str | bytes | float | Exception


class Reply:
    """As much of a reply as `speak` asks for."""

    def __init__(self, id: int = 0) -> None:
        self.id = id


class PlaybackLog:
    """A session's side of the playback: keeps what is reported and when, in seconds since it was made."""

    def __init__(self) -> None:
        self.began = anyio.current_time()
        self.log: list[tuple[float, str]] = []
        self._held = anyio.Event()
        self._resumed = anyio.Event()
        self._resumed.set()

    @property
    def held(self) -> bool:
        return self._held.is_set()

    def started(self) -> None:
        self.log.append((self._now(), "<started>"))

    def advance(self, text: str) -> None:
        self.log.append((self._now(), text))

    async def wait_held(self) -> None:
        await self._held.wait()

    async def wait_resumed(self) -> None:
        await self._resumed.wait()

    def hold(self) -> None:
        self._resumed = anyio.Event()
        self._held.set()

    def resume(self) -> None:
        self._held = anyio.Event()
        self._resumed.set()

    def _now(self) -> float:
        return round(anyio.current_time() - self.began, 6)

    @property
    def heard(self) -> str:
        return self.log[-1][1] if self.log else ""


class Loudspeaker(ClockSink):
    """A ClockSink that keeps what was done to it, and how much was queued at most."""

    def __init__(self) -> None:
        super().__init__(sample_rate=RATE, sample_width=2)
        self.did: list[str] = []
        self.audio = b""
        self.most = 0.0

    def begin(self, reply: int) -> None:
        super().begin(reply)
        self.did = [*getattr(self, "did", []), f"begin {reply}"]

    async def play(self, audio: bytes) -> None:
        await super().play(audio)
        self.did.append("play")
        self.audio += audio
        self.most = max(self.most, self._queued - self.played())

    def pause(self) -> None:
        super().pause()
        self.did.append("pause")

    def resume(self) -> None:
        super().resume()
        self.did.append("resume")

    def clear(self) -> None:
        self.did.append("clear")
        super().clear()


def voice(
    latency: float = 0.0, *, timed: bool = True, pace: float = 0.0, asked: list[str] | None = None
) -> Callable[[str], AsyncGenerator[bytes | Sound, None]]:
    """A TTS: each word takes WORD seconds of audio; `latency` to the first of it and `pace` to each more, seconds."""

    async def tts(text: str) -> AsyncGenerator[bytes | Sound, None]:
        if asked is not None:
            asked.append(text)
        await anyio.sleep(latency)
        for count, word in enumerate(text.split()):
            audio = bytes(int(WORD * RATE * 2))
            at = count * WORD
            yield Sound(audio, [(word, at, at + SAID)]) if timed else audio
            await anyio.sleep(pace)

    return tts


async def say(*steps: Step) -> AsyncGenerator[str | bytes, None]:
    """Chunks of a reply; numbers are seconds to wait, errors are raised."""
    for step in steps:
        if isinstance(step, Exception):
            raise step
        if isinstance(step, float):
            await anyio.sleep(step)
        else:
            yield step


async def run(speak: Speak, playback: Playback, *steps: Step, reply: int = 0) -> None:
    """Speak these chunks to the end."""
    async with aclosing(say(*steps)) as chunks:
        await speak(Reply(reply), chunks, playback)


def make(tts: TTS, sink: AudioSink, **settings: Any) -> Speak:
    """A `speak` of this TTS on this loudspeaker."""
    return speaker(tts, sink, sample_rate=RATE, **settings)


def at(log: list[tuple[float, str]]) -> object:
    """The log, its seconds as near as floats are."""
    return [(pytest.approx(seconds, abs=1e-5), text) for seconds, text in log]
