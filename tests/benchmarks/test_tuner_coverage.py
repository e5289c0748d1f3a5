"""The truth lies in the intervals: callers that can be heard at any setting, by models that share nothing."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from benchmarks.callers import MODELS
from benchmarks.callers.recordings import record
from benchmarks.tuner_coverage import RECORDED, VARIANTS, Score, cell
from turnkit.tools.tuner import call_silences
from turnkit.tools.tuner.columns import Columns

SETS, CALLS = 6, 40


@pytest.mark.parametrize("name", MODELS)
def test_a_world_gives_what_the_reader_reads_from_its_recording(name: str) -> None:
    """The mass run draws columns; they are those of real events, frame by frame, read by the real reader."""
    world = MODELS[name](np.random.default_rng(3), 4)
    for variant in VARIANTS:
        for recorded in RECORDED:
            drawn = world.heard(recorded, variant)
            read = Columns.of(call_silences(record(world, number, recorded, variant)) for number in range(4))
            assert read.thresholds == drawn.thresholds
            followed = np.isfinite(drawn.gap)  # the last words of a call are followed by none
            for field in fields(Columns)[1:]:
                mine, theirs = getattr(drawn, field.name), getattr(read, field.name)
                if field.name == "answered":
                    # A reply may end in the very frame in which the user speaks.
                    assert (mine != theirs)[followed].sum() <= 1
                    continue
                if field.name == "joins" and (world.joins < 0).any():
                    continue  # a text cannot help telling
                assert mine.shape == theirs.shape, (field.name, recorded, variant)
                np.testing.assert_allclose(
                    mine.astype(float), theirs.astype(float), atol=2e-3, err_msg=f"{field.name} {recorded} {variant}"
                )


@pytest.fixture(scope="module")
def scores() -> dict[tuple[str, object], Score]:
    """A few sets of 40 calls, for each model at each recorded setting, each in a variant of its own."""
    found: dict[tuple[str, object], Score] = {}
    for name in MODELS:
        for number, recorded in enumerate(RECORDED):
            variant = VARIANTS[number % len(VARIANTS)]
            found[name, recorded] = cell(name, variant, recorded, CALLS, SETS, 0, truth_calls=2000)
    return found


@pytest.mark.parametrize("metric", ["response", "extra", "cut_offs"])
def test_the_truth_at_the_recorded_setting_is_in_the_interval(
    scores: dict[tuple[str, object], Score], metric: str
) -> None:
    """Above all the cut-offs, of which a reader who takes the late ones for ends sees a third."""
    for key, score in scores.items():
        tried = sum(n for (what, _, here), n in score.tried.items() if what == metric and here)
        inside = sum(n for (what, _, here), n in score.covered.items() if what == metric and here)
        assert tried == SETS
        assert inside >= SETS - 1, (key, inside)


@pytest.mark.parametrize(("label", "least"), [("rough", 0.9), ("bounds", 0.97)])
def test_the_truth_at_other_settings_is_in_the_interval(
    scores: dict[tuple[str, object], Score], label: str, least: float
) -> None:
    """What is called rough or bounds holds the truth as often as the name promises, over all models."""
    for metric in ("response", "extra", "cut_offs"):
        key = metric, label, False
        tried = sum(score.tried[key] for score in scores.values())
        inside = sum(score.covered[key] for score in scores.values())
        assert tried > 50
        assert inside / tried >= least, (metric, inside, tried)


def test_no_gain_is_claimed_that_is_none(scores: dict[tuple[str, object], Score]) -> None:
    """A recommendation that claims a gain saves; staying is worse on the whole than what is recommended."""
    assert sum(score.claims for score in scores.values()) > 10
    assert not sum(score.false for score in scores.values())
    regret = np.concatenate([score.regret for score in scores.values()])
    stay = np.concatenate([score.stay for score in scores.values()])
    assert regret.mean() < 0.7 * stay.mean()
