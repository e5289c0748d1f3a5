"""Whether there is room for another call: a bound on calls, and on how late the event loop is. No server here."""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from math import ceil, inf

import anyio

from ...checks import check_seconds, is_number
from ...errors import ConfigError

__all__ = ["Admission", "Lateness", "Refusal"]

_TICK = 0.05  # seconds between two looks at the clock
_WINDOW = 5.0  # seconds that count
_QUANTILE = 0.95  # so that one long collection does not turn calls away, and a loop that is always late does


class Refusal(StrEnum):
    """Why there is no room."""

    FULL = "full"
    """As many calls as there may be are going on."""
    LATE = "late"
    """The event loop is late: one more call would make all of them slow."""
    DRAINING = "draining"
    """The server is going down."""


class Lateness:
    """How late the event loop is: `measure` sleeps again and again, and sees how much longer it was than asked for."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque()  # when, and how late
        self._due = inf

    async def measure(self) -> None:
        """Measure until cancelled."""
        while True:
            self._due = anyio.current_time() + _TICK
            await anyio.sleep(_TICK)
            self.take(anyio.current_time())

    def take(self, now: float) -> None:
        """Take that the time that was due has come now."""
        self._samples.append((now, max(now - self._due, 0.0)))

    def seconds(self, now: float) -> float:
        """How late it was in the last seconds, and is: 95 of 100 looks were less late than that.

        Args:
            now: the time of the event loop.
        """
        while self._samples and self._samples[0][0] < now - _WINDOW:
            self._samples.popleft()
        late = sorted(late for _, late in self._samples)
        usual = late[ceil(_QUANTILE * len(late)) - 1] if late else 0.0
        return max(usual, now - self._due, 0.0)  # the latter while it is stuck, and this is the first step after it


class Admission:
    """Who is let in.

    Args:
        max_calls: at most so many calls at once.
        max_lag: seconds that the event loop may be late for another call to be let in.

    Raises:
        ConfigError: for bounds that let nobody in.

    Attributes:
        calls: how many go on.
        refused: how often there was no room, by reason.
        draining: whether the server is going down.
        lateness: of the event loop.
    """

    def __init__(self, max_calls: int, max_lag: float) -> None:
        if not is_number(max_calls) or max_calls < 1 or int(max_calls) != max_calls:
            raise ConfigError(f"max_calls={max_calls!r}: must be a whole number, 1 or more")
        check_seconds("max_lag", max_lag, zero=False)
        self.max_calls = max_calls
        self.max_lag = max_lag
        self.calls = 0
        self.refused: dict[str, int] = {str(reason): 0 for reason in Refusal}
        self.draining = False
        self.lateness = Lateness()

    def refusal(self, now: float) -> Refusal | None:
        """Why another call would be turned away now; None if there is room.

        Args:
            now: the time of the event loop.
        """
        if self.draining:
            return Refusal.DRAINING
        if self.calls >= self.max_calls:
            return Refusal.FULL
        if self.lateness.seconds(now) > self.max_lag:
            return Refusal.LATE
        return None

    def ask(self, now: float) -> Refusal | None:
        """The same for a call that has come: a refusal is counted."""
        reason = self.refusal(now)
        if reason is not None:
            self.refused[reason] += 1
        return reason
