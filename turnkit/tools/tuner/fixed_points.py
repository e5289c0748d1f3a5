"""Fixed points: cut-offs at a fixed latency, and latency at a fixed share of cut-offs, as eot-bench tells them.

https://github.com/livekit/eot-bench looks at each pause of at least 0.1 s: the last one of a turn is its end (`eot`),
those before are holds, and those of 0.2 to 5 s count. A *policy* ends the turn once the confidence has reached
`threshold`, not before `action_delay` seconds of silence, and at `timeout` in any case. Its *latency* is the mean
silence at which it ends true ends, those that fall to the timeout among them; its *cut-offs* are the share of holds
that it ends; *detected* is the share of true ends that it ended before the timeout.

Read from recordings, both may be known only within bounds: what Flux would have said after it had ended a turn, and
whether a user who spoke again some seconds after that had been cut off or had finished, is nowhere recorded. A `Range`
says so. Flux itself has no action delay: 0 is what `eot_threshold` and `eot_timeout_ms` alone do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

import msgspec

from .ending import EndingPolicy, Span
from .silences import CallSilences

SHORTEST_HOLD = 0.2
"""Seconds below which a pause in a turn does not count."""

LONGEST_HOLD = 5.0
"""Seconds above which a pause in a turn does not count, and above which nobody is taken to go on with it."""

LATENCIES = (0.3, 0.6)
"""The latencies, in seconds, at which cut-offs are told."""

CUT_OFFS = (0.05, 0.1)
"""The shares of cut-offs at which latencies are told."""

_THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
_TIMEOUTS = (1.0, 1.5, 2.0, 2.5, 3.0, 5.0)
_NOISE = 1e-6


FLUX_POLICIES = tuple(EndingPolicy(eot, 0.0, timeout) for eot, timeout in product(_THRESHOLDS, _TIMEOUTS))
"""Those that Flux itself can be set to, at which its fixed points are told."""


class Range(msgspec.Struct, frozen=True):
    """A figure as far as recordings tell it: equal bounds if they tell all.

    Attributes:
        low: Its lower bound, for these very pauses.
        high: Its upper bound, for these very pauses.
        least: The lower end of the 95 % interval around the lower bound, as calls differ.
        most: The upper end of the 95 % interval around the upper bound.
    """

    low: float
    high: float
    least: float
    most: float

    @property
    def exact(self) -> bool:
        """Whether the pauses leave nothing open."""
        return self.high - self.low < _NOISE

    def holds(self, value: float) -> bool:
        """Whether the value lies between `least` and `most`."""
        return self.least - _NOISE <= value <= self.most + _NOISE


class OperatingPoint(msgspec.Struct, frozen=True):
    """What a policy makes of pauses.

    Attributes:
        policy: The policy.
        latency: Mean seconds of silence at which true ends are ended.
        cut_offs: Share of holds that are ended.
        detected: Share of true ends that are ended before the timeout.
        holds: Number of holds, those that may be ends among them.
        ends: Number of true ends, those that may be holds among them.
    """

    policy: EndingPolicy
    latency: Range
    cut_offs: Range
    detected: Range
    holds: int
    ends: int


class FixedPoints(msgspec.Struct, frozen=True):
    """The best that a set of policies can do within budgets; where only bounds are known, by their worse end.

    Attributes:
        cut_offs_at: For each latency in seconds the point with the fewest cut-offs that is no slower; None if none is.
        latency_at: For each share of cut-offs the quickest point that has no more; None if none has.
    """

    cut_offs_at: dict[float, OperatingPoint | None]
    latency_at: dict[float, OperatingPoint | None]


def spans(call: CallSilences) -> list[Span]:
    """The pauses of a call: holds and ends, and those of which nobody can tell."""
    found: list[Span] = []
    for *pauses, last in call.utterances:
        found += [
            Span(silence.seconds, silence.samples, silence.known, hold=True)
            for silence in pauses
            if silence.seconds >= SHORTEST_HOLD - _NOISE
        ]
        if last.trigger != "manual":
            hold = False if last.gap > LONGEST_HOLD else None
            found.append(Span(last.gap, last.samples, last.known, hold))
    return found


def operating_points(calls: Iterable[Sequence[Span]], policies: Iterable[EndingPolicy]) -> list[OperatingPoint]:
    """What each of these policies makes of the pauses of some calls, each of which is read once."""
    from .judging import Pauses

    pauses = Pauses([span for span in call if span.hold is not True or _counts(span)] for call in calls)
    asked = sorted(policies, key=lambda one: one.threshold)
    return [
        OperatingPoint(
            policy, Range(*made.latency), Range(*made.cut_offs), Range(*made.detected), made.holds, made.ends
        )
        for policy, made in zip(asked, pauses.judged(asked), strict=True)
    ]


def fixed_points(points: Iterable[OperatingPoint]) -> FixedPoints:
    """The best of these points at each of `LATENCIES` and `CUT_OFFS`."""
    points = list(points)
    return FixedPoints(
        {
            budget: min(
                (one for one in points if one.latency.high <= budget + _NOISE),
                key=lambda one: (one.cut_offs.high, one.latency.high),
                default=None,
            )
            for budget in LATENCIES
        },
        {
            budget: min(
                (one for one in points if one.cut_offs.high <= budget + _NOISE),
                key=lambda one: (one.latency.high, one.cut_offs.high),
                default=None,
            )
            for budget in CUT_OFFS
        },
    )


def lines(points: FixedPoints) -> list[str]:
    """Fixed points in words, one a line."""
    told = []
    for budget, best in points.cut_offs_at.items():
        said = f"{_percent(best.cut_offs)}, by {best.policy}" if best else "no setting is so quick"
        told.append(f"cut-offs at {budget * 1000:.0f} ms: {said}")
    for budget, best in points.latency_at.items():
        said = f"{_milliseconds(best.latency)}, by {best.policy}" if best else "no setting is known"
        told.append(f"latency at {budget:.0%} cut-offs: {said}")
    return told


def _percent(figure: Range) -> str:
    known = f"{figure.high:.1%}" if figure.exact else f"{figure.low:.1%} to {figure.high:.1%}"
    return f"{known} (95 %: {figure.least:.1%} to {figure.most:.1%})"


def _milliseconds(figure: Range) -> str:
    high = f"{figure.high * 1000:.0f} ms"
    known = high if figure.exact else f"{figure.low * 1000:.0f} to {high}"
    return f"{known} (95 %: {figure.least * 1000:.0f} to {figure.most * 1000:.0f} ms)"


def _counts(span: Span) -> bool:
    return SHORTEST_HOLD - _NOISE <= span.seconds <= LONGEST_HOLD + _NOISE
