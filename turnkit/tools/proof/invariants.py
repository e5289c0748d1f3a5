"""The invariants: what must hold after every step, in words, and which signal may follow which event."""

from __future__ import annotations

from ...turns.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    DraftDiscarded,
    DropReason,
    EagerEndOfTurn,
    EndOfTurn,
    Hold,
    Initiate,
    Interrupt,
    Note,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Protect,
    Resume,
    ResumeReason,
    Speculate,
    StartOfTurn,
    StreamLost,
    TurnDropped,
    TurnResumed,
    TurnStalled,
    TurnStarted,
    TurnUpdated,
    Update,
)

INVARIANTS: dict[int, str] = {
    1: "At most one draft is alive, and every Speculate is followed by exactly one Commit or Cancel of its reply.",
    2: "Nothing of a reply is heard before its Commit, and nothing carries its id after its Cancel or BargeIn.",
    3: "At most one Commit a turn, with the turn's final text; a kept draft was made for an equal text.",
    4: "BargeIn only for a reply that is heard, at most once, never a protected one; the agent is never told to speak "
    "over the user, and a noise cancels nothing.",
    5: "A turn with words ends in exactly one Commit or TurnDropped, and no text is lost.",
    6: "No deadline lies in the past, and silence alone brings the machine to rest in bounded time.",
    7: "Same events, same times, same signals; also when cut by snapshot and restore.",
    8: "No input raises, save a caller's own misuse, and that changes nothing.",
    9: "Every Initiate ends in exactly one Commit or refusal; those that wait are committed in order as soon as nobody "
    "has the floor, also again if a turn has cancelled them unheard, and refused at the latest at close().",
}
"""What holds for every sequence of events, legal or not: number to sentence."""


class Violation(AssertionError):
    """An invariant does not hold. Quotes nothing that was said.

    Attributes:
        invariant: its number in `INVARIANTS`.
        detail: what was seen, in a sentence.
    """

    def __init__(self, invariant: int, detail: str) -> None:
        super().__init__(invariant, detail)
        self.invariant = invariant
        self.detail = detail

    def __str__(self) -> str:
        return f"invariant {self.invariant}: {INVARIANTS[self.invariant]} Seen: {self.detail}"


TURN_EVENTS = frozenset((StartOfTurn, Update, EagerEndOfTurn, TurnResumed, EndOfTurn))
PLAYBACK = frozenset((PlaybackStarted, PlaybackAdvanced, PlaybackFinished))
FIRST_SOUND = frozenset((PlaybackStarted, PlaybackAdvanced))

# What may call for a signal while no deadline is due, and the invariant that says so.
CAUSES: dict[type, tuple[int, frozenset[type]]] = {
    TurnStarted: (5, TURN_EVENTS | {StreamLost, Interrupt}),
    TurnUpdated: (5, TURN_EVENTS),
    Speculate: (1, frozenset((EagerEndOfTurn,))),
    Cancel: (1, TURN_EVENTS | {StreamLost, DraftDiscarded, Initiate, Interrupt}),
    Commit: (3, TURN_EVENTS | {PlaybackFinished, Initiate, StreamLost, Interrupt}),
    BargeIn: (4, TURN_EVENTS | {Interrupt, *FIRST_SOUND}),
    Hold: (4, TURN_EVENTS | FIRST_SOUND),
    Resume: (4, TURN_EVENTS | {Protect, StreamLost}),
    TurnDropped: (5, TURN_EVENTS | {StreamLost, Interrupt}),
    TurnStalled: (6, TURN_EVENTS),
}
# Words that were not announced are a turn after all, which is then dropped.
ON_CLOSING = frozenset((Cancel, TurnDropped, TurnStarted, Note))

DRAFT_CANCELS: dict[CancelReason, frozenset[type]] = {
    CancelReason.RESUMED: frozenset((TurnResumed, StartOfTurn, Update)),
    CancelReason.SUPERSEDED: frozenset((EagerEndOfTurn,)),
    CancelReason.TRANSCRIPT_CHANGED: frozenset((EndOfTurn,)),
    CancelReason.EMPTY_TURN: frozenset((EndOfTurn,)),
    CancelReason.STREAM_LOST: frozenset((StreamLost,)),
    CancelReason.STALLED: frozenset(),
    CancelReason.FAILED: frozenset((DraftDiscarded,)),
    CancelReason.CONTEXT_CHANGED: frozenset((DraftDiscarded,)),
    CancelReason.INTERRUPTED: frozenset((Interrupt,)),
}
RESUMES: dict[ResumeReason, frozenset[type]] = {
    ResumeReason.BACKCHANNEL: TURN_EVENTS | {Protect},
    ResumeReason.TIMEOUT: TURN_EVENTS,
    ResumeReason.EMPTY_TURN: TURN_EVENTS,
    ResumeReason.TURN_LOST: frozenset((StreamLost,)),
}
DROPS: dict[DropReason, frozenset[type]] = {
    DropReason.EMPTY: TURN_EVENTS | {Interrupt},
    DropReason.OVERLAP_KEPT: TURN_EVENTS | {Interrupt},
    DropReason.SUPERSEDED: TURN_EVENTS | {Interrupt},
    DropReason.STREAM_LOST: TURN_EVENTS | {StreamLost, Interrupt},
    DropReason.STALLED: frozenset(),
}
