"""Cut-offs at a fixed latency and latency at fixed cut-offs: counted where it is recorded, bounds where it is not."""

from __future__ import annotations

import json
from itertools import combinations
from math import inf
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from benchmarks.eot_bench import RECORDED, callers, heard, judged, recorded, told
from turnkit.cli import app
from turnkit.simulator import EOT_BENCH_LIKE, Detector, Settings
from turnkit.tools.tuner.ending import EndingPolicy, Span
from turnkit.tools.tuner.fixed_points import (
    CUT_OFFS,
    LATENCIES,
    FixedPoints,
    OperatingPoint,
    Range,
    fixed_points,
    lines,
    operating_points,
    spans,
)
from turnkit.tools.tuner.silences import CallSilences, FluxThresholds, Silence

POLICY = EndingPolicy(0.7, 0.2, 2.0)
RISES = ((0.1, 0.5), (0.4, 0.72), (0.8, 0.9))


def end(*, known: float = 6.0, samples: tuple[tuple[float, float], ...] = RISES, gap: float = inf) -> Span:
    """The end of a turn, or if words came `gap` seconds later, perhaps the end."""
    return Span(gap, samples, known, hold=False if gap == inf else None)


def hold(seconds: float, *, known: float | None = None, samples: tuple[tuple[float, float], ...] = ()) -> Span:
    """A pause within a turn."""
    return Span(seconds, samples, seconds if known is None else known, hold=True)


def point(*pauses: Span, policy: EndingPolicy = POLICY) -> OperatingPoint:
    """What a policy makes of one call of these pauses."""
    return operating_points([pauses], [policy])[0]


def bounds(figure: Range) -> tuple[float, float]:
    """The figure without the intervals."""
    return round(figure.low, 6), round(figure.high, 6)


@pytest.mark.parametrize(
    ("pauses", "latency", "cut_offs", "detected"),
    [
        ((end(), hold(1.0)), (0.4, 0.4), (0, 0), (1, 1)),
        ((end(samples=((0.1, 0.9),)), hold(1.0)), (0.2, 0.2), (0, 0), (1, 1)),  # not before the action delay
        ((end(samples=((0.1, 0.6),)), hold(1.0)), (2.0, 2.0), (0, 0), (0, 0)),  # the timeout
        ((end(), hold(3.0)), (0.4, 0.4), (1, 1), (1, 1)),
        ((end(), hold(1.0, samples=RISES)), (0.4, 0.4), (1, 1), (1, 1)),
        ((end(), hold(0.4, samples=RISES[:2])), (0.4, 0.4), (1, 1), (1, 1)),  # on the grid of times of words
        ((end(), hold(0.3, samples=RISES[:1])), (0.4, 0.4), (0, 0), (1, 1)),
        ((end(), hold(1.0), hold(0.1), hold(5.5)), (0.4, 0.4), (0, 0), (1, 1)),  # too short and too long to count
        # Flux ended the turn at 0.3 s, and nobody knows what it would have said later.
        ((end(known=0.3, samples=RISES[:1]), hold(1.0)), (0.3, 2.0), (0, 0), (0, 1)),
        ((end(known=0.05, samples=()), hold(1.0)), (0.2, 2.0), (0, 0), (0, 1)),
        ((end(), hold(1.0, known=0.3), hold(1.0)), (0.4, 0.4), (0, 0.5), (1, 1)),
        ((end(), hold(3.0, known=0.3)), (0.4, 0.4), (1, 1), (1, 1)),  # beyond the timeout in any case
        # The user spoke again, and nobody knows whether they had finished.
        ((end(), hold(1.0), end(gap=3.0)), (0.4, 0.4), (0, 0.5), (1, 1)),
        ((end(), hold(1.0), end(gap=3.0, samples=((1.2, 0.8),))), (0.4, 0.8), (0, 0.5), (1, 1)),
        ((end(), hold(3.0), end(gap=1.0, samples=((1.2, 0.8),))), (0.4, 0.8), (0.5, 1), (1, 1)),
    ],
)
def test_each_pause_counts_as_far_as_it_is_known(
    pauses: tuple[Span, ...], latency: Any, cut_offs: Any, detected: Any
) -> None:
    """Literally: when it is ended, whether that cuts the user off, and what could be otherwise."""
    found = point(*pauses)
    assert bounds(found.latency) == latency
    assert bounds(found.cut_offs) == cut_offs
    assert bounds(found.detected) == detected
    assert found.latency.exact == (latency[0] == latency[1])


