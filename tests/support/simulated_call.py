"""Whole calls to look at: a caller on the simulator, a bot that now and then fails, and a recording of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import anyio

from turnkit import FluxOptions, HoldThenDecide, IgnoreBackchannels, MinWords, Session, connect
from turnkit.session import Reply
from turnkit.simulator import Script, serve
from turnkit.speaking import Playback
from turnkit.testing import run

OPTIONS = FluxOptions(eot_threshold=0.7, eager_eot_threshold=0.4)
CALLER = """
    3.0   I'd like to book a table for two, please.
    +4.6  Tomorrow evening (1.4) at eight o'clock.
    +3.0  Sorry, make that nine o'clock.
    +3.2  Mm-hm.
    +6.0  Is there parking near the restaurant?
    +5.0  It's Smith. Thank you!
"""
"""A clean turn, a pause for thought, a barge-in, a backchannel, and a question over which the bot breaks down."""

SHORT = Script.parse("1.0 I'd like a table for two, please.", seed=17)
"""One thing that is said."""

ANSWER = "With pleasure, there is a table by the window, or one on the terrace, which is heated for the whole evening."
_CHUNK_SECONDS = 0.08
_AFTERWARDS = 4.0
_WORD_SECONDS = 0.28


async def respond(reply: Reply) -> None:
    """The LLM: it is gone when somebody asks about parking."""
    await anyio.sleep(0.5)
    if "parking" in reply.transcript.lower():
        raise ConnectionError("the LLM is gone")
    await reply.say(ANSWER)


async def speak(reply: Reply, chunks: AsyncIterator[str | bytes], playback: Playback) -> None:
    """The voice: a word after the other, reported as it is heard."""
    await anyio.sleep(0.12)
    async for chunk in chunks:
        words = str(chunk).split()
        for count in range(1, len(words) + 1):
            await playback.wait_resumed()
            playback.started()
            await anyio.sleep(_WORD_SECONDS)
            playback.advance(" ".join(words[:count]))


def new_session(record: Any, **settings: Any) -> Session:
    """A session of that bot, which is recorded."""
    policy = HoldThenDecide(IgnoreBackchannels(then=MinWords(2)), 0.6)
    return Session(respond=respond, speak=speak, barge_in=policy, record=record, **settings)


async def hold(
    session: Session, script: Script, audio: bytes = b"", options: FluxOptions = OPTIONS, faults: Sequence[str] = ()
) -> None:
    """Hold the call in real time, with this audio or zeros: what is said is in the script."""
    size = int((options.sample_rate or 0) * _CHUNK_SECONDS) * (1 if options.encoding in ("mulaw", "alaw") else 2)
    async with (
        serve(script, faults=faults, continues=True) as flux,
        connect(options, url=flux.url) as stream,
        anyio.create_task_group() as tasks,
    ):

        async def line() -> None:
            began = anyio.current_time()
            for count in range(1, int((script.end + _AFTERWARDS) / _CHUNK_SECONDS)):
                await anyio.sleep_until(began + count * _CHUNK_SECONDS)
                await stream.send_audio(audio[(count - 1) * size : count * size].ljust(size, b"\0"))
            await stream.close()

        tasks.start_soon(line)
        await session.run(stream)


def record(path: Path, caller: str = CALLER, *, seed: int = 17, **settings: Any) -> Path:
    """Record a call on virtual time; the path of the trace."""
    script = Script.parse(caller, seed=seed)

    async def call() -> None:
        await hold(new_session(path, **settings), script)

    run(call, guard=60.0, limit=4000.0)
    return path


def hold_with_audio(path: Path, audio: bytes) -> Path:
    """Record the short call on virtual time, with this audio beside it; the path of the trace."""

    async def call() -> None:
        await hold(new_session(path, audio=True), SHORT, audio)

    run(call, guard=60.0)
    return path
