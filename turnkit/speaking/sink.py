"""Sinks for the audio of replies: a loudspeaker with a clock, and one that makes no sound."""

from __future__ import annotations

from typing import Protocol

import anyio

from ..checks import shown
from ..errors import ConfigError


def check_audio(sample_rate: int, sample_width: int) -> None:
    """Raise ConfigError for a rate in Hz, or a number of bytes a sample, that is not a whole number, 1 or more."""
    for name, value in (("sample_rate", sample_rate), ("sample_width", sample_width)):
        if not isinstance(value, int) or value < 1:
            raise ConfigError(f"{name}={shown(value)}: must be a whole number, 1 or more")


class AudioSink(Protocol):
    """A loudspeaker with a clock: a sound card's stream, a phone line, a browser; for one conversation.

    Where the far end keeps the queue (a browser, Twilio's `mark` and `clear`) the clock is what it last acknowledged.
    """

    def begin(self, reply: int) -> None:
        """Begin a new `reply`: its clock is at 0, nothing is queued or paused. Called before any other method."""

    async def play(self, audio: bytes) -> None:
        """Queue `audio`, of at most 0.1 s; may wait, but must queue nothing if `clear` is called meanwhile."""

    def played(self) -> float:
        """Seconds of this reply that have been played; it stands still while paused, and when there is no audio."""

    def pause(self) -> None:
        """Fall silent, and keep what is queued."""

    def resume(self) -> None:
        """Go on where `pause` fell silent."""

    def clear(self) -> None:
        """Fall silent at once, and drop what is queued; calling it again does no harm."""


class ClockSink(AudioSink):
    """A sink that plays nothing, but takes the time that sound would: for tests, and for demos that show text.

    Args:
        sample_rate: of the audio, in Hz. Default 16000.
        sample_width: bytes a sample, of all channels together. Default 2.

    Raises:
        ConfigError: for a rate or width that cannot be.
    """

    def __init__(self, *, sample_rate: int = 16000, sample_width: int = 2) -> None:
        check_audio(sample_rate, sample_width)
        self._bytes_per_second = sample_rate * sample_width
        self.begin(0)

    def begin(self, reply: int) -> None:
        """Start `reply` at 0, with nothing queued and not paused."""
        self._queued = 0.0  # seconds, of all that has come
        self._mark = 0.0  # seconds that had been played ...
        self._since = 0.0  # ... at that time
        self._paused = False

    async def play(self, audio: bytes) -> None:
        """Queue the length of the `audio`."""
        self._set_mark()
        self._queued += len(audio) / self._bytes_per_second

    def played(self) -> float:
        """Seconds that the clock has played, at most as many as are queued."""
        if self._paused:
            return self._mark
        return min(self._mark + anyio.current_time() - self._since, self._queued)

    def pause(self) -> None:
        """Stop the clock."""
        self._set_mark()
        self._paused = True

    def resume(self) -> None:
        """Let the clock go on."""
        self._set_mark()
        self._paused = False

    def clear(self) -> None:
        """Drop what is queued."""
        self._set_mark()
        self._queued = self._mark

    def _set_mark(self) -> None:
        self._mark, self._since = self.played(), anyio.current_time()
