"""Finds out that there is sound and no speech in it, for long; and whether it would be speech in another encoding.

Audio in the wrong encoding or at a rate that is far off sounds like noise. What the client sent is then decoded in each
way in turn, until one has speech in it: one way a frame, so that nobody waits long for an answer.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..detector import FRAME
from ..parameters import Settings
from .decoding import CODINGS, decode, leaps, loudness
from .gate import SpeechGate
from .interface import Closable, Ear

HEARS_NO_SPEECH = "EAR_HEARS_NO_SPEECH"
"""The code of the Warning that a connection sends sound for long, and no speech."""

_PATIENCE = 10.0  # seconds of sound that is not silent
_SILENT = -50.0  # dB below full scale
_KEPT = 4.0  # seconds of what was sent
_TRIED = 2.4  # seconds of it, as each way would have it
_SPEAKS = 0.5  # probability
_SURE = 0.5  # share of speech in it; in a wrong way it comes to 0.2 at most, unless the two are nearly the same
_USUAL = (("linear16", 16000), ("mulaw", 8000), ("alaw", 8000), ("linear16", 8000))
_LAWS = ("mulaw", "alaw")  # speech in one passes for speech in the other
_RATES = (24000, 48000, 44100)


class SpeechWatch:
    """Watches whether there is speech in a connection's sound.

    Args:
        ear: what hears in the other ways; one without words will do.
        settings: that the client asked for.
    """

    def __init__(self, ear: Ear, settings: Settings) -> None:
        self._ear = ear
        self._stated = settings.encoding, settings.sample_rate
        self._gate = SpeechGate(ear.step)
        self._unheard = 0.0
        self._sent = bytearray()
        rate = settings.bytes_per_second or 0
        self._kept = round(_KEPT * rate)
        self._trials: Iterator[tuple[str, int] | None] | None = None
        self._done = False

    def take(self, audio: bytes) -> None:
        """Take the bytes as they were sent."""
        if not self._done and self._trials is None and self._kept:
            self._sent += audio
            del self._sent[: max(0, len(self._sent) - self._kept)]

    def hear(self, pcm: bytes, speech: tuple[float, ...]) -> str:
        """Take a frame as it was decoded and heard; a warning if there is one now, or nothing."""
        if self._done:
            return ""
        if self._trials is None:
            if self._is_speech(speech):
                self._unheard = 0.0
            elif loudness(pcm) > _SILENT:
                self._unheard += FRAME
            if self._unheard < _PATIENCE - 1e-6:
                return ""
            self._trials = self._try_ways()
        found = next(self._trials, ("", 0))
        if found is None:
            return ""
        self._done = True
        self._sent.clear()
        return self._describe(*found)

    def _is_speech(self, speech: tuple[float, ...]) -> bool:
        """Whether there is more than the single step that may look like speech by chance."""
        spoken = False
        for probability in speech:
            self._gate.hear(probability)
            spoken = spoken or self._gate.open
        return spoken

    def _try_ways(self) -> Iterator[tuple[str, int] | None]:
        """A way in which it is speech, after a None for each in which it is not."""
        sent = bytes(self._sent)
        ways = [*_USUAL, *((coding, rate) for coding in CODINGS for rate in (16000, 8000, *_RATES))]
        # What the encoding is not, the rate alone may be: the likeliest first, each once, and not the stated one.
        for encoding, rate in dict.fromkeys(ways):
            if (encoding, rate) == self._stated or not sent:
                continue
            if self._share_of_speech(sent, encoding, rate) >= _SURE:
                yield (self._law(sent, rate) if encoding in _LAWS else encoding), rate
                return
            yield None

    def _law(self, sent: bytes, rate: int) -> str:
        """Which of the two laws it is, but not what is stated: in the wrong one speech leaps about."""
        return min((law for law in _LAWS if (law, rate) != self._stated), key=lambda law: leaps(sent, law))

    def _share_of_speech(self, sent: bytes, encoding: str, rate: int) -> float:
        width = CODINGS[encoding][1]
        tried = sent[: min(len(sent) // width, round(_TRIED * rate)) * width]
        stream = self._ear.open_stream()
        speech = stream.hear(decode(tried, encoding, rate, self._ear.rate)).speech
        if isinstance(stream, Closable):
            stream.close()
        return sum(probability >= _SPEAKS for probability in speech) / max(1, len(speech))

    def _describe(self, encoding: str, rate: int) -> str:
        stated, at = self._stated
        said = f"{stated} at {at} Hz" if stated else "a container"
        # Speech at half or twice its rate is still speech, so the rate is no more than a hint.
        guess = f"but it sounds like {encoding}, at {rate} Hz or so" if encoding else "and it is speech in no encoding"
        return f"No speech in {_PATIENCE:g} s of sound that is not silent. The connection says {said}, {guess}."
