"""What became of each turn, told from its signals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ..turns.events import BargeIn, Cancel, Commit, DropReason, Hold, Speculate, TurnDropped, TurnStarted, TurnUpdated


class TurnHistory(msgspec.Struct, kw_only=True):
    """One turn of the user's; times are monotonic seconds, None where there is no such moment.

    Fields: `turn`; `transcript` the last words it had; `started`; `drafts` begun for it, `withdrawn` of them;
    `drafted` when the draft that was kept was begun; `committed` when it was final, with Flux's or turnkit's
    `trigger`, and `speculative` if a draft was kept; `dropped` when it ended without an answer, for `reason`;
    `barged_in` when it took the floor from the agent; `holds` how often the agent was paused for it.
    """

    turn: int
    transcript: str = ""
    started: float | None = None
    drafts: int = 0
    withdrawn: int = 0
    drafted: float | None = None
    committed: float | None = None
    trigger: str = ""
    speculative: bool = False
    dropped: float | None = None
    reason: DropReason | None = None
    barged_in: float | None = None
    holds: int = 0

    def __repr__(self) -> str:
        # The transcript is what somebody said: it stays out of logs.
        return f"<Course of turn {self.turn}: {self.outcome}>"

    @property
    def outcome(self) -> str:
        """How it ended: `answered`, `dropped: ` and why, or `open`."""
        if self.committed is not None:
            return "answered"
        return "open" if self.reason is None else f"dropped: {self.reason}"

    @property
    def lead(self) -> float | None:
        """Seconds by which the kept draft was begun before the turn was final."""
        return None if self.drafted is None or self.committed is None else self.committed - self.drafted


def turn_histories(signals: Iterable[Any]) -> dict[int, TurnHistory]:
    """The course of every turn, in the order in which they began."""
    turns: dict[int, TurnHistory] = {}
    drafted: dict[int, float] = {}
    for signal in signals:
        turn = getattr(signal, "turn", None)
        if turn is None:
            continue
        course = turns.get(turn)
        if course is None:
            course = turns[turn] = TurnHistory(turn=turn)
        if isinstance(signal, (TurnStarted, TurnUpdated, Speculate, Commit, TurnDropped)):
            course.transcript = signal.transcript
        match signal:
            case TurnStarted():
                course.started = signal.at
            case Speculate():
                course.drafts += 1
                drafted[signal.reply] = signal.at
            case Cancel():
                course.withdrawn += signal.reply in drafted and course.committed is None
            case Commit():
                course.committed, course.trigger = signal.at, signal.trigger
                course.speculative = signal.speculative
                course.drafted = drafted.get(signal.reply)
            case TurnDropped():
                course.dropped, course.reason = signal.at, signal.reason
            case BargeIn():
                course.barged_in = signal.at
            case Hold():
                course.holds += 1
            case _:
                pass
    return turns
