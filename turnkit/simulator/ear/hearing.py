"""Turn detection in what an ear hears: the detector of scripts, with words that come and change while it listens.

How words sound is not known here, unless the ear puts it in their punctuation. What is left is the silence after them,
and how often a silence of that length is an end: by the pauses of `EOT_BENCH_LIKE`, one that lasts has ended the turn
with the chance `1 / (1 + pauses a turn * share of pauses that last as long)`. That is the confidence; so 0.7 is passed
after half a second, 0.8 after 0.7 s, 0.9 after 1.3 s, and in a shorter pause never.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import exp, log
from typing import Any

from ..detector import START_SECONDS, Detector
from ..parameters import Settings
from ..population import EOT_BENCH_LIKE
from ..script import Script, SpokenWord
from .gate import SpeechGate
from .interface import Heard

_PAUSES_A_TURN = EOT_BENCH_LIKE.goes_on / (1 - EOT_BENCH_LIKE.goes_on)
_MOST_CONFIDENT = 0.98  # so that a threshold of 1.0 is never met
_TELLING = (".", "?", "!", ",", ";", ":", "…", "-", "–", "—")  # punctuation by which an ear says how a word sounds


class HearingDetector(Detector):
    """Hears what an ear hears, and says what Flux would say of it.

    Args:
        settings: the thresholds in force.
        step: seconds of sound for each probability of speech.
        start: seconds from the first sound of a turn to its StartOfTurn, at the least. Default 0.56, as Flux.
        seed: of what the detector leaves to chance. Default 0.
        language: that is detected by the multilingual model. Default "en".
    """

    def __init__(
        self, settings: Settings, *, step: float, start: float = START_SECONDS, seed: int = 0, language: str = "en"
    ) -> None:
        super().__init__(Script((), seed=seed, language=language), settings)
        self._start_seconds = start
        self._gate = SpeechGate(step)
        self._open_words: list[SpokenWord] = []  # final ones of turns that are not over
        self._over = 0.0  # the second at which the last turn was over

    def take(self, heard: Heard) -> None:
        """Take what the ear has made of the sound so far; to be said before `hear` is asked about that."""
        for probability in heard.speech:
            self._gate.hear(probability)
        self._open_words = [word for word in (*self._open_words, *heard.final) if self._is_new(word)]
        words = [*self._open_words, *(word for word in heard.partial if self._is_new(word))]
        if words or not self._active:  # a turn that has begun keeps words, even if the ear takes back all of them
            self.revise(words)

    def _is_new(self, word: SpokenWord) -> bool:
        return word.start + word.end > 2 * self._over

    def _end(self, message: dict[str, Any], trigger: str) -> dict[str, Any]:
        # What an ear finds in the same seconds later comes too late.
        self._over = message["audio_window_end"]
        return super()._end(message, trigger)

    def _visible(self, now: float) -> int:
        return self._started

    def _silence(self, now: float) -> float:
        if self._gate.open:
            return -1.0
        return min(super()._silence(now), now - self._gate.end)

    def _belief(self, index: int, silence: float) -> float:
        if self._words[index].text.rstrip("\"'”’)").endswith(_TELLING):
            return super()._belief(index, silence)
        return confidence_in_silence(silence)


def confidence_in_silence(seconds: float) -> float:
    """How probable it is that a turn is over after so much silence, if nothing else is known."""
    return min(_MOST_CONFIDENT, 1 / (1 + _PAUSES_A_TURN * _share_that_lasts(seconds)))


def _share_that_lasts(seconds: float) -> float:
    """The share of pauses that are longer; those too short for one are so many more, the shorter they are."""
    points: Sequence[tuple[float, float]] = EOT_BENCH_LIKE.pauses
    if seconds < points[0][0]:
        return points[0][0] / max(seconds, 1e-3) * (1 + 1 / _PAUSES_A_TURN) - 1 / _PAUSES_A_TURN
    for (low, more), (high, less) in pairwise(points):
        if seconds < high:
            return exp(log(more) + (log(less) - log(more)) * (seconds - low) / (high - low))
    return points[-1][1]
