"""A voice of its own: espeak-ng, on this machine, with the times of its words. Needs `turnkit[voice]`.

    voice = EspeakVoice("en-gb")
    session = Session(respond=respond, speak=speaker(voice, sink, sample_rate=voice.sample_rate))

It sounds like the robot that it is, and needs no key, no network and no model: it is for demos, for tests and for what
must speak offline. The library tells at which sample each word begins and where the pauses are, so that what was heard
of a reply that was interrupted is right to the word. `turnkit.interop.pcm_voice.mulaw(voice,
sample_rate=voice.sample_rate)` makes it fit for the phone.

espeak-ng is licensed under the GPL 3: it comes as a package of its own, and turnkit has nothing of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator
from functools import cache
from queue import Empty, SimpleQueue
from typing import Any

import anyio.to_thread
from anyio.lowlevel import RunVar

from ..checks import check_seconds, shown
from ..errors import ConfigError
from .alignment import WORD, WordTiming
from .espeak_library import RATE, THREAD, Boundary, Library, Manner
from .speaker import Sound

__all__ = ["EspeakVoice", "languages"]

_PIECE = RATE // 4 * 2  # bytes that are handed on at a time, once the first ones have been
_MOST = 20 * 2 * RATE  # bytes at a time: 20 s
_RATES = range(8000, 48001)
_SPEEDS, _PITCHES = range(80, 451), range(101)
_WAITING = 64  # worker threads of one loop that wait for the library at once

_waiting: RunVar[anyio.CapacityLimiter] = RunVar("turnkit_espeak_waiting")


def languages() -> list[str]:
    """All languages that the voice speaks, by the names that it takes, such as "en-us".

    Raises:
        ImportError: there is no espeak-ng; the message says how to get it.
    """
    found: list[str] = THREAD.run(Library.languages)
    return found


class EspeakVoice:
    """A voice for `speaker`: gives 16-bit little-endian PCM, mono, and when each word is said.

    A text is synthesised in a thread that all voices of the process share, one after the other, some hundred times as
    fast as it is said; its first sound is handed on at once, and what nobody wants any more is broken off. It may be
    used by any number of calls at once, in any thread and loop. What it says is kept nowhere and never logged.

    Args:
        language: one of `languages()`; a variant may follow, as in "en-us+f3". Default "en-us".
        sample_rate: of the audio, in Hz, 8000 to 48000. Default 22050, which is espeak's own; any other takes soxr.
        words_per_minute: how fast it speaks, 80 to 450. Default 170.
        pitch: 0 to 100. Default 50.
        pause: seconds of silence after each text, as between two sentences. Default 0.2.

    Raises:
        ConfigError: for a setting that cannot work; for a language that there is not, it lists those there are.
        ImportError: there is no espeak-ng, or no soxr for another rate; the message says how to get it.

    Attributes:
        sample_rate: of the audio, in Hz.
    """

    def __init__(
        self,
        language: str = "en-us",
        *,
        sample_rate: int = RATE,
        words_per_minute: int = 170,
        pitch: int = 50,
        pause: float = 0.2,
    ) -> None:
        for name, value, rule in (
            ("sample_rate", sample_rate, _RATES),
            ("words_per_minute", words_per_minute, _SPEEDS),
            ("pitch", pitch, _PITCHES),
        ):
            if type(value) is not int or value not in rule:
                raise ConfigError(f"{name}={shown(value)}: must be a whole number, {rule[0]} to {rule[-1]}")
        if not isinstance(language, str) or not language.isprintable() or not language:
            raise ConfigError(f"language={shown(language)}: must be a name such as 'en-us'")
        self.sample_rate = sample_rate
        self._pause = check_seconds("pause", pause)
        self._manner = Manner(language, words_per_minute, pitch)
        if sample_rate != RATE:
            _soxr()
        _check(language)

    def __repr__(self) -> str:
        return f"EspeakVoice({self._manner.language!r}, sample_rate={self.sample_rate})"

    async def __call__(self, text: str) -> AsyncIterator[Sound]:
        """Say a text: the audio with its words, piece by piece."""
        try:
            limiter = _waiting.get()
        except LookupError:
            _waiting.set(limiter := anyio.CapacityLimiter(_WAITING))
        synthesis = _Synthesis(text, self._manner, self.sample_rate, self._pause)
        THREAD.begin(synthesis.run)
        try:
            while (
                sound := await anyio.to_thread.run_sync(synthesis.next, limiter=limiter, abandon_on_cancel=True)
            ) is not None:
                yield sound
        finally:
            synthesis.stop()


@cache
def _check(language: str) -> None:
    """Raise ConfigError for a language that there is not; asks the library once."""
    THREAD.run(lambda library: library.choose(Manner(language, 170, 50)))


@cache
def _soxr() -> Any:
    try:
        import numpy  # noqa: F401
        import soxr
    except ImportError as error:
        raise ImportError(
            f"sample_rate: another than {RATE} Hz needs numpy and soxr: pip install 'turnkit[voice]'"
        ) from error
    return soxr


class _Synthesis:
    """One text: the library's thread puts in what it makes, a worker thread of the caller's loop takes it out."""

    def __init__(self, text: str, manner: Manner, sample_rate: int, pause: float) -> None:
        # A zero would end the text, and other characters without a shape have no sound; each stays one character.
        self._text = "".join(letter if letter.isprintable() else " " for letter in text)
        self._manner = manner
        self._times = _WordTimes(text)
        self._made: SimpleQueue[tuple[bytes, list[WordTiming]] | BaseException | None] = SimpleQueue()
        self._pause = bytes(2 * round(pause * RATE))
        self._audio, self._words = bytearray(), list[WordTiming]()
        self._stopped = self._begun = self._over = False
        self._resampler = None
        if sample_rate != RATE:
            self._resampler = _soxr().ResampleStream(RATE, sample_rate, 1, dtype="int16")

    # In the library's thread --------------------------------------------------------------------------------------

    def run(self, library: Library) -> None:
        """Synthesise the text, unless nobody wants it any more."""
        try:
            if not self._stopped:
                library.synthesise(self._text, self._manner, self._take)
                self._words += self._times.end()
                self._audio += self._pause
                self._hand_on()
            self._made.put(None)
        except BaseException as error:
            self._made.put(error)

    def _take(self, audio: bytes, boundaries: list[Boundary]) -> bool:
        self._audio += audio
        self._words += self._times.add(boundaries, len(audio) // 2)
        if self._audio and (len(self._audio) >= _PIECE or not self._begun):
            self._hand_on()
        return not self._stopped

    def _hand_on(self) -> None:
        self._begun = True
        self._made.put((bytes(self._audio), self._words))
        self._audio, self._words = bytearray(), []

    # In the caller's ----------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Nobody wants what is still to come."""
        self._stopped = True

    def next(self) -> Sound | None:
        """Wait for what has been made since the last time; None at the end. Raises what went wrong."""
        if self._over:
            return None
        audio, words = bytearray(), list[WordTiming]()
        made = self._made.get()
        while made is not None and not isinstance(made, BaseException):
            audio += made[0]
            words += made[1]
            if len(audio) >= _MOST:  # the library may be so much quicker that there is always more
                return Sound(self._resampled(bytes(audio)), words)
            try:
                made = self._made.get_nowait()
            except Empty:
                return Sound(self._resampled(bytes(audio)), words)
        self._over = True
        if made is not None:
            raise made
        return Sound(self._resampled(bytes(audio), last=True), words)

    def _resampled(self, audio: bytes, *, last: bool = False) -> bytes:
        if self._resampler is None:
            return audio
        import numpy as np

        samples = np.frombuffer(audio, dtype="<i2").astype(np.int16)
        made: bytes = self._resampler.resample_chunk(samples, last=last).astype("<i2").tobytes()
        return made


