"""The memory of a referee: what a host must remember to tell whether what it is told makes sense."""

from __future__ import annotations

from enum import StrEnum
from math import inf

import msgspec

NONE = -1  # no turn, no reply


class Fate(StrEnum):
    """What has become of a reply that has the floor, in the eyes of the host."""

    PENDING = "pending"
    AUDIBLE = "audible"
    HELD = "held"
    OVER = "over"  # no reply has the floor


class RefereeMemory(msgspec.Struct):
    """All that a referee remembers; -1 is no turn and no reply. Copy it with `copy.copy`.

    Attributes:
        at: the second of the last step.
        closed: whether the machine was closed.
        due: the machine's deadline after the last step; `inf` if it has none.
        next_turn: the number of the next turn.
        next_reply: the number of the next reply.
        turn: the turn that has begun and not ended: open, or (`waits`) suspended.
        words: its words.
        waits: whether it is suspended.
        stalled: whether TurnStalled was said of it, and it has got no new words since.
        silenced: whether a reply that was not heard yet was cancelled for it.
        draft: the reply that is drafted.
        draft_turn: the turn that the draft is for.
        draft_text: the words that the draft is made for.
        draft_protected: whether the draft may not be interrupted once it is heard.
        floor: the reply that has the floor.
        fate: what has become of that reply.
        floor_turn: the turn that it answers.
        floor_text: the words that it answers.
        protected: whether it may not be interrupted.
        floor_waits: whether it is an initiative that waits again if a turn cancels it.
        carried: how many unanswered texts its Commit has brought, as long as it is not heard.
        waiting: of each initiative that waits for the floor, whether it is protected.
        unanswered: the words of earlier turns that never got an audible answer, oldest first.
        idle: how many UserIdle there were since a turn with words.
    """

    at: float = -inf
    closed: bool = False
    due: float = inf
    next_turn: int = 0
    next_reply: int = 0
    turn: int = NONE
    words: str = ""
    waits: bool = False
    stalled: bool = False
    silenced: bool = False
    draft: int = NONE
    draft_turn: int = NONE
    draft_text: str = ""
    draft_protected: bool = False
    floor: int = NONE
    fate: Fate = Fate.OVER
    floor_turn: int = NONE
    floor_text: str = ""
    protected: bool = False
    floor_waits: bool = False
    carried: int = 0
    waiting: tuple[bool, ...] = ()
    unanswered: tuple[str, ...] = ()
    idle: int = 0