def test_nothing_recorded_is_nothing_known() -> None:
    """Not a figure, and not a failure."""
    (found,) = operating_points([], [POLICY])
    assert bounds(found.latency) == (0.0, 2.0)
    assert bounds(found.cut_offs) == bounds(found.detected) == (0.0, 1.0)
    assert (found.holds, found.ends) == (0, 0)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_bounds_hold_every_way_to_tell_the_unsure_apart(data: st.DataObject) -> None:
    """The least and the most that any of them comes to, counted pause by pause; and policies do not mix."""
    pause = st.builds(
        Span,
        st.sampled_from([0.4, 1.0, 2.0, 3.5]),
        st.sampled_from([(), RISES[:1], RISES[:2], RISES]),
        st.sampled_from([0.1, 0.4, 6.0]),
        st.sampled_from([True, False, None]),
    )
    calls = data.draw(st.lists(st.lists(pause, max_size=3), max_size=3))
    policies = [POLICY, EndingPolicy(0.5, 0.0, 1.0), EndingPolicy(0.7, 0.0, 3.0)]
    found = {one.policy: one for one in operating_points(calls, policies)}
    pauses = [one for call in calls for one in call]
    for policy in policies:
        for name, kind in (("latency", False), ("cut_offs", True), ("detected", False)):
            alone = [getattr(point(msgspec.structs.replace(one, hold=kind), policy=policy), name) for one in pauses]
            sure = [one for one, pause in zip(alone, pauses, strict=True) if pause.hold is kind]
            unsure = [one for one, pause in zip(alone, pauses, strict=True) if pause.hold is None]
            ways = [[*sure, *some] for size in range(len(unsure) + 1) for some in combinations(unsure, size)]
            means = [(fmean(one.low for one in way), fmean(one.high for one in way)) for way in ways if way]
            if means:
                expected = min(low for low, _ in means), max(high for _, high in means)
                figure = getattr(found[policy], name)
                assert (figure.low, figure.high) == pytest.approx(expected)


times = st.floats(0.0, 6.0)
confidences = st.lists(st.tuples(times, st.floats(0, 1)), max_size=5).map(sorted)


@st.composite
def whole_and_cut(draw: st.DrawFn) -> tuple[Span, Span]:
    """A pause as it was, and what is left of it when Flux ends the turn in it."""
    is_hold = draw(st.booleans())
    seconds = draw(st.floats(0.2, 5.0)) if is_hold else inf
    samples = [one for one in draw(confidences) if one[0] < seconds]
    until = min(draw(times), seconds)
    known = [one for one in samples if one[0] <= until]
    told_apart = draw(st.booleans())
    hold_or_not = is_hold if told_apart or not is_hold else None
    return Span(seconds, samples, min(seconds, 6.0), is_hold), Span(seconds, known, until, hold_or_not)


@settings(deadline=None)
@given(
    pairs=st.lists(whole_and_cut(), min_size=1, max_size=6),
    policy=st.builds(EndingPolicy, st.floats(0.1, 1), st.floats(0, 1), st.floats(1, 5)),
)
def test_bounds_hold_the_truth(pairs: list[tuple[Span, Span]], policy: EndingPolicy) -> None:
    """Whatever Flux left unsaid, and whoever cannot be told apart: what the whole pauses say lies within."""
    truth = point(*(whole for whole, _ in pairs), policy=policy)
    told_point = point(*(cut for _, cut in pairs), policy=policy)
    # Without a single end, or hold, there is no figure to lie anywhere.
    for name, counted in (("latency", truth.ends), ("detected", truth.ends), ("cut_offs", truth.holds)):
        if counted:
            true, said = getattr(truth, name), getattr(told_point, name)
            assert true.exact
            assert said.low - 1e-6 <= true.low <= said.high + 1e-6
            assert said.holds(true.low)


def test_calls_are_read_as_pauses() -> None:
    """Holds from 0.2 s, and ends; a manual end is neither, and after soon more words nobody knows."""

    def silence(seconds: float, trigger: str | None = None, gap: float = inf) -> Silence:
        return Silence(seconds, [(0.1, 0.5)], 0.3, trigger, gap=gap)

    utterances = [
        [silence(0.16), silence(0.24), silence(inf, "model", gap=7.0)],
        [silence(inf, "model", gap=2.0)],
        [silence(inf, "manual", gap=9.0)],
        [silence(inf, "timeout")],
    ]
    call = CallSilences("call", FluxThresholds(0.7, None, 5.0), False, utterances, [], True)
    assert [(span.hold, span.seconds) for span in spans(call)] == [
        (True, 0.24),
        (False, 7.0),
        (None, 2.0),
        (False, inf),
    ]


