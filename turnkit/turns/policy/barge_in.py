"""Barge-in by how much is said and when."""

from __future__ import annotations

import msgspec

from .asking import BargeInPolicy, Overlap, Verdict, ask_barge_in
from .settings import check_policy, check_seconds, check_whole


class Immediate(msgspec.Struct, frozen=True):
    """The user takes the floor with the first word Flux hears (its StartOfTurn always has one)."""

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        return Verdict.YIELD, "the user speaks"


class Never(msgspec.Struct, frozen=True):
    """The agent is never stopped; what is said meanwhile is answered afterwards."""

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        return Verdict.DEFER, "the agent is never stopped"


class MinWords(msgspec.Struct, frozen=True):
    """The user takes the floor with `count` words; a turn that ends with fewer was a backchannel.

    Words are what white space parts, and are counted anew in every turn.
    """

    count: int

    def __post_init__(self) -> None:
        check_whole("MinWords", "count", self.count)

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        words = len(overlap.transcript.split())
        return (
            Verdict.YIELD if words >= self.count else Verdict.WAIT,
            f"{words} word{'' if words == 1 else 's'}, {self.count} needed",
        )


class MinDuration(msgspec.Struct, frozen=True):
    """The user takes the floor after `seconds` of a turn; one that ends sooner was a backchannel."""

    seconds: float

    def __post_init__(self) -> None:
        check_seconds("MinDuration", "seconds", self.seconds)

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        verdict = Verdict.YIELD if overlap.elapsed >= self.seconds else Verdict.WAIT
        return verdict, f"{overlap.elapsed:.2f} s, {self.seconds:g} needed"


class Grace(msgspec.Struct, frozen=True):
    """The agent is not stopped in its first `seconds`: what Flux hears then is likely the agent's own echo."""

    seconds: float

    def __post_init__(self) -> None:
        check_seconds("Grace", "seconds", self.seconds)

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        verdict = Verdict.YIELD if overlap.playing >= self.seconds else Verdict.WAIT
        return verdict, f"{overlap.playing:.2f} s into the reply, grace {self.seconds:g} s"


class HoldThenDecide(msgspec.Struct, frozen=True):
    """The agent pauses, or ducks, at once, and goes on or stops when `then` has decided.

    The user hears at the first word that the agent listens, yet "mm-hm" costs the reply nothing but a pause. What
    `then` decides stands (YIELD, KEEP, DEFER), as does whatever it says at the end of the turn. While it is undecided,
    the answer is HOLD in the first `seconds` of the turn and WAIT after them. The pause itself ends with the decision,
    or after the machine's `hold_timeout` if there is none by then. Keep `seconds` below that timeout, and no turn
    pauses the agent twice. With 0, only the turn's very first event can pause it.
    Raises ConfigError for a `then` that is no policy, or `seconds` that are none.
    """

    then: BargeInPolicy = MinWords(2)
    seconds: float = 1.0

    def __post_init__(self) -> None:
        check_policy("HoldThenDecide", "then", self.then)
        check_seconds("HoldThenDecide", "seconds", self.seconds)

    def __call__(self, overlap: Overlap) -> tuple[Verdict, str]:
        verdict, why = ask_barge_in(self.then, overlap)
        if overlap.final or verdict not in (Verdict.WAIT, Verdict.HOLD):
            return verdict, why
        undecided = f"undecided at {overlap.elapsed:.2f} s" + (f": {why}" if why else "")
        if overlap.elapsed <= self.seconds:
            return Verdict.HOLD, undecided
        return Verdict.WAIT, f"{undecided}; no hold after {self.seconds:g} s"
