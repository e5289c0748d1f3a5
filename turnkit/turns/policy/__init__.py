"""When to give way, and when to draft: a situation in, a verdict out.

A policy is any callable. A barge-in policy takes an `Overlap` and answers a `Verdict`; a speculation policy takes a
`Pause` and answers a bool; either may answer `(answer, why)`, and `why` is carried by the signal that follows. The
machine asks again and again, so a policy keeps no state of its own: all it may go by is what it is handed. One that
raises, or answers anything else, is noted and overruled: the user gets the floor, and nothing is drafted.

The built-in ones are values: equal settings make equal policies. Their reasons go to the log and quote nobody.
"""

from __future__ import annotations

from . import barge_in, speculation
from .asking import BargeInPolicy, Overlap, Pause, SpeculationPolicy, Verdict
from .barge_in import *
from .barge_in import BARGE_IN_POLICIES, NAMED_PHRASES
from .built_in import BuiltIn
from .composition import all_of
from .draft_counts import DraftCounts
from .speculation import *
from .speculation import SPECULATION_POLICIES

__all__ = [
    "BARGE_IN_POLICIES",
    "NAMED_PHRASES",
    "SPECULATION_POLICIES",
    "BargeInPolicy",
    "BuiltIn",
    "DraftCounts",
    "Overlap",
    "Pause",
    "SpeculationPolicy",
    "Verdict",
    "all_of",
]
__all__ += barge_in.__all__
__all__ += speculation.__all__
