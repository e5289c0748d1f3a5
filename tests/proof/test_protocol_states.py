"""Every state of the Flux client without I/O, near the beginning, and broken protocols that are found out there.

`python -m tests.proof.protocol_states` goes further, `python -m tests.proof.protocol_mutants` breaks every rule.
"""

from __future__ import annotations

import pytest

from tests.proof.protocol_mutants import EQUIVALENT, MUTANTS, Mutant, attack, grow
from tests.proof.protocol_states import Configuration, configurations, explore, main
from tests.support.judged_protocol import JudgedProtocol
from tests.support.protocol_forms import SLOTS

QUICK = configurations(0)
ENDS = ("Failed:", "Open:", "Farewell:", "Frame:", "Break:", "End:")  # about the ends of streams: soon found
BROKEN = [mutant for mutant in MUTANTS if mutant.rule.startswith(ENDS) and mutant.rule not in EQUIVALENT]


@pytest.mark.parametrize("configuration", QUICK, ids=[one.name for one in QUICK])
@pytest.mark.sampled(5)
def test_no_state_breaks_a_rule(configuration: Configuration) -> None:
    """Every step out of every state within the bounds."""
    found = explore(configuration)
    assert not found.path, f"{found.violation}: {found.path}"
    assert found.states > 10
    assert found.transitions > 3 * found.states


@pytest.mark.parametrize("mutant", BROKEN, ids=[mutant.rule for mutant in BROKEN])
@pytest.mark.sampled(7)
def test_a_protocol_with_this_rule_broken_is_found_out(mutant: Mutant) -> None:
    """In one configuration or another."""
    assert attack(mutant) is not None


def test_the_list_of_mutants_is_in_order() -> None:
    """Names are unique, and each piece to be replaced is there once."""
    rules = [mutant.rule for mutant in MUTANTS]
    assert len(set(rules)) == len(rules) > 200
    assert len(BROKEN) >= 25
    assert set(EQUIVALENT) <= set(rules)
    for mutant in MUTANTS:
        grow(mutant)


def test_the_shortest_way_to_a_violation_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """And the exit code says that there is one."""
    mutant = next(mutant for mutant in MUTANTS if mutant.rule == "Farewell: CloseStream once")
    assert main(["--quick"], grow(mutant)) == 1
    told = capsys.readouterr().out.splitlines()
    assert "CloseStream" in told[0]
    assert [line.strip() for line in told[1:]] == ["'close'", "'command'", "'command'"]


def test_a_state_that_was_gone_back_to_is_the_same() -> None:
    """Saving and restoring leave nothing out: no attribute of the protocol is forgotten."""
    judged = JudgedProtocol(QUICK[0].world)
    p = judged.p
    parts = [p, p.heard, p._watchdogs, p.requests, p.audio, p._retries]
    assert {type(part).__name__: len(type(part).__slots__) for part in parts} | {"Request": 7} == SLOTS
    judged.tell("StartOfTurn", "a", "none", "", "skip")
    saved = judged.save()
    judged.restore(saved)
    assert judged.save() == saved
