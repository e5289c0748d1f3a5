"""The exploration: it visits what it says, meets the same state once, and finds what is broken by the shortest way."""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import inf
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

import turnkit.turns.machine
from tests.tools.proof.broken_machines import Careless, Forgetful, Fragile, Sleepless, Talkative
from turnkit.errors import ConfigError
from turnkit.tools.proof import (
    INVARIANTS,
    Configuration,
    ExplorationProgress,
    Explorer,
    JudgedMachine,
    ScriptedPolicy,
    Violation,
    canonical_form,
    configurations,
    explore,
)
from turnkit.turns.events import (
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Initiate,
    PlaybackStarted,
    Signal,
    StartOfTurn,
    TurnResumed,
    Update,
)
from turnkit.turns.machine import TurnMachine
from turnkit.turns.policy import Verdict

SECONDS = Configuration("seconds").seconds
SMALL = Configuration("small", texts=("", "tea"), lost_turn_grace=0.0, stall_grace=0.0, most=60)


# What is visited --------------------------------------------------------------------------------------------------


@pytest.mark.slow("proof")
def test_the_machine_keeps_its_invariants_near_the_beginning() -> None:
    """The quick level: no violation, every invariant judged a great many times, and it says that it is not all.

    What is told meanwhile grows, and names the configuration.
    """
    told: list[ExplorationProgress] = []
    result = explore(level="quick", progress=told.append)
    assert result.violation is None, result.violation.code
    assert result.states > 900
    assert result.transitions > 30_000
    assert set(result.checks) == set(INVARIANTS)
    assert min(result.checks.values()) > 30_000
    assert not result.complete
    assert [one.configuration for one in told if one.expanded == 0] == list(result.configurations)
    assert told[0].transitions < told[1].transitions
    assert told[-1].states <= result.states


def test_the_same_exploration_counts_the_same() -> None:
    """Nothing in it depends on order of hashing, memory or time."""
    once, again = Explorer(SMALL, TurnMachine).run(), Explorer(SMALL, TurnMachine).run()
    assert once == again
    assert once.states > 60


def test_a_small_world_is_explored_whole() -> None:
    """Where nobody ever says a word, the exploration ends by itself, and says that it has seen everything."""
    configuration = Configuration("no words", texts=("",), stall_grace=0.0)
    result = Explorer(configuration, TurnMachine).run()
    assert result.violation is None
    assert result.complete
    assert 20 < result.states < 200
    bounded = Explorer(msgspec.structs.replace(configuration, most=result.states - 1), TurnMachine).run()
    assert not bounded.complete


def test_levels() -> None:
    """Three of them, each with configurations of different names whose timeouts are whole ticks; no other."""
    for level in ("quick", "default", "deep"):
        chosen = configurations(level)
        assert len({one.name for one in chosen}) == len(chosen)
        assert all(seconds is None or seconds == int(seconds) for one in chosen for seconds in one.seconds.values())
    with pytest.raises(ConfigError, match="level='other': must be one of quick, default, deep"):
        explore(level="other")


def test_every_answer_of_every_policy_is_tried() -> None:
    """A script that is asked twice gives every pair of answers, each once."""
    script, given = ScriptedPolicy(), []
    while True:
        pair: list[object] = []
        for ask in (script.barge_in, script.speculation):
            try:
                pair.append(ask(None)[0])  # type: ignore[arg-type]
            except RuntimeError:
                pair.append("raised")
        given.append(tuple(pair))
        if not script.turn_over():
            break
    answers = [*Verdict, "raised"]
    assert given == [(verdict, start) for verdict in answers for start in (True, False, "raised")]


# When two states are one --------------------------------------------------------------------------------------------


def state_after(*steps: tuple[Event, float]) -> Any:
    """The canonical form of where a machine is after these events."""
    judged = JudgedMachine(TurnMachine, ScriptedPolicy(), **SECONDS)
    for event, at in steps:
        judged.feed(event, at)
    return canonical_form(judged.state, judged.referee.memory, {"Tea.": "tea"}, exact=False, unanswered=1, idle=1.0)


