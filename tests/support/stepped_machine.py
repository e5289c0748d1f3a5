"""A machine that is fed an event every tenth of a second, and policies of one verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from turnkit.turns.events import EndOfTurn, Event, PlaybackStarted, Signal, StartOfTurn
from turnkit.turns.machine import TurnMachine
from turnkit.turns.policy import Overlap, Verdict


class SteppedMachine:
    """A machine that is fed an event every tenth of a second."""

    def __init__(self, **settings: Any) -> None:
        self.machine = TurnMachine(**settings)
        self.at = 0.0

    def feed(self, *events: Event) -> list[Signal]:
        """Feed the events and answer the signals of the last one."""
        signals: tuple[Signal, ...] = ()
        for event in events:
            self.at = round(self.at + 0.1, 6)
            signals = self.machine.feed(event, self.at)
        return list(signals)

    def wait(self, seconds: float) -> list[Signal]:
        """Let time pass, waking the machine at each of its deadlines; all signals."""
        until = round(self.at + seconds, 6)
        signals: list[Signal] = []
        while (due := self.machine.deadline) is not None and due <= until:
            signals += self.machine.wake(due)
        self.at = until
        return signals + list(self.machine.wake(until))

    def committed(self, text: str = "hello", index: int = 0) -> SteppedMachine:
        """A turn has ended and its reply is pending."""
        self.feed(StartOfTurn(index, text), EndOfTurn(index, text))
        return self

    def audible(self) -> SteppedMachine:
        """Reply 0 is being heard."""
        self.committed().feed(PlaybackStarted(0))
        return self


def always(verdict: Verdict) -> Callable[[Overlap], Verdict]:
    """A barge-in policy with one verdict for everything."""
    return lambda overlap: verdict
