"""Tuner: which thresholds, drafts and barge-in policy to run, answered from your own recorded calls."""

from .calibration import Bin, Calibration, calibrate, start_from
from .comparison import Comparison, Difference, compare
from .overlaps import POLICIES, Intent, PolicyScore, RecordedOverlap, overlaps, score_policies
from .recommendation import tune
from .settings import Knowledge, Setting, SilenceGate, grid
from .silences import CallSilences, Draft, FluxThresholds, Silence, call_silences
from .statistics import Estimate
from .tuning import Forecast, Recommendation, Segment, Tuning, Week
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
    "Tuning",
    "Week",
    "Worth",
    "calibrate",
    "call_silences",
    "compare",
    "grid",
    "overlaps",
    "score_policies",
    "start_from",
    "tune",
]
