"""Speculation policies: each at, below and above its bound, and the reasons they give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from tests.support.built_in_policies import SPECULATION
from tests.support.situations import PAUSE, pauses
from turnkit.turns.policy import Budget, MinConfidence, NoSpeculation, OnEager, Pause


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
