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
@pytest.mark.sampled(3)
def test_the_truth_at_the_recorded_setting_is_in_the_interval(
    scores: dict[tuple[str, object], Score], metric: str
) -> None:
    """Above all the cut-offs, of which a reader who takes the late ones for ends sees a third."""
    tried, inside = summed(scores, metric, here=True)
    assert tried == SETS * len(scores)
    assert inside / tried >= 0.9, (inside, tried)
    for key, score in scores.items():
        tried, inside = summed({key: score}, metric, here=True)
        assert inside > SETS / 2, (key, inside)


def summed(scores: dict[tuple[str, object], Score], metric: str, *, here: bool) -> tuple[int, int]:
    keys = [(metric, label, here) for label in ("exact", "rough", "bounds")]
    tried = sum(score.tried[key] for score in scores.values() for key in keys)
    return tried, sum(score.covered[key] for score in scores.values() for key in keys)


def test_what_a_recording_can_tell_is_called_exact_and_is(scores: dict[tuple[str, object], Score]) -> None:
    """Somebody always spoke again when they may or may not have heard the agent: it is likely, and that suffices."""
    for metric, least in (("response", 0.8), ("extra", 0.4), ("cut_offs", 0.3)):
        tried = sum(score.tried[metric, "exact", True] for score in scores.values())
        inside = sum(score.covered[metric, "exact", True] for score in scores.values())
        assert tried > least * SETS * len(scores), (metric, tried)
        assert inside / tried >= 0.9, (metric, inside, tried)


def test_a_pause_of_another_kind_is_within_what_is_said() -> None:
    """Who looks something up pauses longer than any pause seen to its end, after words like any: reported sparsely."""
    score = cell("lookups", VARIANTS[1], RECORDED[0], 100, 12, 0, truth_calls=2000)
    tried, inside = summed({("lookups", None): score}, "cut_offs", here=True)
    assert (tried, inside >= 10) == (12, True), inside


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
