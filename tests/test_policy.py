"""Each built-in policy at, below and above its bound, and the settings it refuses."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnkit import policy
from turnkit.errors import ConfigError
from turnkit.policy import (
    Budget,
    Grace,
    Immediate,
    MinConfidence,
    MinDuration,
    MinWords,
    Never,
    NoSpeculation,
    OnEager,
    Overlap,
    Pause,
    Verdict,
)

OVERLAP = Overlap(transcript="well actually", elapsed=0.6, playing=3.0, heard="The capital is", held=False, final=False)
PAUSE = Pause(transcript="what about tomorrow", confidence=0.6, attempts=0, elapsed=4.0)

BARGE_IN: list[Any] = [Immediate(), Never(), MinWords(2), MinDuration(0.5), Grace(1.0)]
SPECULATION: list[Any] = [OnEager(), NoSpeculation(), MinConfidence(0.5), Budget(), Budget(2, 10.0)]

seconds = st.floats(0, 1e6)
overlaps = st.builds(
    Overlap,
    transcript=st.text(),
    elapsed=seconds,
    playing=seconds,
    heard=st.text(),
    held=st.booleans(),
    final=st.booleans(),
)
pauses = st.builds(
    Pause, transcript=st.text(), confidence=st.floats(0, 1), attempts=st.integers(0, 50), elapsed=seconds
)


def test_verdicts_print_as_their_names() -> None:
    """A verdict's repr names the member, its str is the word for the log."""
    for verdict in Verdict:
        assert eval(repr(verdict), {}, vars(policy)) is verdict
        assert str(verdict) == verdict.name.lower()
    assert [*Verdict] == [Verdict.YIELD, Verdict.HOLD, Verdict.WAIT, Verdict.KEEP, Verdict.DEFER]


# Barge-in ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decide", "change", "verdict"),
    [
        (Immediate(), {"elapsed": 0.0, "playing": 0.0}, Verdict.YIELD),
        (Immediate(), {"transcript": ""}, Verdict.YIELD),
        (Never(), {"elapsed": 99.0, "playing": 99.0}, Verdict.DEFER),
        (MinWords(2), {"transcript": ""}, Verdict.WAIT),
        (MinWords(2), {"transcript": " well "}, Verdict.WAIT),
        (MinWords(2), {"transcript": "well, actually"}, Verdict.YIELD),
        (MinWords(2), {"transcript": "well actually no"}, Verdict.YIELD),
        (MinWords(1), {"transcript": "well"}, Verdict.YIELD),
        (MinDuration(0.5), {"elapsed": 0.4999}, Verdict.WAIT),
        (MinDuration(0.5), {"elapsed": 0.5}, Verdict.YIELD),
        (MinDuration(0.5), {"elapsed": 0.5001}, Verdict.YIELD),
        (MinDuration(0), {"elapsed": 0.0}, Verdict.YIELD),
        (MinDuration(0.5), {"elapsed": 0.1, "playing": 99.0}, Verdict.WAIT),
        (Grace(1.0), {"playing": 0.9999}, Verdict.WAIT),
        (Grace(1.0), {"playing": 1.0}, Verdict.YIELD),
        (Grace(1.0), {"playing": 1.0001}, Verdict.YIELD),
        (Grace(0), {"playing": 0.0}, Verdict.YIELD),
        (Grace(1.0), {"playing": 0.1, "elapsed": 99.0}, Verdict.WAIT),
    ],
    ids=repr,
)
@pytest.mark.parametrize("final", [False, True], ids=["meanwhile", "final"])
def test_barge_in_verdict_at_its_bound(
    decide: Callable[[Overlap], tuple[Verdict, str]], change: dict[str, Any], verdict: Verdict, final: bool
) -> None:
    """A bound is reached at its very value; the last time of asking is no exception (the machine makes WAIT a KEEP)."""
    assert decide(replace(OVERLAP, final=final, **change))[0] is verdict


@pytest.mark.parametrize("decide", BARGE_IN, ids=repr)
@settings(deadline=None)
@given(overlap=overlaps)
def test_barge_in_always_decides_and_says_why(decide: Any, overlap: Overlap) -> None:
    """Whatever the overlap, the answer is a verdict and a reason that quotes nobody; asked again, the same."""
    verdict, why = decide(overlap)
    assert isinstance(verdict, Verdict)
    assert why.strip()
    assert decide(overlap) == (verdict, why)
    assert decide(replace(overlap, held=not overlap.held)) == (verdict, why)
    assert decide(replace(overlap, transcript="4711 " * len(overlap.transcript.split())))[1] == why


@pytest.mark.parametrize(
    ("decide", "measured", "bound"),
    [(MinWords(3), "2 word", "3"), (MinDuration(0.75), "0.60", "0.75"), (Grace(5), "3.00", "5 s")],
    ids=repr,
)
def test_barge_in_says_what_is_missing(decide: Any, measured: str, bound: str) -> None:
    """The reason gives the measured value and the bound, so that a log line explains itself."""
    before, found, after = decide(OVERLAP)[1].partition(measured)
    assert found
    assert bound in before + after


