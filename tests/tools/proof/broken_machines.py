"""Machines that break one invariant each, for the check to find."""

from __future__ import annotations

from math import inf

from turnkit.turns.events import (
    Event,
    Initiate,
    Signal,
    TurnStarted,
)
from turnkit.turns.machine import TurnMachine


class Talkative(TurnMachine):
    """Says twice that a turn has begun, if that is the third one."""

    def feed(self, event: Event, at: float) -> tuple[Signal, ...]:
        signals = super().feed(event, at)
        if any(isinstance(signal, TurnStarted) and signal.turn == 2 for signal in signals):
            return signals + signals
        return signals


class Forgetful(TurnMachine):
    """Forgets, when it is written down, that a reply is protected."""

    def snapshot(self) -> bytes:
        kept = self.state
        self.state = kept.copy()
        if self.state.reply is not None:
            self.state.reply.protected = False
        data = super().snapshot()
        self.state = kept
        return data


class Sleepless(TurnMachine):
    """Does nothing at a deadline but put it off."""

    def wake(self, at: float) -> tuple[Signal, ...]:
        turn = self.state.turn
        if turn is not None and turn.stall_at <= at < inf:
            turn.stall_at = self.state.soonest = at + 1.0
            self.state.now = at
            return ()
        return super().wake(at)


class Fragile(TurnMachine):
    """Raises when an agent that is heard is asked to begin."""

    def feed(self, event: Event, at: float) -> tuple[Signal, ...]:
        if isinstance(event, Initiate) and self.floor is not None and self.floor[1] == "audible":
            raise ZeroDivisionError
        return super().feed(event, at)


class Careless(TurnMachine):
    """Takes whatever it is given."""

    def wake(self, at: float) -> tuple[Signal, ...]:
        return super().wake(max(at, self.state.now))
