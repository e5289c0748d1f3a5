"""A whole voice agent: microphone, Flux, any OpenAI-compatible LLM, Deepgram's Aura voice, loudspeaker.

The LLM is asked while you may still go on; speak over the bot, and its words and its LLM call end at once.

Needs:  pip install httpx sounddevice        (and headphones: through loudspeakers the bot hears, and stops, itself)
Run:    DEEPGRAM_API_KEY=... OPENAI_API_KEY=... python examples/voice_loop.py        (Ctrl-C ends it)
Other LLMs: OPENAI_BASE_URL and --llm-model. No sound card: --wav caller.wav --out bot.wav
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import wave
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import anyio.to_thread
import httpx

from turnkit import Commit, FluxOptions, FluxStream, ReplyEnded, Session, TurnkitError, connect
from turnkit.cli.wav import read_wav
from turnkit.session import Reply
from turnkit.speaking import AudioSink, ClockSink, speakable, speaker

MICROPHONE_RATE = 16000  # Hz
VOICE_RATE = 24000  # Hz
CHUNK_SECONDS = 0.08  # what Flux likes best
LAST_SILENCE = 3.0  # seconds after a WAV file, for Flux to see that its last words are over
APOLOGY = "I am sorry, something went wrong. Could you say that again?"
INSTRUCTIONS = (
    "You are on the phone. Answer in one or two short sentences, in plain words, without lists or markup. "
    "Your own messages show what the caller has heard of you; more was not heard."
)


@dataclass(frozen=True)
class Settings:
    """What the command line and the environment say; the keys stay out of its repr."""

    wav: Path | None
    out: Path | None
    llm_model: str
    voice: str
    instructions: str
    flux_url: str
    speak_url: str
    openai_url: str
    openai_key: str = field(repr=False)
    deepgram_key: str = field(repr=False)


def parse(arguments: Sequence[str]) -> Settings:
    parser = argparse.ArgumentParser(description="Talk with an LLM.")
    parser.add_argument("--wav", type=Path, metavar="FILE", help="the caller, instead of the microphone")
    parser.add_argument("--out", type=Path, metavar="FILE", help="a WAV file for the voice, instead of the loudspeaker")
    parser.add_argument("--llm-model", default="gpt-4o-mini", metavar="NAME")
    parser.add_argument("--voice", default="aura-2-thalia-en", metavar="NAME", help="an Aura model")
    parser.add_argument("--instructions", default=INSTRUCTIONS, metavar="TEXT", help="the system message")
    parser.add_argument("--flux-url", default="wss://api.deepgram.com", metavar="URL")
    parser.add_argument("--speak-url", default="https://api.deepgram.com/v1/speak", metavar="URL")
    options = vars(parser.parse_args(arguments))
    for name in ("DEEPGRAM_API_KEY", "OPENAI_API_KEY"):
        key = os.environ.get(name, "")
        if not key:
            parser.error(f"{name} is not set (for a server that wants no key, set it to anything)")
        if not (key.isascii() and key.isprintable()) or " " in key:
            parser.error(f"{name} is no key: there are spaces, line breaks or the like in it")
    return Settings(
        **options,
        openai_url=os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1",
        openai_key=os.environ["OPENAI_API_KEY"],
        deepgram_key=os.environ["DEEPGRAM_API_KEY"],
    )


# The services -----------------------------------------------------------------------------------------------------


class ServiceFailed(Exception):
    """The LLM or the TTS did not do its part; the message says which, and why."""


class Service:
    """An HTTP API that answers a JSON request with a stream."""

    def __init__(self, http: httpx.AsyncClient, name: str, url: str, scheme: str, key: str) -> None:
        self._http = http
        self._name = name
        self._url = url
        self._scheme = scheme
        self._key = key

    @asynccontextmanager
    async def post(self, body: dict[str, Any], **query: str | int) -> AsyncIterator[httpx.Response]:
        """The response, if its status is 200. Leaving the context hangs up, also in the middle of the stream."""
        headers = {"Authorization": f"{self._scheme} {self._key}"}
        try:
            async with self._http.stream("POST", self._url, json=body, params=query, headers=headers) as response:
                if response.status_code != 200:
                    reason = (await response.aread()).decode(errors="replace")
                    raise self.failed(f"status {response.status_code}: {reason}")
                yield response
        except httpx.HTTPError as error:
            raise self.failed(f"{type(error).__name__}: {error}") from error

    def failed(self, why: str) -> ServiceFailed:
        # Some servers say in their error which key it was that they did not like.
        return ServiceFailed(f"{self._name}: {why.replace(self._key, '(the key)')[:300]}")


class Llm:
    """Streaming chat completions, as OpenAI and many others serve them."""

    def __init__(self, service: Service, model: str, instructions: str) -> None:
        self._service = service
        self._model = model
        self._instructions = instructions

    async def answer(self, messages: list[dict[str, Any]]) -> AsyncGenerator[str, None]:
        """The answer, in the pieces in which it comes. Raises ServiceFailed, also in the middle of it."""
        system = {"role": "system", "content": self._instructions}
        body = {"model": self._model, "stream": True, "messages": [system, *messages]}
        done = False
        async with self._service.post(body) as response:
            async for line in response.aiter_lines():
                if not line.startswith("data:"):
                    continue  # blank lines part the events, and comments keep the connection alive
                data = line.removeprefix("data:").strip()
                if data == "[DONE]":
                    done = True  # read on to the end, so that the next answer may come by the same connection
                    continue
                for text in self._read(data):
                    yield text
        if not done:
            raise self._service.failed("the stream ended before it was done")

    def _read(self, data: str) -> list[str]:
        try:
            event = json.loads(data)
        except ValueError as error:
            raise self._service.failed("an event that is no JSON") from error
        if "error" in event:
            raise self._service.failed(str(event["error"]))
        texts = [choice.get("delta", {}).get("content") for choice in event.get("choices", ())]
        return [text for text in texts if text]


class Voice:
    """Deepgram's Aura: text in, raw 16-bit audio out as it is made."""

    def __init__(self, service: Service, model: str) -> None:
        self._service = service
        self._model = model

    async def synthesise(self, text: str) -> AsyncGenerator[bytes, None]:
        """Raises ServiceFailed, also in the middle of it."""
        async with self._service.post(
            {"text": text}, model=self._model, encoding="linear16", sample_rate=VOICE_RATE, container="none"
        ) as response:
            async for audio in response.aiter_bytes():
                yield audio


