"""Figures of a session while it is running."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..turns.events import Event, ReplyEnded, Signal
from ..wire import TurnInfo
from .collector import Metrics
from .figures import CallMetrics, TurnMetrics


class Watch:
    """An observer of a session that measures it.

    What `on_turn` and `on_call` raise is raised to whoever tells, and costs no figure.

    Args:
        on_turn: is called with each turn that is over, in the session's own step, so it should be quick.
        on_call: is called with the figures of the call, at its end.
        metrics: the figures to go on from; none yet by default.

    Attributes:
        metrics: the figures so far.
    """

    def __init__(
        self,
        on_turn: Callable[[TurnMetrics], object] | None = None,
        on_call: Callable[[CallMetrics], object] | None = None,
        *,
        metrics: Metrics | None = None,
    ) -> None:
        self.metrics = Metrics() if metrics is None else metrics
        self._on_turn = on_turn
        self._on_call = on_call
        self._ready: list[TurnMetrics] = []  # measured, but not told of: all that happened is taken first

    def fed(self, at: float, event: Event, signals: Iterable[Signal], message: TurnInfo | None = None) -> None:
        """The machine was fed: see `Observer.fed`."""
        self._take(event, at)
        for signal in signals:
            self._take(signal, signal.at)
        self._tell()

    def woken(self, at: float, signals: Iterable[Signal]) -> None:
        """Time passed for the machine: see `Observer.woken`."""
        self._pass_time(at)
        for signal in signals:
            self._take(signal, signal.at)
        self._tell()

    def closed(self, at: float, signals: Iterable[Signal]) -> None:
        """The machine was closed: see `Observer.closed`."""
        self.woken(at, signals)

    def told(self, signal: Signal | ReplyEnded) -> None:
        """A signal of the session's own."""
        self._take(signal, signal.at)
        self._tell()

    def fact(self, at: float, name: str, /, **fields: Any) -> None:
        """Something that the machine is not told: see `Observer.fact`."""
        self._ready += self.metrics.fact(at, name, fields)
        self._tell()

    def end(self) -> None:
        """Nothing more will be told."""
        self._ready += self.metrics.close()
        try:
            self._tell()
        finally:
            if self._on_call is not None:
                self._on_call(self.metrics.call)

    def _take(self, item: Event | Signal | ReplyEnded, at: float) -> None:
        self._ready += self.metrics.take(item, at)

    def _pass_time(self, at: float) -> None:
        self.metrics.wake(at)

    def _tell(self) -> None:
        while self._ready:
            self._over(self._ready.pop(0))

    def _over(self, turn: TurnMetrics) -> None:
        if self._on_turn is not None:
            self._on_turn(turn)
