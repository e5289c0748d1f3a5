"""Evidence of a call while it is held: an observer of a session."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from ..trace import Closed, Fact, Fed, Header, Record, Trace, Woken
from ..turns.events import Event, ReplyEnded, Signal
from ..wire import FluxOptions, TurnInfo
from .call import evidence_of
from .evidence import Evidence

MOST_RECORDS = 500_000
"""Records that are kept of a call, which are many hours of talk: the evidence of a longer one is of its beginning."""


class LiveEvidence:
    """An observer of a session that gathers the evidence of its call: `session.observe(LiveEvidence(...))`.

    What happens is kept until the end, some 0.3 kB a message of Flux; then the evidence takes some milliseconds, as
    long as reading the call's recording would.

    Args:
        call: Id of the call; with `began`, the one by which it is known from its recording.
        began: Wall clock at the beginning, in ISO 8601.
        options: Options of the connection; without them the tuner has to read the thresholds off the events.
        on_end: is called with the evidence at the end of the call.
    """

    def __init__(
        self,
        call: str,
        began: str = "",
        options: FluxOptions | None = None,
        on_end: Callable[[Evidence], object] | None = None,
    ) -> None:
        plain = None if options is None else msgspec.to_builtins(options)
        self._header = Header(session=call, began=began, options=plain)
        self._records: list[Record] = []
        self._closed = False
        self._on_end = on_end

    @property
    def evidence(self) -> Evidence:
        """The evidence so far."""
        evidence = Evidence()
        records = self._records
        whole = self._closed and len(records) < MOST_RECORDS
        header = msgspec.structs.replace(self._header, began_at=records[0].at if records else 0.0)
        trace = Trace(header=header, records=tuple(records), ended="closed" if whole else "")
        evidence.add(evidence_of(trace))
        return evidence

    def fed(self, at: float, event: Event, signals: Iterable[Signal], message: TurnInfo | None = None) -> None:
        """The machine was fed: see `Observer.fed`."""
        self._take(Fed(at, event), *signals)

    def woken(self, at: float, signals: Iterable[Signal]) -> None:
        """Time passed for the machine: see `Observer.woken`."""
        self._take(Woken(at), *signals)

    def closed(self, at: float, signals: Iterable[Signal]) -> None:
        """The machine was closed: see `Observer.closed`."""
        self._take(Closed(at), *signals)
        self._closed = True

    def told(self, signal: Signal | ReplyEnded) -> None:
        """A signal of the session's own."""
        self._take(signal)

    def fact(self, at: float, name: str, /, **fields: Any) -> None:
        """Something that the machine is not told: see `Observer.fact`."""
        self._take(Fact(at, name, fields))

    def end(self) -> None:
        """Nothing more will be told."""
        if self._on_end is not None:
            self._on_end(self.evidence)

    def _take(self, *records: Record) -> None:
        if len(self._records) < MOST_RECORDS:
            self._records += records
