"""Figures of a call, live or recorded: how fast it answers, what speculation saves and wastes, whom it interrupts.

    metrics = Metrics()
    metrics.take(event, at)      # each event, and after it the signals it led to; also the playback's
    metrics.call.rows()          # for people; `figures()` for programs, `+` or `summary` for many calls

`measure(records)` does that for a recorded call, `Watch` for a session that tells what happens. Each figure is defined
in `TurnMetrics`, and None where it cannot be known.
"""

from __future__ import annotations

from .collector import Metrics, measure
from .figures import DURATIONS, CallMetrics, FalseBargeIn, TurnMetrics, summary
from .samples import EXACT, Samples
from .texts import seconds
from .watch import Watch

__all__ = [
    "DURATIONS",
    "EXACT",
    "CallMetrics",
    "FalseBargeIn",
    "Metrics",
    "Samples",
    "TurnMetrics",
    "Watch",
    "measure",
    "seconds",
    "summary",
]
