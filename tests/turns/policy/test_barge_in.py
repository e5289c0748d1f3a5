"""Barge-in policies: each at, below and above its bound, and the reasons they give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.built_in_policies import BARGE_IN
from tests.support.situations import OVERLAP, overlaps
from turnkit.turns import policy
from turnkit.turns.policy import (
    EchoGuard,
    Grace,
    HoldThenDecide,
    IgnoreBackchannels,
    Immediate,
    MinDuration,
    MinWords,
    Never,
    Overlap,
    Verdict,
)


def test_verdicts_print_as_their_names() -> None:
    """A verdict's repr names the member, its str is the word for the log."""
    for verdict in Verdict:
        assert eval(repr(verdict), {}, vars(policy)) is verdict
        assert str(verdict) == verdict.name.lower()
    assert [*Verdict] == [Verdict.YIELD, Verdict.HOLD, Verdict.WAIT, Verdict.KEEP, Verdict.DEFER]


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
        (MinWords(2), {"transcript": "Uh-huh."}, Verdict.WAIT),
        (MinWords(2), {"transcript": "well — "}, Verdict.WAIT),
        (MinWords(2), {"transcript": "今"}, Verdict.WAIT),
        (MinWords(5), {"transcript": "今日は予約をお願いします"}, Verdict.YIELD),
        (MinWords(4), {"transcript": "今 日 は。"}, Verdict.WAIT),
        (MinWords(2), {"transcript": "ที่"}, Verdict.WAIT),
        (MinWords(2), {"transcript": "ที่นี่"}, Verdict.YIELD),
        (MinWords(2), {"transcript": "ខ្ញុំទៅ"}, Verdict.YIELD),
        (MinWords(2), {"transcript": "안녕하세요"}, Verdict.WAIT),
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
    """Whatever the overlap, the answer is a verdict and a reason; asked again, the same."""
    verdict, why = decide(overlap)
    assert isinstance(verdict, Verdict)
    assert why.strip()
    assert decide(overlap) == (verdict, why)
    assert decide(replace(overlap, held=not overlap.held)) == (verdict, why)


@pytest.mark.parametrize("decide", [*BARGE_IN, IgnoreBackchannels({"zq", "zqz zzq"})], ids=repr)
@settings(deadline=None)
@given(said=st.lists(st.text("zq", min_size=1), max_size=6), overlap=overlaps, echo=st.booleans())
def test_no_reason_quotes_what_was_said(decide: Any, said: list[str], overlap: Overlap, echo: bool) -> None:
    """The reason goes to the log: it counts words and holds none, be they the user's or the agent's."""
    text = " ".join(said)
    _, why = decide(replace(overlap, transcript=text, heard=text if echo else "qz"))
    assert not set("zq") & set(why)


@pytest.mark.parametrize(
    ("decide", "measured", "bound"),
    [
        (MinWords(3), "2 word", "3"),
        (MinDuration(0.75), "0.60", "0.75"),
        (Grace(5), "3.00", "5 s"),
        (HoldThenDecide(MinWords(3)), "2 words", "3 needed"),
        (HoldThenDecide(MinWords(3), seconds=0.5), "0.60", "0.5 s"),
        (EchoGuard(), "2 of 2 words", "3 needed"),
    ],
    ids=repr,
)
def test_barge_in_says_what_is_missing(decide: Any, measured: str, bound: str) -> None:
    """The reason gives the measured value and the bound, so that a log line explains itself."""
    before, found, after = decide(replace(OVERLAP, heard="Well, actually, the"))[1].partition(measured)
    assert found
    assert bound in before + after
