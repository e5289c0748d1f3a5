"""What the clocks of containers share: how long an Opus packet plays, and how far a stream's timestamps have come."""

from __future__ import annotations

_LARGEST_JUMP = 60.0  # seconds from one timestamp to the next; Flux ends a connection that is silent for as long
_LONGEST_PACKET = 0.12
# By the upper five bits of the first byte: SILK's, hybrid's and CELT's (RFC 6716, section 3.1).
_FRAME_SECONDS = (0.01, 0.02, 0.04, 0.06) * 3 + (0.01, 0.02) * 2 + (0.0025, 0.005, 0.01, 0.02) * 4


class NotAudio(Exception):
    """Audio that the simulator cannot tell the time by; the message says what it is."""


def packet_seconds(head: bytes) -> float:
    """How long an Opus packet plays, from its first two bytes; 0 for what no decoder would take."""
    if not head:
        return 0.0
    code = head[0] & 3
    if code == 3 and len(head) < 2:
        return 0.0
    frames = (1, 2, 2, head[1] & 63 if code == 3 else 0)[code]
    seconds = frames * _FRAME_SECONDS[head[0] >> 3]
    return seconds if seconds <= _LONGEST_PACKET + 1e-9 else 0.0


class Timeline:
    """The seconds that a stream's timestamps span, from where the first of them begins.

    Gaps count, as nothing plays in them either. A jump of more than a minute, forward or back, is taken for damage, and
    the time goes on from there.

    Attributes:
        seconds: spanned so far; never fewer than before.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._origin = 0.0
        self._skipped = 0.0
        self._last: float | None = None

    def restart(self, skipped: float = 0.0) -> None:
        """A new stream follows on what there was; so many `skipped` seconds at its start are no sound."""
        self._last = None
        self._skipped = skipped

    def reach(self, end: float, held: float) -> None:
        """Come to the timestamp `end`, with packets that play for `held` seconds before it."""
        position = end - self._origin
        if self._last is None or abs(end - self._last) > _LARGEST_JUMP:
            # Not by way of the timestamp: where that is absurd, a float has no room left for what is held.
            position = self.seconds + held - (self._skipped if self._last is None else 0.0)
            self._origin = end - position
        self._last = end
        self.seconds = max(self.seconds, position)
