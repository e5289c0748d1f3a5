"""Drafts that adapt: within bounds whatever was counted, the way the counts point, and the same in every replay."""

from __future__ import annotations

from fractions import Fraction
from math import nan
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.situations import PAUSE, pauses
from turnkit.errors import ConfigError, LocalProtocolError
from turnkit.trace import policy_from_text, policy_to_text
from turnkit.turns.policy import AdaptiveDrafts, DraftCounts, Pause
from turnkit.turns.policy.draft_counts import STEPS, interval, step_of

whole = st.one_of(st.integers(0, 200), st.integers(0, 2**53))
tuples = st.tuples(*[whole] * STEPS)
counts = st.builds(DraftCounts, tuples, tuples)
shares = st.floats(0, 1)
policies = st.builds(
    lambda counts, pays, bounds: AdaptiveDrafts(counts, pays, min(bounds), max(bounds)),
    counts,
    shares,
    st.tuples(shares, shares),
)


def at(confidence: float, confirmed: int, withdrawn: int) -> DraftCounts:
    """So many counted at one confidence."""
    place = step_of(confidence)

    def only(count: int) -> tuple[int, ...]:
        return tuple(count if step == place else 0 for step in range(STEPS))

    return DraftCounts(only(confirmed), only(withdrawn))


def asked(policy: AdaptiveDrafts, confidence: float) -> bool:
    return policy(replace(PAUSE, confidence=confidence))[0]


@settings(deadline=None)
@given(policy=policies, pause=pauses)
def test_the_bounds_hold_whatever_was_counted(policy: AdaptiveDrafts, pause: Pause) -> None:
    """Below `least` nothing is drafted, from `most` on everything; and nothing but the confidence says which."""
    drafts, why = policy(pause)
    if pause.confidence < policy.least:
        assert not drafts
    elif pause.confidence >= policy.most:
        assert drafts
    assert why
    assert policy(replace(pause, transcript="my pin is 4711", attempts=9, elapsed=60.0)) == (drafts, why)


@settings(deadline=None)
@given(policy=policies, confidence=shares)
def test_counts_decide_as_the_rule_says(policy: AdaptiveDrafts, confidence: float) -> None:
    """Read literally, in exact fractions: no draft if the share could only be as high as `pays` beyond 95 %."""
    if not policy.least <= confidence < policy.most:
        return
    place = next(step for step in range(STEPS, -1, -1) if confidence * STEPS + 1e-6 >= step)
    near = [step for step in range(STEPS) if abs(step - min(place, STEPS - 1)) <= 1]
    hits = sum(policy.counts.confirmed[step] for step in near)
    tries = hits + sum(policy.counts.withdrawn[step] for step in near)
    pays, rate = Fraction(policy.pays), Fraction(hits, tries) if tries else Fraction(1)
    # The score test behind the interval: how many standard errors of a share of `pays` lie between it and the rate.
    against = rate < pays and (rate - pays) ** 2 * tries > Fraction("1.96") ** 2 * pays * (1 - pays)
    high = interval(hits, tries)[1]
    if abs(high - policy.pays) > 1e-9:  # a draw is the float's to call
        assert asked(policy, confidence) is not against


@pytest.mark.parametrize(
    ("confirmed", "withdrawn", "drafts"),
    [(0, 0, True), (0, 3, True), (0, 4, False), (30, 70, False), (80, 20, True), (45, 55, True), (450, 550, False)],
)
def test_it_drafts_until_the_counts_are_against_it(confirmed: int, withdrawn: int, drafts: bool) -> None:
    """Few counts are no evidence, and a share near the line takes many."""
    policy = AdaptiveDrafts(at(0.5, confirmed, withdrawn), pays=0.5)
    assert asked(policy, 0.5) is drafts
    assert asked(policy, 0.54) is asked(policy, 0.46) is drafts  # the next twentieths count as near
    assert asked(policy, 0.61) is asked(policy, 0.39) is True  # those beyond do not


def test_a_share_that_may_be_as_high_as_needed_is_no_evidence_against() -> None:
    """Where every one must be kept, ten of ten are drafted on."""
    assert asked(AdaptiveDrafts(at(0.5, 10, 0), pays=1.0), 0.5)
    assert not asked(AdaptiveDrafts(at(0.5, 9, 1), pays=1.0), 0.5)


@pytest.mark.parametrize(
    ("confidence", "drafts"), [(0.2999, False), (0.3, True), (0.7999, False), (0.8, True), (nan, False)]
)
def test_each_bound_at_its_edge(confidence: float, drafts: bool) -> None:
    """Below the one nothing, from the other on everything; what is no number is below."""
    policy = AdaptiveDrafts(at(0.79, 0, 1000), least=0.3, most=0.8)
    assert asked(policy, confidence) is drafts