def test_states_that_differ_in_names_and_dates_only_are_one() -> None:
    """Another second, another index, turns and replies counted from elsewhere, and the same words otherwise written."""
    once = state_after((StartOfTurn(0, "tea"), 0.0), (EagerEndOfTurn(0, "tea"), 0.0))
    later = state_after(
        (Initiate(), 1000.0),
        (StartOfTurn(7, "stop"), 1000.25),
        (EagerEndOfTurn(7, "stop"), 1000.25),
        (EndOfTurn(7, ""), 1000.25),
        (StartOfTurn(9, "Tea."), 1001.5),
        (EagerEndOfTurn(9, "Tea."), 1001.5),
    )
    assert once == later


def test_states_that_behave_differently_are_two() -> None:
    """A second that has passed, another word, another state, a draft more or less: each makes another state."""
    start, eager = (StartOfTurn(0, "tea"), 0.0), (EagerEndOfTurn(0, "tea"), 0.0)
    states = [
        state_after(),
        state_after((Update(0), 0.0)),
        state_after((Update(0, "tea"), 0.0)),
        state_after((Update(0, "stop"), 0.0)),
        state_after(start),
        state_after(start, (Update(0), 0.5)),
        state_after((StartOfTurn(0, "stop"), 0.0)),
        state_after(start, eager),
        state_after(start, eager, (TurnResumed(0, "tea"), 0.0), eager, (EndOfTurn(0, "tea"), 0.0)),
        state_after((Initiate(), 0.0)),
        state_after((Initiate(True), 0.0)),
        state_after((Initiate(), 0.0), (PlaybackStarted(0), 0.0)),
    ]
    assert len(set(states)) == len(states)


def test_states_that_are_taken_for_one_go_the_same_ways() -> None:
    """Of the states that were met again by another way, each leads to the same states as the one it was taken for."""

    class Comparing(Explorer):
        met: dict[Any, tuple[Any, Any]]
        others: list[tuple[Any, Any, Any]]
        ways: list[Any] | None = None

        def reach(self, parent: int, event: Event | None, at: float) -> None:
            key = self.key()
            here = (self.judged.state.copy(), self.judged.referee.memory.__copy__())  # type: ignore[attr-defined]
            if self.ways is not None:
                self.ways.append(key)
                return
            if key in self.met:
                if len(self.others) < 4000:
                    self.others.append((key, *here))
            else:
                self.met[key] = here
            super().reach(parent, event, at)

    explorer = Comparing(SMALL, TurnMachine)
    explorer.met, explorer.others = {}, []
    assert explorer.run().violation is None
    chosen = explorer.others[::80]
    assert len(chosen) > 30
    for key, *there in chosen:
        reached = []
        for where in (explorer.met[key], there):
            explorer.ways = []
            explorer.leave(0, *where)
            reached.append(explorer.ways)
        assert set(reached[0]) == set(reached[1])
        assert len(reached[0]) > 40


# What is found ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("machine", "invariant", "steps"),
    [(Talkative, 5, 3), (Forgetful, 7, 2), (Sleepless, 6, 2), (Fragile, 8, 3), (Careless, 8, 1)],
)
def test_a_broken_machine_is_found_and_shown_by_the_shortest_way(
    machine: type[TurnMachine], invariant: int, steps: int
) -> None:
    """The counterexample is as short as can be, and running it breaks the same invariant in the same way."""
    found = explore(machine, level="quick").violation
    assert found is not None
    assert (found.invariant, found.steps) == (invariant, steps), found.code
    assert sum(line.startswith("machine.") for line in found.code.splitlines()) == steps
    assert found.code.rstrip().endswith(f"# Seen: {found.detail}")
    with pytest.raises(Violation) as caught:
        exec(compile(found.code, "counterexample", "exec"), {})
    assert (caught.value.invariant, caught.value.detail) == (found.invariant, found.detail)


