"""What must hold for every ordering of events: legal or not, duplicated, reordered, dropped, cut off.

The rules and who deals the events are `turnkit.testing.MachineRules`; here they meet every policy there is, moody and
broken ones too.
"""

from __future__ import annotations

from hypothesis import strategies as st

from turnkit.testing import MachineRules, strategies
from turnkit.turns.policy import (
    Budget,
    Grace,
    Immediate,
    MinConfidence,
    MinDuration,
    MinWords,
    Never,
    NoSpeculation,
    OnEager,
    Overlap,
    Pause,
    Verdict,
)


def moody(overlap: Overlap) -> tuple[Verdict, str]:
    """Every verdict there is, by what the overlap looks like."""
    mood = len(overlap.transcript) + int(overlap.elapsed * 10) + 2 * overlap.held + overlap.final
    return list(Verdict)[mood % len(Verdict)], "a mood"


def broken_barge_in(overlap: Overlap) -> Verdict:
    raise RuntimeError(overlap.transcript)


def broken_speculation(pause: Pause) -> bool:
    raise RuntimeError(pause.transcript)


def hold_then_keep(overlap: Overlap) -> Verdict:
    return Verdict.KEEP if overlap.final else Verdict.HOLD


BARGE_IN = [
    Immediate(),
    Never(),
    MinWords(2),
    MinDuration(0.5),
    Grace(1.0),
    moody,
    hold_then_keep,
    broken_barge_in,
]
SPECULATION = [OnEager(), NoSpeculation(), MinConfidence(0.5), Budget(1, 2.0), broken_speculation]

machine_settings = strategies.machine_settings(
    barge_in=st.sampled_from(BARGE_IN), speculation=st.sampled_from(SPECULATION)
)


class AnyOrdering(MachineRules):
    """The machine with any policy."""

    machine_settings = machine_settings
    policies_may_fail = True


TestAnyOrdering = AnyOrdering.TestCase
