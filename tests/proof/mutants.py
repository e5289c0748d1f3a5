"""The machine with one rule broken, many times over, and what finds that out.

    python -m tests.proof.mutants            # every mutant: who kills it first, and after how many steps
    python -m tests.proof.mutants --alone    # and what each killer finds on its own

A *mutant* is the source of the machine, of its state or of the charts (in `turnkit/turns`) with one piece replaced,
named after the row or rule of the behaviour table that it breaks. A *killer* runs a machine and says after how many
steps it misbehaved. A mutant that no killer finds is a rule that no test holds; those that change nothing observable
are listed with the reason.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from math import inf
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, TypeAlias

import turnkit.turns.machine
from tests.proof.scripts import MENDED, Script, Step, by_hand, play, scripts
from turnkit.tools.proof import Referee, Violation, explore
from turnkit.turns import chart, state
from turnkit.turns.machine import TurnMachine

MACHINE = Path(turnkit.turns.machine.__file__)
STATE = Path(state.__file__)
CHART = Path(chart.__file__)


class Mutant(NamedTuple):
    """`old` occurs once in the file and becomes `new`."""

    rule: str
    old: str
    new: str
    file: Path = MACHINE


def _rules() -> Iterator[Mutant]:
    """The mutants of `mutants.diff`: `@ rule`, then the lines, as in a diff, that the rule loses and gets instead.

    The lines are the machine's, or else those of its state.
    """
    for block in re.split(r"^@ ", Path(__file__).with_suffix(".diff").read_text("utf-8"), flags=re.MULTILINE)[1:]:
        rule, _, body = block.partition("\n")
        lines = body.strip("\n").split("\n")
        old, new = ("".join(f"{line[1:]}\n" for line in lines if not line.startswith(sign)) for sign in "+-")
        yield Mutant(rule, old, new, MACHINE if old in _source(MACHINE) else STATE)


@cache
def _source(file: Path) -> str:
    return file.read_text("utf-8")


# Edges of the charts ----------------------------------------------------------------------------------------------


def _edges() -> Iterator[Mutant]:
    """Every row of the two charts: dropped, and what it says of the destination or the surprise taken back."""
    source = CHART.read_text("utf-8")
    row = re.compile(
        r"    Edge\((?:User|Reply)Move\.(\w+), (User|Reply)State\.(\w+), ((?:\w+\.)?\w+)(, NoteKind\.\w+)?\),\n"
    )
    for match in row.finditer(source):
        move, side, state, dest, surprise = match.groups()
        text, name = match.group(), f"Chart of the {side.lower()}, {move} while {state}"
        yield Mutant(f"{name}: an edge", text, "", CHART)
        if dest != "None":
            yield Mutant(f"{name}: to {dest}", text, text.replace(f", {dest}", ", None"), CHART)
        if surprise:
            yield Mutant(f"{name}: a surprise", text, text.replace(surprise, ""), CHART)


MUTANTS = [*_rules(), *_edges()]

_NOT_ASKED = "the machine never asks for this move in this state: the row is there for who reads the chart"
EQUIVALENT: dict[str, str] = {
    "Suspended: counts as open for idle": (
        "the idle clock is cleared when a turn is suspended, and nothing starts it before that turn is over"
    ),
    "Idle: not while a reply has the floor": (
        "the idle clock is cleared by the Commit, and nothing starts it before that reply is over"
    ),
    "Close: twice is harmless": "after the first close there is nothing left to tell of",
    "Chart of the user, UPDATE while LISTENING: an edge": _NOT_ASKED,
    "Chart of the user, UPDATE while SPEAKING: an edge": _NOT_ASKED,
    "Chart of the user, UPDATE while ENDING: an edge": _NOT_ASKED,
    "Chart of the reply, CANCEL while DRAFTING: an edge": _NOT_ASKED,
    "Chart of the reply, CANCEL while DRAFTING: to ReplyState.CLOSED": _NOT_ASKED,
    "Chart of the reply, STARTED while CLOSED: an edge": _NOT_ASKED,
    "Chart of the reply, ADVANCED while CLOSED: an edge": _NOT_ASKED,
    "Chart of the reply, FINISHED while CLOSED: an edge": _NOT_ASKED,
}
"""The mutants that no killer can find, because they change nothing that can be observed; and why."""


# Making them ------------------------------------------------------------------------------------------------------


class Refused(Exception):
    """The mutant does not even load: the charts are checked at import."""


class Endless(Exception):
    """The mutant deals with its deadlines for ever."""


def _module(file: Path, source: str) -> Any:
    module = ModuleType(f"turnkit.turns.{file.stem}_mutant")
    module.__package__ = "turnkit.turns"  # so that its relative imports are the real ones
    sys.modules[module.__name__] = module  # msgspec resolves annotations there
    exec(compile(source, f"mutant of {file.name}", "exec"), module.__dict__)
    return module


def grow(mutant: Mutant) -> type[TurnMachine]:
    """The damaged machine. Raises Refused if the damage is found while it is imported."""
    source = _source(mutant.file)
    assert source.count(mutant.old) == 1, f"{mutant.rule}: {mutant.file.name} has changed, so must the mutant"
    damaged = source.replace(mutant.old, mutant.new)
    if mutant.file != CHART:
        return _machine(**{mutant.file.stem: damaged}).TurnMachine  # type: ignore[no-any-return]
    try:
        edges = _module(CHART, damaged)
    except ValueError as error:
        raise Refused(str(error)) from error
    module = _machine()
    # The names of states are those of the real charts, because who watches compares by identity.
    module.USER_TABLE = _table(edges.USER_EDGES, chart.UserState, chart.UserMove)
    module.REPLY_TABLE = _table(edges.REPLY_EDGES, chart.ReplyState, chart.ReplyMove)
    return module.TurnMachine  # type: ignore[no-any-return]


def _machine(machine: str | None = None, state: str | None = None) -> Any:
    """The module of a machine with a state of its own, from these sources or the real ones."""
    own_state = _module(STATE, state or _source(STATE))
    _stop_endless(own_state.State)
    name = f"turnkit.turns.{STATE.stem}"
    real_state = sys.modules[name]
    sys.modules[name] = own_state  # what the machine imports
    try:
        return _module(MACHINE, machine or _source(MACHINE))
    finally:
        sys.modules[name] = real_state


def _table(edges: Any, states: Any, moves: Any) -> Any:
    real = [
        chart.Edge(
            moves(edge.move.value), states(edge.source.value), edge.dest and states(edge.dest.value), edge.surprise
        )
        for edge in edges
    ]
    return chart.compile_chart(chart.declare(states, next(iter(states)), real), states, moves, real)


def _stop_endless(kind: Any) -> None:
    """Stop whoever asks a state for its deadline for ever."""
    due = kind.due
    asked = [0, -inf]

    def counted(self: state.State) -> float:
        if self.now != asked[1]:
            asked[:] = 0, self.now
        asked[0] += 1
        if asked[0] > 5000:
            raise Endless
        deadline: float = due(self)
        return deadline

    kind.due = counted


# Killers ----------------------------------------------------------------------------------------------------------


class Kill(NamedTuple):
    """Who found a mutant out, after how many steps, and by what."""

    killer: str
    steps: int
    how: str


SEEDS = (0, 3000)


def oracle(machine: type[TurnMachine], most: int | None = None) -> Kill | None:
    """The differential run: the oracle's answers to what was once wrong, and to a few thousand scripts (or `most`)."""
    steps = 0
    for script in [*map(by_hand, MENDED.values()), *scripts(*SEEDS)][:most]:
        if (difference := play(script, machine)) is not None:
            return Kill("oracle", steps + difference.step + 1, str(difference))
        steps += len(script.steps)
    return None


