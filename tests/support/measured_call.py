"""A call of the machine alone, whose figures are taken as it goes."""

from __future__ import annotations

from typing import Any

import msgspec

from turnkit import (
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Signal,
    StartOfTurn,
    TimedWord,
    TurnMachine,
    Update,
)
from turnkit.metrics import CallMetrics, Metrics, TurnMetrics


class MeasuredCall:
    """A machine and the figures of what goes through it; seconds are chosen so that floats hold them exactly."""

    def __init__(self, **settings: Any) -> None:
        self.machine = TurnMachine(**settings)
        self.metrics = Metrics()
        self.signals: list[Signal] = []
        self.turns: list[TurnMetrics] = []

    def feed(self, at: float, event: Event, last_word: float | None = None) -> None:
        if last_word is not None and isinstance(event, (EagerEndOfTurn, EndOfTurn)):
            event = msgspec.structs.replace(event, words=(TimedWord("last", None, last_word),))
        self.turns += self.metrics.take(event, at)
        self._answered(self.machine.feed(event, at))

    def wake(self, at: float) -> None:
        self._answered(self.machine.wake(at))

    def fact(self, at: float, name: str, **fields: object) -> None:
        self.turns += self.metrics.fact(at, name, fields)

    def close(self, at: float) -> CallMetrics:
        self._answered(self.machine.close(at))
        self.turns += self.metrics.close(at)
        return self.metrics.call

    def _answered(self, signals: tuple[Signal, ...]) -> None:
        self.signals += signals
        for signal in signals:
            self.turns += self.metrics.take(signal)


def exchange(call: MeasuredCall, at: float = 0.0, index: int = 0, reply: int = 0) -> None:
    """A turn with a draft that is kept, and its reply, heard to its end: 4 s."""
    call.feed(at, StartOfTurn(index, "A table", audio_end=at + 1.0))
    call.feed(at + 0.25, Update(index, "A table for two", audio_end=at + 1.25))
    call.feed(at + 1.0, EagerEndOfTurn(index, "A table for two", 0.5, audio_end=at + 2.0))
    call.fact(at + 1.125, "FirstChunk", reply=reply)
    call.feed(at + 1.5, EndOfTurn(index, "A table for two.", 0.8, audio_end=at + 2.5), last_word=at + 1.1875)
    call.feed(at + 1.75, PlaybackStarted(reply))
    call.feed(at + 3.75, PlaybackFinished(reply))


def talking(**settings: Any) -> MeasuredCall:
    """A call in which reply 0 is being heard, since 1.0."""
    call = MeasuredCall(**settings)
    call.feed(0.0, EndOfTurn(0, "Tea"))
    call.feed(1.0, PlaybackStarted(0))
    call.feed(1.5, PlaybackAdvanced(0, "We have green tea and black tea"))
    return call
