"""A call with the microphone and the loudspeaker of this machine."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, Protocol

import anyio

from ...errors import TurnkitError
from ...flux import FluxStream, connect
from ...session import Session
from ...speaking import AudioSink, speaker
from ...speaking.espeak import EspeakVoice
from ...trace import Recorder
from ...turns.events import SIGNALS, BargeIn, ReplyEnded, Signal
from ...turns.policy import BargeInPolicy, EchoGuard, IgnoreBackchannels
from ...wire import Connected, FluxOptions
from .card import MICROPHONE_RATE
from .choosing import Choice, opened
from .spoken import Shown, SpokenBot
from .stopwatch import Latency, Stopwatch

POLICY: BargeInPolicy = EchoGuard(then=IgnoreBackchannels())
"""What comes back of the bot's own words, where words are known, does not stop it; nor does "mm-hm"."""


class Display(Shown, Protocol):
    """What shows the call."""

    def show(self, signal: Signal | ReplyEnded, seconds: float) -> object:
        """Show a signal, at this second of the call."""

    def tick(self, seconds: float) -> object:
        """Show the time, ten times a second."""

    def took(self, latency: Latency) -> object:
        """Show how long an answer took."""


async def hold_call(
    url: str,
    microphone: AsyncGenerator[bytes, None],
    sink: AudioSink,
    voice: EspeakVoice,
    display: Display,
    *,
    options: FluxOptions,
    choice: Choice,
    record: Recorder | None = None,
) -> None:
    """Hold a call until the microphone ends, or it is cancelled.

    Args:
        url: of Flux, or of a simulator.
        microphone: what it hears, 16 kHz linear16.
        sink: the loudspeaker, at the rate of the voice.
        voice: that answers.
        display: what shows the call.
        options: those of Flux, save the audio.
        choice: who answers.
        record: records it. Default None.

    Raises:
        TurnkitError: Flux cannot be reached, or its stream ends badly; the microphone is gone.
    """
    stopwatch = Stopwatch(display.took)
    async with opened(choice, stopwatch) as brain:
        make_speak = partial(speaker, sink=sink, sample_rate=voice.sample_rate)
        bot = SpokenBot(brain, voice, make_speak, stopwatch, display)
        session = Session(respond=bot.respond, speak=bot.speak, barge_in=POLICY, record=record)
        session.observe(stopwatch)
        session.on(BargeIn, lambda signal: sink.clear())
        began = anyio.current_time()
        for kind in (*SIGNALS, ReplyEnded):
            session.on(kind, lambda signal: display.show(signal, signal.at - began))
        audio = FluxOptions(**{**_fields(options), "encoding": "linear16", "sample_rate": MICROPHONE_RATE})
        async with connect(audio, url=url) as stream, anyio.create_task_group() as tasks:
            stopwatch.listen(stream)
            failures: list[Exception] = []
            tasks.start_soon(_listen, stream, microphone, session, failures.append)
            tasks.start_soon(_tick, display, began)
            await session.run(_greeted(stream, session, brain.greeting))
            tasks.cancel_scope.cancel()
    if failures:
        raise failures[0]


def _fields(options: FluxOptions) -> dict[str, Any]:
    return {name: getattr(options, name) for name in options.__struct_fields__}


async def _greeted(stream: FluxStream, session: Session, greeting: str) -> AsyncIterator[object]:
    """The stream, with the greeting at its beginning."""
    greeted = False
    async for message in stream:
        yield message
        if isinstance(message, Connected) and not greeted:
            greeted = True
            session.initiate(greeting)


async def _tick(display: Display, began: float) -> None:
    while True:
        display.tick(anyio.current_time() - began)
        await anyio.sleep(0.1)


async def _listen(
    stream: FluxStream, microphone: AsyncGenerator[bytes, None], session: Session, failed: Callable[[Exception], object]
) -> None:
    try:
        async with aclosing(microphone) as chunks:
            async for chunk in chunks:
                await stream.send_audio(chunk)
        await stream.close()
    except TurnkitError as error:
        failed(error)
        session.hang_up()
