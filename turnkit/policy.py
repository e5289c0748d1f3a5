"""When to give way, and when to draft: a situation in, a verdict out.

A policy is any callable. A barge-in policy takes an `Overlap` and answers a `Verdict`; a speculation policy takes a
`Pause` and answers a bool; either may answer `(answer, why)`, and `why` is carried by the signal that follows. The
machine asks again and again, so a policy keeps no state of its own: all it may go by is what it is handed. One that
raises, or answers anything else, is noted and overruled: the user gets the floor, and nothing is drafted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from .errors import ConfigError

_FOREVER = 1e9  # seconds


class Verdict(StrEnum):
    """What becomes of the floor while both sides talk."""

    YIELD = "yield"  # the user takes it: stop the agent (barge-in)
    HOLD = "hold"  # not decided: pause or duck the agent meanwhile
    WAIT = "wait"  # not decided: the agent talks on meanwhile
    KEEP = "keep"  # the agent keeps it, and this turn gets no answer (a backchannel)
    DEFER = "defer"  # the agent keeps it, and this turn is answered afterwards

    def __repr__(self) -> str:
        return f"Verdict.{self.name}"


@dataclass(frozen=True)
class Overlap:
    """The user has begun to speak while the agent is heard; asked at each event of that turn until decided.

    Fields: `transcript` the user's words so far; `elapsed` seconds since that turn began; `playing` seconds since
    the agent's reply was first heard; `heard` what of the reply has been heard, as reported; `held` the playback is
    paused for this overlap; `final` the turn has ended and this is the last time of asking: WAIT and HOLD mean KEEP.
    """

    transcript: str
    elapsed: float
    playing: float
    heard: str
    held: bool
    final: bool


@dataclass(frozen=True)
class Pause:
    """The user has probably finished (an eager end of turn); asked once each time.

    Fields: `transcript` the words so far; `confidence` Flux's, 0 to 1; `attempts` the drafts already started in this
    turn; `elapsed` seconds since the turn began.
    """

    transcript: str
    confidence: float
    attempts: int
    elapsed: float


BargeInPolicy: TypeAlias = Callable[[Overlap], Verdict | tuple[Verdict, str]]
SpeculationPolicy: TypeAlias = Callable[[Pause], bool | tuple[bool, str]]


# Barge-in ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Immediate:
    """The user takes the floor with the first word Flux hears (its StartOfTurn always has one)."""

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        return Verdict.YIELD, "the user speaks"


@dataclass(frozen=True)
class Never:
    """The agent is never stopped; what is said meanwhile is answered afterwards."""

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        return Verdict.DEFER, "the agent is never stopped"


@dataclass(frozen=True)
class MinWords:
    """The user takes the floor with `count` words; a turn that ends with fewer was a backchannel.

    Words are what white space parts, and are counted anew in every turn.
    """

    count: int

    def __post_init__(self) -> None:
        _check_whole("MinWords", "count", self.count)

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        words = len(overlap.transcript.split())
        return (
            Verdict.YIELD if words >= self.count else Verdict.WAIT,
            f"{words} word{'' if words == 1 else 's'}, {self.count} needed",
        )


@dataclass(frozen=True)
class MinDuration:
    """The user takes the floor after `seconds` of a turn; one that ends sooner was a backchannel."""

    seconds: float

    def __post_init__(self) -> None:
        _check_seconds("MinDuration", "seconds", self.seconds)

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        verdict = Verdict.YIELD if overlap.elapsed >= self.seconds else Verdict.WAIT
        return verdict, f"{overlap.elapsed:.2f} s, {self.seconds:g} needed"


@dataclass(frozen=True)
class Grace:
    """The agent is not stopped in its first `seconds`: what Flux hears then is likely the agent's own echo."""

    seconds: float

    def __post_init__(self) -> None:
        _check_seconds("Grace", "seconds", self.seconds)

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        verdict = Verdict.YIELD if overlap.playing >= self.seconds else Verdict.WAIT
        return verdict, f"{overlap.playing:.2f} s into the reply, grace {self.seconds:g} s"


# Speculation ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OnEager:
    """Draft at every eager end of turn."""

    def __call__(self, pause: Pause) -> tuple[bool, str]:
        return True, "eager end of turn"


@dataclass(frozen=True)
class NoSpeculation:
    """Never draft: every reply starts when the turn has ended."""

    def __call__(self, pause: Pause) -> tuple[bool, str]:
        return False, "speculation is off"


@dataclass(frozen=True)
class MinConfidence:
    """Draft when Flux is at least this confident, 0 to 1, that the user is done."""

    confidence: float

    def __post_init__(self) -> None:
        number = self.confidence
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number <= 1:
            raise ConfigError(f"MinConfidence(confidence={number!r}): must be a number from 0 to 1")

    def __call__(self, pause: Pause) -> tuple[bool, str]:
        return pause.confidence >= self.confidence, f"confidence {pause.confidence:.2f}, {self.confidence:g} needed"


@dataclass(frozen=True)
class Budget:
    """Draft at most `per_turn` times in a turn, and not after its first `turn_seconds` (None: however long).

    Long turns with many pauses are where drafts are wasted.
    """

    per_turn: int = 3
    turn_seconds: float | None = None

    def __post_init__(self) -> None:
        _check_whole("Budget", "per_turn", self.per_turn)
        if self.turn_seconds is not None:
            _check_seconds("Budget", "turn_seconds", self.turn_seconds)

    def __call__(self, pause: Pause) -> tuple[bool, str]:
        if self.turn_seconds is not None and pause.elapsed > self.turn_seconds:
            return False, f"{pause.elapsed:.2f} s into the turn, budget {self.turn_seconds:g} s"
        return pause.attempts < self.per_turn, f"draft {pause.attempts + 1} of {self.per_turn}"


def _check_whole(policy: str, name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{policy}({name}={value!r}): must be a whole number of at least 1")


def _check_seconds(policy: str, name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _FOREVER:
        raise ConfigError(f"{policy}({name}={value!r}): must be a number of seconds, 0 or more")
