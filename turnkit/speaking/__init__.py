"""A ready-made `speak`: what a reply says goes sentence by sentence to a streaming TTS, and its audio to a sink.

Synthesis runs ahead of the playback, but not far, so that a barge-in wastes little. What is reported as heard goes by
the sink's own clock, and by the times that the TTS gives for its words, also where it reads "40" as "forty"; a sentence
for which the TTS gave no sound was not heard. A filter, such as `speakable`, may stand before the TTS: what is heard is
told as it was said. When the reply is interrupted the sink is cleared in the very step in which that is learned, and
from then on nothing of the reply reaches it.

- `speaker`: makes the `speak`; `sink`: what it plays into; `interface`: what a session and it know of each other.
- `sentences`: where a text that is still coming may be cut; `filters`: what a voice is given for it.
- `espeak`: a voice of its own, on this machine, in two files: the library is for one thread of the process.
- `timeline`: what of it was heard; `alignment`: which spoken word stands for which written one.
"""

from .filters import TextFilter, speakable
from .interface import Mark, Playback, Speak
from .sentences import sentences
from .sink import AudioSink, ClockSink
from .speaker import TTS, Sound, speaker
from .timeline import Timeline

__all__ = [
    "TTS",
    "AudioSink",
    "ClockSink",
    "Mark",
    "Playback",
    "Sound",
    "Speak",
    "TextFilter",
    "Timeline",
    "sentences",
    "speakable",
    "speaker",
]
