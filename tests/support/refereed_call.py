"""A call of the machine alone, every step of it judged by the referee."""

from __future__ import annotations

from typing import Any, TypeVar

from turnkit.tools.proof import Referee
from turnkit.turns.chart import UserState
from turnkit.turns.events import EndOfTurn, Event, PlaybackStarted, Signal, StartOfTurn
from turnkit.turns.machine import TurnMachine

S = TypeVar("S", bound=Signal)


class RefereedCall:
    """A conversation before a referee: events, and seconds to wait, in which the machine is woken as it asks."""

    def __init__(self, **settings: Any) -> None:
        self.machine = TurnMachine(**settings)
        self.referee = Referee(self.machine)
        self.at = 0.0
        self.signals: list[Signal] = []

    def play(self, *steps: Event | float) -> list[Signal]:
        """The signals of these steps."""
        before = len(self.signals)
        for step in steps:
            if isinstance(step, (int, float)):
                self._wait(step)
            else:
                self._note(step, self.machine.feed(step, self.at))
        return self.signals[before:]

    def of(self, kind: type[S]) -> list[S]:
        """All signals of this kind so far."""
        return [signal for signal in self.signals if isinstance(signal, kind)]

    def talk(self, text: str = "Tell me about your rooms", index: int = 0) -> None:
        """The user asks, and the agent is heard answering."""
        self.play(StartOfTurn(index, text), 0.3, EndOfTurn(index, text, 0.9), 0.2)
        assert self.machine.floor is not None
        self.play(PlaybackStarted(self.machine.floor[0]))

    def rest(self) -> None:
        """Silence brings everything to an end, and soon; nothing is left to wait for."""
        self.play(15.0)
        assert (self.machine.user, self.machine.draft, self.machine.deadline) == (UserState.LISTENING, None, None)

    def _wait(self, seconds: float) -> None:
        until = self.at + seconds
        while (deadline := self.machine.deadline) is not None and deadline <= until:
            self.at = deadline
            self._note(None, self.machine.wake(self.at))
        self.at = until

    def _note(self, event: Event | None, signals: tuple[Signal, ...]) -> None:
        self.referee.check(event, signals, self.at)
        self.signals += signals
