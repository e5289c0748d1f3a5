"""The audio of a stream: cut into frames, and kept until Flux has covered it, for a connection that may come next."""

from __future__ import annotations

from math import inf

from ..wire import FluxOptions

_SAMPLE_BYTES = {"linear16": 2, "linear32": 4, "mulaw": 1, "alaw": 1}
_SILENCE = {"mulaw": 0xFF, "alaw": 0xD5}  # G.711's codes for the smallest positive sample; linear: 0
FRAME_SECONDS = 0.08  # what Flux recommends: https://developers.deepgram.com/docs/flux/quickstart


def new_audio_buffer(options: FluxOptions, seconds: float) -> AudioBuffer | PassingAudio:
    """The buffer for a stream with these options; containers and Opus, whose bytes do not tell their time, pass."""
    sample = _SAMPLE_BYTES.get(options.encoding or "")
    if sample is None or options.sample_rate is None:
        return PassingAudio()
    return AudioBuffer(options.sample_rate, sample, _SILENCE.get(options.encoding or "", 0), seconds)


class AudioBuffer:
    """Raw audio, by its place in bytes since the stream began: some of it sent, the rest about to be.

    The places count all that was given, also what was lost, so that they are the stream's time. What is kept is kept
    frame by frame, in the memory that each came in, so that letting one go gives all of it back.

    Attributes:
        is_raw: whether its bytes tell their time, so that it can be kept, and silence added: yes.
        rate: bytes a second.
        first: the place of the first byte that is still here.
        sent: the place up to which the connection has the audio; before `first` if there was too much of it.
        end: the place after the last byte.
        connection_start: the place where that connection began.
        lost: bytes that no connection will have brought to Flux.
    """

    __slots__ = (
        "_frame",
        "_frames",
        "_limit",
        "_next",
        "_rest",
        "_sample",
        "_silence",
        "connection_start",
        "end",
        "first",
        "lost",
        "rate",
        "sent",
    )
    is_raw = True

    def __init__(self, sample_rate: int, sample: int, silence: int, seconds: float) -> None:
        self.rate = sample_rate * sample
        self.first = self.sent = self.end = self.connection_start = 0
        self.lost = 0
        self._frames: list[bytes] = []
        self._next = 0  # which of them is the next to be sent
        self._rest = bytearray()  # of a frame that is not full yet
        self._sample = sample
        self._silence = silence
        self._frame = sample_rate * round(FRAME_SECONDS * 1000) // 1000 * sample
        self._limit = round(seconds * sample_rate) * sample

    def seconds(self, size: int) -> float:
        """How long so many bytes last."""
        return size / self.rate

    @property
    def sent_seconds(self) -> float:
        """Seconds that were sent, in the stream's time."""
        return self.sent / self.rate

    @property
    def lost_seconds(self) -> float:
        """Seconds that were lost."""
        return self.lost / self.rate

    @property
    def connection_seconds(self) -> float:
        """Seconds that this connection was sent."""
        return (self.sent - self.connection_start) / self.rate

    @property
    def ready(self) -> bool:
        """Whether there is a whole frame to send."""
        return self._next < len(self._frames)

    @property
    def waiting(self) -> bool:
        """Whether there is a frame to send, whole or short."""
        return self.end - self.sent >= self._sample

    def add(self, data: bytes) -> None:
        """Append audio that is to be sent."""
        self.end += len(data)
        if len(data) == self._frame and not self._rest:
            self._frames.append(data)
            return
        self._rest += data
        self._cut()

    def add_silence(self) -> None:
        """Append a frame of silence; before the bytes of an unfinished sample, if there are any."""
        at = len(self._rest) - len(self._rest) % self._sample
        self._rest[at:at] = bytes((self._silence,)) * self._frame
        self.end += self._frame
        self._cut()

    def next_frame(self, *, short: bool = False) -> bytes:
        """The next frame, which then counts as sent; empty if there is none. `short`: also one that is not full."""
        if self._next == len(self._frames):
            size = len(self._rest) - len(self._rest) % self._sample
            if not short or not size:
                return b""
            self._frames.append(bytes(self._rest[:size]))
            del self._rest[:size]
        frame = self._frames[self._next]
        self._next += 1
        self.sent += len(frame)
        if self.sent - self.first > self._limit:
            self._drop_before(self.sent - self._limit)
        return frame

    def cover(self, covered: float) -> None:
        """Let go what Flux has covered, `covered` seconds into this connection."""
        self._drop_before(self._place(covered))

    def rewind(self, covered: float) -> None:
        """Begin again after what was covered; what of it is not here any more is in excess."""
        self.sent = self._place(covered)
        self._drop_before(self.sent)

    def begin_connection(self) -> None:
        """A connection begins with what has not been sent, in whole frames."""
        rest = b"".join(self._frames)[self.sent - self.first :]
        self._frames.clear()
        self._next = 0
        self._rest[:0] = rest
        self._cut()
        self.first = self.connection_start = self.sent

    def bound(self) -> None:
        """While a connection takes nothing, let the oldest go beyond the limit; whether it is lost shows later."""
        self._drop_before(self.end - self._limit)

    def drop_excess(self) -> float:
        """While there is no connection, drop the oldest audio beyond the limit; returns the seconds dropped."""
        excess = self.end - self.sent - self._limit
        excess -= excess % self._sample
        if excess <= 0:
            return 0.0
        self.sent += excess
        self.lost += excess
        self._drop_before(self.sent)
        if self.first < self.sent and not self._frames:
            del self._rest[: self.sent - self.first]
            self.first = self.sent
        return excess / self.rate

    def lose_rest(self, covered: float | None = None) -> None:
        """Count as lost what waits, or comes after `covered`: no connection will come. An unfinished sample is none."""
        place = self.sent if covered is None else self._place(covered)
        self.lost += self.end - self.end % self._sample - place
        self._frames.clear()
        self._rest.clear()
        self._next = 0
        self.first = self.sent = self.connection_start = self.end

    def _cut(self) -> None:
        """Make frames of what is enough for them."""
        size, rest = self._frame, self._rest
        whole = len(rest) - len(rest) % size
        if whole:
            with memoryview(rest) as view:
                self._frames.extend(bytes(view[at : at + size]) for at in range(0, whole, size))
            del rest[:whole]

    def _place(self, covered: float) -> int:
        """The place that is `covered` seconds into this connection, which was sent so much."""
        return self.connection_start + round(covered * self.rate / self._sample) * self._sample

    def _drop_before(self, place: int) -> None:
        """Let go the frames that end at or before `place`."""
        gone, end = 0, len(self._frames)
        while gone < end and self.first + len(self._frames[gone]) <= place:
            self.first += len(self._frames[gone])
            gone += 1
        if gone:
            del self._frames[:gone]
            self._next = max(0, self._next - gone)


