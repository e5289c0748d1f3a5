"""The playback of a loudspeaker at the far end of a network: what was sent, what was heard, what to send next.

Nothing here waits, sends or reads a clock: the caller says what time it is, and gets frames.

- Audio is sent in epochs, which have numbers. A reply begins one; whatever drops what the peer has queued ends it, and
  what the peer says about an epoch that is over counts for nothing: it may be an echo of what was dropped.
- Heard is what the peer has acknowledged, and never more than real time allows since the audio was sent.
- Sent is at most `lead` seconds more than that.
- What must be quick (to fall silent) is sent before all that waits, and audio after everything else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import inf
from typing import Protocol, TypeAlias

from ..checks import is_number

Frame: TypeAlias = str | bytes
"""What is sent at once: a text message, or a binary one."""

PIECE_SECONDS = 0.1
"""The longest audio that is sent at once, and so acknowledged at once."""
_FIRST_PIECE_SECONDS = 0.02  # so that the first sound is acknowledged early
_ROUNDING = 1e-6  # seconds: what adding up times may be off by


class Dialect(Protocol):
    """How a peer with a loudspeaker is spoken to: each method gives the frames to send, in their order.

    What the peer says about the playback is read by whoever reads from it, and goes to `NetworkSink.acknowledge`.
    """

    def begin(self, epoch: int) -> Iterable[Frame]:
        """The frames before the first audio of an epoch: the peer counts what it plays of it from 0."""

    def audio(self, epoch: int, audio: bytes, until: float) -> Iterable[Frame]:
        """The frames of a piece of audio, and of the wish to be told when it was played.

        Args:
            epoch: which it belongs to.
            audio: at most 0.1 s of it, whole samples.
            until: the seconds of the epoch that have been played by its end.
        """

    def clear(self, epoch: int) -> Iterable[Frame]:
        """The frames that make the peer fall silent and drop all it has of this epoch and older ones, paused or not."""

    def pause(self, epoch: int) -> Iterable[Frame] | None:
        """The frames that make the peer fall silent and keep what it has; None if it cannot: it is cleared instead.

        What it had not yet played is then sent again, in an epoch of its own.
        """

    def resume(self, epoch: int) -> Iterable[Frame]:
        """The frames that make a paused peer go on."""


class NetworkPlayback:
    """What is played far away: positions are in bytes of the reply, times in seconds of whatever clock the caller has.

    Args:
        dialect: how the peer is spoken to.
        sample_rate: of the audio, in Hz.
        sample_width: bytes a sample, of all channels together.
        lead: seconds of audio sent, at most, of which nobody knows that it was heard; 0.1 or more.
        interpolation: seconds, at most, that the played clock runs on by itself after an acknowledgement.

    Attributes:
        epoch: the one that is being sent; 0 before the first reply.
        begun: whether there is a reply that has not been cleared.
        paused: whether it is paused.
    """

    def __init__(
        self, dialect: Dialect, *, sample_rate: int, sample_width: int, lead: float, interpolation: float
    ) -> None:
        self._dialect = dialect
        self._rate = sample_rate
        self._width = sample_width
        self._lead = lead
        self._interpolation = interpolation
        self._urgent: deque[Frame] = deque()
        self._posted: deque[Frame] = deque()
        self._ready: deque[Frame] = deque()  # of audio that counts as sent
        self.epoch = 0
        self.begun = self.paused = False
        self._start(0.0)

    def _start(self, now: float) -> None:
        """Begin to count at the reply's beginning."""
        self._unsent = bytearray()
        self._outstanding: deque[tuple[int, bytes]] = deque()  # where each ends, and what it is
        self._base = self._sent = self._acknowledged = 0
        self._acknowledged_at: float | None = None  # unless it does not tell how the clock goes on
        self._possible, self._since = 0.0, now  # bytes that can have been played at that time
        self._played = 0.0  # seconds told so far
        self._pause_sent = False

    @property
    def unsent(self) -> float:
        """Seconds of audio that wait to be sent."""
        return self._seconds(len(self._unsent))

    # What the sink is told ----------------------------------------------------------------------------------------

    def begin(self, now: float) -> None:
        """A new reply: nothing is queued, and nothing played."""
        self.clear(now)
        self.epoch += 1
        self._start(now)
        self.begun, self.paused = True, False

    def queue(self, audio: bytes) -> None:
        """More audio of the reply, whole samples; of a reply that was cleared none is taken."""
        if self.begun:
            self._unsent += audio

    def clear(self, now: float) -> None:
        """Nothing more of the reply is to be heard; once more changes nothing."""
        if not self.begun:
            return
        self._played = self.played(now)
        if self._is_audible(now):
            self._urgent += self._dialect.clear(self.epoch)
        self._drop_sent(now)
        self._unsent.clear()
        self.begun = self.paused = False

    def pause(self, now: float) -> None:
        """The reply is to be silent, and to go on from there later."""
        if not self.begun or self.paused:
            return
        self._played = self.played(now)
        if self._is_audible(now):
            frames = self._dialect.pause(self.epoch)
            if frames is None:
                kept = b"".join(audio for _, audio in self._outstanding)
                again = kept[len(kept) - (self._sent - self._heard(now)) :]
                self._urgent += self._dialect.clear(self.epoch)
                self._drop_sent(now)
                self._unsent[:0] = again
            else:
                self._urgent += frames
                self._pause_sent = True
        self._stop_clock(now)
        self.paused = True

    def resume(self, now: float) -> None:
        """The reply is to go on."""
        if not self.paused:
            return
        if self._pause_sent:
            self._urgent += self._dialect.resume(self.epoch)
            self._pause_sent = False
        self._acknowledged_at = None
        self._since = now
        self.paused = False

    def acknowledge(self, epoch: object, played: object, now: float) -> bool:
        """What the peer says that it has played of an epoch, in seconds.

        Returns:
            Whether it told anything: not if the epoch is over or has never been, nor if it is no number, or less than
            was said before.
        """
        if epoch != self.epoch or not self.begun or not (is_number(played) and played >= 0):
            return False
        position = self._base + round(min(played * self._rate, float(self._sent))) * self._width
        position = min(position, self._sent)
        if position < self._acknowledged:
            return False
        self._acknowledged_at = now if position > self._acknowledged else None
        self._acknowledged = position
        heard = self._heard(now)
        while self._outstanding and self._outstanding[0][0] <= heard:
            self._outstanding.popleft()
        return True

    # What it gives ------------------------------------------------------------------------------------------------

    def played(self, now: float) -> float:
        """Seconds of the reply that have been played; it never goes back before the next begins."""
        if not self.begun:
            return self._played
        ran = 0.0
        if self._acknowledged_at is not None and not self.paused:
            ran = min(max(now - self._acknowledged_at, 0.0), self._interpolation)
        heard = min(self._seconds(self._acknowledged) + ran, self._seconds(min(self._can_be_played(now), self._sent)))
        self._played = max(self._played, heard)
        return self._played

    def post(self, frame: Frame) -> None:
        """A frame of the caller's own, to be sent before audio."""
        self._posted.append(frame)

    def drop_audio(self) -> None:
        """Send no more audio, but whatever else waits."""
        self._ready.clear()
        self._unsent.clear()

    def next_frame(self, now: float) -> Frame | None:
        """The frame to send now, which counts as sent; None if nothing may be sent yet."""
        if not (self._urgent or self._posted or self._ready) and self.wait(now) <= 0:
            self._make_ready(now)
        for frames in (self._urgent, self._posted, self._ready):
            if frames:
                return frames.popleft()
        return None

    def urgent_frame(self) -> Frame | None:
        """The frame to send now if it is one that silences the peer, or lets it go on."""
        return self._urgent.popleft() if self._urgent else None

    def wait(self, now: float) -> float:
        """Seconds until audio may be sent if nothing happens before; `inf` if only something that happens can help."""
        if not self._unsent or self.paused or not self.begun:
            return inf
        end = self._sent + self._next_length()
        if self._seconds(end - self._acknowledged) > self._lead:
            return inf
        early = self._seconds(end - self._can_be_played(now)) - self._lead
        return early if early > _ROUNDING else 0.0

    def _make_ready(self, now: float) -> None:
        if self._sent == self._base:
            self._ready += self._dialect.begin(self.epoch)
        length = self._next_length()
        audio = bytes(self._unsent[:length])
        del self._unsent[:length]
        self._stop_clock(now)
        self._sent += length
        self._outstanding.append((self._sent, audio))
        self._ready += self._dialect.audio(self.epoch, audio, self._seconds(self._sent - self._base))

    def _next_length(self) -> int:
        seconds = _FIRST_PIECE_SECONDS if self._sent == self._base else PIECE_SECONDS
        return min(len(self._unsent), max(int(seconds * self._rate), 1) * self._width)

    def _drop_sent(self, now: float) -> None:
        """What was sent and not acknowledged was not heard, and never will be: what follows is another epoch."""
        self.epoch += 1
        self._ready.clear()
        self._outstanding.clear()
        self._base = self._sent = self._acknowledged = self._heard(now)
        self._possible, self._since = float(self._base), now
        self._acknowledged_at = None
        self._pause_sent = False

    # The clock ----------------------------------------------------------------------------------------------------

    def _is_audible(self, now: float) -> bool:
        """Whether any of what was sent may not have been played yet."""
        return self._sent > min(self._acknowledged, self._can_be_played(now))

    def _heard(self, now: float) -> int:
        """Where what was acknowledged ends, as far as it can be true."""
        possible = int(self._can_be_played(now) + _ROUNDING * self._bytes_per_second)
        return min(self._acknowledged, possible - possible % self._width)

    def _can_be_played(self, now: float) -> float:
        """Bytes that can have been played, had the peer played each at once."""
        ran = 0.0 if self.paused else max(now - self._since, 0.0)
        return min(self._possible + ran * self._bytes_per_second, float(self._sent))

    def _stop_clock(self, now: float) -> None:
        self._possible, self._since = self._can_be_played(now), now

    @property
    def _bytes_per_second(self) -> int:
        return self._rate * self._width

    def _seconds(self, length: float) -> float:
        return length / self._bytes_per_second
