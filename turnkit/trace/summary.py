"""One trace of many: read, replayed, and summed up in what fits through a pipe to another process."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from ..errors import ConfigError, TraceMismatch
from .comparison import Comparison
from .reader import read
from .replayer import replay


class ReplayFinding(StrEnum):
    """What came of replaying a trace."""

    SAME = "same"  # under the recorded settings, the recorded signals
    MISMATCH = "mismatch"  # under the recorded settings, others
    COMPARED = "compared"  # under other settings: see the turns
    UNREADABLE = "unreadable"  # no trace, or one that needs something that was not given


class ReplaySummary(msgspec.Struct, frozen=True, kw_only=True):
    """A trace, summed up.

    Fields: `name` of the file; `finding`; `problem` in a sentence, or more; `raw` whether only frames were recorded;
    `ended` as in `Trace`; `events` and `signals` in it, `seconds` long; `turns` how many, `differing` those that come
    out differently.
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
        return f"<Judged {self.name!r}: {self.finding}>"


def summarize(path: str, settings: Mapping[str, Any]) -> ReplaySummary:
    """Read and replay the trace at `path`, under its own settings or with `settings` in place of some of them."""
    try:
        trace = read(path)
        replayed = replay(trace, **settings)
    except TraceMismatch as error:
        return ReplaySummary(name=path, finding=ReplayFinding.MISMATCH, problem=str(error))
    except ConfigError as error:
        return ReplaySummary(name=path, finding=ReplayFinding.UNREADABLE, problem=str(error))
    return ReplaySummary(
        name=path,
        finding=ReplayFinding.SAME if replayed.verified else ReplayFinding.COMPARED,
        raw=trace.raw,
        ended=trace.ended,
        events=len(trace.inputs()),
        signals=len(replayed.signals),
        seconds=trace.seconds,
        turns=len(replayed.turns),
        differing=replayed.differing,
    )
