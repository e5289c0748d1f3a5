"""The replay of one trace, summed up in what fits through a pipe to another process."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from ..checks import shown_path
from ..errors import ConfigError, TraceMismatch
from .comparison import Comparison
from .reader import read
from .replayer import replay
from .turn_history import TurnHistory


class ReplayFinding(StrEnum):
    """What came of replaying a trace."""

    SAME = "same"  # under the recorded settings, the recorded signals
    MISMATCH = "mismatch"  # under the recorded settings, others
    COMPARED = "compared"  # under other settings: see the turns
    UNREADABLE = "unreadable"  # no trace, or one that needs something that was not given


class ReplaySummary(msgspec.Struct, frozen=True, kw_only=True):
    """What came of replaying one trace.

    Attributes:
        name: Name of the file; a URL without the password, or the signature, that it may carry.
        finding: What came of the replay.
        problem: What went wrong, in a sentence or more; empty if nothing did.
        raw: Whether only frames of Flux were recorded.
        ended: How the recording ended, as in `Trace`.
        events: Number of events, wakes and closes fed to the machine.
        signals: Number of signals of the replay.
        seconds: Seconds that the call lasted, its own where it was hurried.
        turns: Number of turns.
        differing: The turns that come out differently; their times are seconds since the call began.
    """

    name: str
    finding: ReplayFinding
    problem: str = ""
    raw: bool = False
    ended: str = ""
    events: int = 0
    signals: int = 0
    seconds: float = 0.0
    turns: int = 0
    differing: tuple[Comparison, ...] = ()

    def __repr__(self) -> str:
        # The turns hold what was said; a repr ends up in logs.
        return f"<ReplaySummary {self.name!r}: {self.finding}>"


def summarize(path: str, settings: Mapping[str, Any]) -> ReplaySummary:
    """Read and replay the trace at `path`, with `settings` in place of the recorded ones where given."""
    name = shown_path(path)
    try:
        trace = read(path)
        replayed = replay(trace, **settings)
    except TraceMismatch as error:
        return ReplaySummary(name=name, finding=ReplayFinding.MISMATCH, problem=str(error))
    except ConfigError as error:
        return ReplaySummary(name=name, finding=ReplayFinding.UNREADABLE, problem=str(error))
    return ReplaySummary(
        name=name,
        finding=ReplayFinding.SAME if replayed.verified else ReplayFinding.COMPARED,
        raw=trace.raw,
        ended=trace.ended,
        events=len(trace.inputs()),
        signals=len(replayed.signals),
        seconds=trace.seconds * trace.header.speed,
        turns=len(replayed.turns),
        differing=tuple(_since(turn, trace.began_at) for turn in replayed.differing),
    )


_MOMENTS = ("started", "drafted", "committed", "dropped", "barged_in")


def _since(turn: Comparison, began: float) -> Comparison:
    """The same with seconds since the call began: the clock of whoever recorded it says nothing to others."""
    return msgspec.structs.replace(turn, before=_shifted(turn.before, began), after=_shifted(turn.after, began))


def _shifted(history: TurnHistory | None, began: float) -> TurnHistory | None:
    if history is None:
        return None
    moments = {name: getattr(history, name) for name in _MOMENTS}
    shifted = {name: round(at - began, 6) for name, at in moments.items() if at is not None}
    return msgspec.structs.replace(history, **shifted)
