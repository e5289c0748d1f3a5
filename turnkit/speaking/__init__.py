"""A ready-made `speak`: what a reply says goes sentence by sentence to a streaming TTS, and its audio to a sink.

Synthesis runs ahead of the playback, but not far, so that a barge-in wastes little. What is reported as heard goes by
the sink's own clock. When the reply is interrupted the sink is cleared in the very step in which that is learned, and
from then on nothing of the reply reaches it.
"""

from .interface import Playback, Speak
from .sentences import sentences
from .sink import AudioSink, ClockSink
from .speaker import TTS, Sound, speaker
from .timeline import Timeline

__all__ = ["TTS", "AudioSink", "ClockSink", "Playback", "Sound", "Speak", "Timeline", "sentences", "speaker"]
