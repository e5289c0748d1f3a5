"""Demo: a whole conversation on this machine, with a simulated caller, the real client, a session, and a small bot.

The caller speaks to a simulated Flux on a loopback socket; what the bot "says" takes as long as it would take to say
it. Nothing needs a key, a network or a sound card.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

import anyio

from ..flux import FluxStream, connect
from ..session import HostFailure, Reply, Session
from ..simulator import Script, serve
from ..speaking import Playback
from ..trace import Recorder
from ..turns.events import SIGNALS, ReplyEnded, Signal
from ..turns.policy import MinWords
from ..wire import Connected, FluxOptions

CALLER = """
    # A table for two. Start second, or seconds after the last words; (pauses) in between.
    3.6   I'd like to book a table for two, please.       # a clean turn: the draft is kept
    +4.6  Tomorrow evening (1.4) at eight o'clock.        # a pause for thought: the draft is withdrawn
    +4.0  Sorry, make that nine o'clock.                  # over the agent: barge-in
    +4.2  Mm-hm.                                          # over the agent: a backchannel, it goes on
    +5.0  It's Smith. Thank you!
"""
GREETING = "Good evening, Chez Rosa. What can I do for you?"
REPLIES = {
    "table": "With pleasure. For which day, and at what time?",
    "eight": "Tomorrow at eight. There is a table by the window, or one on the terrace, which is heated, "
    "and both are yours for the evening if you like.",
    "nine": "Nine o'clock it is: a table for two by the window, tomorrow at nine in the evening. "
    "Under what name may I book it?",
    "smith": "Thank you, Mr Smith. See you tomorrow!",
}
SEED = 17  # of a caller who hesitates where it shows most
OPTIONS = FluxOptions(eot_threshold=0.7, eager_eot_threshold=0.4)
LLM_SECONDS = 0.45  # to the first words of an answer
TTS_SECONDS = 0.12  # from words to sound
WORD_SECONDS = 0.3
CHUNK_SECONDS = 0.08
_CHUNK = bytes(2560)
_AFTERWARDS = 3.5  # of silence before the caller hangs up


class DemoDisplay(Protocol):
    """What shows the demo; all times are seconds of the conversation, whatever its speed."""

    def show(self, signal: Signal | ReplyEnded, seconds: float) -> None:
        """Show a signal."""

    def play(self, heard: str, rest: str) -> None:
        """Show what has been heard of the reply, and what is to come."""

    def tick(self, seconds: float) -> None:
        """Show the time."""


class Bot:
    """Answers by keyword, with the delays of an LLM and a TTS: `respond` and `speak`, as any bot has them."""

    def __init__(self, display: DemoDisplay, speed: float, llm_seconds: float, tts_seconds: float) -> None:
        self._display = display
        self._speed = speed
        self._llm_seconds = llm_seconds
        self._tts_seconds = tts_seconds

    async def _pass(self, seconds: float) -> None:
        await anyio.sleep(seconds / self._speed)

    async def respond(self, reply: Reply) -> None:
        """The LLM: asked as soon as the caller has probably finished, heard only once they have."""
        await self._pass(self._llm_seconds)
        await reply.say(_answer(reply.transcript))

    async def speak(self, reply: Reply, chunks: AsyncIterator[str | bytes], playback: Playback) -> None:
        """The TTS and the speaker: a word after the other, reported as it is heard."""
        await self._pass(self._tts_seconds)
        async for chunk in chunks:
            words = str(chunk).split()
            playback.started()
            for count in range(1, len(words) + 1):
                await playback.wait_resumed()
                self._display.play(" ".join(words[: count - 1]), " ".join(words[count - 1 :]))
                await self._pass(WORD_SECONDS)
                playback.advance(" ".join(words[:count]))


def _answer(transcript: str) -> str:
    said = transcript.lower()
    return next((reply for word, reply in reversed(REPLIES.items()) if word in said), "I beg your pardon?")


async def hold_conversation(
    display: DemoDisplay,
    *,
    speed: float = 1.0,
    llm_seconds: float = LLM_SECONDS,
    tts_seconds: float = TTS_SECONDS,
    record: Recorder | None = None,
) -> list[HostFailure]:
    """Hold the whole conversation, `speed` times as fast as people talk; `record` it if there is a recorder.

    Returns:
        What failed of the bot and of the display: the call went on without.
    """
    script = Script.parse(CALLER, seed=SEED)
    bot = Bot(display, speed, llm_seconds, tts_seconds)
    session = Session(
        respond=bot.respond,
        speak=bot.speak,
        barge_in=MinWords(2),
        hold_timeout=2.0 / speed,
        lost_turn_grace=2.0 / speed,
        stall_timeout=8.0 / speed,
        stall_grace=2.0 / speed,
        record=record,
    )
    failures: list[HostFailure] = []
    session.on_error(failures.append)
    for kind in (*SIGNALS, ReplyEnded):
        session.on(kind, lambda signal: display.show(signal, session.elapsed(signal) * speed))
    async with serve(script) as flux, connect(OPTIONS, url=flux.url) as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(_call, stream, script.end, speed, display.tick)
        await session.run(_greeted(stream, session))
    return failures


async def _greeted(stream: FluxStream, session: Session) -> AsyncIterator[object]:
    """The stream, with the agent's greeting at its beginning."""
    async for message in stream:
        yield message
        if isinstance(message, Connected):
            session.initiate(GREETING)


async def _call(stream: FluxStream, end: float, speed: float, tick: Callable[[float], None]) -> None:
    """Be the caller's line: audio in real time (the script says what is in it), then hang up."""
    began = anyio.current_time()
    seconds = 0.0
    while seconds < end + _AFTERWARDS:
        seconds += CHUNK_SECONDS
        await anyio.sleep_until(began + seconds / speed)
        await stream.send_audio(_CHUNK)
        tick(seconds)
    await stream.close()