def check(machine: type[TurnMachine]) -> Kill | None:
    """The whole state space, as far as it is explored quickly."""
    if not _check_is_sound():
        return None
    try:
        violation = explore(machine, level="quick").violation
    except Exception as error:
        return Kill("check", 0, type(error).__name__)
    if violation is None:
        return None
    return Kill("check", violation.steps, f"invariant {violation.invariant}: {violation.detail}")


@cache
def _check_is_sound() -> bool:
    """Whether the machine as it is passes: else what the check finds in a mutant proves nothing."""
    return explore(TurnMachine, level="quick").violation is None


def referee(machine: type[TurnMachine]) -> Kill | None:
    """The invariants, over the same scripts as the oracle's; time passes before each event."""
    steps = 0
    for script in scripts(*SEEDS):
        try:
            for step in _refereed(machine, script):
                steps += step
        except Exception as error:
            how = str(error) if isinstance(error, Violation) else type(error).__name__
            return Kill("referee", steps + 1, how)
    return None


def _refereed(machine: type[TurnMachine], script: Script) -> Iterator[int]:
    """Take a machine through a script before a referee, a step at a time."""
    player = machine(**script.settings)
    watch = Referee(player)
    for step in script.steps:
        if _is_misuse(step):
            continue
        if step.do == "feed":
            watch.wake(step.at)
            watch.feed(step.event, step.at)
        elif step.do == "wake":
            watch.wake(step.at)
        elif step.do == "close":
            watch.close(step.at)
        yield 1


