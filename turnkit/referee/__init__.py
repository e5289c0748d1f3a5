"""The rules of the game, kept by somebody who does not know how it is played.

A `Referee` sees what a host sees, events in and signals out, and judges after every step what must hold for every
sequence of events whatever. Of the machine it reads the public properties only, and never a turn's index: how Flux's
events are to be understood is the machine's business.

    machine = TurnMachine()
    referee = Referee(machine)
    referee.feed(StartOfTurn(0, "tea"), at=0.0)
    referee.wake(at=8.0)
    referee.close(at=9.0)

Its books are bounded: they hold what is alive and nothing else, so a signal about a reply or a turn that is not alive
is a violation, whatever became of it.
"""

from __future__ import annotations

from .books import Books, Fate
from .judge import Referee
from .rules import INVARIANTS, Violation

__all__ = ["INVARIANTS", "Books", "Fate", "Referee", "Violation"]
