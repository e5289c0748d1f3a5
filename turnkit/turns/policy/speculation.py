"""When a draft is started: every built-in speculation policy.

To add one, write its class here, name it in `__all__`, and enter it in `SPECULATION_POLICIES`.
"""

from __future__ import annotations

import msgspec

from .asking import Pause, SpeculationPolicy
from .built_in import BuiltIn
from .settings import check_seconds, check_share, check_whole

__all__ = ["Budget", "MinConfidence", "NoSpeculation", "OnEager"]


class OnEager(msgspec.Struct, frozen=True):
    """Draft at every eager end of turn."""

    def __call__(self, pause: Pause) -> tuple[bool, str]:
        """True, at every pause."""
        return True, "eager end of turn"


class NoSpeculation(msgspec.Struct, frozen=True):
    """Never draft: every reply starts when the turn has ended."""

    def __call__(self, pause: Pause) -> tuple[bool, str]:
        """False, at every pause."""
        return False, "speculation is off"


class MinConfidence(msgspec.Struct, frozen=True):
    """Draft when Flux is confident enough that the user is done.

    Attributes:
        confidence: How confident it must be at least, 0 to 1.
    """

    confidence: float

    def __post_init__(self) -> None:
        check_share("MinConfidence", "confidence", self.confidence)

    def __call__(self, pause: Pause) -> tuple[bool, str]:
        """True from `confidence` on."""
        return pause.confidence >= self.confidence, f"confidence {pause.confidence:.2f}, {self.confidence:g} needed"


class Budget(msgspec.Struct, frozen=True):
    """Draft so often in a turn, and no later in it: long turns with many pauses are where drafts are wasted.

    Attributes:
        per_turn: How many drafts a turn may have, at least 1; 3 by default.
        turn_seconds: How far into the turn the last may be started, 0 or more; None, the default, is however far.
    """

    per_turn: int = 3
    turn_seconds: float | None = None

    def __post_init__(self) -> None:
        check_whole("Budget", "per_turn", self.per_turn)
        if self.turn_seconds is not None:
            check_seconds("Budget", "turn_seconds", self.turn_seconds)

    def __call__(self, pause: Pause) -> tuple[bool, str]:
        """True as long as there is budget left."""
        if self.turn_seconds is not None and pause.elapsed > self.turn_seconds:
            return False, f"{pause.elapsed:.2f} s into the turn, budget {self.turn_seconds:g} s"
        return pause.attempts < self.per_turn, f"draft {pause.attempts + 1} of {self.per_turn}"


SPECULATION_POLICIES: tuple[BuiltIn[SpeculationPolicy], ...] = (
    BuiltIn(OnEager, "on-eager", examples=(OnEager(),)),
    BuiltIn(NoSpeculation, "none", examples=(NoSpeculation(),)),
    BuiltIn(MinConfidence, "min-confidence:X", examples=(MinConfidence(0.5),), argument=float),
    BuiltIn(Budget, "budget:N", examples=(Budget(1, 2.0),), argument=int),
)
"""All of them, in the order in which options list them."""
