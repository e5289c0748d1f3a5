"""Parts of the calls, weeks, two sets against each other, and money: a difference is told where there is one."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from tests.support.cut_offs import hesitant
from turnkit.tools.tuner import CallSilences, FluxThresholds, Knowledge, Setting, Silence, Worth, compare, tune

HAD = FluxThresholds(0.9, None, 5.0)
LOWER = Setting(FluxThresholds(0.7, None, 5.0))


def calls(number: int, seed: int, *, rises: float = 0.5, pauses: float = 0.3, **about: str) -> list[CallSilences]:
    """Calls of ten turns: confidence is 0.8 from `rises` on and 0.95 at 2 s; pauses of a second reach 0.75 at 0.6 s."""
    chance = np.random.default_rng(seed)
    return [_call(chance, rises, pauses, about) for _ in range(number)]


def _call(chance: np.random.Generator, rises: float, pauses: float, about: dict[str, str]) -> CallSilences:
    utterances = []
    for _ in range(10):
        soon = rises + chance.uniform(0.0, 0.3)
        frames = [0.08 * k for k in range(1, 26)]
        end = Silence(inf, [(t, 0.3 if t < soon else 0.8 if t < 1.99 else 0.95) for t in frames], 2.0, "model")
        pause = Silence(1.04, [(t, 0.2 if t < 0.6 else 0.75) for t in frames[:13]], 1.04)
        utterances.append([pause, end] if chance.random() < pauses else [end])
    return CallSilences("call", HAD, False, utterances, [], True, **about)


def test_a_part_gets_a_setting_of_its_own_where_the_calls_carry_it() -> None:
    """Callers of `orders` pause in most turns, those of `hours` never: a lower threshold is for these alone."""
    mixed = [*calls(60, 1, pauses=0.0, tag="hours"), *calls(60, 2, pauses=0.9, tag="orders"), *calls(3, 3, tag="few")]
    tuning = tune(mixed, by="tag", settings=[Setting(HAD), LOWER])
    found = {part.name: part for part in tuning.segments}
    assert {name: part.calls for name, part in found.items()} == {"few": 3, "hours": 60, "orders": 60}
    assert found["hours"].setting == LOWER
    assert found["orders"].setting == Setting(HAD)
    assert found["few"].gain is None
    assert sum(part.shown for part in found.values()) == 1


def test_parts_that_do_not_differ_are_all_run_alike() -> None:
    """Sixteen tags at random: what one seems to save is chance, and drawn towards the whole."""
    chance = np.random.default_rng(5)
    alike = [one for tag in chance.permutation(16) for one in calls(12, int(tag), pauses=0.36, tag=str(tag))]
    tuning = tune(alike, by="tag", settings=[Setting(HAD), LOWER])
    assert len({part.setting for part in tuning.segments}) == 1


def test_without_a_part_asked_for_there_is_none() -> None:
    """Nor are there weeks, where calls do not say when they were."""
    tuning = tune(calls(4, 1), settings=[Setting(HAD)])
    assert (tuning.segments, tuning.weeks) == ((), ())


def test_a_week_that_differs_is_told_from_those_that_do_not() -> None:
    """In the fourth week turns ended two seconds later; the others are alike."""
    weeks = []
    for week, late in enumerate((0, 0, 0, 1, 0, 0)):
        began = f"2026-01-{5 + 7 * week if week < 4 else 7 * (week - 3):02d}T10:00:00+00:00"
        month = "01" if week < 4 else "02"
        began = began.replace("2026-01", f"2026-{month}")
        some = calls(20, week, began=began)
        chance = np.random.default_rng(100 + week)
        for call in some:
            ended = 2.0 + 2 * late + float(chance.normal(0, 1.0))
            for utterance in call.utterances:
                utterance[-1].known = ended
        weeks += some
    tuning = tune(weeks, settings=[Setting(HAD)])
    assert [week.name for week in tuning.weeks] == [f"2026-W{n:02d}" for n in (2, 3, 4, 5, 6, 7)]
    assert [week.differs for week in tuning.weeks] == [False, False, False, True, False, False]


def ended(count: int, at: float, seed: int) -> list[CallSilences]:
    """Calls whose turns end so many seconds into the silence, give or take."""
    some = calls(count, seed, pauses=0.0)
    chance = np.random.default_rng(seed)
    for call in some:
        for (end,) in call.utterances:
            end.known = at + float(chance.normal(0, 0.2))
    return some


def test_two_sets_are_compared_and_the_change_is_told() -> None:
    """B answers 0.3 s sooner: that is told, and its interval holds it."""
    comparison = compare(ended(40, 1.0, 1), ended(40, 0.7, 2))
    response = comparison.differences[0]
    assert (comparison.calls, response.name) == ((40, 40), "response")
    assert response.told
    assert response.more_calls == 0
    assert response.change.low < -0.3 < response.change.high < 0
    cut_offs = comparison.differences[2]
    assert (cut_offs.change.value, cut_offs.told, cut_offs.more_calls) == (0, False, None)


def test_how_many_more_calls_would_tell() -> None:
    """Too few to tell 0.03 s: with as many more as it says, it is told."""
    few = compare(ended(6, 1.0, 11), ended(6, 0.97, 12)).differences[0]
    assert not few.told
    assert few.more_calls is not None
    assert few.more_calls > 0
    enough = compare(ended(6 + 4 * few.more_calls, 1.0, 13), ended(6 + 4 * few.more_calls, 0.97, 14)).differences[0]
    assert enough.told


def test_what_is_open_is_not_told_by_any_number_of_calls() -> None:
    """Cut-offs that are bounds in both sets: more of the same recordings would not help."""
    unsure = hesitant((1.7, 1.9, 2.1, 2.4, 2.8, 3.2, 3.6, 4.0))
    cut_offs = compare(unsure, unsure).differences[2]
    assert (cut_offs.knowledge, cut_offs.told, cut_offs.more_calls) == (Knowledge.BOUNDS, False, None)


def test_money_is_what_calls_tokens_and_seconds_cost() -> None:
    """2 cents a call and a hundredth of one a token, of which a call has 300: 5 cents a turn, and its waiting."""
    worth = Worth(second=0.5, call=0.02, token=0.0001, tokens=300, currency="EUR")
    assert worth.per_call == pytest.approx(0.05)
    tuning = tune(ended(4, 1.0, 1), worth=worth, settings=[Setting(HAD)])
    current = tuning.current
    assert current.cost == pytest.approx(0.5 * current.response.value + 0.05)
    assert current.cost_low < current.cost < current.cost_high
