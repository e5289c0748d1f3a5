"""Populations: the callers they draw, and that Flux comes out with them where it was measured in the open."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from benchmarks.eot_bench import PAUSES, PUBLISHED, Heard, callers, heard, judged, pauses_of
from tests.support.hearing import hear, of
from turnkit.errors import ConfigError
from turnkit.simulator import DECIDED, EOT_BENCH_LIKE, HESITANT, POPULATIONS, Population, Settings
from turnkit.tools.tuner.ending import EndingPolicy

STEPS = ((0.2, 1.0), (1.0, 0.1))


@pytest.mark.slow("soak")
def test_flux_comes_out_where_eot_bench_saw_it() -> None:
    """All three points: latency within 5 %, cut-offs within 1.5 points of a hundred, detected within 3."""
    pauses = [pause for script in callers(100, seed=0) for pause in heard(script)]
    for policy, published in PUBLISHED.items():
        simulated = judged(pauses, policy)
        assert simulated.latency == pytest.approx(published.latency, rel=0.05), policy
        assert simulated.cut_offs == pytest.approx(published.cut_offs, abs=0.015), policy
        assert simulated.detected == pytest.approx(published.detected, abs=0.03), policy


def test_its_pauses_are_as_long_as_the_silence_only_baseline_says() -> None:
    """One that goes by silence alone cuts off as many of them as in the report, within 1.5 points of a hundred."""
    pauses = [Heard(end - begin, []) for script in callers(400, seed=1000) for begin, end in pauses_of(script)]
    for timeout, share in PAUSES.items():
        silence_only = judged(pauses, EndingPolicy(1.0, 0.0, timeout))
        assert silence_only.cut_offs == pytest.approx(share, abs=0.015)
        assert silence_only.latency == pytest.approx(timeout)


@pytest.mark.parametrize("threshold", [0.68, 0.70, 0.79])
def test_the_detector_run_at_a_threshold_ends_what_its_confidences_say(threshold: float) -> None:
    """Judged from the confidences, or ended by the detector itself: the same share of ends, at the same moments."""
    scripts = callers(10, seed=50)
    policy = EndingPolicy(threshold, 0.0, 2.0)
    pauses = [pause for script in scripts for pause in heard(script)]
    silences: list[float] = []
    for script in scripts:
        ends = of(hear(script, Settings(eot_threshold=threshold, eot_timeout_ms=2000)), "EndOfTurn")
        last = [utterance.end for utterance in script.utterances]
        ended = [one["audio_window_end"] for one in ends]
        silences += [min(at for at in ended if at > end) - end for end in last]
    assert sum(silences) / len(silences) == pytest.approx(judged(pauses, policy).latency, abs=0.05)


@pytest.mark.parametrize("population", POPULATIONS.values(), ids=POPULATIONS)
def test_the_same_seed_is_the_same_call(population: Population) -> None:
    """Another is another; and turns are as far apart as an answer needs."""
    script = population.script(3, utterances=30)
    assert script == population.script(3, utterances=30)
    assert script != population.script(4, utterances=30)
    assert script.seed == 3
    assert len(script.utterances) == 30
    assert all(two.start - one.end >= population.gap for one, two in pairwise(script.utterances))
    shortest, longest = population.pauses[0][0], population.pauses[-1][0]
    for utterance in script.utterances:
        between = [two.start - one.end for one, two in pairwise(utterance.words)]
        assert all(gap < 1e-3 or shortest - 1e-3 <= gap <= longest + 1e-3 for gap in between)


def _confirmed(population: Population) -> float:
    drafts = kept = 0
    for seed in range(40):
        eager = False
        for message in hear(population.script(seed), Settings(eager_eot_threshold=0.4, eot_threshold=0.8)):
            if message["event"] == "EagerEndOfTurn":
                drafts, eager = drafts + 1, True
            elif message["event"] == "EndOfTurn":
                kept, eager = kept + eager, False
            elif message["event"] == "TurnResumed":
                eager = False
    return kept / drafts


def test_hesitant_callers_take_most_drafts_back_and_decided_ones_few() -> None:
    """About three in ten are confirmed, and about eight in ten."""
    assert _confirmed(HESITANT) == pytest.approx(0.3, abs=0.05)
    assert _confirmed(DECIDED) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"goes_on": 1}, "goes_on=1: must be a chance from 0 to 1, not 1 itself"),
        ({"goes_on": "often"}, "goes_on='often'"),
        ({"unfinished": -0.1}, "unfinished=-0.1: must be a chance from 0 to 1"),
        ({"unfinished": float("nan")}, "unfinished=nan"),
        ({"gap": 0}, "gap=0: must be a number of seconds above 0"),
        ({"pauses": ((0.2, 1.0),)}, "pauses="),
        ({"pauses": ((0.2, 0.9), (1.0, 0.1))}, "from 1 to above 0"),
        ({"pauses": ((0.2, 1.0), (1.0, 0.0))}, "from 1 to above 0"),
        ({"pauses": ((1.0, 1.0), (0.2, 0.1))}, "must be rising seconds"),
        ({"pauses": ((0.2, 1.0), (1.0, 1.0))}, "falling shares"),
    ],
)
def test_habits_that_cannot_be_are_refused(given: dict[str, Any], named: str) -> None:
    """With the setting, its value and the rule."""
    with pytest.raises(ConfigError, match=named.replace("(", r"\(").replace(")", r"\)")):
        Population(**{"name": "odd", "pauses": STEPS, "goes_on": 0.5, **given})


@pytest.mark.parametrize("utterances", [0, -1, 2.5, True])
def test_a_call_has_turns(utterances: Any) -> None:
    """At least one, and a whole number of them."""
    with pytest.raises(ConfigError, match="utterances="):
        EOT_BENCH_LIKE.script(0, utterances=utterances)