class _WordTimes:
    """Words as they stand in the text, with their times, from where the library says that something begins."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [word.start() for word in WORD.finditer(text)]
        self._number: int | None = None  # of the word that is being said
        self._told = 0  # characters of the text that are told
        self._began = 0
        self._ended: int | None = None  # where the pause after it began
        self._samples = 0

    def add(self, boundaries: list[Boundary], samples: int) -> list[WordTiming]:
        """Take what begins in the next so many samples; the words that are over with it."""
        self._samples += samples
        over: list[WordTiming] = []
        for boundary in boundaries:
            if boundary.position is None:
                if self._number is not None and self._ended is None:
                    self._ended = boundary.sample
            else:
                over += self._begin(boundary.sample, boundary.position)
        return over

    def end(self) -> list[WordTiming]:
        """The text is over; its last word, if it had any."""
        return [] if self._number is None else [self._timing(self._samples, len(self._starts))]

    def _begin(self, sample: int, position: int) -> list[WordTiming]:
        """A word begins, or another one that the same written word is read as."""
        number = max(bisect_right(self._starts, position) - 1, self._number or 0)
        over = []
        if number != self._number:
            if self._number is not None:
                over.append(self._timing(sample, number))
            self._number, self._began = number, sample
        self._ended = None
        return over

    def _timing(self, sample: int, following: int) -> WordTiming:
        """The word that is over, with those beside it that were read with it or not at all."""
        begin, self._told = self._told, self._starts[following] if following < len(self._starts) else len(self._text)
        ended = sample if self._ended is None else min(self._ended, sample)
        return self._text[begin : self._told], min(self._began, ended) / RATE, ended / RATE
