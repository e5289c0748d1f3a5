"""HoldThenDecide: what is left open is held up to its bound."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.support.canned_policies import says
from tests.support.situations import OVERLAP
from turnkit.turns.policy import HoldThenDecide, Verdict


@pytest.mark.parametrize(
    ("then", "elapsed", "final", "verdict"),
    [
        *((Verdict.YIELD, elapsed, final, Verdict.YIELD) for elapsed in (0.0, 9.0) for final in (False, True)),
        *((Verdict.KEEP, elapsed, final, Verdict.KEEP) for elapsed in (0.0, 9.0) for final in (False, True)),
        *((Verdict.DEFER, elapsed, final, Verdict.DEFER) for elapsed in (0.0, 9.0) for final in (False, True)),
        (Verdict.WAIT, 0.0, False, Verdict.HOLD),
        (Verdict.WAIT, 0.5, False, Verdict.HOLD),
        (Verdict.WAIT, 0.5001, False, Verdict.WAIT),
        (Verdict.WAIT, 0.0, True, Verdict.WAIT),
        (Verdict.HOLD, 0.0, False, Verdict.HOLD),
        (Verdict.HOLD, 0.5001, False, Verdict.WAIT),
        (Verdict.HOLD, 9.0, True, Verdict.HOLD),
    ],
)
def test_hold_then_decide(then: Verdict, elapsed: float, final: bool, verdict: Verdict) -> None:
    """What `then` decides stands; what it leaves open is HOLD up to the bound and WAIT after it; its end is its own."""
    overlap = replace(OVERLAP, elapsed=elapsed, final=final)
    assert HoldThenDecide(says(then), seconds=0.5)(overlap)[0] is verdict
    answered, why = HoldThenDecide(says((then, "as I say")), seconds=0.5)(overlap)
    assert answered is verdict
    assert "as I say" in why
