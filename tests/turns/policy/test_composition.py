"""Policies made of policies: `all_of`, and that a broken one within another is not covered up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.canned_policies import says, unasked
from tests.support.situations import OVERLAP, PAUSE
from turnkit.turns.policy import (
    BargeInPolicy,
    Budget,
    EchoGuard,
    HoldThenDecide,
    IgnoreBackchannels,
    MinWords,
    OnEager,
    Overlap,
    Pause,
    SpeculationPolicy,
    Verdict,
    all_of,
)

overlap_answers = st.one_of(st.sampled_from(Verdict), st.tuples(st.sampled_from(Verdict), st.text()))
pause_answers = st.one_of(st.booleans(), st.tuples(st.booleans(), st.text()))
kinds_of_answers = st.sampled_from([(OVERLAP, overlap_answers), (PAUSE, pause_answers)])


@given(data=st.data(), kind=kinds_of_answers)
def test_the_first_that_does_not_go_ahead_decides(data: st.DataObject, kind: tuple[Any, Any]) -> None:
    """With its own why, and nobody is asked after it; if all go ahead, all their whys are given."""
    situation, answers = kind
    drawn = data.draw(st.lists(answers, min_size=1, max_size=5))
    policies = [says(answer) for answer in drawn]
    given_answers = [answer if isinstance(answer, tuple) else (answer, "") for answer in drawn]
    stops = [place for place, (answer, _) in enumerate(given_answers) if answer not in (Verdict.YIELD, True)]
    if stops:
        expected = given_answers[stops[0]]
        policies[stops[0] + 1 :] = [unasked] * (len(policies) - stops[0] - 1)
    else:
        expected = (given_answers[0][0], "; ".join(why for _, why in given_answers if why))
    together: Any = all_of(*policies)
    assert together(situation) == expected


@given(data=st.data(), kind=kinds_of_answers)
def test_all_of_may_be_nested(data: st.DataObject, kind: tuple[Any, Any]) -> None:
    """All of one is that one, and how they are grouped does not matter."""
    situation, answers = kind
    first = data.draw(answers)
    one, two, three = says(first), says(data.draw(answers)), says(data.draw(answers))
    flat: Any = all_of(one, two, three)
    left: Any = all_of(all_of(one, two), three)
    right: Any = all_of(one, all_of(two, three))
    alone: Any = all_of(one)
    assert flat(situation) == left(situation) == right(situation)
    assert alone(situation) == (first if isinstance(first, tuple) else (first, ""))


def test_all_of_answers_bare_verdicts_too() -> None:
    """A plain function with a bare answer composes with the built-in ones, which check themselves, typed by kind."""

    def bare(overlap: Overlap) -> Verdict:
        return Verdict.KEEP

    def eager(pause: Pause) -> bool:
        return True

    barge_in: BargeInPolicy = all_of(MinWords(2), bare)
    assert barge_in(OVERLAP) == (Verdict.KEEP, "")
    speculation: SpeculationPolicy = all_of(eager, Budget(1))
    assert speculation(PAUSE) == (True, "draft 1 of 1")
    assert speculation(replace(PAUSE, attempts=1)) == (False, "draft 2 of 1")


def broken(situation: object) -> Any:
    raise KeyError("broken")


@pytest.mark.parametrize("answer", [None, True, "maybe", (Verdict.YIELD,), (None, "why"), (Verdict.YIELD, "why", 3)])
@pytest.mark.parametrize(
    "wrap",
    [HoldThenDecide, lambda then: IgnoreBackchannels(then=then), EchoGuard, all_of],
    ids=["HoldThenDecide", "IgnoreBackchannels", "EchoGuard", "all_of"],
)
def test_a_broken_policy_is_not_covered_up(wrap: Callable[[Any], Any], answer: Any) -> None:
    """What it raises goes through, and what is no answer raises, so that the machine can note and overrule it."""
    with pytest.raises(KeyError, match="broken"):
        wrap(broken)(OVERLAP)
    with pytest.raises((TypeError, ValueError)):
        wrap(lambda overlap: answer)(OVERLAP)


@pytest.mark.parametrize("answer", [None, 1, "yes", Verdict.YIELD, (1, "why"), (True,)])
def test_a_broken_speculation_policy_is_not_covered_up(answer: Any) -> None:
    """The same at a pause, where only a bool is an answer."""
    with pytest.raises(KeyError, match="broken"):
        all_of(OnEager(), broken)(PAUSE)
    with pytest.raises((TypeError, ValueError)):
        all_of(OnEager(), lambda pause: answer)(PAUSE)
