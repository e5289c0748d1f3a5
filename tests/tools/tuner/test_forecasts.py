"""`Forecaster.only`: what a process is sent, which forecasts a share of the settings as the whole would."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from benchmarks.callers import MODELS
from benchmarks.callers.world import REPLY_SECONDS
from benchmarks.tuner_coverage import RECORDED, VARIANTS
from turnkit.tools.tuner import FluxThresholds, Setting, Worth
from turnkit.tools.tuner.forecasts import Forecaster

SETTINGS = [
    Setting(FluxThresholds(eot, eager, timeout), drafts)
    for eot in (0.6, 0.7, 0.85)
    for eager in (None, 0.4, 0.6)
    for timeout in (1.5, 5.0)
    for drafts in (1, 2)
]


@pytest.fixture(scope="module")
def whole() -> Forecaster:
    world = MODELS["plateaus"](np.random.default_rng(3), 60)
    return Forecaster(world.heard(RECORDED[1], VARIANTS[0]), REPLY_SECONDS, Worth())


def test_it_forecasts_as_the_whole_does(whole: Forecaster) -> None:
    """To the last bit, and what each setting costs in the calls that have a say too."""
    part = pickle.loads(pickle.dumps(whole.only(SETTINGS)))
    for setting in SETTINGS:
        assert part.forecast(setting) == whole.forecast(setting)
        assert part.chosen_cost(setting) == whole.chosen_cost(setting)
    assert part.gate == whole.gate
    assert np.array_equal(part.turns, whole.turns)


def test_it_is_small(whole: Forecaster) -> None:
    """The samples, which are most of the calls, are not in it; nor is what other settings have left behind."""
    for setting in SETTINGS:
        whole.forecast(setting)
    assert len(pickle.dumps(whole.only(SETTINGS[:2]))) < len(pickle.dumps(whole)) / 2


def test_it_leaves_the_whole_as_it_was(whole: Forecaster) -> None:
    """Which goes on forecasting anything; the part does not know a threshold that it was not made for."""
    before = whole.forecast(SETTINGS[-1])
    part = whole.only(SETTINGS[:1])
    part.forecast(SETTINGS[0])
    assert whole.forecast(SETTINGS[-1]) == before
    with pytest.raises(KeyError):
        part.forecast(Setting(FluxThresholds(0.9, None, 5.0)))
