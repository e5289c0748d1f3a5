"""What becomes of eager ends of turn, counted while calls run, for a policy that adapts to it.

    tally = DraftTally()                                # one for all calls of a process

    def call():
        session = Session(..., speculation=AdaptiveDrafts(tally.counts, pays=0.6, least=0.4))
        session.observe(tally.observer())
        return session

Eager ends are counted whether a draft was made or not: a policy that stops drafting goes on learning. Tallies of other
processes are merged by adding their `counts`, which are plain values (`to_bytes`, `from_bytes`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..checks import shown
from ..errors import ConfigError
from ..turns.events import (
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    ReplyEnded,
    Signal,
    StartOfTurn,
    StreamLost,
    TurnEvent,
    TurnResumed,
    Update,
)
from ..turns.policy import DraftCounts
from ..turns.words import has_words, same_words
from ..wire import TurnInfo


class DraftTally:
    """What became of the eager ends of many calls.

    It belongs to one thread, as sessions do; in each of several threads keep one, and add their counts.

    Args:
        counts: The counts to go on from; none by default.

    Attributes:
        counts: The counts so far, a value: hand it to a policy, keep it, send it, add others to it.

    Raises:
        ConfigError: they are no `DraftCounts`, as bytes are before `DraftCounts.from_bytes`.
    """

    def __init__(self, counts: DraftCounts | None = None) -> None:
        if counts is not None and not isinstance(counts, DraftCounts):
            raise ConfigError(f"DraftTally(counts={shown(counts)}): must be DraftCounts")
        self.counts = DraftCounts() if counts is None else counts

    def __repr__(self) -> str:
        return f"<DraftTally: {sum(self.counts.confirmed)} of {self.counts.total} eager ends were the end>"

    def observer(self) -> DraftObserver:
        """An observer for one session that counts into this tally."""
        return DraftObserver(self)


class DraftObserver:
    """An observer of one session that tells a tally what became of each eager end of turn.

    An eager end is confirmed by an end of the turn on the same words, and withdrawn by TurnResumed, by other words, and
    by an end on other words. One that was lost with the stream, or with the call, is not counted.

    Args:
        tally: Where it is counted.
    """

    def __init__(self, tally: DraftTally) -> None:
        self._tally = tally
        self._pending: EagerEndOfTurn | None = None

    def fed(self, at: float, event: Event, signals: Iterable[Signal] = (), message: TurnInfo | None = None) -> None:
        """The machine was fed: see `Observer.fed`."""
        if isinstance(event, StreamLost):
            self._pending = None
        elif isinstance(event, TurnEvent):
            self._follow(event)

    def _follow(self, event: TurnEvent) -> None:
        pending = self._pending
        if isinstance(event, (Update, EagerEndOfTurn)) and not has_words(event.transcript):
            return
        if pending is not None and event.turn_index < pending.turn_index:
            return  # an event of a turn that is over
        if pending is not None and event.turn_index > pending.turn_index:
            self._pending = pending = None  # its end was missed
        if pending is not None:
            same = same_words(event.transcript, pending.transcript)
            if isinstance(event, (TurnResumed, StartOfTurn)) or not same:
                self._count(pending, confirmed=False)
            elif isinstance(event, EndOfTurn):
                self._count(pending, confirmed=True)
        if isinstance(event, EagerEndOfTurn) and self._pending is None:
            self._pending = event

    def _count(self, pending: EagerEndOfTurn, *, confirmed: bool) -> None:
        self._pending = None
        self._tally.counts = self._tally.counts.counted(pending.confidence, confirmed=confirmed)

    def woken(self, at: float, signals: Iterable[Signal]) -> None:
        """Time passed for the machine: see `Observer.woken`."""

    def closed(self, at: float, signals: Iterable[Signal]) -> None:
        """The machine was closed: see `Observer.closed`."""

    def told(self, signal: Signal | ReplyEnded) -> None:
        """A signal of the session's own."""

    def fact(self, at: float, name: str, /, **fields: Any) -> None:
        """Something that the machine is not told: see `Observer.fact`."""

    def end(self) -> None:
        """Nothing more will be told."""
        self._pending = None


def count_drafts(records: Iterable[object]) -> DraftCounts:
    """What became of the eager ends in the records of a recorded call (`turnkit.trace.Trace.records`)."""
    tally = DraftTally()
    observer = tally.observer()
    for record in records:
        event: Any = getattr(record, "event", None)
        if event is not None:
            observer.fed(0.0, event)
    return tally.counts
