"""Parts of the calls by `benchmarks.tuner_segments`: what is drawn, and how often a part gets a setting of its own."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import tuner_segments
from benchmarks.callers import MODELS
from benchmarks.tuner_segments import RECORDED, Cell, Outcome, decided, hesitant, lines, run, together


def test_callers_hesitate_or_are_decided() -> None:
    """Pauses last longer and sound surer, or are seldom made; ends of turns are as they were."""
    world = MODELS["jumps"](np.random.default_rng(1), 50)
    slow, quick = hesitant(world), decided(world)
    pauses = ~world.last
    assert np.allclose(slow.pause[pauses], 1.8 * world.pause[pauses])
    assert (slow.confidence[pauses] > world.confidence[pauses] - 1e-6).all()
    assert np.median(slow.confidence[pauses] - world.confidence[pauses]) == pytest.approx(0.15, abs=1e-6)
    assert np.allclose(slow.confidence[world.last], world.confidence[world.last])
    assert quick.last.sum() == world.last.sum()
    assert (~quick.last).sum() == pytest.approx(0.1 * pauses.sum(), rel=0.4)


def test_calls_of_several_worlds_are_numbered_on() -> None:
    """Each call of each is one call of the whole."""
    worlds = [MODELS["jumps"](np.random.default_rng(seed), 3) for seed in (1, 2)]
    both = together(worlds)
    assert sorted(set(both.call.tolist())) == list(range(6))
    assert len(both.call) == sum(len(world.call) for world in worlds)
    assert np.array_equal(both.pause[: len(worlds[0].pause)], worlds[0].pause)


def test_alike_parts_get_none_of_their_own_and_other_parts_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a few sets of calls; the table tells both, and what it costs."""
    monkeypatch.setattr(tuner_segments, "_TRUTH_CALLS", 300)
    cells = [Cell("jumps", RECORDED[0], calls, 2, differ) for calls, differ in ((100, False), (800, True))]
    found = {cell: run(cell, 5) for cell in cells}
    alike, differ = found.values()
    assert sum(number > 0 for number in alike.own) == 0
    assert sum(number > 0 for number in differ.own) >= 2
    assert np.mean(differ.parted) < np.mean(differ.single)
    assert alike.parted == alike.single


def test_the_table_counts_sets() -> None:
    """Those in which any part has one."""
    own = {
        Cell("jumps", RECORDED[0], 100, 2, False): Outcome([0, 0, 1, 0], [0.2] * 4, [0.1] * 4),
        Cell("jumps", RECORDED[0], 100, 2, True): Outcome([2, 1, 0, 0], [0.1] * 4, [0.3] * 4),
    }
    assert [*lines(own)][2] == "| jumps | 100, 2 | 25.0% of 4 | 50.0% of 4 | 0.75 | 0.10000, 0.30000 |"