class PassingAudio:
    """Audio that passes as it is given, and of which nothing is kept: that of containers, and Opus.

    Attributes:
        is_raw: whether its bytes tell their time, so that it can be kept, and silence added: no.
        sent_seconds: None, because its bytes do not tell their time.
        lost_seconds: None for the same reason.
        connection_seconds: how much a connection can have covered: no end is known.
    """

    __slots__ = ("_pieces",)
    is_raw = False
    sent_seconds = lost_seconds = None
    connection_seconds = inf

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    @property
    def ready(self) -> bool:
        """Whether there is a piece to send."""
        return bool(self._pieces)

    waiting = ready

    def seconds(self, size: int) -> float:
        """How long so many bytes last: not known, so no time at all."""
        return 0.0

    def add(self, data: bytes) -> None:
        """Append a piece; an empty one is never sent."""
        if data:
            self._pieces.append(data)

    def add_silence(self) -> None:
        """Add nothing."""

    def next_frame(self, *, short: bool = False) -> bytes:
        """The next piece; empty if there is none."""
        return self._pieces.pop(0) if self._pieces else b""

    def cover(self, covered: float) -> None:
        """Let go nothing."""

    def rewind(self, covered: float) -> None:
        """Begin again with what comes then."""

    def begin_connection(self) -> None:
        """A connection begins."""

    def bound(self) -> None:
        """Keep nothing that does not leave."""
        self._pieces.clear()

    def drop_excess(self) -> float:
        """Keep nothing; returns no seconds."""
        self._pieces.clear()
        return 0.0

    def lose_rest(self, covered: float | None = None) -> None:
        """Keep nothing."""
        self._pieces.clear()
