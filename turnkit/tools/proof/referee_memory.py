"""What a host must remember to tell whether what it is told makes sense."""

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
    """All that a referee remembers; -1 is no turn and no reply. Copy it with `copy.copy`."""

    at: float = -inf
    closed: bool = False
    due: float = inf  # the machine's deadline after the last step
    next_turn: int = 0
    next_reply: int = 0
    turn: int = NONE  # the one that has begun and not ended: open, or (`waits`) suspended
    words: str = ""
    waits: bool = False
    stalled: bool = False  # TurnStalled was said of it, and it has got no new words since
    silenced: bool = False  # a reply that was not heard yet was cancelled when it began
    draft: int = NONE
    draft_turn: int = NONE
    draft_text: str = ""
    draft_protected: bool = False
    floor: int = NONE  # the reply that has it
    fate: Fate = Fate.OVER
    floor_turn: int = NONE
    floor_text: str = ""
    protected: bool = False
    unanswered: tuple[str, ...] = ()
    idle: int = 0  # UserIdle since a turn with words
