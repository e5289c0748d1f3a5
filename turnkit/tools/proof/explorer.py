"""The explorer: takes every step there is, breadth first, so that what it finds is found by the shortest way."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import TypeAlias

import msgspec

from ...turns.events import Event
from ...turns.machine import TurnMachine
from ...turns.state import State
from ...turns.words import same_words
from .canonical_form import canonical_form
from .configuration import Configuration
from .counterexample import Counterexample, Step, counterexample
from .invariants import INVARIANTS, Violation
from .judged_machine import JudgedMachine
from .next_steps import TICK, next_steps
from .referee_memory import RefereeMemory
from .scripted_policy import Answer, ScriptedPolicy

EVERY = 256  # states between two reports of progress


class ExplorationProgress(msgspec.Struct, frozen=True):
    """How far one exploration is.

    Attributes:
        configuration: its name.
        states: how many states were found.
        expanded: how many of them were left by every step there is.
        transitions: how many steps were taken.
    """

    configuration: str
    states: int
    expanded: int
    transitions: int


ProgressCallback: TypeAlias = Callable[[ExplorationProgress], None]
"""What is called now and then while an exploration goes on."""


class Result(msgspec.Struct, frozen=True):
    """What one exploration, or several, came to.

    Attributes:
        configurations: their names.
        states: how many different states were reached.
        transitions: how many steps were taken out of them.
        checks: how often each invariant was judged, by its number.
        violation: the first one found; None if there was none.
        complete: whether no state is left that was not expanded.
    """

    configurations: tuple[str, ...] = ()
    states: int = 0
    transitions: int = 0
    checks: dict[int, int] = {}
    violation: Counterexample | None = None
    complete: bool = True

    def __add__(self, other: Result) -> Result:
        return Result(
            self.configurations + other.configurations,
            self.states + other.states,
            self.transitions + other.transitions,
            {number: self.checks.get(number, 0) + other.checks.get(number, 0) for number in INVARIANTS},
            self.violation or other.violation,
            self.complete and other.complete,
        )


class _Node(msgspec.Struct):
    """A state that was reached: the state before it, and the step from there."""

    parent: int
    event: Event | None
    at: float
    answers: tuple[Answer, ...]


class Explorer:
    """Explores one configuration of one class of machine: from each state that is reached, takes every step.

    Args:
        configuration: what is explored, and within which bounds.
        machine: the class that is judged: TurnMachine, a subclass, or that of a modified copy of its module.
        progress: is called every 256 states. Default None: nobody is told.

    Attributes:
        judged: the machine that is stepped; it goes from state to state.
    """

    def __init__(
        self, configuration: Configuration, machine: type[TurnMachine], progress: ProgressCallback | None = None
    ) -> None:
        self._configuration = configuration
        self._class = machine
        self._progress = progress
        self._script = ScriptedPolicy()
        self.judged = JudgedMachine(machine, self._script, **configuration.seconds)
        texts = configuration.texts
        self._same = {text: next(one for one in texts if same_words(one, text)) for text in texts}
        self._idle = configuration.idle_timeout or 1.0
        self._seen: set[Hashable] = set()
        self._nodes: list[_Node] = []
        self._frontier: list[tuple[State, RefereeMemory] | None] = []
        self._transitions = 0
        self._doing: tuple[str, Event | None, float | None] = ("", None, None)

    def run(self) -> Result:
        """Explore all states that can be reached, or those before the first violation."""
        expanded = -1
        violation = None
        try:
            self.reach(-1, None, 0.0)
            for expanded in self._expand():
                if self._progress is not None and expanded % EVERY == 0:
                    name, states = self._configuration.name, len(self._nodes)
                    self._progress(ExplorationProgress(name, states, expanded, self._transitions))
        except Violation as error:
            violation = self._explain(max(expanded, 0), error)
        judged = self.judged.referee.judged
        return Result(
            (self._configuration.name,),
            len(self._nodes),
            self._transitions,
            {number: judged[number] for number in INVARIANTS},
            violation,
            violation is None and expanded + 1 >= len(self._nodes),
        )

    def _explain(self, number: int, violation: Violation) -> Counterexample:
        call, event, at = self._doing
        steps: list[Step] = [(call, event, at, tuple(self._script.answers))]
        while number > 0:
            node = self._nodes[number]
            steps.append(("wake" if node.event is None else "feed", node.event, node.at, node.answers))
            number = node.parent
        return counterexample(self._class, self._configuration, steps[::-1], violation)

    def reach(self, parent: int, event: Event | None, at: float) -> None:
        """Note that the judged machine is in a state; if it is new, it will be expanded.

        Args:
            parent: the number of the state before it; -1 if there is none.
            event: what was fed there; None if it was a wake.
            at: the second at which.
        """
        key = self.key()
        if key not in self._seen:
            self._seen.add(key)
            self._nodes.append(_Node(parent, event, at, tuple(self._script.answers)))
            self._frontier.append((self.judged.state, self.judged.referee.memory))

    def key(self) -> Hashable:
        """The canonical form of the state that the judged machine is in."""
        judged, configuration = self.judged, self._configuration
        return canonical_form(
            judged.state,
            judged.referee.memory,
            self._same,
            exact=configuration.exact,
            unanswered=configuration.unanswered,
            idle=self._idle,
        )

    def _expand(self) -> Iterator[int]:
        """Expand every state in the order in which they were reached; yields the number of each before it is left."""
        number = 0
        while number < min(len(self._frontier), self._configuration.most):
            yield number
            here = self._frontier[number]
            assert here is not None
            self._frontier[number] = None
            self.leave(number, *here)
            number += 1

    def leave(self, number: int, state: State, memory: RefereeMemory) -> None:
        """Judge a state, and take every step out of it.

        Args:
            number: its number.
            state: the machine's.
            memory: the referee's.
        """
        judged, script = self.judged, self._script
        judged.load(state, memory)
        self._doing = ("cut", None, None)
        cut = judged.cut()
        deadline = judged.machine.deadline
        self._judge(state, memory, cut)
        for event, at in next_steps(state, deadline, self._configuration):
            self._doing = ("wake" if event is None else "feed", event, at)
            script.forget()
            while True:
                judged.load(state, memory, cut)
                if event is None:
                    judged.wake(at)
                else:
                    judged.feed(event, at)
                self._transitions += 1
                self.reach(number, event, at)
                if not script.turn_over():
                    break
            if event is not None and deadline is not None and self._configuration.late_events:
                judged.load(state, memory, cut)
                for late in (deadline, deadline + TICK):
                    self._doing = ("feed_late", event, late)
                    script.forget()
                    judged.feed_late(event, late)

    def _judge(self, state: State, memory: RefereeMemory, cut: State) -> None:
        """Judge what must hold in every state."""
        judged, script = self.judged, self._script
        for judge in (judged.misuse, judged.wake_early, judged.rest, judged.end, judged.stay_closed):
            self._doing = (judge.__name__, None, None)
            script.forget()
            while True:
                judged.load(state, memory, cut)
                judge()
                if not script.turn_over():
                    break
        self._transitions += 1  # close()