def _is_misuse(step: Step) -> bool:
    return isinstance(step.answer.signals, str)


Killer: TypeAlias = Callable[[type[TurnMachine]], Kill | None]
KILLERS: tuple[Killer, ...] = (oracle, check, referee)


def attack(mutant: Mutant, *killers: Killer) -> Kill | None:
    """The first killer that finds the mutant out; None if it survives them all."""
    try:
        machine = grow(mutant)
    except Refused as error:
        return Kill("import", 0, str(error))
    for killer in killers or KILLERS:
        if (kill := killer(machine)) is not None:
            return kill
    return None


# The tables -------------------------------------------------------------------------------------------------------


def report() -> None:
    """Every mutant: who kills it first, after how many steps."""
    tally: Counter[str] = Counter()
    width = max(len(mutant.rule) for mutant in MUTANTS)
    print(f"{'the rule that is broken':{width}}  killed by  steps")
    for mutant in MUTANTS:
        kill = attack(mutant)
        tally["nobody" if kill is None else kill.killer] += 1
        steps = "" if kill is None or kill.killer == "import" else str(kill.steps)
        line = f"{mutant.rule:{width}}  {kill.killer if kill else '-':9}  {steps:>5}"
        print(line if kill else f"{line}  {EQUIVALENT.get(mutant.rule, 'SURVIVES: a test is missing')}", flush=True)
    print(f"{len(MUTANTS)} mutants; killed by " + ", ".join(f"{who} {count}" for who, count in tally.most_common()))


def report_alone() -> None:
    """What each killer finds on its own, of the mutants that load and are not equivalent."""
    mutants = [mutant for mutant in MUTANTS if mutant.rule not in EQUIVALENT]
    width = max(len(mutant.rule) for mutant in mutants)
    print(f"{'steps to the kill':{width}}  oracle  check  referee")
    found: Counter[str] = Counter()
    for mutant in mutants:
        kills = [attack(mutant, killer) for killer in KILLERS]
        names = ["" if kill is None else kill.killer for kill in kills]
        found.update(set(names) - {""})
        if len(set(names) - {""}) == 1:
            found[f"{max(names)} and nobody else"] += 1
        steps = ["-" if kill is None else "import" if kill.killer == "import" else str(kill.steps) for kill in kills]
        print(f"{mutant.rule:{width}}  {steps[0]:>6}  {steps[1]:>6}  {steps[2]:>7}", flush=True)
    print(f"of {len(mutants)} mutants: " + ", ".join(f"{who} {count}" for who, count in found.most_common()))


if __name__ == "__main__":
    report_alone() if "--alone" in sys.argv[1:] else report()
