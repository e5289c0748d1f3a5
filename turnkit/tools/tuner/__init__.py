"""Tuner: which thresholds, drafts and barge-in policy to run, answered from your own recorded calls.

What cannot be known from a recording: what Flux would have thought of a silence after it had ended the turn, so higher
thresholds and longer timeouts than the recorded ones are bounds; of one user who speaks again while the agent may be
heard, whether they had been cut off or had finished: it is likely or not, and of many of them a share, but for pauses
of another kind than any that was seen to its end; what a user would have done who gave up because they were cut off;
and how Flux moved between the frames it reported.

Reading a call needs nothing more; `tune` and `compare` load numpy and scipy when they are called (`turnkit[tune]`).
"""

from .calibration import Bin, Calibration, calibrate, start_from
from .comparison import Comparison, Difference, compare
from .overlaps import (
    POLICIES,
    Intent,
    PolicyScore,
    RecordedOverlap,
    Verdicts,
    intent_of,
    judge,
    overlaps,
    score_policies,
    score_verdicts,
)
from .recommendation import tune
from .settings import Knowledge, Setting, SilenceGate, grid
from .shares import Spread
from .silences import CallSilences, Draft, FluxThresholds, Silence, call_silences
from .statistics import Estimate
from .tuning import Forecast, Recommendation, Segment, Survival, Tuning, Week
from .worth import Worth

__all__ = [
    "POLICIES",
    "Bin",
    "Calibration",
    "CallSilences",
    "Comparison",
    "Difference",
    "Draft",
    "Estimate",
    "FluxThresholds",
    "Forecast",
    "Intent",
    "Knowledge",
    "PolicyScore",
    "Recommendation",
    "RecordedOverlap",
    "Segment",
    "Setting",
    "Silence",
    "SilenceGate",
    "Spread",
    "Survival",
    "Tuning",
    "Verdicts",
    "Week",
    "Worth",
    "calibrate",
    "call_silences",
    "compare",
    "grid",
    "intent_of",
    "judge",
    "overlaps",
    "score_policies",
    "score_verdicts",
    "start_from",
    "tune",
]
