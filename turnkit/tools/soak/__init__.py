"""Soak test: many sessions at once against a Flux that goes wrong, and an account of every word said to them.

    report = await soak(Plan(sessions=50, seconds=60, faults=0.002))
    report.verdict  # (Finding(what='turns lost', holds=True, said='none'), ...)

The simulator runs in a process of its own, so that what the sessions cost is measured alone. Each session is a real
client on a real socket, with audio in real time and a small bot that answers; it holds one call after the other. The
callers say words that come but once in a call, and `Ledger` knows what became of each: it is in a Commit or a
TurnDropped, or Flux never said it (`WITHHOLDING`, and audio that the client says it dropped), or it is lost.
"""

from .ledger import WITHHOLDING, Ledger, Lost
from .plan import Plan
from .report import Finding, Report
from .run import soak
from .speech import Speech

__all__ = ["WITHHOLDING", "Finding", "Ledger", "Lost", "Plan", "Report", "Speech", "soak"]
