"""Clock of all callers: it tells each when its next 80 ms are over, with one timer for them all."""

from __future__ import annotations

from math import inf

import anyio

from .speech import FRAME_SECONDS

_PHASES = 16  # into which the callers are spread: all at once would be a burst, one by one a timer each
_EARLY_SECONDS = 0.001


class FrameClock:
    """Wakes callers once in each frame's time.

    A timer a caller is more than the rest of its frame costs, and hardware that brings the audio has none either.

    Args:
        callers: Number of callers at a time.
    """

    def __init__(self, callers: int) -> None:
        self._phases = min(_PHASES, callers)
        self._ticks = [anyio.Event() for _ in range(self._phases)]
        self._due = [-inf] * self._phases  # when the latest tick of each phase was due

    async def run(self) -> None:
        """Tick, for ever; ticks that are late come at once."""
        at, phase = anyio.current_time(), 0
        while True:
            at += FRAME_SECONDS / self._phases
            await anyio.sleep_until(at)
            self._due[phase] = at
            tick, self._ticks[phase] = self._ticks[phase], anyio.Event()
            tick.set()
            phase = (phase + 1) % self._phases

    async def wait(self, caller: int, until: float) -> float:
        """Wait for the caller's first tick due at `until` or later; when it was due, however late it comes."""
        phase = caller % self._phases
        while self._due[phase] < until - _EARLY_SECONDS:
            await self._ticks[phase].wait()
        return self._due[phase]
