"""The proof of the turn machine: a referee judges each step, and an explorer takes every step there is.

A `Referee` sees what a host sees, events in and signals out, and judges after every step what must hold for every
sequence of events whatever. Of the machine it reads the public properties only, and never a turn's index: how Flux's
events are to be understood is the machine's business. What it remembers is bounded: it holds what is alive and nothing
else, so a signal about a reply or a turn that is not alive is a violation, whatever became of it.

    machine = TurnMachine()
    referee = Referee(machine)
    referee.feed(StartOfTurn(0, "tea"), at=0.0)
    referee.wake(at=8.0)
    referee.close(at=9.0)

`explore` goes through the state space: from every state, every event, and nine invariants at every step.

    result = explore()
    assert result.violation is None, result.violation.code

What runs is the real machine, stepped through its public methods, under a `Referee`. The
exploration is breadth first, so a violation comes with a shortest way to it, as Python that can be executed.

In every state that is reached, these are tried: all fifteen events; the five of a turn with every text, for the turn
that is open or comes next, the one after it, and those that are over; reports about the draft, the reply that has the
floor and one that is over; a tick of the clock, a wake at the deadline and one long after it; `close()`; and misuse.
Whenever a policy is asked, every answer is tried: all verdicts, both booleans, and raising. Every step is taken once
more by a copy restored from a snapshot. From every state, silence alone must bring the machine to rest. An event at a
deadline, or after it, that nobody woke the machine for must come to the same as the wake, then the event.

What is exhaustive: within a configuration the exploration ends only when every state reached was expanded (levels
`default` and `deep`; `quick` stops after so many states, and `Result.complete` says so). Two states are one if they
differ only in what `canonical_form` takes away: the numbers of turns and replies, Flux's count of turns, the date,
and what is handed on without being looked at.

What is bounded: the texts (a handful, chosen so that each way of comparing two of them is taken); time (whole seconds;
every timeout is a few of them, so deadlines fall before, on and after each other); how far Flux's count runs ahead
(one turn) or behind (two); how many unanswered texts are told apart (one or two: after that, one more makes no new
state); how many initiatives wait (one, in a configuration of its own); how many idle timeouts in a row (two). What
only a policy can see, such as how long a turn has lasted or how sure Flux was, is not varied: the policies of an
exploration do not look, and answer in every way there is.
"""

from __future__ import annotations

from ...turns.machine import TurnMachine
from .canonical_form import canonical_form
from .configuration import LEVELS, Configuration, configurations
from .counterexample import Counterexample
from .explorer import ExplorationProgress, Explorer, ProgressCallback, Result
from .invariants import INVARIANTS, Violation
from .judged_machine import JudgedMachine
from .referee import Referee
from .referee_memory import Fate, RefereeMemory
from .scripted_policy import ScriptedPolicy

__all__ = [
    "INVARIANTS",
    "LEVELS",
    "Configuration",
    "Counterexample",
    "ExplorationProgress",
    "Explorer",
    "Fate",
    "JudgedMachine",
    "ProgressCallback",
    "Referee",
    "RefereeMemory",
    "Result",
    "ScriptedPolicy",
    "Violation",
    "canonical_form",
    "configurations",
    "explore",
]


def explore(
    machine: type[TurnMachine] = TurnMachine, *, level: str = "default", progress: ProgressCallback | None = None
) -> Result:
    """Explore the configurations of a level one by one, until one of them has a violation.

    A machine that loops for ever is not interrupted: run one that may in a process that you can end.

    Args:
        machine: the class to be judged: TurnMachine, a subclass, or the TurnMachine of a modified copy of
            `turnkit.turns.machine`.
        level: `quick` (seconds), `default` (minutes) or `deep` (many minutes).
        progress: is called now and then with an `ExplorationProgress`. Default None: nobody is told.

    Returns:
        What the explorations came to, together.

    Raises:
        ConfigError: there is no such level.
    """
    result = Result()
    for configuration in configurations(level):
        result += Explorer(configuration, machine, progress).run()
        if result.violation is not None:
            break
    return result
