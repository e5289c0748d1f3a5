"""The stopwatch: for each answer, how long after the end of the last word its first sound was heard, and why so long.

The parts add up to the whole. What Flux says of a turn is on the clock of the audio: a second of it counts as spoken
when it was sent, as nearly as what was sent by then tells.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from inspect import isawaitable
from math import isfinite
from typing import Any

import msgspec

from ...speaking import TTS, Sound
from ...timers import now
from ...turns.events import Commit, Event, ReplyEnded, Signal
from ...wire import TurnInfo

_LATELY = 10.0  # seconds for which the audio and the clock are taken to go together
_KEPT = 8  # answers


class Latency(msgspec.Struct, frozen=True):
    """How long the first sound of an answer took from the end of the last word, in seconds, and who took how much.

    Attributes:
        turn: that was answered.
        reply: that answers it.
        total: from the end of the last word to the first sound.
        detector: until it was known that the turn is over: Flux, or the ear, and the way there.
        turnkit: to decide, to begin the answer and to pass it on.
        llm: to think of the answer; 0 if a draft was ready.
        voice: to make the first sound of it.
        loudspeaker: the way of that sound to the ear.
        drafted: whether it was begun before the turn was over.
    """

    turn: int
    reply: int
    total: float
    detector: float
    turnkit: float
    llm: float
    voice: float
    loudspeaker: float
    drafted: bool

    def __str__(self) -> str:
        parts = {
            "to be sure": self.detector,
            "turnkit": self.turnkit,
            "draft" if self.drafted and not self.llm else "thinking": self.llm,
            "voice": self.voice,
            "loudspeaker": self.loudspeaker,
        }
        told = ", ".join(f"{name} {1000 * seconds:.0f}" for name, seconds in parts.items())
        return f"first sound {1000 * self.total:.0f} ms after your last word: {told}"


class _Times:
    """When what happened for one answer."""

    def __init__(self) -> None:
        self.turn: int | None = None
        self.word_end: float | None = None
        self.over: float | None = None
        self.committed: float | None = None
        self.began: float | None = None
        self.thought: float | None = None
        self.asked: float | None = None
        self.sounded: float | None = None
        self.told = False
        self.drafted = False


class Stopwatch:
    """An observer of one session, which is told by its bot what that does.

    Args:
        tell: is told each latency; must not wait. Default None: nobody is.
    """

    def __init__(self, tell: Callable[[Latency], object] | None = None) -> None:
        self._tell = tell
        self._stream: Any = None
        self._sent: deque[tuple[float, float]] = deque()  # a time, and how much later it is than what was sent by then
        self._word_end: float | None = None
        self._times: dict[int, _Times] = {}
        self._speaking: int | None = None

    def listen(self, stream: Any) -> None:
        """The stream on which the audio is sent: a `FluxStream`."""
        self._stream = stream

    def waited(self, reply: int) -> float | None:
        """Seconds from the end of the last word to the end of the turn that this answers; None if that is unknown."""
        times = self._times.get(reply)
        if times is None or times.word_end is None or times.over is None:
            return None
        return times.over - times.word_end

    # What the bot tells -------------------------------------------------------------------------------------------

    def began(self, reply: int) -> None:
        """The answer is being thought of."""
        self._of(reply).began = now()

    def thought(self, reply: int) -> None:
        """Another piece of it is there, or all of it."""
        times = self._of(reply)
        if times.asked is None:
            times.thought = now()

    def speaking(self, reply: int) -> None:
        """It is being said: what is asked of the voice from now on is for it."""
        self._speaking = reply

    def voice(self, tts: TTS) -> TTS:
        """The voice, with an eye on when it is asked for sound and when it gives some."""

        async def voice(text: str) -> AsyncIterator[bytes | Sound]:
            times = None if self._speaking is None else self._of(self._speaking)
            if times is not None and times.asked is None:
                times.asked = now()
            made = tts(text)
            synthesis: Any = await made if isawaitable(made) else made
            async with aclosing(synthesis) as sounds:
                async for sound in sounds:
                    if times is not None and times.sounded is None:
                        times.sounded = now()
                    yield sound

        return voice

    def heard(self, reply: int) -> None:
        """Its first sound is heard."""
        times = self._of(reply)
        if not times.told:
            times.told = True
            latency = _latency(reply, times, now())
            if latency is not None and self._tell is not None:
                self._tell(latency)

    # What the session tells ---------------------------------------------------------------------------------------

    def fed(self, at: float, event: Event, signals: tuple[Signal, ...], message: TurnInfo | None = None) -> None:
        """A message came: where in the audio the words end, and that the turn is over."""
        if message is not None:
            self._follow(at)
            if message.event == "EndOfTurn":
                words = message.words
                self._word_end = self._spoken_at(words[-1].end if words else None)
        self._decided(at, signals)

    def woken(self, at: float, signals: tuple[Signal, ...]) -> None:
        """Time passed."""
        self._decided(at, signals)

    def closed(self, at: float, signals: tuple[Signal, ...]) -> None:
        """Nothing more comes."""

    def told(self, signal: Signal | ReplyEnded) -> None:
        """Nothing: a report takes no time."""

    def fact(self, at: float, name: str, /, **fields: Any) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""

    def _follow(self, at: float) -> None:
        sent = None if self._stream is None else self._stream.audio_sent
        if sent is not None:
            self._sent.append((at, at - sent))
            while self._sent[0][0] < at - _LATELY:
                self._sent.popleft()

    def _spoken_at(self, second: float | None) -> float | None:
        """The time at which a second of audio was sent."""
        if second is None or not isfinite(second) or not self._sent:
            return None
        return min(later for _, later in self._sent) + second

    def _decided(self, at: float, signals: tuple[Signal, ...]) -> None:
        for signal in signals:
            if isinstance(signal, Commit) and signal.turn is not None:
                times = self._of(signal.reply)
                times.turn, times.drafted = signal.turn, signal.speculative
                times.word_end, times.over, times.committed = self._word_end, at, now()
                self._word_end = None

    def _of(self, reply: int) -> _Times:
        times = self._times.get(reply)
        if times is None:
            times = self._times[reply] = _Times()
            while len(self._times) > _KEPT:
                del self._times[next(iter(self._times))]
        return times


def _latency(reply: int, times: _Times, heard: float) -> Latency | None:
    """The latency of an answer, if all that it is made of is known."""
    known = (times.word_end, times.over, times.committed, times.began, times.thought, times.asked, times.sounded)
    if times.turn is None or None in known:
        return None
    word_end, over, committed, began, thought, asked, sounded = (moment or 0.0 for moment in known)
    begun = max(began, committed)  # from where on thinking makes somebody wait
    ready = max(thought, begun)
    return Latency(
        turn=times.turn,
        reply=reply,
        total=heard - word_end,
        detector=over - word_end,
        turnkit=(begun - over) + max(asked - ready, 0.0),
        llm=ready - begun,
        voice=sounded - max(asked, ready),
        loudspeaker=heard - sounded,
        drafted=times.drafted,
    )