# Sound in and out -------------------------------------------------------------------------------------------------


def sound_card() -> ModuleType:
    return import_module("sounddevice")


def check_sound(settings: Settings) -> None:
    """Leave with a clear sentence if what the settings ask for cannot be had."""
    try:
        if settings.wav is None:
            sound_card().check_input_settings(samplerate=MICROPHONE_RATE, channels=1, dtype="int16")
        if settings.out is None:
            sound_card().check_output_settings(samplerate=VOICE_RATE, channels=1, dtype="int16")
    except ImportError:
        sys.exit("Microphone and loudspeaker need `pip install sounddevice`; or use --wav FILE and --out FILE.")
    except Exception as error:  # of PortAudio: the library itself, or the device, is not there
        sys.exit(f"No sound: {error}. Use --wav FILE and --out FILE.")


async def microphone() -> AsyncGenerator[bytes, None]:
    frames = round(MICROPHONE_RATE * CHUNK_SECONDS)
    with sound_card().RawInputStream(samplerate=MICROPHONE_RATE, channels=1, dtype="int16") as card:
        while True:
            audio, _ = await anyio.to_thread.run_sync(card.read, frames)
            yield bytes(audio)


async def recording(audio: bytes, sample_rate: int) -> AsyncGenerator[bytes, None]:
    """A recording at the pace of speech, and some silence after it."""
    audio += bytes(round(LAST_SILENCE * sample_rate) * 2)
    size = round(CHUNK_SECONDS * sample_rate) * 2
    began = anyio.current_time()
    for start in range(0, len(audio), size):
        await anyio.sleep_until(began + start / sample_rate / 2)
        yield audio[start : start + size]


