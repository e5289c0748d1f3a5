"""The history of each turn, read from the signals of a call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ..turns.events import BargeIn, Cancel, Commit, DropReason, Hold, Speculate, TurnDropped, TurnStarted, TurnUpdated


class TurnHistory(msgspec.Struct, kw_only=True):
    """One turn of the user's; times are monotonic seconds, None where there is no such moment.

    Attributes:
        turn: Id of the turn.
        transcript: The last words it had.
        started: When it began.
        drafts: Number of drafts begun for it.
        withdrawn: Number of those drafts that were cancelled before its Commit.
        drafted: When the draft that was kept was begun.
        committed: When it was committed.
        trigger: Flux's or turnkit's trigger of that Commit; empty without one.
        speculative: Whether a draft was kept.
        dropped: When it ended without an answer.
        reason: Why it ended without an answer.
        barged_in: When it took the floor from the agent.
        holds: Number of times that the agent was paused for it.
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
        return f"<TurnHistory {self.turn}: {self.outcome}>"

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
    """The history of every turn, by its id, in the order in which they began."""
    turns: dict[int, TurnHistory] = {}
    drafted: dict[int, float] = {}
    for signal in signals:
        turn = getattr(signal, "turn", None)
        if turn is None:
            continue
        history = turns.get(turn)
        if history is None:
            history = turns[turn] = TurnHistory(turn=turn)
        if isinstance(signal, (TurnStarted, TurnUpdated, Speculate, Commit, TurnDropped)):
            history.transcript = signal.transcript
        match signal:
            case TurnStarted():
                history.started = signal.at
            case Speculate():
                history.drafts += 1
                drafted[signal.reply] = signal.at
            case Cancel():
                history.withdrawn += signal.reply in drafted and history.committed is None
            case Commit():
                history.committed, history.trigger = signal.at, signal.trigger
                history.speculative = signal.speculative
                history.drafted = drafted.get(signal.reply)
            case TurnDropped():
                history.dropped, history.reason = signal.at, signal.reason
            case BargeIn():
                history.barged_in = signal.at
            case Hold():
                history.holds += 1
            case _:
                pass
    return turns
