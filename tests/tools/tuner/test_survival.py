"""How long users pause: the survival curves, held against those of scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.callers import MODELS
from benchmarks.tuner_coverage import RECORDED, VARIANTS
from turnkit.tools.tuner.doubts import doubts
from turnkit.tools.tuner.survival import curve_at, kaplan_meier, survivals


def test_a_curve_is_scipys_where_all_count_for_one() -> None:
    """Kaplan and Meier's estimate and the interval by the logarithm of its logarithm."""
    chance = np.random.default_rng(2)
    seconds = np.round(chance.exponential(1.0, 200), 1) + 0.1
    ended = (chance.random(200) < 0.7) & (seconds < seconds.max())
    known = stats.ecdf(stats.CensoredData.right_censored(seconds, ~ended)).sf
    asked = np.array([0.15, 0.55, 1.05, 1.55, 2.05])
    share, low, high = curve_at(kaplan_meier(seconds, ended, np.ones(200)), asked)
    interval = known.confidence_interval(0.95, method="log-log")
    np.testing.assert_allclose(share, known.evaluate(asked))
    np.testing.assert_allclose(low, interval.low.evaluate(asked))
    np.testing.assert_allclose(high, interval.high.evaluate(asked))


def test_one_that_counts_for_two_is_two() -> None:
    """Weights are counts, of those that ended and of those that were censored."""
    seconds, ended = np.array([0.5, 1.0, 1.0, 2.0]), np.array([True, True, False, True])
    weights = np.array([2.0, 1.0, 3.0, 1.0])
    twice = np.repeat(seconds, weights.astype(int)), np.repeat(ended, weights.astype(int))
    for mine, theirs in zip(kaplan_meier(seconds, ended, weights), kaplan_meier(*twice, np.ones(7)), strict=True):
        np.testing.assert_allclose(mine, theirs)


def test_pauses_that_were_cut_off_are_censored_and_not_left_out() -> None:
    """Recorded with a timeout of a second, as many are said to last longer than 1.5 s as do."""
    world = MODELS["plateaus"](np.random.default_rng(4), 400)
    columns = world.heard(RECORDED[0], VARIANTS[2])
    curves = survivals(columns, doubts(columns).likely)
    assert [(one.low, one.high) for one in curves] == [(0.0, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, np.inf)]
    total = sum(one.pauses for one in curves)
    assert total == pytest.approx((~world.last).sum(), rel=0.03)
    lasting = sum(one.pauses * one.lasting[one.seconds.index(1.5)] for one in curves) / total
    assert lasting == pytest.approx((world.pause[~world.last] > 1.5).mean(), abs=0.02)
    assert all(a >= b for one in curves for a, b in zip(one.lasting, one.lasting[1:], strict=False))
    for one in curves:
        assert all(np.less_equal(one.lasting_low, one.lasting))
        assert all(np.less_equal(one.lasting, one.lasting_high))
