"""Means and shares with their intervals: the turns of one call are alike, so whole calls are what is drawn.

Quantiles of the distributions come from scipy, which is loaded when the first interval is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from math import ceil, erf, inf, nan, sqrt
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from .columns import Numbers

_LOW, _HIGH = 0.025, 0.975
_MANY = 8  # events, above which their own spread says how far they are apart


class Estimate(msgspec.Struct, frozen=True, omit_defaults=True):
    """A mean or a share as `value`, and the interval from `low` to `high` in which it lies with 95 % confidence.

    Attributes:
        value: What was counted; nan where nothing was.
        low: Lower end of the interval.
        high: Upper end of the interval.
        hits: Of a share, how many there were; None of a mean.
        tries: Of a share, of how many; None of a mean.
    """

    value: float
    low: float
    high: float
    hits: int | None = None
    tries: int | None = None


@cache
def student(freedom: int) -> float:
    """Student's t for a 95 % interval; inf without any degree of freedom."""
    if freedom < 1:
        return inf
    from scipy import special

    return float(special.stdtrit(freedom, _HIGH))


def mean(calls: Sequence[Sequence[float]]) -> Estimate:
    """The mean over all turns of all calls."""
    import numpy as np

    return ratio(np.array([sum(call) for call in calls]), np.array([float(len(call)) for call in calls]))


def ratio(sums: Numbers, turns: Numbers, *, counted: bool = False) -> Estimate:
    """The mean over all turns.

    Args:
        sums: Sum over the turns of each call.
        turns: Number of turns of each call.
        counted: Whether events are counted, which are rare and never below 0: theirs is a score interval, which has a
            width even where nothing was seen.

    Returns:
        The mean, with an interval that takes calls for independent, not turns.
    """
    import numpy as np

    some = turns > 0
    if not some.all():
        sums, turns = sums[some], turns[some]
    calls, count = len(turns), float(turns.sum())
    if not calls:
        return Estimate(nan, -inf, inf)
    value = float(sums.sum()) / count
    if calls < 2:
        return Estimate(value, 0.0 if counted else -inf, inf)
    rest = sums - value * turns
    # What one call left out changes in the mean: the jackknife.
    moved = rest / (count - turns) if count > turns.max() else rest
    moved = moved - moved.mean()
    variance = (calls - 1) / calls * float(np.einsum("i,i", moved, moved))
    t = student(calls - 1)
    if counted:
        return _score(value, variance, count, t)
    low, high = _skewed(rest, t)
    scale = variance**0.5
    return Estimate(value, value + low * scale, value + high * scale)


def _skewed(rest: Numbers, t: float) -> tuple[float, float]:
    """Where a t interval begins and ends, in standard errors: Johnson's, which is moved towards the long tail."""
    import numpy as np

    squares = rest * rest
    spread = float(squares.mean())
    if spread <= 0:
        return -t, t
    skewness = float(np.einsum("i,i", squares, rest)) / len(rest) / spread**1.5
    shift = skewness / (6 * len(rest) ** 0.5) * (1 + 2 * t**2) / 3
    return -t + shift, t + shift


def _score(value: float, variance: float, turns: float, t: float) -> Estimate:
    """The score interval of a rate of events, on as many independent turns as the calls are worth."""
    worth = turns
    if value * turns > _MANY and variance > 0:
        worth = value / variance
    elif variance > 0:
        worth = min(turns, value / variance)
    middle = value + t**2 / (2 * worth)
    reach = t * (value / worth + t**2 / (4 * worth**2)) ** 0.5
    return Estimate(value, max(0.0, middle - reach), middle + reach)


def beyond(width: float) -> float:
    """Of a reach of 1.96 standard errors, how much an interval needs beyond both ends of what is not known.

    All of it where the ends are one, and 1.645 standard errors where they are far apart, as the truth cannot be beyond
    both (Imbens and Manski).

    Args:
        width: How far the ends are apart, in such reaches.
    """
    if width <= 0:
        return 1.0
    apart = 1.959964 * width
    low, high = 1.6448, 1.96
    for _ in range(12):
        middle = (low + high) / 2
        inside = (erf((middle + apart) / sqrt(2)) + erf(middle / sqrt(2))) / 2
        low, high = (middle, high) if inside < 0.95 else (low, middle)
    return high / 1.959964


def difference(one: Estimate, other: Estimate, stretch: float = 1.0) -> Estimate:
    """How much more the first is than the second, both from calls of their own.

    Its interval is made of theirs (the method of variance estimates recovery), and so as lopsided as they are.

    Args:
        one: The first.
        other: The second.
        stretch: How much wider the interval is to be, where many differences are looked at.

    Returns:
        The difference and its interval.
    """
    value = one.value - other.value
    down = ((one.value - one.low) ** 2 + (other.high - other.value) ** 2) ** 0.5
    up = ((one.high - one.value) ** 2 + (other.value - other.low) ** 2) ** 0.5
    return Estimate(value, value - stretch * down, value + stretch * up)


def share(calls: Iterable[tuple[int, int]]) -> Estimate:
    """The share of hits among tries, with Jeffreys' interval on as many independent tries as the calls are worth.

    Args:
        calls: Hits and tries of each call.

    Returns:
        What was counted, and its interval; nan from 0 to 1 where nothing was.
    """
    import numpy as np

    hits, tries = np.array([*calls], dtype=np.float64).reshape(-1, 2).T
    return share_of(hits, tries)


def share_of(hits: Numbers, tries: Numbers) -> Estimate:
    """The same, from the hits and the tries of each call in columns."""
    from scipy import special

    some = tries > 0
    hits, tries = hits[some], tries[some]
    yes, count = round(float(hits.sum())), round(float(tries.sum()))
    if not count:
        return Estimate(nan, 0.0, 1.0, 0, 0)
    rate = yes / count
    spread = rate * (1 - rate) / count
    worth = float(count)
    if len(tries) > 1 and spread > 0:
        among = float(((hits - rate * tries) ** 2).sum()) * len(tries) / (len(tries) - 1) / count**2
        worth = count / max(1.0, among / spread)
    one, other = rate * worth + 0.5, (1 - rate) * worth + 0.5
    low = 0.0 if yes == 0 else float(special.betaincinv(one, other, _LOW))
    high = 1.0 if yes == count else float(special.betaincinv(one, other, _HIGH))
    return Estimate(rate, low, high, yes, count)


def quantile(values: Sequence[float] | Numbers, part: float) -> float | None:
    """The smallest value that `part` of them do not exceed; None if there are none."""
    return quantiles(values, part)[0] if len(values) else None


def quantiles(values: Sequence[float] | Numbers, *parts: float) -> list[float]:
    """The smallest value that each part of them does not exceed, of at least one."""
    import numpy as np

    places = [max(0, ceil(part * len(values)) - 1) for part in parts]
    ordered = np.partition(np.asarray(values, dtype=np.float64), places)
    return [float(ordered[place]) for place in places]