# Speculation ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decide", "change", "drafts"),
    [
        (OnEager(), {}, True),
        (OnEager(), {"confidence": 0.0, "attempts": 99, "elapsed": 1e6}, True),
        (NoSpeculation(), {"confidence": 1.0}, False),
        (MinConfidence(0.6), {"confidence": 0.5999}, False),
        (MinConfidence(0.6), {"confidence": 0.6}, True),
        (MinConfidence(0.6), {"confidence": 0.6001}, True),
        (MinConfidence(0), {"confidence": 0.0}, True),
        (MinConfidence(1), {"confidence": 1.0}, True),
        (Budget(2), {"attempts": 1, "elapsed": 1e6}, True),
        (Budget(2), {"attempts": 2}, False),
        (Budget(2), {"attempts": 3}, False),
        (Budget(), {"attempts": 2}, True),
        (Budget(), {"attempts": 3}, False),
        (Budget(2, 10.0), {"elapsed": 9.999}, True),
        (Budget(2, 10.0), {"elapsed": 10.0}, True),
        (Budget(2, 10.0), {"elapsed": 10.001}, False),
        (Budget(2, 10.0), {"attempts": 2, "elapsed": 1.0}, False),
    ],
    ids=repr,
)
def test_speculation_at_its_bound(
    decide: Callable[[Pause], tuple[bool, str]], change: dict[str, Any], drafts: bool
) -> None:
    """A draft is started or not, and the bounds are those documented."""
    assert decide(replace(PAUSE, **change))[0] is drafts


@pytest.mark.parametrize("decide", SPECULATION, ids=repr)
@settings(deadline=None)
@given(pause=pauses)
def test_speculation_always_decides_and_says_why(decide: Any, pause: Pause) -> None:
    """Whatever the pause, the answer is a bool and a reason that quotes nobody; asked again, the same."""
    drafts, why = decide(pause)
    assert isinstance(drafts, bool)
    assert why.strip()
    assert decide(replace(pause, transcript="my pin is 4711")) == (drafts, why)


@pytest.mark.parametrize(
    ("decide", "measured", "bound"),
    [(MinConfidence(0.75), "0.60", "0.75"), (Budget(3), "draft 1", "3"), (Budget(3, 2), "4.00", "2 s")],
    ids=repr,
)
def test_speculation_says_what_is_missing(decide: Any, measured: str, bound: str) -> None:
    """The reason gives the measured value and the bound."""
    before, found, after = decide(PAUSE)[1].partition(measured)
    assert found
    assert bound in before + after


# Settings ---------------------------------------------------------------------------------------------------------

NUMBER_OF_SECONDS = "must be a number of seconds, 0 or more"
COUNT = "must be a whole number of at least 1"
NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("kind", "setting", "value", "rule"),
    [
        *((MinWords, "count", value, COUNT) for value in (0, -1, 1.0, "2", True, None, NAN)),
        *((Budget, "per_turn", value, COUNT) for value in (0, -1, 2.5, "2", False, None)),
        *((MinDuration, "seconds", value, NUMBER_OF_SECONDS) for value in (-0.1, NAN, INF, "1", True, None)),
        *((Grace, "seconds", value, NUMBER_OF_SECONDS) for value in (-0.1, NAN, INF, "1", False, None)),
        *((Budget, "turn_seconds", value, NUMBER_OF_SECONDS) for value in (-1, NAN, INF, "1", True)),
        *((MinConfidence, "confidence", value, "from 0 to 1") for value in (-0.01, 1.01, NAN, INF, "1", True, None)),
    ],
)
def test_setting_that_cannot_work_is_refused(kind: type[Any], setting: str, value: object, rule: str) -> None:
    """A senseless setting is refused at once, by policy, setting, value and rule."""
    with pytest.raises(ConfigError) as caught:
        kind(**{setting: value})
    assert str(caught.value).startswith(f"{kind.__name__}({setting}={value!r}): ")
    assert rule in str(caught.value)


@pytest.mark.parametrize("value", [*BARGE_IN, *SPECULATION, OVERLAP, PAUSE], ids=lambda value: type(value).__name__)
def test_policies_and_situations_are_values(value: Any) -> None:
    """Equal settings make equal policies that print as the Python that builds them and cannot be changed."""
    again = eval(repr(value), {}, vars(policy))
    assert again == value
    assert again is not value
    assert hash(again) == hash(value)
    for field in fields(value):
        with pytest.raises(FrozenInstanceError):
            setattr(value, field.name, getattr(value, field.name))


def test_other_settings_make_other_policies() -> None:
    """Policies differ by kind and by setting."""
    policies = [*BARGE_IN, *SPECULATION, MinWords(3), MinDuration(1.0), Budget(2)]
    assert len(set(policies)) == len(policies)
    bounds: list[object] = [MinDuration(1.0), Grace(1.0)]
    assert bounds[0] != bounds[1]


def test_every_built_in_is_tested_here() -> None:
    """No policy of the module is missing from the lists above."""
    callables = {
        value
        for value in vars(policy).values()
        if isinstance(value, type) and value.__module__ == policy.__name__ and "__call__" in vars(value)
    }
    assert {type(built_in) for built_in in [*BARGE_IN, *SPECULATION]} == callables


def test_huge_seconds() -> None:
    """A bound that no float holds is refused like any other, with nothing foreign raised."""
    with pytest.raises(ConfigError, match="must be a number of seconds"):
        policy.Grace(10**400)
