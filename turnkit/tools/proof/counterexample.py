"""Counterexamples: the shortest sequence of steps to a violation, as Python that can be pasted into a test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from ...turns.events import Event, Signal
from ...turns.machine import TurnMachine
from .configuration import Configuration
from .invariants import INVARIANTS, Violation
from .judged_machine import JudgedMachine
from .scripted_policy import Answer, ScriptedPolicy

Step: TypeAlias = tuple[str, Event | None, float | None, tuple[Answer, ...]]
"""A method of JudgedMachine, its event and second (None where it takes none), and what the policies answer in it."""


class Counterexample(msgspec.Struct, frozen=True):
    """A broken invariant, and the way to it.

    Attributes:
        invariant: its number in `INVARIANTS`.
        detail: what was seen, in a sentence.
        configuration: the name of the configuration it was found in.
        steps: how many steps lead to it, the last of which breaks the invariant.
        code: Python that takes these steps and raises the violation.
    """

    invariant: int
    detail: str
    configuration: str
    steps: int
    code: str


def counterexample(
    machine: type[TurnMachine], configuration: Configuration, steps: Sequence[Step], violation: Violation
) -> Counterexample:
    """Make a counterexample of the violation that the last of `steps`, from a new machine on, has led to."""
    code = "\n".join([*_head(machine, configuration, steps), *_lines(machine, configuration, steps), *_foot(violation)])
    return Counterexample(violation.invariant, violation.detail, configuration.name, len(steps), code + "\n")


def _head(machine: type[TurnMachine], configuration: Configuration, steps: Sequence[Step]) -> list[str]:
    events = sorted({type(event).__name__ for _, event, _, _ in steps if event is not None})
    answers = [answer for *_, given in steps for answer in given]
    said = [answer.__name__ if isinstance(answer, type) else repr(answer) for answer in answers]
    lines = ["from turnkit.tools.proof import JudgedMachine, ScriptedPolicy"]
    if events:
        lines.append(f"from turnkit.turns.events import {', '.join(events)}")
    if any(word.startswith("Verdict.") for word in said):
        lines.append("from turnkit.turns.policy import Verdict")
    lines.append(f"from {machine.__module__} import {machine.__qualname__}")
    lines.sort(key=lambda line: line.split()[1])
    seconds = "".join(f"    {name}={value!r},\n" for name, value in configuration.seconds.items())
    script = f"script = ScriptedPolicy({', '.join(said)})"
    if said:
        script += "  # what the policies answer, each time that one is asked"
    built = f"machine = JudgedMachine(\n    {machine.__qualname__},\n    script,\n{seconds})"
    return [*lines, "", script, *built.split("\n")]


def _lines(machine: type[TurnMachine], configuration: Configuration, steps: Sequence[Step]) -> list[str]:
    """A line a step, with the signals it was met with."""
    script = ScriptedPolicy(*(answer for *_, given in steps for answer in given))
    judged = JudgedMachine(machine, script, **configuration.seconds)
    lines = []
    for number, (call, event, at, _) in enumerate(steps, 1):
        arguments = [*([] if event is None else [repr(event)]), *([] if at is None else [f"at={at!r}"])]
        line = f"machine.{call}({', '.join(arguments)})"
        if number < len(steps):
            signals = judged.feed(event, at or 0.0) if event is not None else judged.wake(at or 0.0)
            line += _comment(signals)
        lines.append(line)
    return lines


def _comment(signals: Sequence[Signal]) -> str:
    said = []
    for signal in signals:
        about = (getattr(signal, name, None) for name in ("reply", "reason", "kind"))
        said.append(" ".join([type(signal).__name__, *(str(one) for one in about if one is not None)]))
    return f"  # {', '.join(said)}" if said else ""


def _foot(violation: Violation) -> list[str]:
    sentence = INVARIANTS[violation.invariant]
    return [f"# Violation of invariant {violation.invariant}: {sentence}", f"# Seen: {violation.detail}"]
