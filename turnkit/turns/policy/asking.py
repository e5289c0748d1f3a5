"""What a policy is asked, and what it may answer."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

import msgspec


class Verdict(StrEnum):
    """What becomes of the floor while both sides talk."""

    YIELD = "yield"  # the user takes it: stop the agent (barge-in)
    HOLD = "hold"  # not decided: pause or duck the agent meanwhile
    WAIT = "wait"  # not decided: nothing changes meanwhile
    KEEP = "keep"  # the agent keeps it, and this turn gets no answer (a backchannel)
    DEFER = "defer"  # the agent keeps it, and this turn is answered afterwards

    def __repr__(self) -> str:
        return f"Verdict.{self.name}"


class Overlap(msgspec.Struct, frozen=True, gc=False):
    """The user speaks while the agent has the floor: what a barge-in policy is asked at each event until it decides.

    Attributes:
        transcript: The user's words so far.
        elapsed: Seconds since that turn began.
        playing: Seconds since the agent's reply was first heard; 0 if it has not been.
        heard: What of the reply has been heard, as reported.
        held: Whether the playback is paused for this overlap.
        final: Whether the turn has ended, and this is the last time of asking: WAIT and HOLD mean KEEP, or if the turn
            began before the reply was heard, that it is answered.
        pending: Whether nothing of the reply has been heard yet: YIELD has this turn answered in its place, and there
            is nothing to HOLD. False by default. Asked only about words; a noise leaves such a reply alone.
    """

    transcript: str
    elapsed: float
    playing: float
    heard: str
    held: bool
    final: bool
    pending: bool = False


class Pause(msgspec.Struct, frozen=True, gc=False):
    """The user has probably finished (an eager end of turn): what a speculation policy is asked, once each time.

    Attributes:
        transcript: The user's words so far.
        confidence: Flux's that this is the end of the turn, 0 to 1.
        attempts: How many drafts have been started in this turn already.
        elapsed: Seconds since the turn began.
    """

    transcript: str
    confidence: float
    attempts: int
    elapsed: float


BargeInPolicy: TypeAlias = Callable[[Overlap], Verdict | tuple[Verdict, str]]
SpeculationPolicy: TypeAlias = Callable[[Pause], bool | tuple[bool, str]]


def ask_barge_in(policy: BargeInPolicy, overlap: Overlap) -> tuple[Verdict, str]:
    """The verdict of any barge-in policy, and why; empty if it does not say.

    Raises:
        Exception: Whatever the policy raises; ValueError or TypeError if what it answers is no verdict.
    """
    answer = policy(overlap)
    verdict, why = answer if isinstance(answer, tuple) else (answer, "")
    return verdict if type(verdict) is Verdict else Verdict(verdict), str(why)


def ask_speculation(policy: SpeculationPolicy, pause: Pause) -> tuple[bool, str]:
    """The answer of any speculation policy, and why; empty if it does not say.

    Raises:
        Exception: Whatever the policy raises; ValueError or TypeError if what it answers is no bool.
    """
    answer = policy(pause)
    start, why = answer if isinstance(answer, tuple) else (answer, "")
    if not isinstance(start, bool):
        raise TypeError(f"a speculation policy answers a bool, not {type(start).__name__}")
    return start, str(why)
