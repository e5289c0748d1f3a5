"""A bot that repeats what you say: the Flux client, a session and its callbacks.

Run on the embedded simulator, without a key:   python examples/live_bot.py
Run on Flux, with a WAV file as the caller:      DEEPGRAM_API_KEY=... python examples/live_bot.py caller.wav
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from pathlib import Path

import anyio

from turnkit import BargeIn, Commit, FluxOptions, FluxStream, MinWords, Session, Speculate, connect
from turnkit.simulator import Script, serve
from turnkit.wav import read_wav

CALLER = """
    1.0   Good morning. I'd like to know (0.9) when you open.
    +2.0  And on Sundays?
"""
CHUNK_SECONDS = 0.08


class Parrot:
    """Drafts while you may still go on, speaks when you are done, stops when you speak."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.answers: dict[int, str] = {}
        self.ready: defaultdict[int, anyio.Event] = defaultdict(anyio.Event)
        session.on(Speculate, self.think)
        session.on(Commit, self.speak)
        session.on(BargeIn, lambda signal: print(f"  ! stopped: {signal.why}"))

    async def think(self, signal: Speculate | Commit) -> None:
        """As a draft, this is cancelled by turnkit if the user goes on."""
        await anyio.sleep(0.2)  # your LLM
        self.answers[signal.reply] = f"You said: {signal.transcript}"
        self.ready[signal.reply].set()
        print(f"  . thought of {signal.transcript!r}")

    async def speak(self, signal: Commit) -> None:
        """Cancelled by turnkit when the user takes the floor."""
        if signal.speculative:
            await self.ready[signal.reply].wait()
        else:
            await self.think(signal)
        words = self.answers[signal.reply].split()
        self.session.playback_started(signal.reply)
        for count in range(1, len(words) + 1):
            await anyio.sleep(0.25)  # your TTS and player
            self.session.playback_advanced(signal.reply, " ".join(words[:count]))
        self.session.playback_finished(signal.reply)
        print(f"  > {' '.join(words)}")


async def call(stream: FluxStream, audio: bytes, bytes_per_second: int) -> None:
    """Send the caller's audio at the pace of speech, then hang up."""
    size = int(bytes_per_second * CHUNK_SECONDS)
    began = anyio.current_time()
    for chunk in range(0, len(audio), size):
        await stream.send_audio(audio[chunk : chunk + size])
        await anyio.sleep_until(began + (chunk + size) / bytes_per_second)
    await stream.close()


async def talk(url: str, api_key: str | None, audio: bytes, sample_rate: int) -> None:
    options = FluxOptions(sample_rate=sample_rate, eot_threshold=0.7, eager_eot_threshold=0.4)
    session = Session(barge_in=MinWords(2))
    Parrot(session)
    async with connect(options, api_key=api_key, url=url) as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(call, stream, audio, sample_rate * 2)
        await session.run(stream)


async def main(arguments: list[str]) -> None:
    if arguments:
        wav = read_wav(Path(arguments[0]))
        silence = bytes(wav.sample_rate * 2 * 3)
        await talk("wss://api.deepgram.com", os.environ["DEEPGRAM_API_KEY"], wav.audio + silence, wav.sample_rate)
        return
    script = Script.parse(CALLER, seed=1)
    async with serve(script) as flux:
        await talk(flux.url, None, bytes(round((script.end + 6) * 16000) * 2), 16000)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1:])
