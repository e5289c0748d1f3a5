"""Our tests can fail: each rule of the machine, broken on purpose, is found out by the oracle or the checks.

`python -m tests.proof.mutants` prints the table of it.
"""

from __future__ import annotations

from functools import partial

import pytest

from tests.proof.mutants import EQUIVALENT, KILLERS, MUTANTS, Killer, Mutant, attack, grow, oracle, referee
from turnkit.turns.machine import TurnMachine

BROKEN = [mutant for mutant in MUTANTS if mutant.rule not in EQUIVALENT]
SAME = [mutant for mutant in MUTANTS if mutant.rule in EQUIVALENT]


@pytest.mark.parametrize("mutant", BROKEN, ids=[mutant.rule for mutant in BROKEN])
@pytest.mark.sampled(9)
def test_a_machine_with_this_rule_broken_is_found_out(mutant: Mutant) -> None:
    """At least one killer tells the mutant from the machine."""
    assert attack(mutant) is not None, (
        "it survives: a test is missing, or it is equivalent and should be listed as such"
    )


@pytest.mark.parametrize("mutant", SAME, ids=[mutant.rule for mutant in SAME])
@pytest.mark.sampled(9)
def test_a_mutant_listed_as_equivalent_is(mutant: Mutant) -> None:
    """Nobody can tell it from the machine: otherwise it does not belong on the list."""
    assert attack(mutant, partial(oracle, most=1000)) is None


@pytest.mark.parametrize("killer", [oracle, referee])
@pytest.mark.sampled(2)
def test_the_machine_as_it_is_survives(killer: Killer) -> None:
    """A killer that kills everything finds nothing out."""
    assert killer in KILLERS
    assert killer(TurnMachine) is None


@pytest.mark.parametrize("killer", KILLERS)
@pytest.mark.slow("proof")
def test_a_machine_that_was_copied_and_not_damaged_survives(killer: Killer) -> None:
    """What a mutant dies of is its damage, not the way it is made."""
    assert killer(grow(Mutant("none", "class TurnMachine:", "class TurnMachine:"))) is None


def test_the_list_is_in_order() -> None:
    """Names are unique, each survivor is on the list, and a mutant is a class of its own."""
    rules = [mutant.rule for mutant in MUTANTS]
    assert len(set(rules)) == len(rules) > 300
    assert set(EQUIVALENT) <= set(rules)
    assert grow(MUTANTS[0]) is not TurnMachine
