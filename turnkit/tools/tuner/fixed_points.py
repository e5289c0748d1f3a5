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

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from math import inf, nan

import msgspec

from .silences import CallSilences
from .statistics import mean, share

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


class EndingPolicy(msgspec.Struct, frozen=True):
    """When a turn is ended.

    Attributes:
        threshold: Confidence from which on it is.
        action_delay: Seconds of silence before which it is not.
        timeout: Seconds of silence after which it is in any case.
    """

    threshold: float
    action_delay: float
    timeout: float

    def __str__(self) -> str:
        return f"{self.threshold:.2f} / {self.action_delay:g} s / {self.timeout:g} s"


FLUX_POLICIES = tuple(EndingPolicy(eot, 0.0, timeout) for eot, timeout in product(_THRESHOLDS, _TIMEOUTS))
"""Those that Flux itself can be set to, at which its fixed points are told."""


class Span(msgspec.Struct, frozen=True, gc=False):
    """A pause of the user's, as far as it is known.

    Attributes:
        seconds: Seconds until the user went on, or if it may have been the end, spoke again; inf if never.
        samples: Seconds of silence so far and Flux's confidence then, in order.
        known: Seconds of silence up to which the samples are complete.
        hold: Whether it is a pause within a turn; None if nobody can tell.
    """

    seconds: float
    samples: Sequence[tuple[float, float]]
    known: float
    hold: bool | None


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


def operating_points(calls: Sequence[Sequence[Span]], policies: Iterable[EndingPolicy]) -> list[OperatingPoint]:
    """What each of these policies makes of the pauses of some calls."""
    counted = [[span for span in call if span.hold is not True or _counts(span)] for call in calls]
    points, threshold, reached = [], nan, [[inf]]
    for policy in sorted(policies, key=lambda one: one.threshold):
        if policy.threshold != threshold:
            threshold = policy.threshold
            reached = [[_reached(span, threshold) for span in call] for call in counted]
        judged = [
            [_judged(span, policy, at) for span, at in zip(call, times, strict=True)]
            for call, times in zip(counted, reached, strict=True)
        ]
        points.append(_point(policy, judged))
    return points


def _point(policy: EndingPolicy, judged: list[list[_Judged]]) -> OperatingPoint:
    ends = [[one for one in call if one.hold is False] for call in judged]
    holds = [[one for one in call if one.hold is True] for call in judged]
    unsure = [[one for one in call if one.hold is None] for call in judged]

    def figure(sure: list[list[_Judged]], value: Callable[[_Judged], tuple[float, float]], most: float | None) -> Range:
        low = _chosen(sure, unsure, lambda one: value(one)[0], sign=-1)
        high = _chosen(sure, unsure, lambda one: value(one)[1], sign=1)
        if not any(low) or not any(high):
            return Range(0.0, most or 1.0, 0.0, most or 1.0)
        shared = most is None
        return Range(_plain_mean(low), _plain_mean(high), _interval(low, shared)[0], _interval(high, shared)[1])

    return OperatingPoint(
        policy,
        latency=figure(ends, lambda one: (one.early, one.late), most=policy.timeout),
        cut_offs=figure(holds, lambda one: (one.cut_late, one.cut_early), most=None),
        detected=figure(ends, lambda one: (one.late < policy.timeout, one.early < policy.timeout), most=None),
        holds=sum(map(len, holds)) + sum(map(len, unsure)),
        ends=sum(map(len, ends)) + sum(map(len, unsure)),
    )


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


class _Judged(msgspec.Struct, frozen=True, gc=False):
    """When a policy ends a pause: between `early` and `late`; and whether the user went on after that."""

    hold: bool | None
    early: float
    late: float
    cut_early: bool
    cut_late: bool


def _counts(span: Span) -> bool:
    return SHORTEST_HOLD - _NOISE <= span.seconds <= LONGEST_HOLD + _NOISE


def _reached(span: Span, threshold: float) -> float:
    return next((elapsed for elapsed, sure in span.samples if sure >= threshold - _NOISE), inf)


def _judged(span: Span, policy: EndingPolicy, reached: float) -> _Judged:
    late = min(max(reached, policy.action_delay), policy.timeout)
    complete = span.known >= min(policy.timeout, span.seconds) - _NOISE
    # Unless it is complete, Flux ended the turn before it was as sure as that.
    early = late if reached < inf or complete else min(max(span.known, policy.action_delay), policy.timeout)
    # Times of words lie on a grid: a report at the very moment at which the next word begins came before it.
    tie = _NOISE if reached < policy.timeout else -_NOISE
    return _Judged(span.hold, early, late, early < span.seconds + tie, late < span.seconds + tie)


def _chosen(
    sure: list[list[_Judged]], unsure: list[list[_Judged]], value: Callable[[_Judged], float], *, sign: int
) -> list[list[float]]:
    """The values of what is sure, and of the unsure those that move their mean furthest the way of `sign`."""
    total, count = sum(value(one) for call in sure for one in call), sum(map(len, sure))
    bound = -sign * inf  # beyond it an unsure one is counted
    for one in sorted((value(one) for call in unsure for one in call), reverse=sign > 0):
        if count and sign * (one - total / count) <= 0:
            break
        total, count, bound = total + one, count + 1, one
    taken = [[one for one in map(value, call) if bound != -sign * inf and sign * (one - bound) >= 0] for call in unsure]
    return [[*map(value, call), *more] for call, more in zip(sure, taken, strict=True)]


def _plain_mean(calls: list[list[float]]) -> float:
    return sum(map(sum, calls)) / sum(map(len, calls))


def _interval(calls: list[list[float]], shared: bool) -> tuple[float, float]:
    if shared:
        estimate = share((round(sum(call)), len(call)) for call in calls)
    else:
        estimate = mean([call for call in calls if call])
    return estimate.low, estimate.high
