"""Retries after a loss: when to connect again and when to give up, by arithmetic on times and errors."""

from __future__ import annotations

from math import inf
from random import Random

from ..errors import ConfigError, FluxError, LocalProtocolError, TurnkitError
from .bounds import Bounds
from .failures import UNPARSABLE

_PERMANENT = (400, 401, 402, 403)


def is_permanent(failure: TurnkitError) -> bool:
    """Whether trying again can only fail again: wrong credential, parameters or command, or no credit."""
    if isinstance(failure, FluxError):
        return failure.status in _PERMANENT or failure.code == UNPARSABLE
    return isinstance(failure, (ConfigError, LocalProtocolError))


class Retries:
    """The attempts to connect in one outage: from the loss of a connection to one that holds.

    The first attempt comes at once. After the nth that failed, or whose connection was lost again before it had held
    for `backoff_max`, the pause is `backoff_first` * 2 ** (n - 1), at most `backoff_max`, of which a random half to
    the whole is waited, so that the clients of a server that comes back do not come all at once.

    Attributes:
        failures: of this outage, oldest first.
        deadline: when to give up; `inf` until somebody tries.
        next_at: when to try next; after the deadline if that is not worth waiting for.
        connected_at: since when the last connection had held.
    """

    __slots__ = ("_bounds", "_random", "_tries", "connected_at", "deadline", "failures", "next_at")

    def __init__(self, bounds: Bounds, random: Random) -> None:
        self._bounds = bounds
        self._random = random
        self._tries = 0
        self.failures: list[TurnkitError] = []
        self.deadline = inf
        self.next_at = -inf
        self.connected_at = -inf

    def lost(self, failure: TurnkitError, now: float) -> None:
        """Note that a connection was lost."""
        if now - self.connected_at >= self._bounds.backoff_max:
            self._tries = 0
            self.failures = []
            self.deadline = inf
        self._add_failure(failure, now)

    def begin(self, now: float) -> None:
        """Start the time that an outage may take: from now on somebody tries."""
        if self.deadline == inf:
            self.deadline = now + self._bounds.reconnect_timeout

    def failed(self, failure: TurnkitError, now: float) -> None:
        """Note that an attempt failed."""
        self._add_failure(failure, now)

    def restored(self, now: float) -> None:
        """Note that an attempt made a connection."""
        self.connected_at = now

    @property
    def tries(self) -> int:
        """Attempts made in this outage, the one under way among them."""
        return self._tries

    def _add_failure(self, failure: TurnkitError, now: float) -> None:
        self.failures.append(failure)
        self.next_at = now + self._pause()
        self._tries += 1

    def _pause(self) -> float:
        if self._tries == 0:
            return 0.0
        # Not 2 ** n: it would outgrow a float, one night.
        pause = self._bounds.backoff_first
        for _ in range(self._tries - 1):
            if pause >= self._bounds.backoff_max:
                break
            pause *= 2
        return min(pause, self._bounds.backoff_max) * self._random.uniform(0.5, 1.0)