def test_the_reason_says_what_was_counted() -> None:
    """With the interval and what is needed; and at a bound, that it is one."""
    policy = AdaptiveDrafts(at(0.6, 10, 90), least=0.3, pays=0.4)
    assert policy(PAUSE)[1] == "confidence 0.60, 10 of 100 were the end (6% to 17%), 40% needed"
    assert policy(replace(PAUSE, confidence=0.1))[1] == "confidence 0.10, never below 0.3"
    assert policy(replace(PAUSE, confidence=0.9))[1] == "confidence 0.90, always from 0.8"


# The counts ---------------------------------------------------------------------------------------------------------

most = DraftCounts((2**53,) * STEPS, (2**53,) * STEPS)


@settings(deadline=None)
@given(counts, counts, counts)
@example(most, most, DraftCounts())
def test_counts_add_up_in_any_order(a: DraftCounts, b: DraftCounts, c: DraftCounts) -> None:
    """Associative and commutative, with a neutral one, also where no more can be counted."""
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + DraftCounts() == a


outcomes = st.lists(st.tuples(st.floats(), st.booleans()), max_size=30)


@settings(deadline=None)
@given(outcomes, st.data())
def test_counting_one_by_one_is_adding(drafts: list[tuple[float, bool]], data: st.DataObject) -> None:
    """Split between any two, counted apart and added, they are the same; no confidence is not counted."""
    cut = data.draw(st.integers(0, len(drafts)))

    def count(some: list[tuple[float, bool]]) -> DraftCounts:
        counts = DraftCounts()
        for confidence, confirmed in some:
            counts = counts.counted(confidence, confirmed=confirmed)
        return counts

    assert count(drafts[:cut]) + count(drafts[cut:]) == count(drafts)
    valid = [confirmed for confidence, confirmed in drafts if 0 <= confidence <= 1]
    assert count(drafts).total == len(valid)
    assert sum(count(drafts).confirmed) == sum(valid)


@pytest.mark.parametrize(
    ("confidence", "step"), [(0.0, 0), (0.0499, 0), (0.05, 1), (0.15, 3), (0.3, 6), (0.95, 19), (1.0, 19), (1.01, None)]
)
def test_confidences_are_sorted_by_twentieths(confidence: float, step: int | None) -> None:
    """Also those that floats miss by a hair."""
    assert step_of(confidence) == step


@settings(deadline=None)
@given(counts)
def test_counts_are_kept_as_bytes(a: DraftCounts) -> None:
    """And come back."""
    assert DraftCounts.from_bytes(a.to_bytes()) == a
    assert len(a.to_bytes()) < 1000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"figures":{"calls":3}}',
        b'{"confirmed":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}',
        b'{"confirmed":[1]}',
        b'{"confirmed":[-1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}',
        b"\xff" * 10,
        b"[" * 100_000,
    ],
)
def test_bytes_that_are_no_counts_are_refused(data: bytes) -> None:
    """Whatever they are."""
    with pytest.raises(LocalProtocolError, match="from_bytes: must be what to_bytes wrote"):
        DraftCounts.from_bytes(data)


@pytest.mark.parametrize("bad", [(), (0,) * 19, (0.0,) * 20, (-1,) * 20, (True,) * 20, [0] * 20, (2**54,) * 20, None])
@pytest.mark.parametrize("name", ["confirmed", "withdrawn"])
def test_counts_are_whole_numbers(name: str, bad: Any) -> None:
    """Twenty of them."""
    with pytest.raises(ConfigError, match=rf"DraftCounts\({name}=.*must be 20 whole numbers"):
        DraftCounts(**{name: bad})


def test_counts_add_to_counts_only() -> None:
    """As numbers do."""
    with pytest.raises(TypeError):
        DraftCounts() + 1  # type: ignore[operator]


@pytest.mark.parametrize(
    ("given_settings", "rule"),
    [
        ({"counts": (1, 2)}, "counts=.*must be DraftCounts"),
        ({"pays": 1.5}, "pays=1.5.*must be a number from 0 to 1"),
        ({"least": -0.1}, "least=-0.1.*must be a number from 0 to 1"),
        ({"most": "all"}, "most='all'.*must be a number from 0 to 1"),
        ({"least": 0.9}, "least=0.9.*must not be above most, 0.8"),
    ],
)
def test_settings_that_cannot_work_are_refused(given_settings: dict[str, Any], rule: str) -> None:
    """With the setting, its value and the rule."""
    with pytest.raises(ConfigError, match=rf"AdaptiveDrafts\({rule}"):
        AdaptiveDrafts(**given_settings)


@settings(deadline=None)
@given(policies)
def test_recordings_hold_the_counts(policy: AdaptiveDrafts) -> None:
    """What it decides by stands in the header of a recording, and comes back from it, to the last bit."""
    text = policy_to_text(policy)
    assert not text.startswith("<")
    assert policy_from_text(text) == policy