def test_budgets_pick_the_best_point_by_its_worse_bound() -> None:
    """Fewest cut-offs within a latency, least latency within cut-offs; None if no point keeps to the budget."""

    def at(latency: float, cut_offs: float, *, cut_offs_low: float | None = None) -> OperatingPoint:
        low = cut_offs if cut_offs_low is None else cut_offs_low
        exact = Range(latency, latency, latency, latency)
        return OperatingPoint(POLICY, exact, Range(low, cut_offs, 0, 1), Range(1, 1, 1, 1), 1, 1)

    quick, usual, sure = at(0.3, 0.2), at(0.5, 0.1), at(1.5, 0.05)
    doubtful = at(0.25, 0.4, cut_offs_low=0.0)
    best = fixed_points([sure, doubtful, usual, quick])
    assert best.cut_offs_at == {0.3: quick, 0.6: usual}
    assert best.latency_at == {0.05: sure, 0.1: usual}
    nothing = fixed_points([at(2.0, 0.5)])
    assert nothing.cut_offs_at == dict.fromkeys(LATENCIES)
    assert nothing.latency_at == dict.fromkeys(CUT_OFFS)


def test_fixed_points_are_told_in_words() -> None:
    """With what is not known as a range, and what no setting reaches as that."""
    exact, open_ended = Range(0.25, 0.25, 0.2, 0.3), Range(0.04, 0.1, 0.03, 0.12)
    best = OperatingPoint(EndingPolicy(0.7, 0.0, 2.5), exact, open_ended, exact, 9, 9)
    assert lines(FixedPoints({0.3: best, 0.6: None}, {0.05: None, 0.1: best})) == [
        "cut-offs at 300 ms: 4.0% to 10.0% (95 %: 3.0% to 12.0%), by 0.70 / 0 s / 2.5 s",
        "cut-offs at 600 ms: no setting is so quick",
        "latency at 5% cut-offs: no setting is known",
        "latency at 10% cut-offs: 250 ms (95 %: 200 to 300 ms), by 0.70 / 0 s / 2.5 s",
    ]


def test_the_command_tells_them(tmp_path: Path) -> None:
    """For people and for programs, if asked for."""
    path = tmp_path / "call.jsonl"
    said = Detector(EOT_BENCH_LIKE.script(1, utterances=20), Settings(eot_threshold=0.9)).hear(260.0)
    path.write_text("\n".join(map(json.dumps, said)))
    arguments = ["tune", str(path), "--eot-threshold", "0.9", "--jobs", "1"]
    shown = CliRunner().invoke(app, [*arguments, "--eot-bench"])
    assert shown.exit_code == 0, shown.output
    assert "cut-offs at 300 ms: " in shown.output
    assert "latency at 5% cut-offs: " in shown.output
    assert "cut-offs at" not in CliRunner().invoke(app, arguments).output
    fields = json.loads(CliRunner().invoke(app, [*arguments, "--eot-bench", "--json"]).stdout)["fixed_points"]
    assert set(fields["cut_offs_at"]) == {"0.3", "0.6"}
    assert fields["latency_at"]["0.1"]["latency"]["high"] > 0


@pytest.mark.parametrize("thresholds", RECORDED, ids=str)
@pytest.mark.sampled(3)
def test_recordings_tell_the_points_that_eot_bench_measured(thresholds: FluxThresholds) -> None:
    """From 400 turns recorded at one setting, the intervals of all three points hold what the callers really did.

    Recorded at 0.70, what concerns 0.79 is bounds; at 0.90 with a long timeout nothing is left open.
    """
    scripts = callers(20, seed=300)
    pauses = [pause for script in scripts for pause in heard(script)]
    for policy, found in told(scripts, thresholds).items():
        true = judged(pauses, policy)
        assert found.latency.holds(true.latency), policy
        assert found.cut_offs.holds(true.cut_offs), policy
        assert found.detected.holds(true.detected), policy
        if thresholds.eot == 0.9:
            assert found.latency.most - found.latency.least < 0.2
            assert found.cut_offs.most - found.cut_offs.least < 0.1


def test_told_from_a_low_threshold_a_higher_one_is_bounds() -> None:
    """And the policy of the recording itself is told exactly, but for who cannot be told apart."""
    calls = [spans(recorded(script, RECORDED[0], "call")) for script in callers(10, seed=0)]
    assert not operating_points(calls, [EndingPolicy(0.79, 0.3, 2.0)])[0].latency.exact
    sure = [[span for span in call if span.hold is not None] for call in calls]
    latency = operating_points(sure, [EndingPolicy(0.70, 0.0, 2.5)])[0].latency
    assert latency.high - latency.low < 0.001  # a timeout falls on the grid of times
