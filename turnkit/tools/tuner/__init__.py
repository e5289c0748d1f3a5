"""Which thresholds to run, answered from your own recorded calls."""

from .calibration import Bin, Calibration, calibrate, start_from
from .overlaps import POLICIES, Judged, Meant, Spoken, judge, overlaps
from .prediction import Gate, Knowledge, Setting
from .recommendation import Outcome, Recommendation, Tuning, Worth, grid, tune
from .silences import Conversation, Draft, Pause, Thresholds, conversation
from .statistics import Estimate

__all__ = [
    "POLICIES",
    "Bin",
    "Calibration",
    "Conversation",
    "Draft",
    "Estimate",
    "Gate",
    "Judged",
    "Knowledge",
    "Meant",
    "Outcome",
    "Pause",
    "Recommendation",
    "Setting",
    "Spoken",
    "Thresholds",
    "Tuning",
    "Worth",
    "calibrate",
    "conversation",
    "grid",
    "judge",
    "overlaps",
    "start_from",
    "tune",
]