class Loudspeaker:
    """A sound card, which takes its audio from here in a thread of its own.

    What the card has taken counts as played: with its low latency, that is some hundredths of a second too soon.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue = bytearray()
        self._taken = 0  # bytes
        self._paused = False
        self._card = sound_card().RawOutputStream(
            samplerate=VOICE_RATE, channels=1, dtype="int16", latency="low", callback=self._give
        )
        self._card.start()

    def _give(self, out: Any, frames: int, time: Any, status: Any) -> None:
        with self._lock:
            audio = b"" if self._paused else bytes(self._queue[: len(out)])
            del self._queue[: len(audio)]
            self._taken += len(audio)
        out[:] = audio.ljust(len(out), b"\0")

    def begin(self, reply: int) -> None:
        with self._lock:
            self._queue.clear()
            self._taken = 0
            self._paused = False

    async def play(self, audio: bytes) -> None:
        with self._lock:
            self._queue += audio

    def played(self) -> float:
        return self._taken / VOICE_RATE / 2

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    def clear(self) -> None:
        with self._lock:
            self._queue.clear()

    def close(self) -> None:
        self._card.close()


class WavFile(ClockSink):
    """A loudspeaker that nobody hears: a file of all that would have been heard, reply after reply."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)  # as it is what was said
        self._file = path.open("wb")  # now, so that a path that cannot be is told before the call
        self._audio = bytearray()
        super().__init__(sample_rate=VOICE_RATE)

    def begin(self, reply: int) -> None:
        super().begin(reply)
        self._began = len(self._audio)

    async def play(self, audio: bytes) -> None:
        await super().play(audio)
        self._audio += audio

    def clear(self) -> None:
        super().clear()
        del self._audio[self._began + round(self.played() * VOICE_RATE) * 2 :]

    def close(self) -> None:
        with self._file, wave.open(self._file, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(VOICE_RATE)
            file.writeframes(self._audio)


# The conversation -------------------------------------------------------------------------------------------------


def make_session(llm: Llm, voice: Voice, sink: AudioSink) -> Session:
    async def respond(reply: Reply) -> None:
        gap = ""
        try:
            # Closed where it stands when the reply is cancelled: the LLM call ends with it.
            async with aclosing(llm.answer(reply.messages)) as words:
                async for word in words:
                    await reply.say(word)
                    gap = " "
        except ServiceFailed as error:
            if not reply.is_committed:
                raise  # nobody has heard of this draft, and the end of the turn gets a fresh one
            print(f"[{error}]")
            await reply.say(gap + APOLOGY)

    # Whatever the instructions say: some models write markdown, which Aura would read out.
    speak = speaker(voice.synthesise, sink, sample_rate=VOICE_RATE, text_filter=speakable)
    session = Session(respond=respond, speak=speak)
    session.on(Commit, lambda turn: print(f"you: {turn.transcript}"))
    session.on(ReplyEnded, lambda end: print(f"bot {end.outcome}: {end.heard}"))
    return session


async def talk(stream: FluxStream, audio: AsyncGenerator[bytes, None]) -> None:
    try:
        async with aclosing(audio) as chunks:
            async for chunk in chunks:
                await stream.send_audio(chunk)
        await stream.close()
    except TurnkitError:
        return  # the session meets the same end of the stream, and tells it


async def converse(settings: Settings) -> None:
    """Talk until the caller hangs up. Raises TurnkitError if Flux cannot be reached, or is lost."""
    if settings.wav is None:
        rate, audio = MICROPHONE_RATE, microphone()
    else:
        wav = read_wav(settings.wav)
        rate, audio = wav.sample_rate, recording(wav.audio, wav.sample_rate)
    options = FluxOptions(sample_rate=rate, eot_threshold=0.7, eager_eot_threshold=0.5)
    sink = Loudspeaker() if settings.out is None else WavFile(settings.out)
    completions = f"{settings.openai_url.rstrip('/')}/chat/completions"
    failure: TurnkitError | None = None
    try:
        async with (
            httpx.AsyncClient(timeout=httpx.Timeout(20.0, connect=5.0)) as http,
            connect(options, api_key=settings.deepgram_key, url=settings.flux_url) as stream,
            anyio.create_task_group() as tasks,
        ):
            llm = Llm(
                Service(http, "LLM", completions, "Bearer", settings.openai_key),
                settings.llm_model,
                settings.instructions,
            )
            voice = Voice(Service(http, "TTS", settings.speak_url, "Token", settings.deepgram_key), settings.voice)
            tasks.start_soon(talk, stream, audio)
            try:
                await make_session(llm, voice, sink).run(stream)
            except TurnkitError as error:
                failure = error
            tasks.cancel_scope.cancel()
    finally:
        sink.close()
    if failure is not None:
        raise failure


def main(arguments: Sequence[str]) -> None:
    settings = parse(arguments)
    check_sound(settings)
    print("Say something. Ctrl-C ends the call." if settings.wav is None else f"Playing {settings.wav}.")
    try:
        anyio.run(converse, settings)
    except (TurnkitError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    main(sys.argv[1:])
