"""Tuner: which thresholds, drafts and barge-in policy to run, answered from your own recorded calls."""

from .calibration import Bin, Calibration, calibrate, start_from
from .overlaps import POLICIES, Intent, PolicyScore, RecordedOverlap, overlaps, score_policies
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
    "Worth",
    "calibrate",
    "call_silences",
    "grid",
    "overlaps",
    "score_policies",
    "start_from",
    "tune",
]