def mutant(name: str, old: str, new: str) -> type[TurnMachine]:
    """The machine of a copy of the module in which `old` stands as `new`."""
    assert turnkit.turns.machine.__file__ is not None
    source = Path(turnkit.turns.machine.__file__).read_text()
    assert source.count(old) == 1
    module = ModuleType(f"turnkit.turns.{name}")
    module.__package__ = "turnkit.turns"
    sys.modules[module.__name__] = module
    exec(compile(source.replace(old, new), name, "exec"), module.__dict__)
    made: type[TurnMachine] = module.TurnMachine
    return made


MUTANTS: list[tuple[str, str, int]] = [
    ("self._cancel_draft(CancelReason.SUPERSEDED, at, out)", "pass", 1),
    ("turn.stall_at = at + self._stall_grace", "turn.stall_at = inf", 6),
    ("s.unanswered = s.unanswered[reply.carried :]\n", "pass\n", 5),
    ("if turn.text and turn.overlap is None:", "if turn.text:", 6),
]


@pytest.mark.parametrize(("old", "new", "invariant"), MUTANTS)
def test_a_line_that_goes_wrong_is_found(old: str, new: str, invariant: int) -> None:
    """Copies of the machine with one line changed, loaded as modules of their own."""
    name = f"mutant_{MUTANTS.index((old, new, invariant))}"
    try:
        found = explore(mutant(name, old, new), level="quick").violation
        assert found is not None
        assert found.invariant == invariant, found.code
        assert f"from turnkit.turns.{name} import TurnMachine" in found.code
        with pytest.raises(Violation, match=f"invariant {invariant}"):
            exec(compile(found.code, "counterexample", "exec"), {})
    finally:
        del sys.modules[f"turnkit.turns.{name}"]


# What is judged beside the referee's rules --------------------------------------------------------------------------


def judged_after(*events: Event, machine: type[TurnMachine] = TurnMachine) -> JudgedMachine:
    judged = JudgedMachine(machine, ScriptedPolicy(), **SECONDS)
    for event in events:
        judged.feed(event, at=0.0)
    return judged


@pytest.mark.parametrize(
    "judge",
    [JudgedMachine.rest, JudgedMachine.end, JudgedMachine.misuse, JudgedMachine.wake_early, JudgedMachine.cut],
)
def test_judging_changes_nothing(judge: Callable[[JudgedMachine], object]) -> None:
    """Whatever is tried in a state, the machine and the books are where they were."""
    judged = judged_after(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"))
    before, books = judged.machine.snapshot(), repr(judged.referee.memory)
    judge(judged)
    judged.feed_late(EndOfTurn(0, "tea"), at=7.0)
    assert (judged.machine.snapshot(), repr(judged.referee.memory)) == (before, books)


def test_an_event_that_jumps_the_queue_is_found() -> None:
    """A machine that deals with an event before the deadline it came after."""

    class Hasty(TurnMachine):
        def feed(self, event: Event, at: float) -> tuple[Signal, ...]:
            turn = self.state.turn
            if turn is None:
                return super().feed(event, at)
            due, turn.stall_at = turn.stall_at, inf
            try:
                return super().feed(event, at)
            finally:
                turn.stall_at = min(due, turn.stall_at)

    with pytest.raises(Violation, match="not the same as the deadline, then the event"):
        judged_after(StartOfTurn(0, "tea"), machine=Hasty).feed_late(Update(0, "tea pot"), at=7.0)


def test_a_wake_that_is_too_early_must_do_nothing() -> None:
    """A machine that rounds."""

    class Rounding(TurnMachine):
        def wake(self, at: float) -> tuple[Signal, ...]:
            return super().wake(float(round(at)))

    with pytest.raises(Violation, match="before the deadline did something"):
        judged_after(StartOfTurn(0, "tea"), machine=Rounding).wake_early()
