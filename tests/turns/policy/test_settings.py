"""Policies as values: the settings they refuse, their equality, and how they print."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from tests.support.built_in_policies import BARGE_IN, SPECULATION
from tests.support.situations import OVERLAP, PAUSE
from turnkit.errors import ConfigError
from turnkit.turns import policy
from turnkit.turns.policy import (
    Budget,
    EchoGuard,
    Grace,
    HoldThenDecide,
    IgnoreBackchannels,
    Immediate,
    MinConfidence,
    MinDuration,
    MinWords,
    Verdict,
    all_of,
)

NUMBER_OF_SECONDS = "must be a number of seconds, 0 or more"
COUNT = "must be a whole number of at least 1"
POLICY = "must be a policy, that is a callable such as Immediate()"
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
        *((HoldThenDecide, "then", value, POLICY) for value in (MinWords, None, 2, Verdict.YIELD, "MinWords")),
        *((HoldThenDecide, "seconds", value, NUMBER_OF_SECONDS) for value in (-0.1, NAN, INF, "1", True, None)),
        *((IgnoreBackchannels, "then", value, POLICY) for value in (Immediate, None)),
        *((IgnoreBackchannels, "phrases", value, "must be a set of phrases") for value in ("yeah", b"yeah", None, 3)),
        (IgnoreBackchannels, "phrases", [], "at least one"),
        (IgnoreBackchannels, "phrases", frozenset(), "at least one"),
        *((EchoGuard, "then", value, POLICY) for value in (Immediate, None)),
        *((EchoGuard, "match", value, "above 0, up to 1") for value in (0, -0.1, 1.01, NAN, INF, "1", True, None)),
        *((EchoGuard, "min_words", value, COUNT) for value in (0, -1, 1.0, "2", True, None)),
    ],
)
def test_setting_that_cannot_work_is_refused(kind: type[Any], setting: str, value: object, rule: str) -> None:
    """A senseless setting is refused at once, by policy, setting, value and rule."""
    with pytest.raises(ConfigError) as caught:
        kind(**{setting: value})
    assert str(caught.value).startswith(f"{kind.__name__}({setting}={value!r}): ")
    assert rule in str(caught.value)


def test_all_of_refuses_what_is_no_policy() -> None:
    """None at all, a class, or something that cannot be called; named by its place."""
    nothing: Any = []
    with pytest.raises(ConfigError, match=r"all_of\(\): must be given at least one policy"):
        all_of(*nothing)
    for value in (MinWords, None, 3):
        policies: Any = [Immediate(), value]
        with pytest.raises(ConfigError) as caught:
            all_of(*policies)
        assert str(caught.value).startswith(f"all_of(policies[1]={value!r}): {POLICY}")


@pytest.mark.parametrize("value", [*BARGE_IN, *SPECULATION, OVERLAP, PAUSE], ids=lambda value: type(value).__name__)
def test_policies_and_situations_are_values(value: Any) -> None:
    """Equal settings make equal policies that print as the Python that builds them and cannot be changed."""
    again = eval(repr(value), {}, vars(policy))
    assert again == value
    assert again is not value
    assert hash(again) == hash(value)
    names = (
        [field.name for field in dataclasses.fields(value)]
        if dataclasses.is_dataclass(value)
        else value.__struct_fields__
    )
    for name in names:
        with pytest.raises(AttributeError):
            setattr(value, name, getattr(value, name))


def test_other_settings_make_other_policies() -> None:
    """Policies differ by kind and by setting."""
    policies = [*BARGE_IN, *SPECULATION, MinWords(3), MinDuration(1.0), Budget(2)]
    assert len(set(policies)) == len(policies)
    bounds: list[object] = [MinDuration(1.0), Grace(1.0)]
    assert bounds[0] != bounds[1]


def test_every_built_in_is_tested_here() -> None:
    """No policy of the module is missing from the lists that these tests go through."""
    callables = {
        value
        for value in vars(policy).values()
        if isinstance(value, type) and value.__module__.startswith(policy.__name__) and "__call__" in vars(value)
    }
    assert {type(built_in) for built_in in [*BARGE_IN, *SPECULATION]} == callables | {type(all_of(Immediate()))}


def test_huge_seconds() -> None:
    """A bound that no float holds is refused like any other, with nothing foreign raised."""
    with pytest.raises(ConfigError, match="must be a number of seconds"):
        policy.Grace(10**400)
