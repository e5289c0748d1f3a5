"""What policies make of pauses: all pauses at once, in columns."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from .columns import Counts, Numbers
from .ending import EndingPolicy, Span
from .statistics import ratio, share_of

_NOISE = 1e-6
_END, _HOLD, _UNSURE = 0, 1, 2

Interval = tuple[float, float, float, float]
"""Of a figure, its bounds for these very pauses, and the ends of the 95 % intervals around them."""


@dataclass(frozen=True)
class Judged:
    """What a policy makes of all pauses: `Interval`s, and how many pauses they rest on."""

    latency: Interval
    cut_offs: Interval
    detected: Interval
    holds: int
    ends: int


class Pauses:
    """Pauses of some calls, one row each.

    Args:
        calls: The pauses of each call; each is read once, and not kept.
    """

    def __init__(self, calls: Iterable[Sequence[Span]]) -> None:
        numbers, kinds = array("d"), array("q")
        samples, offsets = array("d"), array("q")
        for call, spans in enumerate(calls):
            for span in spans:
                numbers.extend((span.seconds, span.known))
                kinds.extend((call, _UNSURE if span.hold is None else _HOLD if span.hold else _END))
                offsets.append(len(samples) // 2)
                for sample in span.samples:
                    samples.extend(sample)
                samples.extend((inf, inf))  # of which each pause has one, so that none is without
        self._seconds, self._known = np.array(numbers, dtype=np.float64).reshape(-1, 2).T
        self._call, self._kind = np.array(kinds, dtype=np.int64).reshape(-1, 2).T
        self._elapsed, self._sure = np.array(samples, dtype=np.float64).reshape(-1, 2).T
        self._offsets = np.array(offsets, dtype=np.int64)
        self._calls = int(self._call[-1]) + 1 if len(self._call) else 0
        self._rows = {kind: np.flatnonzero(self._kind == kind) for kind in (_END, _HOLD, _UNSURE)}

    def judged(self, policies: Iterable[EndingPolicy]) -> Iterator[Judged]:
        """What each policy makes of them; it is quickest if those of one threshold follow each other."""
        threshold, reached = None, np.zeros(0)
        for policy in policies:
            if policy.threshold != threshold:
                threshold = policy.threshold
                reached = self._reached(threshold)
            yield self._judged(policy, reached)

    def _reached(self, threshold: float) -> Numbers:
        """The second of each pause at which the confidence is first as high as that; inf if it never is."""
        if not len(self._offsets):
            return np.zeros(0)
        over = np.where(self._sure >= threshold - _NOISE, self._elapsed, inf)
        return np.asarray(np.minimum.reduceat(over, self._offsets), dtype=np.float64)

    def _judged(self, policy: EndingPolicy, reached: Numbers) -> Judged:
        """When the policy ends each pause: between `early` and `late`; and whether the user went on after that."""
        timeout, delay = policy.timeout, policy.action_delay
        late = np.minimum(np.maximum(reached, delay), timeout)
        complete = self._known >= np.minimum(timeout, self._seconds) - _NOISE
        # Unless it is complete, Flux ended the turn before it was as sure as that.
        open_from = np.minimum(np.maximum(self._known, delay), timeout)
        early = np.where((reached < inf) | complete, late, open_from)
        # Times of words lie on a grid: a report at the very moment at which the next word begins came before it.
        limit = self._seconds + np.where(reached < timeout, _NOISE, -_NOISE)
        cut_early, cut_late = (early < limit).astype(np.float64), (late < limit).astype(np.float64)
        by_late, by_early = ((one < timeout).astype(np.float64) for one in (late, early))
        unsure = len(self._rows[_UNSURE])
        return Judged(
            latency=self._figure(_END, early, late, policy.timeout),
            cut_offs=self._figure(_HOLD, cut_late, cut_early, None),
            detected=self._figure(_END, by_late, by_early, None),
            holds=len(self._rows[_HOLD]) + unsure,
            ends=len(self._rows[_END]) + unsure,
        )

    def _figure(self, kind: int, low: Numbers, high: Numbers, most: float | None) -> Interval:
        """A mean over pauses of a kind, at least and at most; a share, unless it is told how large it may be."""
        at_least, at_most = self._chosen(kind, low, sign=-1), self._chosen(kind, high, sign=1)
        if not len(at_least) or not len(at_most):
            return 0.0, most or 1.0, 0.0, most or 1.0
        found = [self._interval(*one, shared=most is None) for one in ((at_least, low), (at_most, high))]
        return found[0][0], found[1][0], found[0][1], found[1][2]

    def _chosen(self, kind: int, values: Numbers, *, sign: int) -> Counts:
        """The rows of what is sure, and of the unsure those that move their mean furthest the way of `sign`."""
        sure, unsure = self._rows[kind], self._rows[_UNSURE]
        ordered = -sign * np.sort(-sign * values[unsure])
        before = np.concatenate(([0.0], np.cumsum(ordered)))[:-1] + values[sure].sum()
        counts = len(sure) + np.arange(len(ordered))
        stays = (counts > 0) & (sign * (ordered - before / np.maximum(counts, 1)) <= 0)
        taken = int(stays.argmax()) if stays.any() else len(ordered)
        if not taken:
            return sure
        return np.concatenate((sure, unsure[sign * (values[unsure] - ordered[taken - 1]) >= 0]))

    def _interval(self, rows: Counts, values: Numbers, *, shared: bool) -> tuple[float, float, float]:
        """The mean of some rows, and its 95 % interval as calls differ."""
        weighed = np.bincount(self._call[rows], weights=values[rows], minlength=self._calls)
        sums = np.asarray(weighed, dtype=np.float64)
        counts = np.bincount(self._call[rows], minlength=self._calls).astype(np.float64)
        estimate = share_of(sums, counts) if shared else ratio(sums, counts)
        return float(sums.sum()) / len(rows), estimate.low, estimate.high
