"""Ears: the simulator hears. What is spoken into it, and not what a script says, makes the turns.

    async with serve(VoiceEar()) as flux:
        ...  # any Flux client that sends real sound, pointed at flux.url

`VoiceEar` finds speech, and tells its words as `UNKNOWN_WORD`; `sphinx_ear` knows English ones; `quick_ear` begins a
turn sooner than Flux does, and knows "mm-hm". Any `Ear` can be in its place, and any `Recogniser` inside of it. Their
libraries are loaded when an ear is made: `pip install 'turnkit[ear]'` brings them.
"""

from collections.abc import Callable, Mapping

from ...checks import shown
from ...errors import ConfigError
from .hearing import confidence_in_silence
from .interface import UNKNOWN_WORD, Ear, EarStream, Heard, Recogniser
from .quick import HUM, quick_ear
from .sphinx import sphinx_ear
from .voice import VoiceEar

__all__ = [
    "EARS",
    "HUM",
    "UNKNOWN_WORD",
    "Ear",
    "EarStream",
    "Heard",
    "Recogniser",
    "VoiceEar",
    "confidence_in_silence",
    "make_ear",
    "quick_ear",
    "sphinx_ear",
]

EARS: Mapping[str, Callable[[], Ear]] = {"voice": VoiceEar, "quick": quick_ear, "sphinx": sphinx_ear}
"""What makes each of the ears that come with turnkit, by its name."""


def make_ear(name: str) -> Ear:
    """The ear of this name. Raises ConfigError if there is none, or if its libraries are not installed."""
    if name not in EARS:
        raise ConfigError(f"ear={shown(name)}: must be one of {', '.join(EARS)}")
    return EARS[name]()
