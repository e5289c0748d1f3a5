"""Figures of a call, live or recorded: how fast it answers, what speculation saves and wastes, whom it interrupts.

    metrics = Metrics()
    metrics.take(event, at)      # each event, and after it the signals it led to; also the playback's
    metrics.call.rows()          # for people; `figures()` for programs, `+` or `summary` for many calls

`measure(records)` does that for a recorded call, `Watch` for a session that tells what happens. `DraftTally` counts
what became of drafts over many calls, for a policy that adapts to it. Each figure is defined in `TurnMetrics`, and None
where it cannot be known.
"""

from __future__ import annotations

from .collector import Metrics, measure
from .drafts import DraftObserver, DraftTally, count_drafts
from .figures import DURATIONS, CallMetrics, FalseBargeIn, TurnMetrics, summary
from .samples import EXACT, Samples
from .texts import seconds
from .watch import Watch

__all__ = [
    "DURATIONS",
    "EXACT",
    "CallMetrics",
    "DraftObserver",
    "DraftTally",
    "FalseBargeIn",
    "Metrics",
    "Samples",
    "TurnMetrics",
    "Watch",
    "count_drafts",
    "measure",
    "seconds",
    "summary",
]
