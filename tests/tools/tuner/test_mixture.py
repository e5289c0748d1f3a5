"""Which ends of turns were pauses: told by how long pauses last, how late and how sure Flux was, and by words."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from benchmarks.callers import MODELS, UNSEEN
from benchmarks.callers.world import REPLY_SECONDS
from benchmarks.tuner_coverage import RECORDED, VARIANTS, truth
from turnkit.tools.tuner import CallSilences, FluxThresholds, Setting, Silence, Worth
from turnkit.tools.tuner.columns import Columns
from turnkit.tools.tuner.doubts import doubts
from turnkit.tools.tuner.forecasts import Forecaster

DRAWS = {**MODELS, **UNSEEN}


def likely_and_true(name: str, variant: int, recorded: int, calls: int = 300) -> tuple[float, int, int]:
    """How many unsure ends of a world are likely pauses, how many are, and how many ends surely were."""
    world = DRAWS[name](np.random.default_rng(7), calls)
    columns = world.heard(RECORDED[recorded], VARIANTS[variant])
    found = doubts(columns)
    sure = int((columns.ended & ~columns.last).sum())
    return float(found.likely.sum()), int((~world.last[found.unsure]).sum()), sure


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("variant", "recorded"), [(0, 0), (1, 0), (1, 1), (2, 0), (0, 3), (3, 3)])
def test_about_as_many_are_likely_pauses_as_are(name: str, variant: int, recorded: int) -> None:
    """By a session or from bare frames, cut off by the timeout or by the model: all cut-offs are right within 15 %."""
    likely, true, sure = likely_and_true(name, variant, recorded)
    assert true > 0.04 * sure, "there is something to find"
    assert likely + sure == pytest.approx(true + sure, rel=0.15)


def test_an_end_that_came_late_is_a_pause_more_often() -> None:
    """Where the confidence rises late in pauses and soon in ends, as many are pauses as are."""
    likely, true, _ = likely_and_true("lookups", 1, 3)
    assert likely == pytest.approx(true, rel=0.2)


def test_who_waits_is_told_by_how_sure_flux_was() -> None:
    """Of turns that a timeout ended, those at little confidence are the pauses: else the response seems too long."""
    truths = truth("plateaus", 1, 4000)
    errors = []
    for seed in range(5):
        world = MODELS["plateaus"](np.random.default_rng(seed), 150)
        made = Forecaster(world.heard(RECORDED[1], VARIANTS[0]), REPLY_SECONDS, Worth())
        errors.append(made.forecast(Setting(RECORDED[1])).response.value - truths[RECORDED[1]].response)
    assert np.mean(errors) == pytest.approx(0, abs=0.006)


def test_who_trails_off_and_is_answered_late_had_finished() -> None:
    """No pause lasts 3 s, and their words join what follows; so do those of ends by timeout, which are none."""
    had = FluxThresholds(0.7, None, 5.0)
    calls = []
    for number in range(30):
        utterances = []
        for turn in range(8):
            pause = 0.3 + 0.05 * ((number + 3 * turn) % 20)
            silences = [Silence(pause, [(0.2, 0.4)], pause)]
            if turn == 0 and number % 3 == 0:
                silences.append(Silence(0.9, [(0.4, 0.72)], 0.4, "model", gap=0.9, sure=1.0, joins=True))
            if turn % 4 == 1:
                silences.append(Silence(inf, [(5.0, 0.5)], 5.04, "timeout", gap=7.0 + turn / 9, sure=5.64, joins=True))
            else:
                silences.append(Silence(inf, [(0.4, 0.8)], 0.4, "model", gap=2.0 + turn / 4, sure=1.0, joins=False))
            utterances.append(silences)
        calls.append(CallSilences(str(number), had, False, utterances, [], True))
    columns = Columns.of(calls)
    found = doubts(columns)
    assert (columns.timed_out & (columns.joins == 1)).sum() == 60
    assert found.likely[columns.timed_out].sum() < 12


def test_what_chance_and_what_is_open_do_is_told_apart() -> None:
    """More calls of the same kind leave chance less to do, and not what no call shows: how late pauses end."""
    found = []
    for calls in (60, 600):
        world = MODELS["plateaus"](np.random.default_rng(1), calls)
        columns = world.heard(RECORDED[0], VARIANTS[0])
        mixture = doubts(columns).mixture
        assert mixture is not None
        ends = np.bincount(columns.call[columns.last], minlength=columns.calls).astype(float)
        found.append(mixture.doubt(np.zeros(columns.calls), ends, np.ones(len(mixture.calls))))
        assert mixture.weights.sum() == pytest.approx(1)
    (chance_of_few, open_of_few), (chance_of_many, open_of_many) = found
    assert chance_of_many < chance_of_few
    assert open_of_many > open_of_few / 4
