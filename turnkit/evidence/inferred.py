"""Thresholds of a recording that does not name them, as far as its events tell.

Each is a range. Flux ends a turn at a confidence of at least `eot_threshold`, so that is at most the least confidence
of an end. It is more than what a turn that ended by its timeout had reached after a second of silence; in shorter ones
Flux lets high numbers pass. Where events contradict each other (a threshold changed in mid-call) a range is a point.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from ..trace import Fed, Trace
from ..turns.events import EagerEndOfTurn, EndOfTurn, TurnEvent

EOT = (0.5, 1.0)
EAGER = (0.3, 0.9)
TIMEOUT = (0.5, 60.0)
"""What Flux takes, in seconds the last."""

_SURE_SECONDS = 1.0
"""Seconds of silence after which Flux is taken to act on a number at once."""
_REPORTS = 0.24
"""Seconds between two of Flux's reports, at most: so much later than it happened a timeout is seen."""


class Range(msgspec.Struct, frozen=True):
    """Between what a value lies.

    Attributes:
        low: it is not below that.
        high: it is not above that; the same as `low` if it is known.
    """

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:.2f}" if self.low == self.high else f"{self.low:.2f} to {self.high:.2f}"


class InferredThresholds(msgspec.Struct, frozen=True):
    """Where the thresholds of a recording lie.

    Attributes:
        eot: The `eot_threshold`.
        eager: The `eager_eot_threshold`; None if no eager end came, so that it may be off.
        timeout: The `eot_timeout`, in seconds.
        ends: Number of ends of turns that this rests on.
    """

    eot: Range
    eager: Range | None
    timeout: Range
    ends: int


def infer_thresholds(trace: Trace) -> InferredThresholds:
    """Read off the events of a recording where its thresholds lie."""
    events: list[TurnEvent] = [r.event for r in trace.records if type(r) is Fed and isinstance(r.event, TurnEvent)]
    ends = [event for event in events if isinstance(event, EndOfTurn)]
    sure = [event.confidence for event in ends if event.trigger in ("model", "")]
    eager = [event.confidence for event in events if isinstance(event, EagerEndOfTurn)]
    waits = [wait for event in ends if event.trigger == "timeout" and (wait := _silence(event)) is not None]
    others = [wait for event in ends if event.trigger in ("model", "") and (wait := _silence(event)) is not None]
    timeout = _range(max(min(waits) - _REPORTS, *TIMEOUT[:1]), min(waits), TIMEOUT) if waits else None
    return InferredThresholds(
        _range(max(_not_enough(events), default=EOT[0]), min(sure, default=EOT[1]), EOT),
        _range(EAGER[0], min(eager), EAGER) if eager else None,
        timeout or _range(max(others, default=TIMEOUT[0]), TIMEOUT[1], TIMEOUT),
        len(ends),
    )


def together(found: Iterable[InferredThresholds]) -> InferredThresholds | None:
    """The ranges that hold for all of them; None if there are none."""
    rows = list(found)
    if not rows:
        return None
    eager = [row.eager for row in rows if row.eager is not None]
    return InferredThresholds(
        _around([row.eot for row in rows]),
        _around(eager) if eager else None,
        _around([row.timeout for row in rows]),
        sum(row.ends for row in rows),
    )


def _around(ranges: list[Range]) -> Range:
    return Range(min(one.low for one in ranges), max(one.high for one in ranges))


def _range(low: float, high: float, bounds: tuple[float, float]) -> Range:
    high = min(max(high, bounds[0]), bounds[1])
    return Range(min(max(low, bounds[0]), high), high)


def _not_enough(events: list[TurnEvent]) -> Iterator[float]:
    """Confidences at which Flux could have ended a turn, and waited for the timeout instead."""
    turn: list[TurnEvent] = []
    for event in events:
        if turn and turn[-1].turn_index != event.turn_index:
            turn = []
        turn.append(event)
        if isinstance(event, EndOfTurn) and event.trigger == "timeout" and (wait := _silence(event)) is not None:
            since = event.audio_end - wait + _SURE_SECONDS
            yield from (one.confidence for one in turn[:-1] if one.audio_end >= since)


def _silence(event: EndOfTurn) -> float | None:
    ends = [word.end for word in event.words if word.end is not None]
    return max(event.audio_end - max(ends), 0.0) if ends else None
