"""Means and shares with their intervals: the turns of one call are alike, so whole calls are what is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, inf, sqrt

import msgspec

# Student's t at 95 %, by degrees of freedom; between the rows the more careful one counts.
_T95 = (
    (1, 12.71),
    (2, 4.30),
    (3, 3.18),
    (4, 2.78),
    (5, 2.57),
    (7, 2.36),
    (10, 2.23),
    (15, 2.13),
    (30, 2.04),
    (100, 1.98),
)
_Z95 = 1.96


class Estimate(msgspec.Struct, frozen=True):
    """A mean or a share as `value`, and the interval from `low` to `high` in which it lies with 95 % confidence."""

    value: float
    low: float
    high: float


def student(freedom: int) -> float:
    """Student's t for a 95 % interval; inf without any degree of freedom."""
    if freedom < 1:
        return inf
    return next((t for rows, t in reversed(_T95) if freedom >= rows), inf)


def mean(calls: Sequence[Sequence[float]]) -> Estimate:
    """The mean over all turns, its interval by leaving out one call at a time (the jackknife)."""
    sums = [(sum(call), len(call)) for call in calls if call]
    total, count = sum(s for s, _ in sums), sum(n for _, n in sums)
    if not count:
        return Estimate(0.0, -inf, inf)
    value = total / count
    calls_count = len(sums)
    if calls_count < 2:
        return Estimate(value, -inf, inf)
    without = [(total - s) / (count - n) for s, n in sums]
    centre = sum(without) / calls_count
    error = sqrt((calls_count - 1) / calls_count * sum((one - centre) ** 2 for one in without))
    reach = student(calls_count - 1) * error
    return Estimate(value, value - reach, value + reach)


def share(calls: Iterable[tuple[int, int]]) -> Estimate:
    """The share of hits among tries, with Wilson's interval on as many independent tries as the calls are worth.

    The value is smoothed as by one hit and one miss before the first, so that few tries claim little.

    Args:
        calls: Hits and tries of each call.

    Returns:
        The share and its interval.
    """
    counted = [(hits, tries) for hits, tries in calls if tries]
    hits, tries = sum(h for h, _ in counted), sum(n for _, n in counted)
    if not tries:
        return Estimate(0.5, 0.0, 1.0)
    rate = hits / tries
    spread = rate * (1 - rate) / tries
    worth = float(tries)
    if len(counted) > 1 and spread > 0:
        among = sum((h - rate * n) ** 2 for h, n in counted) * len(counted) / (len(counted) - 1) / tries**2
        worth = tries / max(1.0, among / spread)
    z = _Z95**2 / worth
    middle = (rate + z / 2) / (1 + z)
    reach = _Z95 * sqrt(rate * (1 - rate) / worth + z / (4 * worth)) / (1 + z)
    return Estimate((hits + 1) / (tries + 2), max(0.0, middle - reach), min(1.0, middle + reach))


def quantile(values: Sequence[float], part: float) -> float | None:
    """The smallest value that `part` of them do not exceed; None if there are none."""
    return sorted(values)[max(0, ceil(part * len(values)) - 1)] if values else None
