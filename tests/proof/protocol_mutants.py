"""The Flux client without I/O with one rule broken, many times over, and what its state space finds of that.

    python -m tests.proof.protocol_mutants           # every mutant: which configuration kills it, and by how many steps
    python -m tests.proof.protocol_mutants WORD ...  # those whose names hold one of the words

A *mutant* is one of the protocol's files with a piece replaced. One that the quick configurations do not find out is a
rule that they do not hold, unless it changes nothing that can be observed: those are listed with the reason.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import turnkit.flux.protocol
from tests.proof.protocol_states import configurations, explore

FOLDER = Path(turnkit.flux.protocol.__file__).parent
FILES = ("heard", "watchdogs", "requests", "audio_buffer", "reconnecting", "protocol")
"""Each imports those before it only."""


class Mutant(NamedTuple):
    """`old` occurs once in the file and becomes `new`."""

    rule: str
    file: str
    old: str
    new: str


@cache
def source(file: str) -> str:
    """The source of one of the protocol's files."""
    return (FOLDER / f"{file}.py").read_text("utf-8")


def _mutants() -> Iterator[Mutant]:
    """Those of `protocol_mutants.diff`: `@ rule`, then the lines, as in a diff, that are lost and come instead."""
    for block in re.split(r"^@ ", Path(__file__).with_suffix(".diff").read_text("utf-8"), flags=re.MULTILINE)[1:]:
        rule, _, body = block.partition("\n")
        lines = body.strip("\n").split("\n")
        old, new = ("".join(f"{line[1:]}\n" for line in lines if not line.startswith(sign)) for sign in "+-")
        files = [file for file in FILES if source(file).count(old) == 1]
        assert len(files) == 1, f"{rule}: the protocol has changed, so must the mutant"
        yield Mutant(rule, files[0], old, new)


MUTANTS = tuple(_mutants())

MOST = 20_000
"""States of a mutant that are enough: some have no end of them."""

EQUIVALENT: dict[str, str] = {}
"""The mutants that nobody can find, because they change nothing that can be observed; and why."""


class Kill(NamedTuple):
    """What found a mutant out, after how many steps, and by what."""

    configuration: str
    steps: int
    how: str


def grow(mutant: Mutant | None) -> Any:
    """The module of the protocol with a mutant in it, or in one of the files that it imports."""
    names = [f"turnkit.flux.{file}" for file in FILES]
    real = {name: sys.modules[name] for name in names}
    try:
        for name, file in zip(names, FILES, strict=True):
            text = source(file)
            if mutant is not None and mutant.file == file:
                assert text.count(mutant.old) == 1, f"{mutant.rule}: {file}.py has changed, so must the mutant"
                text = text.replace(mutant.old, mutant.new)
            module = ModuleType(name)
            module.__package__ = "turnkit.flux"
            sys.modules[name] = module  # what those after it import
            exec(compile(text, f"mutant of {file}.py", "exec"), module.__dict__)
        return sys.modules[names[-1]]
    finally:
        sys.modules.update(real)


def attack(mutant: Mutant | None) -> Kill | None:
    """What finds a mutant out first; None if it survives."""
    module = grow(mutant)
    for configuration in configurations(0):
        found = explore(configuration, module, MOST)
        if found.path:
            return Kill(configuration.name, len(found.path), found.violation)
    return None


def report(words: list[str]) -> int:
    """Every mutant: what kills it; returns the exit code, 1 if one survives that should not."""
    left = 0
    chosen = [one for one in MUTANTS if not words or any(word in one.rule for word in words)]
    for mutant in chosen:
        kill = attack(mutant)
        expected = EQUIVALENT.get(mutant.rule)
        left += (kill is None) != (expected is not None)
        what = f"{kill.configuration}, {kill.steps} steps: {kill.how}" if kill else expected or "SURVIVES"
        print(f"{mutant.rule:48} {what}", flush=True)
    print(f"{len(chosen)} mutants, {left} not as they should be")
    return int(left > 0)


if __name__ == "__main__":
    sys.exit(report(sys.argv[1:]))
