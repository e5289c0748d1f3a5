"""The audio of a stream: cut into frames, and kept until Flux has covered it, for a connection that may come next."""

from __future__ import annotations

from ..wire import FluxOptions

_SAMPLE_BYTES = {"linear16": 2, "linear32": 4, "mulaw": 1, "alaw": 1}
_SILENCE = {"mulaw": 0xFF, "alaw": 0xD5}  # G.711's codes for the smallest positive sample; linear: 0
FRAME_SECONDS = 0.08  # what Flux recommends: https://developers.deepgram.com/docs/flux/quickstart


def new_audio_buffer(options: FluxOptions, seconds: float) -> AudioBuffer | None:
    """The buffer for a stream with these options; None for containers and Opus, whose bytes do not tell their time."""
    sample = _SAMPLE_BYTES.get(options.encoding or "")
    if sample is None or options.sample_rate is None:
        return None
    return AudioBuffer(options.sample_rate, sample, _SILENCE.get(options.encoding or "", 0), seconds)


class AudioBuffer:
    """Raw audio, by its place in bytes since the stream began: some of it sent, the rest about to be.

    The places count all that was given, also what was lost, so that they are the stream's time.

    Attributes:
        rate: bytes a second.
        first: the place of the first byte that is still here.
        sent: the place up to which the connection has the audio.
        connection_start: the place where that connection began.
        lost: bytes that no connection will have brought to Flux.
    """

    __slots__ = (
        "_data",
        "_frame",
        "_limit",
        "_sample",
        "_silence",
        "connection_start",
        "first",
        "lost",
        "rate",
        "sent",
    )

    def __init__(self, sample_rate: int, sample: int, silence: int, seconds: float) -> None:
        self.rate = sample_rate * sample
        self.first = self.sent = self.connection_start = 0
        self.lost = 0
        self._data = bytearray()
        self._sample = sample
        self._silence = silence
        self._frame = sample_rate * round(FRAME_SECONDS * 1000) // 1000 * sample
        self._limit = round(seconds * sample_rate) * sample

    @property
    def end(self) -> int:
        """The place after the last byte."""
        return self.first + len(self._data)

    def add(self, data: bytes | bytearray | memoryview) -> None:
        """Append audio that is to be sent."""
        self._data += data

    def add_silence(self) -> None:
        """Append a frame of silence; before the bytes of an unfinished sample, if there are any."""
        at = len(self._data) - self.end % self._sample
        self._data[at:at] = bytes((self._silence,)) * self._frame

    def next_frame(self, *, short: bool = False) -> bytes:
        """The next frame, which then counts as sent; empty if there is none. `short`: also one that is not full."""
        left = self.end - self.sent
        size = self._frame if left >= self._frame else left - left % self._sample if short else 0
        at = self.sent - self.first
        self.sent += size
        return bytes(self._data[at : at + size])

    def drop_covered(self, covered: float) -> None:
        """Drop what Flux has covered, `covered` seconds into this connection, and what is older than the limit."""
        place = max(self._place(covered), self.sent - self._limit)
        if place - self.first >= self._frame:
            self._drop_before(place)

    def rewind(self, covered: float) -> float:
        """Begin again after what was covered; returns the seconds after it that are not here any more."""
        place = self._place(covered)
        self.sent = max(place, self.first)
        self.lost += self.sent - place
        return (self.sent - place) / self.rate

    def drop_excess(self) -> float:
        """While there is no connection, drop the oldest audio beyond the limit; returns the seconds dropped."""
        excess = self.end - self.sent - self._limit
        excess += -excess % self._sample
        if excess <= 0:
            return 0.0
        self._drop_before(self.sent + excess)
        self.sent += excess
        self.lost += excess
        return excess / self.rate

    def lose_rest(self, covered: float | None = None) -> None:
        """Count as lost what waits, or comes after `covered`: no connection will come; done twice, it does nothing."""
        place = self.sent if covered is None else self._place(covered)
        self.lost += self.end - max(place, self.first)
        self._drop_before(self.end)
        self.sent = self.end

    def _place(self, covered: float) -> int:
        """The place that is `covered` seconds into this connection, if so much was sent."""
        samples = round(covered * self.rate / self._sample)
        return max(self.connection_start, min(self.connection_start + samples * self._sample, self.sent))

    def _drop_before(self, place: int) -> None:
        del self._data[: place - self.first]
        self.first = place
