"""Intervals: what was counted, and how far off it may be."""

from __future__ import annotations

from math import inf, isnan

import numpy as np
import pytest

from turnkit.tools.tuner import Estimate
from turnkit.tools.tuner.statistics import difference, ratio, share, student


def test_five_of_five_is_all_and_none_of_five_is_none() -> None:
    """With an interval that says how little five are."""
    every, none = share([(1, 1)] * 5), share([(0, 1)] * 5)
    assert (every.value, every.high, every.hits, every.tries) == (1.0, 1.0, 5, 5)
    assert (none.value, none.low, none.hits, none.tries) == (0.0, 0.0, 0, 5)
    assert every.low == pytest.approx(0.621, abs=1e-3), "Jeffreys' interval"
    assert none.high == pytest.approx(1 - 0.621, abs=1e-3)


def test_nothing_counted_is_no_number() -> None:
    """Neither a share nor a mean."""
    assert isnan(share([]).value)
    assert isnan(ratio(np.zeros(3), np.zeros(3)).value)
    assert student(0) == inf
    assert student(10) == pytest.approx(2.228, abs=1e-3)


@pytest.mark.parametrize("rate", [0.02, 0.25])
@pytest.mark.parametrize("calls", [20, 100])
def test_counts_of_callers_who_differ_are_covered(rate: float, calls: int) -> None:
    """A thousand sets of calls: the true rate is in 93 to 99 % of the intervals, the more the rarer the events."""
    chance = np.random.default_rng(1)
    sets, inside = 1000, 0
    for _ in range(sets):
        events = chance.poisson(10 * rate * chance.gamma(3.0, 1 / 3.0, calls)).astype(float)
        estimate = ratio(events, np.full(calls, 10.0), counted=True)
        inside += estimate.low <= rate <= estimate.high
    assert 0.93 <= inside / sets <= 0.99


@pytest.mark.parametrize("calls", [20, 100])
def test_lopsided_means_are_covered(calls: int) -> None:
    """Most turns answered at once, some after a timeout of 5 s: the true mean is in 93 to 97 % of the intervals."""
    chance = np.random.default_rng(2)
    sets, inside, often = 1000, 0, 0.15
    truth = often * 5 + (1 - often) * 0.6
    for _ in range(sets):
        late = chance.binomial(10, np.clip(chance.beta(3.0, 17.0, calls), 0, 1))
        waits = late * 5.0 + (10 - late) * 0.6
        estimate = ratio(waits.astype(float), np.full(calls, 10.0))
        inside += estimate.low <= truth <= estimate.high
    assert 0.93 <= inside / sets <= 0.97


def test_a_difference_is_as_lopsided_as_what_it_is_of() -> None:
    """And wider where many are looked at."""
    one, other = Estimate(0.1, 0.05, 0.2), Estimate(0.0, 0.0, 0.03)
    apart = difference(one, other)
    assert apart.value == pytest.approx(0.1)
    assert apart.value - apart.low < apart.high - apart.value
    assert difference(one, other, 2.0).low < apart.low
