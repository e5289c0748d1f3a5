"""When to draft."""

from __future__ import annotations

import msgspec

from .asking import Pause
from .settings import check_seconds, check_share, check_whole


class OnEager(msgspec.Struct, frozen=True):
    """Draft at every eager end of turn."""

    def __call__(self, pause: Pause) -> tuple[bool, str]:
        return True, "eager end of turn"


class NoSpeculation(msgspec.Struct, frozen=True):
    """Never draft: every reply starts when the turn has ended."""

    def __call__(self, pause: Pause) -> tuple[bool, str]:
        return False, "speculation is off"


class MinConfidence(msgspec.Struct, frozen=True):
    """Draft when Flux is at least this confident, 0 to 1, that the user is done."""

    confidence: float

    def __post_init__(self) -> None:
        check_share("MinConfidence", "confidence", self.confidence)

    def __call__(self, pause: Pause) -> tuple[bool, str]:
        return pause.confidence >= self.confidence, f"confidence {pause.confidence:.2f}, {self.confidence:g} needed"


class Budget(msgspec.Struct, frozen=True):
    """Draft at most `per_turn` times in a turn, and not after its first `turn_seconds` (None: however long).

    Long turns with many pauses are where drafts are wasted.
    """

    per_turn: int = 3
    turn_seconds: float | None = None

    def __post_init__(self) -> None:
        check_whole("Budget", "per_turn", self.per_turn)
        if self.turn_seconds is not None:
            check_seconds("Budget", "turn_seconds", self.turn_seconds)

    def __call__(self, pause: Pause) -> tuple[bool, str]:
        if self.turn_seconds is not None and pause.elapsed > self.turn_seconds:
            return False, f"{pause.elapsed:.2f} s into the turn, budget {self.turn_seconds:g} s"
        return pause.attempts < self.per_turn, f"draft {pause.attempts + 1} of {self.per_turn}"
