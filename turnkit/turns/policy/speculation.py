"""When a draft is started: every built-in speculation policy.

To add one, write its class here, name it in `__all__`, and enter it in `SPECULATION_POLICIES`.
"""

from __future__ import annotations

import msgspec

from ...checks import shown
from ...errors import ConfigError
from .asking import Pause, SpeculationPolicy
from .built_in import BuiltIn
from .draft_counts import DraftCounts, interval
from .settings import check_seconds, check_share, check_whole

__all__ = ["AdaptiveDrafts", "Budget", "MinConfidence", "NoSpeculation", "OnEager"]


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


class AdaptiveDrafts(msgspec.Struct, frozen=True):
    """Draft where drafts pay, as far as was counted so far; within bounds that no count can move.

    Between `least` and `most` a draft is made unless the counts near the pause's confidence show, with 95 % confidence,
    that fewer than `pays` of such pauses are the end. As long as little was counted, that is at every pause. The counts
    are a value that this policy was given: what it decides in a call does not change while the call lasts, and is the
    same in a replay. The next call gets a policy with the counts as they are then (`turnkit.metrics.DraftTally`).

    Attributes:
        counts: What became of eager ends so far; none by default.
        pays: The share of drafts that must be kept for one to pay, 0 to 1; 0.5 by default. If a call of the LLM costs c
            and the seconds that a kept draft saves are worth v, it is c / (c + v).
        least: The confidence below which none is made, whatever was counted, 0 to 1; 0 by default.
        most: The confidence from which on one is made, whatever was counted, `least` to 1; 0.8 by default.

    Raises:
        ConfigError: for settings that are not as said here.
    """

    counts: DraftCounts = DraftCounts()
    pays: float = 0.5
    least: float = 0.0
    most: float = 0.8

    def __post_init__(self) -> None:
        if not isinstance(self.counts, DraftCounts):
            raise ConfigError(f"AdaptiveDrafts(counts={shown(self.counts)}): must be DraftCounts")
        for name in ("pays", "least", "most"):
            check_share("AdaptiveDrafts", name, getattr(self, name))
        if self.least > self.most:
            raise ConfigError(f"AdaptiveDrafts(least={self.least!r}): must not be above most, {self.most!r}")

    def __call__(self, pause: Pause) -> tuple[bool, str]:
        """Outside of the bounds what they say; within them True, unless the counts are against it."""
        sure = pause.confidence
        if not sure >= self.least:
            return False, f"confidence {sure:.2f}, never below {self.least:g}"
        if sure >= self.most:
            return True, f"confidence {sure:.2f}, always from {self.most:g}"
        confirmed, counted = self.counts.near(sure)
        low, high = interval(confirmed, counted)
        said = f"confidence {sure:.2f}, {confirmed} of {counted} were the end ({low:.0%} to {high:.0%})"
        return high >= self.pays, f"{said}, {self.pays:.0%} needed"


# A hundred drafts at about 0.6, of which ten were kept: none is made there any more.
_ADAPTED = AdaptiveDrafts(DraftCounts((*(0,) * 12, 10, *(0,) * 7), (*(0,) * 12, 90, *(0,) * 7)), least=0.3)

SPECULATION_POLICIES: tuple[BuiltIn[SpeculationPolicy], ...] = (
    BuiltIn(OnEager, "on-eager", examples=(OnEager(),)),
    BuiltIn(NoSpeculation, "none", examples=(NoSpeculation(),)),
    BuiltIn(MinConfidence, "min-confidence:X", examples=(MinConfidence(0.5),), argument=float),
    BuiltIn(Budget, "budget:N", examples=(Budget(1, 2.0),), argument=int),
    BuiltIn(AdaptiveDrafts, "adaptive", examples=(AdaptiveDrafts(), _ADAPTED)),
)
"""All of them, in the order in which options list them."""
