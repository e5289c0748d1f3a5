"""Every kind of policy, moody and broken ones too, and settings drawn from them for a machine or a session."""

from __future__ import annotations

from hypothesis import strategies as st

from turnkit.testing import strategies
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
    """Raises at every overlap."""
    raise RuntimeError(overlap.transcript)


def broken_speculation(pause: Pause) -> bool:
    """Raises at every eager end."""
    raise RuntimeError(pause.transcript)


def hold_then_keep(overlap: Overlap) -> Verdict:
    """Holds the agent, and lets it go on at the end of the turn."""
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
