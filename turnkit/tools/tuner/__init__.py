"""Tuner: which thresholds, drafts and barge-in policy to run, answered from your own recorded calls."""

from .calibration import Bin, Calibration, calibrate, start_from
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
from .prediction import Knowledge, Setting, SilenceGate
from .recommendation import Forecast, Recommendation, Tuning, Worth, grid, tune
from .silences import CallSilences, Draft, FluxThresholds, Silence, call_silences
from .statistics import Estimate

__all__ = [
    "POLICIES",
    "Bin",
    "Calibration",
    "CallSilences",
    "Draft",
    "Estimate",
    "FluxThresholds",
    "Forecast",
    "Intent",
    "Knowledge",
    "PolicyScore",
    "Recommendation",
    "RecordedOverlap",
    "Setting",
    "Silence",
    "SilenceGate",
    "Tuning",
    "Verdicts",
    "Worth",
    "calibrate",
    "call_silences",
    "grid",
    "intent_of",
    "judge",
    "overlaps",
    "score_policies",
    "score_verdicts",
    "start_from",
    "tune",
]
